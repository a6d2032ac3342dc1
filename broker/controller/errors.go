package controller

import (
	"errors"
	"fmt"

	"github.com/kbroker/kbroker/zkmeta"
)

// Errors of this package, one per Kafka error code; broker/api maps them.
var (
	ErrNotController               = errors.New("this broker is not the controller")
	ErrTopicExists                 = errors.New("topic exists already")
	ErrUnknownTopic                = errors.New("topic does not exist")
	ErrUnknownTopicID              = errors.New("topic id does not exist")
	ErrInvalidTopic                = errors.New("topic name is not legal")
	ErrInvalidPartitions           = errors.New("number of partitions is not legal")
	ErrInvalidReplicationFactor    = errors.New("replication factor is not legal")
	ErrInvalidAssignment           = errors.New("replica assignment is not legal")
	ErrInvalidConfig               = errors.New("topic configuration is not legal")
	ErrInvalidRequest              = errors.New("request is not legal")
	ErrTopicDeletionDisabled       = errors.New("delete.topic.enable is false")
	ErrReassignmentInProgress      = errors.New("partition reassignment is in progress")
	ErrNoReassignment              = errors.New("no partition reassignment is in progress")
	ErrStaleBrokerEpoch            = errors.New("broker epoch is not the registered one")
	ErrBrokerNotRegistered         = errors.New("broker is not registered")
	ErrBrokerNotAvailable          = errors.New("broker is not available")
	ErrElectionNotNeeded           = errors.New("the leader is the wanted one already")
	ErrPreferredLeaderNotAvailable = errors.New("the preferred leader is not in sync or not alive")
	ErrEligibleLeadersNotAvailable = errors.New("no replica is alive")
	ErrFencedLeaderEpoch           = errors.New("leader epoch is older than the controller's")
	ErrInvalidUpdateVersion        = errors.New("partition state was changed by somebody else")
	ErrIneligibleReplica           = errors.New("replica cannot be in sync: its broker is gone or shutting down")
)

// errAdministration is Kafka's AdminOperationException, which it answers with
// UNKNOWN_SERVER_ERROR and a text.
var errAdministration = errors.New("administrative operation failed")

// Refusal is an error with the text that Kafka answers in error_message.
type Refusal struct {
	Err     error // one of the above
	Message string
}

func (r *Refusal) Error() string { return r.Message }
func (r *Refusal) Unwrap() error { return r.Err }

func refuse(err error, format string, args ...any) error {
	return &Refusal{Err: err, Message: fmt.Sprintf(format, args...)}
}

// ends reports whether an error ends the term by itself: the office, or the
// session that held it, is lost.
func ends(err error) bool {
	return errors.Is(err, zkmeta.ErrControllerMoved) || errors.Is(err, zkmeta.ErrSessionExpired) || errors.Is(err, zkmeta.ErrClosed)
}

// forCaller is what a caller is told of an error: that it should ask another
// broker, if the term is over.
func forCaller(err error) error {
	if ends(err) {
		return ErrNotController
	}
	return err
}
