package storage

import (
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"
)

// A log moves to another log directory as a copy (Kafka: KIP-113, the future logs of LogManager.scala): a log in a
// folder with a name of its own, topic-0.<id>-future, is filled from the current one and takes its place when it has all.
//
//	future.go          begin, give up, find again at the start
//	future_copy.go     fill the copy, cutting what the current log does not have any more
//	future_replace.go  the copy in the place of the current log, whatever crashes
//	future_start.go    what a start finds of an interrupted move
//
// While there is a copy the current log is not cleaned: a copy of which one part was cleaned with what is in another could
// bring a deleted key back. For the same reason the copy's directory notes how far the current log was cleaned when
// the copy began; a copy that is found with another note than the current log's is begun anew.

// IsFuture tells a copy under way from a log.
func (l *Log) IsFuture() bool { return l.future.Load() }

// Future returns the copy of this log that is under way to another directory, or nil.
func (l *Log) Future() *Log { return l.copy.Load() }

// Future finds a copy under way, also one whose log is not here.
func (m *Manager) Future(tp TopicPartition) (*Log, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, found := m.futures[tp]
	return f, found
}

// CheckDir tells whether logs may be put into a directory: ErrNoDirectory, ErrOffline.
func (m *Manager) CheckDir(dir string) error {
	_, err := m.directoryAt(dir)
	return err
}

func (m *Manager) directoryAt(dir string) (*directory, error) {
	i := slices.IndexFunc(m.dirs, func(d *directory) bool { return d.path == dir })
	if i < 0 {
		return nil, fmt.Errorf("%w: %s is not in log.dirs", ErrNoDirectory, dir)
	}
	return m.dirs[i], m.dirs[i].offline()
}

// PreferDir has Create put a log that does not exist yet into a directory, if that works then.
func (m *Manager) PreferDir(tp TopicPartition, dir string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.preferred[tp] = dir
}

// dirFor is the directory for a new log; nil when none is online. m.mu is held.
func (m *Manager) dirFor(tp TopicPartition) *directory {
	if d, err := m.directoryAt(m.preferred[tp]); err == nil {
		return d
	}
	return m.emptiest()
}

// FutureNameTooLong tells that a partition cannot move, since the folder of its copy could not have its name.
func FutureNameTooLong(tp TopicPartition) bool { return len(futureFolderName(tp)) > maxNameLength }

// CreateFuture begins the copy of a log to another directory, or returns the one that is under way there. ErrNoDirectory,
// ErrOffline, ErrClosed (there is no such log), ErrNameTooLong.
func (m *Manager) CreateFuture(tp TopicPartition, dir string) (*Log, error) {
	m.moving.Lock()
	defer m.moving.Unlock()
	d, err := m.directoryAt(dir)
	if err != nil {
		return nil, fmt.Errorf("copy %s: %w", tp, err)
	}
	l, found := m.Log(tp)
	if !found {
		return nil, fmt.Errorf("copy %s: %w", tp, ErrClosed)
	}
	if f, found := m.Future(tp); found {
		if f.dir == d {
			return f, nil
		}
		return nil, fmt.Errorf("copy %s to %s: one is under way to %s", tp, dir, f.dir.path)
	}
	if l.dir == d {
		return nil, fmt.Errorf("copy %s to %s: it is there", tp, dir)
	}
	if FutureNameTooLong(tp) {
		return nil, fmt.Errorf("copy %s: %w", tp, ErrNameTooLong)
	}
	f, err := createLog(d, tp, futureFolderName(tp), l.TopicID(), l.Config())
	if err != nil {
		return nil, err
	}
	f.future.Store(true)
	if err := m.noteFuture(f); err != nil {
		return nil, err
	}
	l.hold(f)
	if err := f.noteCleaned(l); err != nil {
		return nil, err // the directory failed, and the copy with it
	}
	m.logger.Info("copying log to another directory", zap.String("topic", tp.Topic), zap.Int32("partition", tp.Partition),
		zap.String("from", l.dir.path), zap.String("to", d.path))
	return f, nil
}

// noteFuture makes a copy findable.
func (m *Manager) noteFuture(f *Log) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		f.abandon()
		return fmt.Errorf("copy %s: %w", f.tp, ErrClosed)
	}
	m.futures[f.tp] = f
	m.counts[f.dir]++
	delete(m.preferred, f.tp)
	return nil
}

