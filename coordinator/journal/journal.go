package journal

import (
	"context"
	"time"
)

// Record is a record of an internal topic. A nil Value is a tombstone. Who makes one gives its bytes away.
type Record struct{ Key, Value []byte }

// Producer is who writes in a transaction.
type Producer struct {
	ID    int64
	Epoch int16
}

// Journal is the partitions of one internal topic, as far as this broker leads them. Errors carry a *kerr.Error
// that errors.As finds: NOT_LEADER_OR_FOLLOWER (also for a leader epoch that is over), NOT_ENOUGH_REPLICAS,
// NOT_ENOUGH_REPLICAS_AFTER_APPEND, KAFKA_STORAGE_ERROR, MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE,
// REQUEST_TIMED_OUT, UNKNOWN_TOPIC_OR_PARTITION. Methods are called from many goroutines.
type Journal interface {
	// Append writes the records as one batch with CreateTime now, acks=all, if this broker still leads the partition in
	// leaderEpoch. It returns when they are in the local log, with the offset behind the last of them; it waits for no
	// replica. With a producer the batch is part of that producer's transaction.
	Append(partition, leaderEpoch int32, records []Record, producer *Producer, now time.Time) (end int64, err error)
	// Committed has done called once: with nil when the high watermark has reached end, or with the reason that it will not
	// or did not within the timeout. With one replica that is at once, before Committed returns; else on a goroutine of its own.
	Committed(partition, leaderEpoch int32, end int64, timeout time.Duration, done func(error))
	// Load visits all entries from the log start to the log end, in order, while this broker leads the partition in leaderEpoch. It ends
	// early with the visitor's error or when ctx ends.
	Load(ctx context.Context, partition, leaderEpoch int32, visit func(Entry) error) error
}

// Entry is a record or a transaction marker as it is read back. Its bytes are valid until the visitor returns.
type Entry struct {
	Offset     int64
	Key, Value []byte // Value nil: tombstone
	// Producer is set when the record belongs to a transaction, and for a marker.
	Producer *Producer
	Marker   Marker
}

// Marker tells how a transaction ended.
type Marker int8

// An entry that is no marker has NoMarker.
const (
	NoMarker Marker = iota
	Commit
	Abort
)
