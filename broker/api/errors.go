package api

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/zkmeta"
)

// code is codeOf for an error that nobody else logs: an error without a code of its own is a bug or a broken
// machine, and is logged here, once.
func (h *Handlers) code(c *server.Call, err error, fields ...zap.Field) protocol.ErrorCode {
	code := codeOf(err)
	if code == protocol.UnknownServerError {
		h.log.Error("request failed", append(fields,
			zap.String("api", apiName(c)), zap.Int16("api_version", c.Header.Version),
			zap.String("client_id", c.Header.ClientID), zap.String("remote", c.Conn.RemoteHost), zap.Error(err))...)
	}
	return code
}

// failure is an error of this room's own checks, with the code and the message of its answer.
type failure struct {
	code    protocol.ErrorCode
	message string
}

func (f *failure) Error() string { return f.message }

func invalidRequest(format string, args ...any) *failure {
	return &failure{code: protocol.InvalidRequest, message: fmt.Sprintf(format, args...)}
}

// refusal gives code and message for what the controller or this room refused: its text is the answer's. An error without
// one gets Kafka's default text, no error none.
func (h *Handlers) refusal(c *server.Call, err error) (protocol.ErrorCode, *string) {
	if err == nil {
		return protocol.None, nil
	}
	code := h.code(c, err)
	message := protocol.ErrorMessage(code)
	var refused *controller.Refusal
	var failed *failure
	switch {
	case errors.As(err, &refused):
		message = refused.Message
	case errors.As(err, &failed):
		message = failed.message
	}
	return code, &message
}

// codeOf is the only place where a Go error becomes a Kafka error code.
func codeOf(err error) protocol.ErrorCode {
	if err == nil {
		return protocol.None
	}
	var refusal *record.Refusal
	if errors.As(err, &refusal) {
		return codeOfRefusal(refusal.Reason)
	}
	var failed *failure
	if errors.As(err, &failed) {
		return failed.code
	}
	for _, m := range mapping() {
		if errors.Is(err, m.err) {
			return m.code
		}
	}
	return protocol.UnknownServerError // and the caller logs it, once
}

func codeOfRefusal(r record.Reason) protocol.ErrorCode {
	switch r {
	case record.Corrupt:
		return protocol.CorruptMessage
	case record.TooLarge:
		return protocol.MessageTooLarge
	case record.InvalidRecord:
		return protocol.InvalidRecord
	case record.InvalidTimestamp:
		return protocol.InvalidTimestamp
	case record.UnsupportedCompression:
		return protocol.UnsupportedCompressionType
	case record.UnsupportedFormat:
		return protocol.UnsupportedForMessageFormat
	default:
		return protocol.InvalidRecord
	}
}

// Errors that this package itself finds.
var (
	errInvalidAcks   = errors.New("acks is none of -1, 0 and 1")
	errInternalTopic = errors.New("only coordinators write to internal topics")
)

type errorCode struct {
	err  error
	code protocol.ErrorCode
}

