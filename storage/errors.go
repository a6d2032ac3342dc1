package storage

import (
	"errors"
	"syscall"
)

// Errors of this package. Others wrap what the file system said; they take the log offline.
var (
	ErrOffsetOutOfRange     = errors.New("offset out of range")
	ErrOffline              = errors.New("log directory is offline")
	ErrClosed               = errors.New("log is closed or deleted")
	ErrRecordListTooLarge   = errors.New("record batch is larger than a segment") // RECORD_LIST_TOO_LARGE
	ErrOutOfOrderSequence   = errors.New("out of order sequence number")
	ErrInvalidProducerEpoch = errors.New("producer epoch is older than the last one seen")
	ErrInvalidTxnState      = errors.New("record does not fit the producer's transaction state")
	ErrCoordinatorFenced    = errors.New("transaction coordinator epoch is older than the last one seen")
	ErrDiskFull             = errors.New("disk is full")
	// ErrUnexpectedOffset is what a follower gets whose batches do not begin at or after
	// its log end, or are not in order.
	ErrUnexpectedOffset = errors.New("offset does not continue the log")
	// ErrNoDirectory is what a directory gets that is none of log.dirs; ErrNameTooLong a partition whose name leaves no room
	// for that of a copy under way.
	ErrNoDirectory = errors.New("no such log directory")
	ErrNameTooLong = errors.New("topic name is too long")
	// ErrNotCaughtUp is what Replace gives when the copy lacks records.
	ErrNotCaughtUp = errors.New("the copy has not caught up with the log")
	// ErrInconsistentTopicID is what SetTopicID gives when the log belongs to another
	// incarnation of the topic (INCONSISTENT_TOPIC_ID).
	ErrInconsistentTopicID = errors.New("topic id differs from the log's")
)

// isDiskFull tells the one class of I/O errors that passes when space returns.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
