package storage

import (
	"context"
	"errors"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Config is what a log needs of a topic's configuration. A *Config is immutable once
// given to a Log; a change replaces it.
type Config struct {
	SegmentBytes       int64         // segment.bytes
	SegmentAge         time.Duration // segment.ms
	SegmentJitter      time.Duration // segment.jitter.ms
	SegmentIndexBytes  int           // segment.index.bytes
	IndexIntervalBytes int           // index.interval.bytes
	FlushMessages      int64         // flush.messages; 1 flushes (group commit) on every append
	FlushInterval      time.Duration // flush.ms; 0 < d; math.MaxInt64 never
	RetentionAge       time.Duration // retention.ms; negative keeps for ever
	RetentionBytes     int64         // retention.bytes; negative keeps all
	FileDeleteDelay    time.Duration // file.delete.delay.ms
	Delete             bool          // cleanup.policy has delete
	Compact            bool          // cleanup.policy has compact
	Preallocate        bool          // preallocate
	// ProducerExpiry is the broker's producer.id.expiration.ms.
	ProducerExpiry time.Duration
}

// Errors of this package. Others wrap what the file system said; they take the log offline.
var (
	ErrOffsetOutOfRange     = errors.New("offset out of range")
	ErrOffline              = errors.New("log directory is offline")
	ErrRecordListTooLarge   = errors.New("record batch is larger than a segment") // RECORD_LIST_TOO_LARGE
	ErrOutOfOrderSequence   = errors.New("out of order sequence number")
	ErrInvalidProducerEpoch = errors.New("producer epoch is older than the last one seen")
	ErrInvalidTxnState      = errors.New("record does not fit the producer's transaction state")
	ErrCoordinatorFenced    = errors.New("transaction coordinator epoch is older than the last one seen")
	ErrDiskFull             = errors.New("disk is full")
)

// Origin says who appends; it decides which producer checks apply.
type Origin int8

// The origins of an append.
const (
	FromClient      Origin = iota
	FromCoordinator        // group and transaction coordinators, and transaction markers
	FromLeader             // a follower's append
)

// Appended tells where an append went.
type Appended struct {
	BaseOffset int64
	LastOffset int64
	// Duplicate is true when the batch is one of the producer's last five: nothing was
	// appended and the offsets are those of the original.
	Duplicate      bool
	AppendTime     int64 // of the original for a duplicate; else as given
	LogStartOffset int64
}

// Log is one replica's log: segments, indexes, producer state and leader epochs in one
// folder. Methods may be called from several goroutines. Log.mu is the last lock in the
// order Manager.mu, Partition.mu, Log.mu; reading bytes takes no lock.
type Log struct{}

func (l *Log) TopicPartition() TopicPartition { panic("unwritten") }
func (l *Log) TopicID() [16]byte              { panic("unwritten") } // zero when unknown
func (l *Log) SetTopicID([16]byte) error      { panic("unwritten") } // writes partition.metadata
func (l *Log) Dir() string                    { panic("unwritten") } // the log.dirs entry that holds it
func (l *Log) Config() *Config                { panic("unwritten") }
func (l *Log) SetConfig(*Config)              { panic("unwritten") }
func (l *Log) LogStartOffset() int64          { panic("unwritten") }
func (l *Log) LogEndOffset() int64            { panic("unwritten") }
func (l *Log) Size() int64                    { panic("unwritten") } // bytes in all segments

// HighWatermark is set by the owner of the replica and only obeyed here: retention and
// cleaning stay below it.
func (l *Log) HighWatermark() int64 { panic("unwritten") }

// SetHighWatermark clamps to [log start offset, log end offset] and returns what was set.
func (l *Log) SetHighWatermark(offset int64) int64 { panic("unwritten") }

// LastStableOffset is the first offset that a read_committed reader may not read: the
// high watermark, or the start of the oldest transaction still open (or whose marker is
// not below the high watermark).
func (l *Log) LastStableOffset() int64 { panic("unwritten") }

// AppendAsLeader checks the producer state, gives the batch its offsets and the leader
// epoch (patching its bytes) and writes it. now is in milliseconds.
func (l *Log) AppendAsLeader(b record.Checked, leaderEpoch int32, origin Origin) (Appended, error) {
	panic("unwritten")
}

// AppendAsFollower writes batches fetched from a leader as they are. They must start at
// the log end offset or (after a gap left by the leader's cleaner) beyond it.
func (l *Log) AppendAsFollower(batches []byte) (Appended, error) { panic("unwritten") }

// Slice is a piece of a segment: whole batches, unless maxBytes cut the last one.
// It holds its file open until Release.
type Slice struct {
	Position int64
	Size     int64
	// NextOffset bounds the offsets in the slice from above (it may be larger than the true next).
	NextOffset int64
	// Segment position facts used by waiters: base offset of the segment read.
	SegmentBase int64
}

func (s *Slice) SendTo(conn net.Conn) error             { panic("unwritten") }
func (s *Slice) ReadAt(p []byte, at int64) (int, error) { panic("unwritten") }
func (s *Slice) Release()                               { panic("unwritten") }

// Read finds the batches from the one that holds offset on, below upTo, of at most
// maxBytes. With minOne a first batch larger than maxBytes is given whole. An offset
// equal to upTo or the log end gives an empty Slice; one outside [log start, log end] ErrOffsetOutOfRange.
func (l *Log) Read(offset, upTo, maxBytes int64, minOne bool) (Slice, error) {
	panic("unwritten")
}

// Aborted is an aborted transaction as a read_committed fetch answers it.
type Aborted struct {
	ProducerID  int64
	FirstOffset int64
}

// AbortedIn lists the aborted transactions that touch [from, to), by first offset.
func (l *Log) AbortedIn(from, to int64) ([]Aborted, error) { panic("unwritten") }

// TimestampOffset is an offset with the timestamp and leader epoch of its record.
type TimestampOffset struct {
	Offset      int64
	Timestamp   int64
	LeaderEpoch int32
}

// OffsetForTimestamp finds the first record with at least the timestamp.
func (l *Log) OffsetForTimestamp(timestamp int64) (TimestampOffset, bool, error) {
	panic("unwritten")
}

// MaxTimestampOffset finds the record with the largest timestamp (KIP-734).
func (l *Log) MaxTimestampOffset() (TimestampOffset, bool, error) { panic("unwritten") }

// LatestEpoch returns the newest leader epoch in the log, or -1.
func (l *Log) LatestEpoch() int32 { panic("unwritten") }

// EpochAt returns the leader epoch of an offset, or -1.
func (l *Log) EpochAt(offset int64) int32 { panic("unwritten") }

// AssignEpoch notes that the leader of epoch starts at offset (KIP-101).
func (l *Log) AssignEpoch(epoch int32, startOffset int64) error { panic("unwritten") }

// EndOffsetFor answers OffsetForLeaderEpoch (LeaderEpochFileCache.endOffsetFor); -1, -1 when unknown.
func (l *Log) EndOffsetFor(epoch int32) (foundEpoch int32, endOffset int64) { panic("unwritten") }

// TruncateTo drops everything at offset and above.
func (l *Log) TruncateTo(offset int64) error { panic("unwritten") }

// TruncateFullyAndStartAt empties the log, which then starts at offset.
func (l *Log) TruncateFullyAndStartAt(offset int64) error { panic("unwritten") }

// AdvanceLogStart drops everything below offset (DeleteRecords): it fails with
// ErrOffsetOutOfRange above the high watermark.
func (l *Log) AdvanceLogStart(offset int64) error { panic("unwritten") }

// Flush makes everything below the log end durable and moves the recovery point.
func (l *Log) Flush() error { panic("unwritten") }

// Producer is an active producer as DescribeProducers shows it.
type Producer struct {
	ID                    int64
	Epoch                 int16
	LastSequence          int32
	LastTimestamp         int64
	CoordinatorEpoch      int32
	CurrentTxnFirstOffset int64 // -1 none
}

// Producers lists the active producers by id.
func (l *Log) Producers() []Producer { panic("unwritten") }

// Options are what a Manager is made of.
type Options struct {
	FS        vfs.FS
	Dirs      []string // log.dirs, absolute
	BrokerID  int32
	ClusterID string
	// ConfigFor gives the configuration of a topic's logs when they are loaded.
	ConfigFor                     func(topic string) *Config
	RecoveryThreads               int           // num.recovery.threads.per.data.dir
	RetentionInterval             time.Duration // log.retention.check.interval.ms
	FlushInterval                 time.Duration // log.flush.scheduler.interval.ms
	CheckpointInterval            time.Duration // log.flush.offset.checkpoint.interval.ms
	StartOffsetCheckpointInterval time.Duration // log.flush.start.offset.checkpoint.interval.ms
	MaxOpenFiles                  int           // how many segment files may be open at once
	Logger                        *zap.Logger
	// DirFailed is called once for a log directory that went offline, from a goroutine of its own.
	DirFailed func(dir string, err error)
}

// Manager owns the log directories: their locks, the loading and recovery of logs, the
// checkpoints and the background work.
type Manager struct{}

// Open locks the directories, checks meta.properties and loads every log, recovering
// those that were not closed cleanly.
func Open(o Options) (*Manager, error) { panic("unwritten") }

// ReadMeta reads meta.properties of the directories before Open: the broker id and cluster id on
// which they agree; -1 and "" when there are none.
func ReadMeta(fs vfs.FS, dirs []string) (brokerID int32, clusterID string, err error) {
	panic("unwritten")
}

// Run does retention, flushing and checkpoints until ctx is done.
func (m *Manager) Run(ctx context.Context)            { panic("unwritten") }
func (m *Manager) Log(tp TopicPartition) (*Log, bool) { panic("unwritten") }
func (m *Manager) Logs() []*Log                       { panic("unwritten") }

// Create opens a new log in the online directory with the fewest logs, or returns the one that exists.
func (m *Manager) Create(tp TopicPartition, topicID [16]byte, c *Config) (*Log, error) {
	panic("unwritten")
}

// Delete renames the log's folder to -delete at once and removes it after file.delete.delay.ms.
func (m *Manager) Delete(tp TopicPartition) error { panic("unwritten") }

// CheckpointedHighWatermark returns the high watermark of the last checkpoint, or 0.
func (m *Manager) CheckpointedHighWatermark(tp TopicPartition) int64 { panic("unwritten") }

// CheckpointHighWatermarks writes replication-offset-checkpoint of every directory from
// the logs' high watermarks.
func (m *Manager) CheckpointHighWatermarks() error { panic("unwritten") }

// Dir describes a log directory.
type Dir struct {
	Path          string
	Err           error // why it is offline, or nil
	Total, Usable uint64
	Logs          []*Log
}

// Dirs describes every log directory.
func (m *Manager) Dirs() []Dir { panic("unwritten") }

// Close flushes and closes every log, writes the checkpoints and the clean-shutdown
// markers and releases the locks.
func (m *Manager) Close() error { panic("unwritten") }

// Len is the number of bytes that SendTo sends.
func (s *Slice) Len() int64 { panic("unwritten") }
