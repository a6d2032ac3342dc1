package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Log is one replica's log: segments, indexes, producer state and leader epochs in one
// folder. Methods may be called from several goroutines. Log.mu is the last lock in the
// order Manager.mu, Partition.mu, Log.mu; reading bytes takes no lock. (Below Log.mu there are only
// locks of this package held for moments: doc.go lists them.)
type Log struct {
	tp   TopicPartition
	dir  *directory
	path atomic.Pointer[string] // of the folder; changes when a future log becomes the current one

	config   atomic.Pointer[Config]
	topicID  atomic.Pointer[[16]byte]
	segments atomic.Pointer[[]*segment] // by base offset, never empty; replaced by who holds mu
	start    atomic.Int64
	end      atomic.Int64
	marks    marks
	epochs   leaderEpochs
	flusher  flusher
	cleaning cleaning

	// future: this is a copy on its way here from another directory. copy: there is such a copy of this log. successor: the
	// log that took the place of this one (future.go).
	future    atomic.Bool
	copy      atomic.Pointer[Log]
	successor atomic.Pointer[Log]
	// standsFor is what the folder says of the log that this one replaced; nil: nothing. Of the start only.
	standsFor *replacement

	// cut: the active segment was truncated, which may not be durable. folderDirty: names in the folder may not be durable. metaDirty: partition.metadata is
	// to be written. fresh: the folder itself may not be durable.
	cut         atomic.Bool
	folderDirty atomic.Bool
	metaDirty   atomic.Bool
	fresh       atomic.Bool

	closed  atomic.Bool // set under mu
	touched atomic.Bool // changed since it was loaded after a clean stop

	mu        sync.Mutex
	producers producerStates
}

func newLog(tp TopicPartition, dir *directory, name string, c *Config) *Log {
	l := &Log{tp: tp, dir: dir}
	l.path.Store(new(filepath.Join(dir.path, name)))
	l.config.Store(c)
	l.topicID.Store(new([16]byte))
	l.segments.Store(&[]*segment{})
	l.marks.unstable.Store(noOffset)
	l.flusher.init()
	return l
}

const noOffset int64 = -1

func (l *Log) TopicPartition() TopicPartition { return l.tp }

// TopicID is zero when unknown.
func (l *Log) TopicID() [16]byte { return *l.topicID.Load() }

// SetTopicID notes the topic's id; partition.metadata is written before the next append, or soon. It fails
// with ErrInconsistentTopicID when the log has another.
func (l *Log) SetTopicID(id [16]byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.TopicID() {
	case id:
		return nil
	case [16]byte{}:
	default:
		return fmt.Errorf("%w: %s has %s, not %s", ErrInconsistentTopicID, l.tp, encodeID(l.TopicID()), encodeID(id))
	}
	if err := l.usable(); err != nil {
		return err
	}
	l.topicID.Store(&id)
	l.metaDirty.Store(true)
	l.touched.Store(true)
	l.dir.work.add(l)
	return nil
}

// Dir is the log.dirs entry that holds the log.
func (l *Log) Dir() string { return l.dir.path }

// Config returns the configuration in force.
func (l *Log) Config() *Config { return l.config.Load() }

// SetConfig replaces the configuration, of a copy under way too.
func (l *Log) SetConfig(c *Config) {
	l.config.Store(c)
	if f := l.copy.Load(); f != nil {
		f.config.Store(c) // which may be this log's successor by now
	}
}

// LogStartOffset is the first offset that may be read.
func (l *Log) LogStartOffset() int64 { return l.start.Load() }

// LogEndOffset is the offset that the next record gets.
func (l *Log) LogEndOffset() int64 { return l.end.Load() }

// RecoveryPoint is the offset below which everything is durable.
func (l *Log) RecoveryPoint() int64 { return l.flusher.point.Load() }

// Size is the number of bytes in all segments.
func (l *Log) Size() int64 {
	size := int64(0)
	for _, s := range *l.segments.Load() {
		size += s.size.Load()
	}
	return size
}

// HighWatermark is set by the owner of the replica and only obeyed here: retention and
// cleaning stay below it. When loaded it is that of the last checkpoint.
func (l *Log) HighWatermark() int64 { return l.marks.high.Load() }

