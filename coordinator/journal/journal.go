package journal

import (
	"context"
	"time"
)

// Record is a record of an internal topic. A nil Value is a tombstone, an empty one is not. Whoever makes a Record gives
// its bytes away: nobody changes them afterwards.
type Record struct{ Key, Value []byte }

// Producer is who writes in a transaction.
type Producer struct {
	ID    int64
	Epoch int16
}

// Journal is the partitions of one internal topic, as far as this broker leads them. Its methods are safe for concurrent use.
//
// A leadership is named by the leader epoch in which it began; it goes on in later epochs for as long as this broker leads in them
// without a break.
//
// Errors carry a *kerr.Error that errors.As finds: NOT_LEADER_OR_FOLLOWER (also in another leadership than the given one, older
// or newer), UNKNOWN_TOPIC_OR_PARTITION, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND, REQUEST_TIMED_OUT,
// MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, KAFKA_STORAGE_ERROR; for a transactional append INVALID_PRODUCER_EPOCH and
// INVALID_TXN_STATE; for a load CORRUPT_MESSAGE. A context's error and a visitor's carry none.
type Journal interface {
	// Append writes the records, at least one, as one batch with CreateTime now, if this broker leads the partition in
	// leaderEpoch and enough replicas are in sync (acks=all). It returns the offset behind the last of them when they are
	// in the local log, and waits for no replica. With a producer the batch is part of that producer's transaction.
	Append(partition, leaderEpoch int32, records []Record, producer *Producer, now time.Time) (end int64, err error)
	// Committed has done called once: with nil when the high watermark has reached end, or with the reason that it will not,
	// or did not within the timeout. Where the answer is known at once, as with one replica, done runs before Committed
	// returns; else on a goroutine of its own.
	Committed(partition, leaderEpoch int32, end int64, timeout time.Duration, done func(error))
	// Load visits all entries from the log start to the log end, in order, if this broker leads the partition in
	// leaderEpoch. It ends early when it ceases to, with the visitor's error as it is, or when ctx ends.
	Load(ctx context.Context, partition, leaderEpoch int32, visit func(Entry) error) error
	// Settled returns when no later leader can lack what lies below end: the high watermark has reached it, or nobody else is
	// in sync. A new leader may have read more than that. It ends early when this broker ceases to lead in leaderEpoch, or when
	// ctx ends.
	Settled(ctx context.Context, partition, leaderEpoch int32, end int64) error
}

// Entry is a record or a transaction marker as it is read back. Its bytes are valid until the visitor returns; Producer is
// the visitor's to keep, but shared by the entries of a batch.
type Entry struct {
	Offset     int64
	Key, Value []byte // Value nil: tombstone
	// Producer is set when the record belongs to a transaction, and for a marker.
	Producer *Producer
	Marker   Marker // with it Key and Value are the marker's own
}

// Marker tells how a transaction ended.
type Marker int8

// An entry that is no marker has NoMarker.
const (
	NoMarker Marker = iota
	Commit
	Abort
)