// hold makes f the copy of l and keeps the cleaner away from both.
func (l *Log) hold(f *Log) {
	l.copy.Store(f)
	f.config.Store(l.config.Load()) // it may have changed since the copy took it
	l.cleaning.pause()
	l.cleaning.resume() // who begins now sees the copy
}

// noteCleaned keeps in the copy's directory how far the log was cleaned.
func (f *Log) noteCleaned(l *Log) error {
	everything := func(TopicPartition) bool { return true }
	var err error
	if offset, found := l.dir.cleaner.get(l.tp); found {
		err = f.dir.cleaner.set(f.tp, offset, everything)
	} else {
		err = f.dir.cleaner.change(f.tp, func(int64) (int64, bool) { return 0, false })
	}
	if err != nil {
		return f.failed("copy", fmt.Errorf("write cleaner checkpoint: %w", err))
	}
	return nil
}

// sameCleaned tells whether the log was not cleaned since the copy began.
func (f *Log) sameCleaned(l *Log) bool {
	noted, was := f.dir.cleaner.get(f.tp)
	offset, is := l.dir.cleaner.get(l.tp)
	return was == is && noted == offset
}

// DiscardFuture gives a copy up, durably: two copies of one log would be none of either. Without one it does nothing.
// A copy in a directory that failed stays there for the next start.
func (m *Manager) DiscardFuture(tp TopicPartition) error {
	m.moving.Lock()
	defer m.moving.Unlock()
	return m.discardFuture(tp)
}

// discardFuture is DiscardFuture with m.moving held.
func (m *Manager) discardFuture(tp TopicPartition) error {
	f, found := m.Future(tp)
	if !found {
		return nil
	}
	if f.dir.offline() != nil {
		f.abandon()
		m.forgetFuture(f)
		return nil
	}
	path, err := f.delete()
	if errors.Is(err, ErrClosed) {
		return nil // by the end of all
	}
	if err != nil {
		return err
	}
	m.forgetFuture(f)
	m.logger.Info("copy of log discarded", zap.String("topic", tp.Topic), zap.Int32("partition", tp.Partition), zap.String("dir", f.dir.path))
	m.trash.add(f.dir, f.Config().FileDeleteDelay, path)
	if err := f.dir.fs.SyncDir(f.dir.path); err != nil {
		return f.dir.fail(fmt.Errorf("sync log directory: %w", err))
	}
	return nil
}

// forgetFuture takes a copy out of the maps and lets its log be cleaned again.
func (m *Manager) forgetFuture(f *Log) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.futures, f.tp)
	m.counts[f.dir]--
	if l, found := m.logs[f.tp]; found {
		l.copy.Store(nil)
	}
}

// adoptFuture gives a log that was just made the copy that a start found without one. m.mu is held.
func (m *Manager) adoptFuture(l *Log) error {
	f, found := m.futures[l.tp]
	if !found {
		return nil
	}
	if f.dir.offline() == nil && f.dir != l.dir {
		l.hold(f)
		return m.beginAnewUnlessSame(l, f)
	}
	// The log is where the copy was to bring it.
	delete(m.futures, f.tp)
	m.counts[f.dir]--
	if f.dir.offline() != nil {
		f.abandon()
		return nil
	}
	path, err := f.delete()
	if err != nil {
		return err
	}
	f.dir.namesDirty.Store(true)
	m.trash.add(f.dir, f.Config().FileDeleteDelay, path)
	return nil
}

// beginAnewUnlessSame empties a copy whose log was cleaned since, or is of another topic, or that lost its head in a crash.
func (m *Manager) beginAnewUnlessSame(l, f *Log) error {
	unknown := [16]byte{}
	otherTopic := f.TopicID() != unknown && l.TopicID() != unknown && f.TopicID() != l.TopicID()
	lostHead := !f.dir.clean && f.LogStartOffset() > l.LogStartOffset()
	if !otherTopic && !lostHead && f.sameCleaned(l) {
		return nil
	}
	f.logger().Info("copy begins anew, since it is not of the log as it is now", zap.String("dir", f.dir.path))
	if otherTopic {
		id := l.TopicID()
		f.topicID.Store(&id)
		f.metaDirty.Store(true)
	}
	if f.LogEndOffset() > 0 {
		if err := f.TruncateFullyAndStartAt(0); err != nil {
			return err
		}
	}
	return f.noteCleaned(l)
}
