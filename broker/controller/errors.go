package controller

import (
	"errors"
	"fmt"
)

// Errors of this package, one per Kafka error code; broker/api maps them.
var (
	ErrNotController            = errors.New("this broker is not the controller")
	ErrTopicExists              = errors.New("topic exists already")
	ErrUnknownTopic             = errors.New("topic does not exist")
	ErrUnknownTopicID           = errors.New("topic id does not exist")
	ErrInvalidTopic             = errors.New("topic name is not legal")
	ErrInvalidPartitions        = errors.New("number of partitions is not legal")
	ErrInvalidReplicationFactor = errors.New("replication factor is not legal")
	ErrInvalidAssignment        = errors.New("replica assignment is not legal")
	ErrInvalidConfig            = errors.New("topic configuration is not legal")
	ErrInvalidRequest           = errors.New("request is not legal")
	ErrTopicDeletionDisabled    = errors.New("delete.topic.enable is false")
	ErrReassignmentInProgress   = errors.New("partition reassignment is in progress")
	ErrStaleBrokerEpoch         = errors.New("broker epoch is not the registered one")
	ErrBrokerNotRegistered      = errors.New("broker is not registered")
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
