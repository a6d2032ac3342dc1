package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Run does retention, cleaning, flushing and checkpoints until ctx is done.
func (m *Manager) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { m.runWork(ctx) })
	running.Go(func() { m.runTrash(ctx) })
	if m.cleaner != nil {
		running.Go(func() { m.cleaner.run(ctx) })
	}
	running.Go(func() { m.every(ctx, m.o.RetentionInterval, m.retain) })
	running.Go(func() { m.every(ctx, m.o.FlushInterval, m.flushOld) })
	running.Go(func() { m.every(ctx, m.o.CheckpointInterval, m.checkpointRecoveryPoints) })
	running.Go(func() { m.every(ctx, m.o.StartOffsetCheckpointInterval, m.checkpointStartOffsets) })
	running.Wait()
}

// every calls do in intervals and logs its errors. Zero or less is never.
func (m *Manager) every(ctx context.Context, interval time.Duration, do func() error) {
	if interval <= 0 {
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			m.note(do())
		case <-ctx.Done():
			return
		}
	}
}

// note logs what failed in the background, once: a directory that is offline, or a log that
// was closed meanwhile, has been spoken of.
func (m *Manager) note(err error) {
	if err != nil && !errors.Is(err, ErrOffline) && !errors.Is(err, ErrClosed) {
		m.logger.Error("background work failed", zap.Error(err))
	}
}

// retain applies retention to every log.
func (m *Manager) retain() error {
	now := time.Now()
	for _, l := range m.all() {
		m.note(l.tryRetention(now))
	}
	return nil
}

// flushOld obeys flush.ms.
func (m *Manager) flushOld() error {
	now := nowMillis()
	for _, l := range m.all() {
		waited := now - l.flusher.last.Load()
		if l.RecoveryPoint() < l.LogEndOffset() && waited >= l.Config().FlushInterval.Milliseconds() {
			m.note(l.Flush())
		}
	}
	return nil
}

// runWork writes the metadata of new logs and flushes rolled segments.
func (m *Manager) runWork(ctx context.Context) {
	for {
		select {
		case <-m.work.wake:
		case <-ctx.Done():
			return
		}
		logs := m.work.take()
		m.anchorAll(ctx, logs)
		for _, l := range logs {
			if ctx.Err() != nil {
				return // what is left is done when the logs are closed
			}
			m.note(l.flushSealed())
		}
	}
}

// anchorAll makes the folders of new logs durable, those of a directory with one sync. When ctx ends it leaves the
// rest to the closing of the logs, which does several at a time and must not wait for thousands of syncs.
func (m *Manager) anchorAll(ctx context.Context, logs []*Log) {
	fresh := map[*directory][]*Log{}
	for _, l := range logs {
		if ctx.Err() != nil {
			break
		}
		if l.fresh.Load() || l.metaDirty.Load() {
			if err := l.anchorFolder(); err != nil {
				m.note(err)
				continue
			}
			fresh[l.dir] = append(fresh[l.dir], l)
		}
	}
	for d, logs := range fresh {
		if err := d.fs.SyncDir(d.path); err != nil {
			m.note(d.fail(fmt.Errorf("sync log directory: %w", err)))
			continue
		}
		for _, l := range logs {
			l.fresh.Store(false)
		}
	}
}

// anchorFolder is anchor but for the sync of the log directory.
func (l *Log) anchorFolder() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	return l.failed("write metadata of", l.syncFolder())
}

// runTrash removes discarded files and folders when their time has come.
func (m *Manager) runTrash(ctx context.Context) {
	for {
		for _, d := range m.dirs {
			m.note(syncNames(d))
		}
		items, next := m.trash.due(time.Now())
		for _, item := range items {
			m.note(item.remove())
		}
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-due:
		case <-m.trash.wake:
		case <-ctx.Done():
			return
		}
	}
}

// syncNames makes the renaming of deleted folders durable, of as many as there are by now.
func syncNames(d *directory) error {
	if d.offline() != nil || !d.namesDirty.Swap(false) {
		return nil
	}
	if err := d.fs.SyncDir(d.path); err != nil {
		return d.fail(fmt.Errorf("sync log directory: %w", err))
	}
	return nil
}

func (item discarded) remove() error {
	if err := item.dir.offline(); err != nil {
		return err
	}
	for _, path := range item.paths {
		if err := item.dir.fs.RemoveAll(path); err != nil {
			return item.dir.fail(fmt.Errorf("remove: %w", err))
		}
	}
	return nil
}