// mapping lists the sentinels of the rooms below with their codes. An error that wraps several takes the first.
func mapping() []errorCode {
	return []errorCode{
		{replica.ErrNotLeader, protocol.NotLeaderOrFollower},
		{replica.ErrUnknownPartition, protocol.UnknownTopicOrPartition},
		{replica.ErrOffsetOutOfRange, protocol.OffsetOutOfRange},
		{replica.ErrTimedOut, protocol.RequestTimedOut},
		{replica.ErrNotEnoughReplicas, protocol.NotEnoughReplicas},
		{replica.ErrNotEnoughReplicasAfterAppend, protocol.NotEnoughReplicasAfterAppend},
		{replica.ErrFencedLeaderEpoch, protocol.FencedLeaderEpoch},
		{replica.ErrUnknownLeaderEpoch, protocol.UnknownLeaderEpoch},
		{replica.ErrOffsetNotAvailable, protocol.OffsetNotAvailable},
		{replica.ErrStorage, protocol.KafkaStorageError},
		{replica.ErrRecordListTooLarge, protocol.RecordListTooLarge},
		{replica.ErrOutOfOrderSequence, protocol.OutOfOrderSequenceNumber},
		{replica.ErrInvalidProducerEpoch, protocol.InvalidProducerEpoch},
		{replica.ErrInvalidTxnState, protocol.InvalidTxnState},
		{replica.ErrCoordinatorFenced, protocol.TransactionCoordinatorFenced},
		{replica.ErrPolicyViolation, protocol.PolicyViolation},
		{replica.ErrStaleControllerEpoch, protocol.StaleControllerEpoch},
		{replica.ErrStaleBrokerEpoch, protocol.StaleBrokerEpoch},
		{replica.ErrInconsistentTopicID, protocol.InconsistentTopicID},
		{replica.ErrNoLogDir, protocol.LogDirNotFound},
		{replica.ErrTopicNameTooLong, protocol.InvalidTopic},
		{replica.ErrReplicaNotAvailable, protocol.ReplicaNotAvailable},

		{errInvalidAcks, protocol.InvalidRequiredAcks},
		{errInternalTopic, protocol.InvalidTopic},
		{errNoDownConversion, protocol.UnsupportedVersion},
		{record.ErrZstdDownConversion, protocol.UnsupportedCompressionType},
		{record.ErrCorrupt, protocol.CorruptMessage},

		{controller.ErrNotController, protocol.NotController},
		{controller.ErrTopicExists, protocol.TopicAlreadyExists},
		{controller.ErrUnknownTopic, protocol.UnknownTopicOrPartition},
		{controller.ErrUnknownTopicID, protocol.UnknownTopicID},
		{controller.ErrInvalidTopic, protocol.InvalidTopic},
		{controller.ErrInvalidPartitions, protocol.InvalidPartitions},
		{controller.ErrInvalidReplicationFactor, protocol.InvalidReplicationFactor},
		{controller.ErrInvalidAssignment, protocol.InvalidReplicaAssignment},
		{controller.ErrInvalidConfig, protocol.InvalidConfig},
		{controller.ErrInvalidRequest, protocol.InvalidRequest},
		{controller.ErrTopicDeletionDisabled, protocol.TopicDeletionDisabled},
		{controller.ErrReassignmentInProgress, protocol.ReassignmentInProgress},
		{controller.ErrNoReassignment, protocol.NoReassignmentInProgress},
		{controller.ErrStaleBrokerEpoch, protocol.StaleBrokerEpoch},
		{controller.ErrBrokerNotRegistered, protocol.BrokerIDNotRegistered},
		{controller.ErrBrokerNotAvailable, protocol.BrokerNotAvailable},
		{controller.ErrElectionNotNeeded, protocol.ElectionNotNeeded},
		{controller.ErrPreferredLeaderNotAvailable, protocol.PreferredLeaderNotAvailable},
		{controller.ErrEligibleLeadersNotAvailable, protocol.EligibleLeadersNotAvailable},
		{controller.ErrFencedLeaderEpoch, protocol.FencedLeaderEpoch},
		{controller.ErrInvalidUpdateVersion, protocol.InvalidUpdateVersion},
		{controller.ErrIneligibleReplica, protocol.IneligibleReplica},

		{zkmeta.ErrInvalidName, protocol.InvalidGroupID},
		{zkmeta.ErrControllerMoved, protocol.NotController},
		{zkmeta.ErrNodeExists, protocol.TopicAlreadyExists},
		{zkmeta.ErrNoNode, protocol.UnknownTopicOrPartition},
		{zkmeta.ErrSessionExpired, protocol.CoordinatorNotAvailable},
		{zkmeta.ErrClosed, protocol.CoordinatorNotAvailable},

		// The request's own deadline, or a peer that hung up and reads no answer.
		{context.DeadlineExceeded, protocol.RequestTimedOut},
		{context.Canceled, protocol.RequestTimedOut},
	}
}

func isUnknown(err error) bool { return errors.Is(err, replica.ErrUnknownPartition) }
