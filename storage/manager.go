package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/storage/vfs"
)

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
	// Cleaner gives the settings of the log cleaner, as they are now. Nil: compacted logs are not cleaned.
	Cleaner      func() CleanerSettings
	MaxOpenFiles int // how many segment files may be open at once
	Logger       *zap.Logger
	// DirFailed is called once for a log directory that went offline, from a goroutine of its own. May be nil.
	DirFailed func(dir string, err error)
}

// Manager owns the log directories: their locks, the loading and recovery of logs, the
// checkpoints and the background work.
type Manager struct {
	o       Options
	logger  *zap.Logger
	dirs    []*directory // in the order of Options.Dirs, offline ones too
	work    *workList
	trash   *trash
	cleaner *cleaner // nil when there is none

	reports sync.WaitGroup // calls of DirFailed

	// moving lets one change of the directory of a log, or deletion, happen at a time; it is held across disk work.
	moving sync.Mutex

	mu        sync.Mutex
	logs      map[TopicPartition]*Log
	futures   map[TopicPartition]*Log // copies on their way to another directory (future.go)
	preferred map[TopicPartition]string
	counts    map[*directory]int // of both
	closed    bool
}

// Log finds a log. One whose directory is offline is found, and refuses all work.
func (m *Manager) Log(tp TopicPartition) (*Log, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, found := m.logs[tp]
	return l, found
}

// Logs lists all logs in no order, without copies under way.
func (m *Manager) Logs() []*Log {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.logs))
}

// all is Logs with the copies under way.
func (m *Manager) all() []*Log {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.AppendSeq(slices.Collect(maps.Values(m.logs)), maps.Values(m.futures))
}

func (m *Manager) logsIn(d *directory) []*Log {
	return slices.DeleteFunc(m.all(), func(l *Log) bool { return l.dir != d })
}

// Create opens a new log in the directory that is preferred for it (PreferDir), or in the online one with the fewest logs, or
// returns the one that exists. The
// topic id of one that exists is set when unknown, else it must be the same (ErrInconsistentTopicID).
// Whether a partition may be created while a directory is offline, which may have it, is for the caller to judge.
func (m *Manager) Create(tp TopicPartition, topicID [16]byte, c *Config) (*Log, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, fmt.Errorf("create %s: %w", tp, ErrClosed)
	}
	if l, found := m.logs[tp]; found {
		if err := l.dir.offline(); err != nil {
			return nil, err
		}
		if topicID != ([16]byte{}) {
			if err := l.SetTopicID(topicID); err != nil {
				return nil, err
			}
		}
		return l, nil
	}
	if name := tp.String(); len(name) > maxNameLength {
		return nil, fmt.Errorf("create %s: name is longer than %d bytes", tp, maxNameLength)
	}
	d := m.dirFor(tp)
	if d == nil {
		return nil, fmt.Errorf("create %s: %w", tp, ErrOffline)
	}
	l, err := createLog(d, tp, tp.String(), topicID, c)
	if err != nil {
		return nil, err
	}
	m.logs[tp] = l
	m.counts[d]++
	delete(m.preferred, tp)
	if err := m.adoptFuture(l); err != nil {
		return nil, err
	}
	return l, nil
}

// emptiest is the online directory with the fewest logs.
func (m *Manager) emptiest() *directory {
	online := slices.DeleteFunc(slices.Clone(m.dirs), func(d *directory) bool { return d.offline() != nil })
	if len(online) == 0 {
		return nil
	}
	return slices.MinFunc(online, func(a, b *directory) int { return cmp.Compare(m.counts[a], m.counts[b]) })
}

