package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
)

// flusher lets many appends share one sync of the disk: one of those who wait flushes for
// all that is in the log by then, the others wait for it. It is also what a truncation
// takes, so that no flush raises the recovery point over a cut. Taken before Log.mu.
type flusher struct {
	// point is the recovery point: everything below it is durable. It is lowered only by who has the turn.
	point atomic.Int64
	last  atomic.Int64 // when the last flush ended, in milliseconds

	mu    sync.Mutex
	ended sync.Cond
	busy  bool
}

func (f *flusher) init() { f.ended.L = &f.mu }

// begin waits for the turn.
func (f *flusher) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.busy {
		f.ended.Wait()
	}
	f.busy = true
}

// beginUnless waits for the turn, or until the recovery point is at offset.
func (f *flusher) beginUnless(offset int64) (turn bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.point.Load() < offset {
		if !f.busy {
			f.busy = true
			return true
		}
		f.ended.Wait()
	}
	return false
}

func (f *flusher) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = false
	f.ended.Broadcast()
}

// raise moves the recovery point up to offset.
func (f *flusher) raise(offset int64) {
	for {
		point := f.point.Load()
		if point >= offset || f.point.CompareAndSwap(point, offset) {
			return
		}
	}
}

// Flush makes everything below the log end durable and moves the recovery point.
func (l *Log) Flush() error {
	if l.cut.Load() {
		l.flusher.begin()
		defer l.flusher.end()
		return l.flush(true)
	}
	return l.flushTo(l.end.Load())
}

// flushAfter obeys flush.messages after an append that ended at an offset.
func (l *Log) flushAfter(c *Config, end int64) error {
	if c.FlushMessages > 1 && l.end.Load()-l.flusher.point.Load() < c.FlushMessages {
		return nil
	}
	return l.flushTo(end)
}

func (l *Log) flushTo(offset int64) error {
	if !l.flusher.beginUnless(offset) {
		return nil
	}
	defer l.flusher.end()
	return l.flush(true)
}

// flushSealed makes the sealed segments durable, so that a recovery need not read them.
func (l *Log) flushSealed() error {
	l.flusher.begin()
	defer l.flusher.end()
	return l.flush(false)
}

// flushWork is what a flush found to do, taken under mu so that the disk is waited for
// without it.
type flushWork struct {
	end       int64
	sealed    []*segment // not yet durable
	active    *segment
	snapshots []int64
	folder    bool
}

// flush does the work. The caller has the turn. The active segment's indexes are not
// synced: a recovery builds them anew, as everything from the recovery point's segment on.
func (l *Log) flush(active bool) error {
	w, err := l.takeFlushWork(active)
	if err != nil {
		return err
	}
	if err := l.syncAll(&w); err != nil {
		l.mu.Lock()
		l.producers.unsynced = append(w.snapshots, l.producers.unsynced...)
		l.mu.Unlock()
		l.folderDirty.Store(true)
		l.cut.Store(l.cut.Load() || active)
		return l.failed("flush", err)
	}
	l.mu.Lock()
	for _, s := range w.sealed {
		s.flushed = true
	}
	l.mu.Unlock()
	l.flusher.last.Store(nowMillis())
	l.flusher.raise(w.end)
	return nil
}

func (l *Log) takeFlushWork(active bool) (flushWork, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return flushWork{}, err
	}
	if l.metaDirty.Load() || l.fresh.Load() {
		if err := l.anchor(); err != nil {
			return flushWork{}, l.failed("flush", err)
		}
	}
	segments := *l.segments.Load()
	last := len(segments) - 1
	w := flushWork{
		end: segments[last].base, sealed: segments[firstUnflushed(segments):last],
		snapshots: l.producers.unsynced, folder: l.folderDirty.Swap(false),
	}
	l.producers.unsynced = nil
	if active {
		l.cut.Store(false)
		w.end, w.active = l.end.Load(), segments[last]
	}
	return w, nil
}

// firstUnflushed is the index of the first segment of which not everything is durable. The last one always counts.
func firstUnflushed(segments []*segment) int {
	first := len(segments) - 1
	for first > 0 && !segments[first-1].flushed {
		first--
	}
	return first
}

// recoveryStart is the recovery point as a recovery must know it, which reads no segment below. A segment
// whose bytes are durable, but not yet its indexes, is still to be read; so will be the active one, even
// if it is rolled just where it ends now.
func (l *Log) recoveryStart() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	segments, point := *l.segments.Load(), l.flusher.point.Load()
	if l.closed.Load() {
		return point
	}
	first := segments[firstUnflushed(segments)]
	if point > first.base && first != segments[len(segments)-1] {
		return first.base
	}
	return max(min(point, l.end.Load()-1), min(point, first.base))
}

func (l *Log) syncAll(w *flushWork) error {
	for _, s := range w.sealed {
		if err := s.sync(true); err != nil && !s.isGone() {
			return err
		}
	}
	if len(w.sealed) > 0 {
		// A recovery will not read these segments, so it will not find their epochs.
		if err := l.epochs.save(l, true); err != nil {
			return err
		}
	}
	for _, offset := range w.snapshots {
		if err := syncExisting(l, l.snapshotPath(offset)); err != nil {
			return err
		}
	}
	if w.active != nil {
		if err := w.active.sync(false); err != nil && !w.active.isGone() {
			return err
		}
	}
	if w.folder {
		if err := l.dir.fs.SyncDir(l.folder()); err != nil {
			return fmt.Errorf("sync folder: %w", err)
		}
	}
	return nil
}

// syncExisting syncs a file that retention may have removed meanwhile.
func syncExisting(l *Log, path string) error {
	file, err := l.dir.fs.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	defer file.Close()
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}
