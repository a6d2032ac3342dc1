package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/protocol/record"
)

// TruncateTo drops everything at offset and above. A batch that reaches over offset goes whole; the
// log end is offset all the same.
func (l *Log) TruncateTo(offset int64) error {
	if offset < 0 {
		return fmt.Errorf("truncate %s to %d: negative", l.tp, offset)
	}
	unlock := l.lockToCut(offset)
	defer unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if end := l.end.Load(); offset >= end {
		// A leader that appended nothing may have left an epoch at the end.
		l.touched.Store(true)
		return l.failed("truncate", l.dropEpochs(end))
	}
	l.logger().Info("truncating", zap.Int64("offset", offset), zap.Int64("log_end_offset", l.end.Load()))
	if (*l.segments.Load())[0].base > offset {
		return l.failed("truncate", l.truncateFully(offset))
	}
	return l.failed("truncate", l.truncate(offset))
}

// TruncateFullyAndStartAt empties the log, which then starts at offset.
func (l *Log) TruncateFullyAndStartAt(offset int64) error {
	if offset < 0 {
		return fmt.Errorf("truncate %s to start at %d: negative", l.tp, offset)
	}
	unlock := l.lockToCut(0)
	defer unlock()
	if err := l.usable(); err != nil {
		return err
	}
	l.logger().Info("truncating fully", zap.Int64("offset", offset), zap.Int64("log_end_offset", l.end.Load()))
	return l.failed("truncate", l.truncateFully(offset))
}

// lockToCut takes the locks for cutting at offset. A cleaning is aborted when sealed segments are concerned.
func (l *Log) lockToCut(offset int64) (unlock func()) {
	for paused := false; ; paused = true {
		sealed := offset < l.active().base
		if paused || sealed {
			l.cleaning.pause()
			paused = true
		}
		l.flusher.begin()
		l.mu.Lock()
		unlock = func() {
			l.mu.Unlock()
			l.flusher.end()
			if paused {
				l.cleaning.resume()
			}
		}
		if paused || offset >= l.active().base {
			return unlock
		}
		unlock() // a segment was rolled meanwhile
	}
}

func (l *Log) truncate(offset int64) error {
	if err := l.lowerCheckpoints(offset); err != nil {
		return err
	}
	// Readers look at the end first, so it goes down before the bytes go.
	l.end.Store(offset)
	l.start.Store(min(l.start.Load(), offset))
	segments := *l.segments.Load()
	keep := floorSegment(segments, offset) + 1
	dropped, kept := segments[keep:], slices.Clone(segments[:keep])
	l.segments.Store(&kept)
	if err := l.dropTail(dropped); err != nil {
		return err
	}
	if err := kept[keep-1].truncate(offset); err != nil {
		return err
	}
	l.cut.Store(true)
	if err := l.rewindProducers(offset); err != nil {
		return err
	}
	if err := l.dropEpochs(offset); err != nil {
		return err
	}
	// Before anything is written in its place, what was cut must be gone from the disk, too: after a loss of power some of it could be
	// there between what was written since, each batch of it sound.
	return kept[keep-1].sync(false)
}