// createLog makes the folder and the first segment. It is not durable before there is data in it.
func createLog(d *directory, tp TopicPartition, name string, topicID [16]byte, c *Config) (*Log, error) {
	l := newLog(tp, d, name, c)
	// What a checkpoint says of an earlier partition of that name must not be believed of this one.
	for _, checkpoint := range d.checkpoints() {
		if err := checkpoint.change(tp, func(int64) (int64, bool) { return 0, false }); err != nil {
			return nil, l.failed("create", err)
		}
	}
	if err := d.fs.MkdirAll(l.folder()); err != nil {
		return nil, l.failed("create", fmt.Errorf("make folder: %w", err))
	}
	s, err := createSegment(l, 0)
	if err != nil {
		return nil, l.failed("create", err)
	}
	l.segments.Store(&[]*segment{s})
	l.topicID.Store(&topicID)
	l.metaDirty.Store(topicID != [16]byte{})
	l.fresh.Store(true)
	l.touched.Store(true)
	l.flusher.last.Store(nowMillis())
	d.work.add(l)
	return l, nil
}

// Delete renames the log's folder to -delete at once and removes it after file.delete.delay.ms. The renaming is
// durable soon after. A copy of the log that is under way to another directory goes first.
func (m *Manager) Delete(tp TopicPartition) error {
	m.moving.Lock()
	defer m.moving.Unlock()
	if err := m.discardFuture(tp); err != nil {
		return err
	}
	l, found := m.Log(tp)
	if !found {
		return nil
	}
	path, err := l.delete()
	if errors.Is(err, ErrClosed) {
		return nil // by another who deletes it, or the end of all
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	delete(m.logs, tp)
	m.counts[l.dir]--
	m.mu.Unlock()
	m.logger.Info("partition deleted", zap.String("topic", tp.Topic), zap.Int32("partition", tp.Partition))
	l.dir.namesDirty.Store(true)
	m.trash.add(l.dir, l.Config().FileDeleteDelay, path)
	return nil
}

// CheckpointedHighWatermark returns the high watermark of the last checkpoint, or 0.
func (m *Manager) CheckpointedHighWatermark(tp TopicPartition) int64 {
	if l, found := m.Log(tp); found {
		offset, _ := l.dir.highWatermarks.get(tp)
		return offset // what other directories have is of before the log moved
	}
	for _, d := range m.dirs {
		if offset, found := d.highWatermarks.get(tp); found {
			return offset
		}
	}
	return 0
}

// CheckpointHighWatermarks writes replication-offset-checkpoint of every directory from
// the logs' high watermarks.
func (m *Manager) CheckpointHighWatermarks() error {
	return m.checkpoint(func(d *directory) *offsetCheckpoint { return &d.highWatermarks },
		func(l *Log) (int64, bool) { return l.HighWatermark(), true })
}

func (m *Manager) checkpointRecoveryPoints() error {
	return m.checkpoint(func(d *directory) *offsetCheckpoint { return &d.recoveryPoints },
		func(l *Log) (int64, bool) { return l.recoveryStart(), true })
}

// checkpointStartOffsets notes those start offsets that the name of the first segment does not tell, or would
// not after a crash that brings deleted segments back.
func (m *Manager) checkpointStartOffsets() error {
	return m.checkpoint(func(d *directory) *offsetCheckpoint { return &d.startOffsets },
		func(l *Log) (int64, bool) {
			start := l.LogStartOffset()
			return start, start > (*l.segments.Load())[0].base || start > 0 && l.folderDirty.Load()
		})
}

// checkpoint writes one kind of checkpoint in every online directory. A full disk is only an error: it passes.
func (m *Manager) checkpoint(which func(*directory) *offsetCheckpoint, value func(*Log) (int64, bool)) error {
	offsets := map[*directory]map[TopicPartition]int64{}
	for _, d := range m.dirs {
		if d.offline() == nil {
			offsets[d] = map[TopicPartition]int64{}
		}
	}
	for _, l := range m.all() {
		if in := offsets[l.dir]; in != nil {
			if offset, keep := value(l); keep {
				in[l.tp] = offset
			}
		}
	}
	var errs []error
	for d, in := range offsets {
		err := which(d).write(in)
		if err != nil && !isDiskFull(err) {
			err = d.fail(err)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Dir describes a log directory.
type Dir struct {
	Path          string
	Err           error // why it is offline, or nil
	Full          bool  // the last write found no space: appends are refused
	Total, Usable uint64
	Logs          []*Log // copies under way (IsFuture) among them
}

// Dirs describes every log directory.
func (m *Manager) Dirs() []Dir {
	dirs := make([]Dir, 0, len(m.dirs))
	for _, d := range m.dirs {
		described := Dir{Path: d.path, Err: d.offline(), Full: d.full.Load(), Logs: m.logsIn(d)}
		if described.Err == nil {
			var err error
			if described.Total, described.Usable, err = m.o.FS.Space(d.path); err != nil {
				described.Err = d.fail(fmt.Errorf("ask for the space of %s: %w", d.path, err))
			}
		}
		dirs = append(dirs, described)
	}
	return dirs
}

// Close flushes and closes every log, writes the checkpoints and the clean-shutdown
// markers and releases the locks. Run must have returned.
func (m *Manager) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	m.mu.Unlock()

	var errs []error
	for _, d := range m.dirs {
		if d.offline() == nil {
			if err := m.closeLogs(d); err != nil {
				d.loaded = false
				errs = append(errs, err)
			}
		}
		if d.offline() != nil {
			d.loaded = false
			for _, l := range m.logsIn(d) {
				l.abandon()
			}
		}
	}
	checkpoints := errors.Join(m.checkpointRecoveryPoints(), m.checkpointStartOffsets(), m.CheckpointHighWatermarks())
	errs = append(errs, checkpoints)
	for _, d := range m.dirs {
		if d.loaded && d.offline() == nil && checkpoints == nil {
			errs = append(errs, markClean(d))
		}
		if d.lock != nil {
			errs = append(errs, d.lock.Close())
		}
	}
	m.reports.Wait()
	return errors.Join(errs...)
}

// markClean leaves the marker by which the next start knows that nothing need be recovered.
func markClean(d *directory) error {
	if err := d.fs.SyncDir(d.path); err != nil {
		return fmt.Errorf("sync log directory: %w", err)
	}
	return replaceFile(d.fs, d.path, cleanShutdownName, []byte(`{"version":0,"brokerEpoch":-1}`), true)
}

// closeLogs closes the logs of a directory, several at a time: each waits for the disk.
func (m *Manager) closeLogs(d *directory) error {
	return inParallel(max(m.o.RecoveryThreads, closeThreads), m.logsIn(d), func(_ int, l *Log) error { return l.close() })
}

const closeThreads = 8

// inParallel calls do for every item from a number of goroutines, each with its own number,
// and joins the errors.
func inParallel[T any](goroutines int, items []T, do func(goroutine int, item T) error) error {
	goroutines = min(goroutines, len(items))
	next := make(chan T)
	errs := make([]error, goroutines)
	var running sync.WaitGroup
	for g := range goroutines {
		running.Go(func() {
			for item := range next {
				if err := do(g, item); err != nil {
					errs[g] = errors.Join(errs[g], err)
				}
			}
		})
	}
	for _, item := range items {
		next <- item
	}
	close(next)
	running.Wait()
	return errors.Join(errs...)
}

// hasCleanMarker takes the marker of a clean stop away and tells whether there was one: a crash while
// loading is not a clean stop.
func hasCleanMarker(d *directory) (bool, error) {
	path := filepath.Join(d.path, cleanShutdownName)
	if _, err := d.fs.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("look for the clean-shutdown marker: %w", err)
	}
	if err := d.fs.Remove(path); err != nil {
		return false, fmt.Errorf("remove the clean-shutdown marker: %w", err)
	}
	if err := d.fs.SyncDir(d.path); err != nil {
		return false, fmt.Errorf("sync log directory: %w", err)
	}
	return true, nil
}
