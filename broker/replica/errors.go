package replica

import (
	"errors"
	"fmt"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
)

// Errors of this package; it translates the storage errors that it lets through, so that broker/api need not know storage's.
var (
	ErrUnknownPartition             = errors.New("this broker does not host the partition")
	ErrNotLeader                    = errors.New("this broker does not lead the partition")
	ErrFencedLeaderEpoch            = errors.New("leader epoch is older than the current one")
	ErrUnknownLeaderEpoch           = errors.New("leader epoch is newer than the current one")
	ErrOffsetOutOfRange             = errors.New("offset out of range")
	ErrOffsetNotAvailable           = errors.New("high watermark has not reached the start of the leader's epoch")
	ErrNotEnoughReplicas            = errors.New("fewer in-sync replicas than min.insync.replicas")
	ErrNotEnoughReplicasAfterAppend = errors.New("fewer in-sync replicas than min.insync.replicas after the append")
	ErrTimedOut                     = errors.New("timed out")
	ErrStorage                      = errors.New("log directory failed")
	ErrDiskFull                     = storage.ErrDiskFull // beside ErrStorage: it passes when there is space again
	ErrRecordListTooLarge           = errors.New("record batch is larger than a segment")
	ErrOutOfOrderSequence           = errors.New("out of order sequence number")
	ErrInvalidProducerEpoch         = errors.New("producer epoch is older than the last one seen")
	ErrInvalidTxnState              = errors.New("record does not fit the producer's transaction state")
	ErrCoordinatorFenced            = errors.New("transaction coordinator epoch is older than the last one seen")
	ErrPolicyViolation              = errors.New("cleanup.policy does not allow it")
	ErrStaleControllerEpoch         = errors.New("controller epoch or leader epoch is not newer")
	ErrStaleBrokerEpoch             = errors.New("broker epoch is older than this broker's")
	ErrInconsistentTopicID          = errors.New("topic id differs from the log's")
	ErrNoLogDir                     = errors.New("no such log directory")
	ErrTopicNameTooLong             = errors.New("topic name is too long for its log to be moved")
	ErrReplicaNotAvailable          = errors.New("this broker has no replica of the partition yet")
)

// translate gives a storage error the name that it has here. What storage does not name is what the file system said.
func translate(err error) error {
	var as error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrOffsetOutOfRange):
		as = ErrOffsetOutOfRange
	case errors.Is(err, storage.ErrRecordListTooLarge):
		as = ErrRecordListTooLarge
	case errors.Is(err, storage.ErrOutOfOrderSequence):
		as = ErrOutOfOrderSequence
	case errors.Is(err, storage.ErrInvalidProducerEpoch):
		as = ErrInvalidProducerEpoch
	case errors.Is(err, storage.ErrInvalidTxnState):
		as = ErrInvalidTxnState
	case errors.Is(err, storage.ErrCoordinatorFenced):
		as = ErrCoordinatorFenced
	case errors.Is(err, storage.ErrInconsistentTopicID):
		as = ErrInconsistentTopicID
	case errors.Is(err, storage.ErrNoDirectory):
		as = ErrNoLogDir
	case errors.Is(err, storage.ErrNameTooLong):
		as = ErrTopicNameTooLong
	case errors.Is(err, record.ErrCorrupt), errors.Is(err, storage.ErrUnexpectedOffset): // of what a leader sent
		return err
	default:
		as = ErrStorage
	}
	return fmt.Errorf("%w: %w", as, err)
}
