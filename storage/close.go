package storage

import (
	"fmt"
	"path/filepath"
)

// close makes the log durable with complete files, as a clean stop leaves them, and ends its use.
func (l *Log) close() error {
	l.flusher.begin()
	defer l.flusher.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if err := l.complete(); err != nil {
		return l.failed("close", err)
	}
	l.retire()
	return nil
}

// complete writes and syncs what is missing. Nobody appends any more, so the mutex may be held meanwhile.
func (l *Log) complete() error {
	if !l.touched.Load() {
		return nil
	}
	if l.metaDirty.Load() {
		if err := l.anchor(); err != nil {
			return err
		}
	}
	if err := l.active().completeIndexes(); err != nil {
		return err
	}
	if l.neverUsed() {
		return nil
	}
	if err := l.snapshotProducers(); err != nil {
		return err
	}
	// Of an empty log nothing is lost that would not be made again: many are closed at once.
	durable := l.Size() > 0
	if err := l.epochs.save(l, durable); err != nil {
		return err
	}
	for _, s := range *l.segments.Load() {
		if s.flushed || s.size.Load() == 0 && !l.cut.Load() {
			continue
		}
		if err := s.sync(true); err != nil {
			return err
		}
	}
	for _, offset := range l.producers.unsynced {
		if err := syncExisting(l, l.snapshotPath(offset)); err != nil {
			return err
		}
	}
	if durable {
		if err := l.dir.fs.SyncDir(l.folder()); err != nil {
			return fmt.Errorf("sync folder: %w", err)
		}
	}
	l.flusher.raise(l.end.Load())
	return nil
}

// neverUsed tells a log that has held nothing since it was made. The epoch of a leader that appended nothing is
// made again at the next start, by Kafka too; writing it would take a stop of thousands of such logs several file
// operations for each. Its empty indexes are not: without them Kafka finds an error after a clean stop.
func (l *Log) neverUsed() bool {
	return l.end.Load() == 0 && l.Size() == 0 && len(*l.segments.Load()) == 1 && !l.cut.Load()
}

// retire marks the log closed and lets go of its files. mu is held.
func (l *Log) retire() {
	l.closed.Store(true)
	for _, s := range *l.segments.Load() {
		l.dir.files.retire(s, nil) // without renaming it cannot fail
	}
}

// delete renames the folder, so that the partition is gone, and returns the new path.
func (l *Log) delete() (string, error) {
	l.cleaning.pause()
	defer l.cleaning.resume()
	l.flusher.begin()
	defer l.flusher.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return "", err
	}
	path := filepath.Join(l.dir.path, deletedFolderName(l.tp))
	l.closed.Store(true) // first, so that a reader who misses a file knows why
	if err := l.dir.fs.Rename(l.folder(), path); err != nil {
		l.closed.Store(false)
		return "", l.failed("delete", fmt.Errorf("rename folder: %w", err))
	}
	l.retire()
	return path, nil
}

// abandon lets go of the files of a log whose directory failed.
func (l *Log) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retire()
}
