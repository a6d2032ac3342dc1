package storage

import (
	"math/rand/v2"
	"time"
)

// Config is what a log needs of a topic's configuration. A *Config is immutable once
// given to a Log; a change replaces it.
type Config struct {
	SegmentBytes       int64         // segment.bytes
	SegmentAge         time.Duration // segment.ms
	SegmentJitter      time.Duration // segment.jitter.ms
	SegmentIndexBytes  int           // segment.index.bytes
	IndexIntervalBytes int           // index.interval.bytes
	FlushMessages      int64         // flush.messages; 1 flushes (group commit) on every append, 0 never
	FlushInterval      time.Duration // flush.ms; 0 < d; math.MaxInt64 never
	RetentionAge       time.Duration // retention.ms; negative keeps for ever
	RetentionBytes     int64         // retention.bytes; negative keeps all
	FileDeleteDelay    time.Duration // file.delete.delay.ms
	Delete             bool          // cleanup.policy has delete
	Compact            bool          // cleanup.policy has compact
	// What compaction obeys besides, where there is a cleaner.
	DeleteRetention   time.Duration // delete.retention.ms; for tombstones and markers
	MinCompactionLag  time.Duration // min.compaction.lag.ms
	MaxCompactionLag  time.Duration // max.compaction.lag.ms; math.MaxInt64 for none
	MinCleanableRatio float64       // min.cleanable.dirty.ratio
	// ProducerExpiry is the broker's producer.id.expiration.ms; 0 never.
	ProducerExpiry time.Duration
}

// jitter picks what a new segment takes off segment.ms, so that segments created
// together are not rolled together.
func (c *Config) jitter() time.Duration {
	bound := min(c.SegmentJitter, c.SegmentAge)
	if bound <= 0 {
		return 0
	}
	return rand.N(bound)
}

// maxOffsetEntries and maxTimeEntries are how many entries fit the indexes of a segment;
// the time index keeps a slot for the entry that sealing adds.
func (c *Config) maxOffsetEntries() int { return c.SegmentIndexBytes / offsetEntrySize }
func (c *Config) maxTimeEntries() int   { return c.SegmentIndexBytes/timeEntrySize - 1 }