// dropEpochs drops the epochs that start at offset or above, durably. On a full disk the file goes: without it the next start
// finds the epochs in the batches.
func (l *Log) dropEpochs(offset int64) error {
	if !l.epochs.truncateEnd(offset) {
		return nil
	}
	err := l.epochs.save(l, true)
	if !isDiskFull(err) {
		return err
	}
	if err := l.dir.fs.Remove(filepath.Join(l.folder(), epochsName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the file of leader epochs: %w", err)
	}
	return l.dir.fs.SyncDir(l.folder())
}

func (l *Log) truncateFully(offset int64) error {
	if err := l.lowerCheckpoints(offset); err != nil {
		return err
	}
	l.end.Store(min(l.end.Load(), offset))
	segments := *l.segments.Load()
	if err := l.dropTail(segments); err != nil {
		return err
	}
	if err := l.startAnew(offset); err != nil {
		// There is no way back, so that not even a full disk is to be waited for.
		return fmt.Errorf("start anew at %d: %v", offset, err)
	}
	return nil
}

func (l *Log) startAnew(offset int64) error {
	for _, at := range slices.Clone(l.producers.snapshots) {
		if err := l.removeSnapshot(at); err != nil {
			return err
		}
	}
	s, err := createSegment(l, offset)
	if err != nil {
		return err
	}
	l.segments.Store(&[]*segment{s})
	l.start.Store(offset)
	l.end.Store(offset)
	l.flusher.point.Store(offset)
	l.producers.byID, l.producers.end = nil, offset
	l.marks.forget(offset, offset)
	l.epochs.clear()
	if err := l.epochs.save(l, true); err != nil && !isDiskFull(err) {
		return err
	}
	if err := l.dir.fs.SyncDir(l.folder()); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}

// lowerCheckpoints sees to it that the checkpoint files do not say more than will be true:
// a recovery would skip segments below a recovery point, and drop a log that ends below its start offset.
func (l *Log) lowerCheckpoints(offset int64) error {
	// One below, so that the segment that is cut counts, also if the next begins just there.
	point := max(offset-1, 0)
	err := l.dir.recoveryPoints.change(l.tp, func(at int64) (int64, bool) { return min(at, point), true })
	if err != nil {
		return err
	}
	err = l.dir.startOffsets.change(l.tp, func(at int64) (int64, bool) { return min(at, offset), true })
	if err != nil {
		return err
	}
	err = l.dir.cleaner.change(l.tp, func(at int64) (int64, bool) { return min(at, offset), true })
	if err != nil {
		return err
	}
	l.flusher.point.Store(min(l.flusher.point.Load(), offset))
	l.touched.Store(true)
	return nil
}

// dropTail discards the last segments of the log: from the end on, each durably before the next,
// so that a crash leaves no gap, and nothing comes back over what is appended later.
func (l *Log) dropTail(segments []*segment) error {
	for _, s := range slices.Backward(segments) {
		if err := l.drop([]*segment{s}); err != nil {
			return err
		}
		if err := l.dir.fs.SyncDir(l.folder()); err != nil {
			return fmt.Errorf("sync folder: %w", err)
		}
	}
	return nil
}

// drop discards segments and the snapshots at their bases.
func (l *Log) drop(segments []*segment) error {
	paths, err := l.markDeleted(segments)
	l.dir.trash.add(l.dir, l.Config().FileDeleteDelay, paths...)
	return err
}

// markDeleted renames the files of segments, and their snapshots, to be deleted. It returns their new
// paths, also with an error.
func (l *Log) markDeleted(segments []*segment) (paths []string, err error) {
	for _, s := range segments {
		err := l.dir.files.retire(s, func() error {
			for _, name := range append(s.files(), segmentName(s.base, snapshotSuffix)) {
				path := filepath.Join(l.folder(), name)
				if err := renameIfThere(l.dir.fs, path, path+deletedSuffix); err != nil {
					return err
				}
				paths = append(paths, path+deletedSuffix)
			}
			return nil
		})
		if err != nil {
			return paths, err
		}
		isIt := func(offset int64) bool { return offset == s.base }
		l.producers.snapshots = slices.DeleteFunc(l.producers.snapshots, isIt)
		l.producers.unsynced = slices.DeleteFunc(l.producers.unsynced, isIt)
	}
	if len(segments) > 0 {
		l.folderDirty.Store(true)
	}
	return paths, nil
}

// truncate drops the batches that reach to offset or above. The segment is the active one from now on.
func (s *segment) truncate(offset int64) error {
	size := s.size.Load()
	c, done, err := s.cursor(0, size)
	if err != nil {
		return err
	}
	defer done()
	e, err := s.locate(c, offset)
	switch {
	case err == nil:
		size = e.position
	case !endsLog(err):
		return fmt.Errorf("find offset %d in segment %d: %w", offset, s.base, err)
	}
	if err := s.truncateIndexes(offset); err != nil {
		return err
	}
	s.size.Store(size)
	if err := c.file.Truncate(size); err != nil {
		return fmt.Errorf("truncate segment: %w", err)
	}
	s.sinceIndex, s.flushed = 0, false
	if size == 0 {
		s.created, s.firstTime, s.firstKnown = nowMillis(), record.NoTimestamp, true
		s.setNewest(stamp{record.NoTimestamp, s.base})
		return nil
	}
	return s.findNewest(size)
}

func (s *segment) truncateIndexes(offset int64) error {
	o, err := s.offsets.around(s, func(e offsetEntry) bool { return s.base+int64(e.relative) >= offset })
	if err != nil {
		return err
	}
	if err := s.offsets.truncate(s, o.slot); err != nil {
		return err
	}
	t, err := s.times.around(s, func(e timeEntry) bool { return s.base+int64(e.relative) >= offset })
	if err != nil {
		return err
	}
	if err := s.times.truncate(s, t.slot); err != nil {
		return err
	}
	s.lastTimeKnown = false
	return s.aborted.truncate(s, offset)
}

// findNewest finds the largest timestamp after a cut: the time index's last, or one in the batches behind it.
func (s *segment) findNewest(size int64) error {
	newest := stamp{record.NoTimestamp, s.base}
	last, found, err := s.times.last(s)
	if err != nil {
		return err
	}
	if found {
		newest = stamp{last.timestamp, s.base + int64(last.relative)}
	}
	position, _, err := s.floorPosition(newest.offset)
	if err != nil {
		return err
	}
	buf := s.log.dir.files.buffer()
	defer s.log.dir.files.recycle(buf)
	err = s.walk(position, size, buf[:], func(e *entry) error {
		if e.maxTimestamp > newest.timestamp {
			newest = stamp{e.maxTimestamp, e.last}
		}
		return nil
	})
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	s.setNewest(newest)
	return nil
}

// rewindProducers brings the producer state back to offset: from the newest snapshot below it and the
// batches after that.
func (l *Log) rewindProducers(offset int64) error {
	known := len(l.producers.byID) > 0
	for _, at := range snapshotsAbove(slices.Clone(l.producers.snapshots), offset) {
		if err := l.removeSnapshot(at); err != nil {
			return err
		}
	}
	l.marks.forget(l.start.Load(), l.end.Load())
	if _, err := l.loadSnapshot(offset); err != nil {
		return err
	}
	// Without producers before there are none after either, and nothing to read.
	if known && l.producers.end < offset {
		buf := make([]byte, bufferSize/8)
		if err := l.replay(l.producers.end, offset, buf); err != nil {
			return err
		}
	}
	l.producers.end = offset
	return nil
}