// SetHighWatermark clamps to [log start offset, log end offset] and returns what was set.
func (l *Log) SetHighWatermark(offset int64) int64 {
	return l.marks.setHigh(offset, &l.start, &l.end)
}

// LastStableOffset is the first offset that a read_committed reader may not read: the
// high watermark, or the start of the oldest transaction still open (or whose marker is
// not below the high watermark).
func (l *Log) LastStableOffset() int64 {
	high := l.marks.high.Load()
	if unstable := l.marks.unstable.Load(); unstable != noOffset && unstable < high {
		return max(unstable, min(l.start.Load(), high))
	}
	return high
}

// LatestEpoch returns the newest leader epoch in the log, or -1.
func (l *Log) LatestEpoch() int32 { return l.epochs.latest() }

// EpochAt returns the leader epoch of an offset, or -1.
func (l *Log) EpochAt(offset int64) int32 { return l.epochs.at(offset) }

// EndOffsetFor answers OffsetForLeaderEpoch (LeaderEpochFileCache.endOffsetFor); -1, -1 when unknown.
func (l *Log) EndOffsetFor(epoch int32) (foundEpoch int32, endOffset int64) {
	return l.epochs.endFor(epoch, l.end.Load())
}

// AssignEpoch notes that the leader of epoch starts at offset (KIP-101). It becomes durable no later than what
// a recovery could not find it in again.
func (l *Log) AssignEpoch(epoch int32, startOffset int64) error {
	if epoch < 0 || startOffset < 0 {
		return fmt.Errorf("assign leader epoch %d at %d: negative", epoch, startOffset)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	l.epochs.assign(epoch, startOffset)
	l.touched.Store(true)
	return nil
}

// Producers lists the active producers by id.
func (l *Log) Producers() []Producer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if next := l.successor.Load(); next != nil {
		return next.Producers() // which has them from here
	}
	return l.producers.list()
}

// lastRecords tells what a cleaning must keep of the active producers.
func (l *Log) lastRecords() map[int64]lastRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := make(map[int64]lastRecord, len(l.producers.byID))
	for id, p := range l.producers.byID {
		r := lastRecord{noOffset, p.epoch}
		if b := p.lastBatch(); b != nil {
			r.offset = b.lastOffset
		}
		last[id] = r
	}
	return last
}

// HasOpenTransaction tells whether the producer has written to the log in a transaction that has no marker yet.
func (l *Log) HasOpenTransaction(producerID int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if next := l.successor.Load(); next != nil {
		return next.HasOpenTransaction(producerID)
	}
	p := l.producers.byID[producerID]
	return p != nil && p.txnFirst != noOffset
}

// usable refuses work on a log that is closed or whose directory failed. mu is held.
func (l *Log) usable() error {
	if err := l.dir.offline(); err != nil {
		return err
	}
	if l.closed.Load() {
		return fmt.Errorf("%s: %w", l.tp, ErrClosed)
	}
	return nil
}

// failed turns an error of the file system into the caller's: a full disk is passed on, everything else
// takes the directory offline. Errors of this package pass unchanged.
func (l *Log) failed(attempt string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrClosed), errors.Is(err, ErrOffline):
		return err
	case errors.Is(err, errSegmentGone):
		return fmt.Errorf("%s %s: %w: %w", attempt, l.tp, ErrOffsetOutOfRange, err)
	case l.closed.Load():
		return fmt.Errorf("%s %s: %w: %w", attempt, l.tp, ErrClosed, err)
	case isDiskFull(err):
		l.dir.filled(err)
		return fmt.Errorf("%s %s: %w: %w", attempt, l.tp, ErrDiskFull, err)
	}
	return l.dir.fail(fmt.Errorf("%s %s: %w", attempt, l.tp, err))
}

func (l *Log) folder() string { return *l.path.Load() }

// logger makes a logger that names the log. Logging is rare, logs are many: none is kept.
func (l *Log) logger() *zap.Logger {
	return l.dir.logger.With(zap.String("topic", l.tp.Topic), zap.Int32("partition", l.tp.Partition))
}

// active is the segment that is appended to.
func (l *Log) active() *segment {
	segments := *l.segments.Load()
	return segments[len(segments)-1]
}

func nowMillis() int64 { return time.Now().UnixMilli() }
