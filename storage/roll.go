package storage

import (
	"fmt"
	"slices"

	"go.uber.org/zap"
)

// roll seals the active segment and goes on in a new one that begins at base. When it fails nothing has
// changed and it can be tried again. mu is held.
func (l *Log) roll(base int64) error {
	old := l.active()
	if base == old.base {
		return nil // the active segment is empty
	}
	if base < old.base {
		return fmt.Errorf("roll at %d, before the active segment %d", base, old.base)
	}
	if err := old.completeIndexes(); err != nil {
		return err
	}
	// A snapshot at the new base lets a recovery begin there.
	l.producers.end = base
	if err := l.snapshotProducers(); err != nil {
		return err
	}
	s, err := createSegment(l, base)
	if err != nil {
		return err
	}
	segments := append(slices.Clone(*l.segments.Load()), s)
	l.segments.Store(&segments)
	l.dir.work.add(l) // to be flushed
	l.logger().Debug("rolled segment", zap.Int64("offset", base), zap.Int64("bytes", old.size.Load()))
	return nil
}

// anchor makes the folder and partition.metadata durable, which must be before there is data. mu is held.
func (l *Log) anchor() error {
	if err := l.syncFolder(); err != nil {
		return err
	}
	if l.fresh.Load() {
		if err := l.dir.fs.SyncDir(l.dir.path); err != nil {
			return fmt.Errorf("sync log directory: %w", err)
		}
		l.fresh.Store(false)
	}
	return nil
}

// syncFolder writes partition.metadata if need be and makes the names in the folder durable. mu is held.
func (l *Log) syncFolder() error {
	l.folderDirty.Store(false)
	var err error
	if l.metaDirty.Load() {
		err = writePartitionMeta(l.dir.fs, l.folder(), l.TopicID()) // which syncs the folder
	} else if err = l.dir.fs.SyncDir(l.folder()); err != nil {
		err = fmt.Errorf("sync folder: %w", err)
	}
	if err != nil {
		l.folderDirty.Store(true)
		return err
	}
	l.metaDirty.Store(false)
	return nil
}
