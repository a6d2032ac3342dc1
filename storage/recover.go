package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/protocol/record"
)

func compareBase(s *segment, base int64) int { return cmp.Compare(s.base, base) }

// checkIndexes looks at the sizes and last entries of a segment's indexes. They must be
// those of a sealed segment: zeros that Kafka's preallocation left at the end are found too.
func (ld *loader) checkIndexes(s *segment, next int64) error {
	offsets, err := checkIndex(ld, s, &s.offsets, func(first, last offsetEntry) bool {
		return last.position > 0 && int64(last.position) < s.size.Load() && last.relative >= 0 && s.base+int64(last.relative) < next
	})
	if err != nil {
		return err
	}
	times, err := checkIndex(ld, s, &s.times, func(first, last timeEntry) bool {
		return last.timestamp >= first.timestamp && last.relative >= 0 && s.base+int64(last.relative) < next
	})
	if err != nil {
		return err
	}
	if s.size.Load() == 0 && offsets+times > 0 {
		return errors.New("indexes of an empty segment have entries")
	}
	info, there := ld.names[segmentName(s.base, txnSuffix)]
	if !there {
		return nil
	}
	stat, err := info.Info()
	if err != nil {
		return fmt.Errorf("stat transaction index: %w", err)
	}
	return s.aborted.check(s, stat)
}

func checkIndex[E indexEntry[E]](ld *loader, s *segment, x *index[E], sound func(first, last E) bool) (int, error) {
	var zero E
	entry, there := ld.names[segmentName(s.base, zero.suffix())]
	if !there {
		if s.size.Load() == 0 {
			return 0, nil
		}
		return 0, fmt.Errorf("%s: %w", zero.suffix(), fs.ErrNotExist)
	}
	info, err := entry.Info()
	if err != nil {
		return 0, fmt.Errorf("stat index: %w", err)
	}
	count, whole := entriesIn[E](info)
	if !whole {
		return 0, fmt.Errorf("%s has %d bytes", zero.suffix(), info.Size())
	}
	if count == 0 {
		return 0, nil
	}
	r, err := openIndex[E](s)
	if err != nil {
		return 0, err
	}
	defer r.close()
	first, err := r.at(0)
	if err != nil {
		return 0, err
	}
	last, err := r.at(count - 1)
	if err != nil {
		return 0, err
	}
	if !sound(first, last) || count > 1 && any(last) == any(zero) {
		return 0, fmt.Errorf("%s ends with %+v", zero.suffix(), last)
	}
	x.inFile.Store(int32(count))
	return count, nil
}

// findEnd finds the log end offset, recovering what an unclean stop may have damaged.
func (ld *loader) findEnd() (int64, error) {
	if len(ld.segments) == 0 {
		return ld.start, nil
	}
	if !ld.clean {
		return ld.recover()
	}
	active := ld.segments[len(ld.segments)-1]
	if active.size.Load() == 0 {
		return active.base, nil
	}
	// A clean stop leaves a snapshot at the log end, and the recovery point there. With just
	// that no byte of a segment need be read.
	if beyond := snapshotsAbove(ld.log.producers.snapshots, active.base); len(beyond) == 1 && beyond[0] == ld.recoveryPoint {
		return beyond[0], nil
	}
	return ld.endOfActive(active)
}

func snapshotsAbove(snapshots []int64, base int64) []int64 {
	i, _ := slices.BinarySearch(snapshots, base+1)
	return snapshots[i:]
}

// endOfActive walks the batches behind the last index entry. If they do not fill the file it is recovered.
func (ld *loader) endOfActive(s *segment) (int64, error) {
	last, found, err := s.offsets.last(s)
	if err != nil {
		return 0, err
	}
	position, end := int64(0), s.base
	if found {
		position = int64(last.position)
	}
	size := s.size.Load()
	filled := position
	err = s.walk(position, size, ld.buffer(), func(e *entry) error {
		end, filled = e.last+1, e.end()
		return nil
	})
	if err != nil {
		return 0, err
	}
	if filled == size {
		return end, nil
	}
	return ld.recoverSegment(s, true)
}

// recover checks every batch from the recovery point's segment on. The log ends at the first
// that is not sound; segments behind it are dropped.
func (ld *loader) recover() (int64, error) {
	l := ld.log
	first := ld.firstUnsure()
	l.start.Store(max(ld.start, ld.segments[0].base))
	for _, offset := range snapshotsAbove(slices.Clone(l.producers.snapshots), ld.segments[first].base) {
		if err := l.removeSnapshot(offset); err != nil {
			return 0, err
		}
	}
	end := ld.segments[first].base
	for i := first; i < len(ld.segments); i++ {
		s := ld.segments[i]
		if s.base < end {
			l.logger().Warn("segment overlaps the one before it, dropping it and what follows",
				zap.Int64("segment", s.base), zap.Int64("log_end_offset", end))
			return end, ld.discard(i)
		}
		if l.IsFuture() && s.base > end {
			// In a log a gap is the cleaner's. A copy may lack a segment whose name the disk lost: it is copied again.
			l.logger().Info("copy has a gap, dropping what follows", zap.Int64("segment", s.base), zap.Int64("log_end_offset", end))
			ld.stateAt = end
			return end, ld.discard(i)
		}
		if i > first {
			l.producers.end = s.base
			if err := l.snapshotProducers(); err != nil {
				return 0, err
			}
		}
		size := s.size.Load()
		var err error
		if end, err = ld.recoverSegment(s, true); err != nil {
			return 0, err
		}
		if s.size.Load() < size && i+1 < len(ld.segments) {
			l.logger().Warn("dropping the segments behind the cut", zap.Int64("segment", s.base),
				zap.Int("segments", len(ld.segments)-i-1), zap.Int64("log_end_offset", end))
			err := ld.discard(i + 1)
			ld.stateAt = end
			return end, err
		}
	}
	ld.stateAt = end
	return end, nil
}

// recoverSegment reads a segment whole, builds its indexes anew and notes its leader epochs
// and producers (Kafka: LogSegment.recover). What follows the last sound batch is cut off, when cut is set.
// It returns the offset after the last batch.
func (ld *loader) recoverSegment(s *segment, cut bool) (int64, error) {
	if err := ld.producersAt(s.base); err != nil {
		return 0, err
	}
	if err := s.resetIndexes(); err != nil {
		return 0, err
	}
	l, c := ld.log, ld.log.Config()
	size := s.size.Load()
	file, err := l.dir.files.acquire(s)
	if err != nil {
		return 0, err
	}
	defer l.dir.files.release(s)

	cur := &cursor{file: file, end: size, buf: ld.buffer()}
	next, valid := s.base, int64(0)
	var reason error
	for {
		e, err := cur.next()
		if err == nil {
			err = cur.verify(&e)
		}
		if err == nil && e.base < next {
			err = fmt.Errorf("%w: offset %d after %d", record.ErrCorrupt, e.base, next-1)
		}
		if err == nil {
			err = l.noteRecovered(c, s, cur, &e)
		}
		if endsLog(err) {
			reason = err
			break
		}
		if err != nil {
			return 0, fmt.Errorf("recover segment %d: %w", s.base, err)
		}
		next, valid = e.last+1, e.end()
	}
	ld.stateAt = next
	if err := ld.endRecovery(s, file, next, valid, cut, reason); err != nil {
		return 0, err
	}
	return next, s.completeIndexes()
}

// endRecovery deals with bytes behind the last sound batch.
func (ld *loader) endRecovery(s *segment, file interface{ Truncate(int64) error }, next, valid int64, cut bool, reason error) error {
	size := s.size.Load()
	if valid == size {
		return nil
	}
	if reason == io.EOF {
		reason = errors.New("batch is not whole")
	}
	fields := []zap.Field{
		zap.Int64("segment", s.base), zap.Int64("log_end_offset", next), zap.Int64("position", valid),
		zap.Int64("bytes", size-valid), zap.NamedError("reason", reason),
	}
	if !cut {
		ld.log.logger().Error("segment has unreadable bytes, which stay", fields...)
		return nil
	}
	ld.log.logger().Warn("log cut at the first batch that is not sound", fields...)
	s.size.Store(valid)
	if err := file.Truncate(valid); err != nil {
		return fmt.Errorf("cut segment: %w", err)
	}
	return nil
}

// noteRecovered notes one batch in the indexes, the leader epochs and the producer state.
func (l *Log) noteRecovered(c *Config, s *segment, cur *cursor, e *entry) error {
	if e.magic == 2 {
		b, m, isMarker, err := cur.producerBatch(e)
		if err != nil {
			return err
		}
		if epoch := b.PartitionLeaderEpoch(); epoch > l.epochs.latest() {
			l.epochs.assign(epoch, e.base)
		}
		if err := l.noteProducer(s, b, m, isMarker); err != nil {
			return err
		}
	}
	if err := s.noteBatch(c, e.position, e.size, e.last, e.maxTimestamp); err != nil {
		return err
	}
	return s.spillIndexes()
}

// producerBatch returns what the producer state needs of a batch: all of a control batch,
// the header of another.
func (c *cursor) producerBatch(e *entry) (record.Batch, record.Marker, bool, error) {
	b := e.batch
	if b.IsControl() && b.ProducerID() != record.NoProducerID {
		whole, err := c.whole(e)
		if err != nil {
			return nil, record.Marker{}, false, err
		}
		b = record.Batch(whole)
	}
	m, isMarker, err := markerOf(b)
	return b, m, isMarker, err
}

// producersAt builds the producer state as it was at a segment's base, unless it is there.
func (ld *loader) producersAt(base int64) error {
	l := ld.log
	if ld.stateAt != noOffset && ld.stateAt <= base && l.noBatchesIn(ld.stateAt, base) {
		l.producers.end = base
		return nil
	}
	l.start.Store(max(ld.start, ld.segments[0].base))
	l.marks.forget(0, 0)
	if _, err := l.loadSnapshot(base); err != nil {
		return err
	}
	return l.replay(l.producers.end, base, ld.buffer())
}

// noBatchesIn tells whether an offset range lies between the end of one segment and the start of the next.
func (l *Log) noBatchesIn(from, to int64) bool {
	segments := *l.segments.Load()
	i := floorSegment(segments, from)
	ended := segments[i].base < from || segments[i].size.Load() == 0
	return from == to || ended && i+1 == floorSegment(segments, to)
}

// replay applies the batches in [from, to) to the producer state.
func (l *Log) replay(from, to int64, buf []byte) error {
	segments := *l.segments.Load()
	for _, s := range segments[floorSegment(segments, from):] {
		if s.base >= to {
			break
		}
		position, _, err := s.floorPosition(from)
		if err != nil {
			position = 0
		}
		err = s.walkCursor(position, s.size.Load(), buf, func(c *cursor, e *entry) error {
			if e.magic < 2 || e.last < from || e.base >= to {
				return nil
			}
			b, m, isMarker, err := c.producerBatch(e)
			if err != nil {
				return err
			}
			return l.replayBatch(b, m, isMarker)
		})
		if err != nil {
			return fmt.Errorf("replay segment %d: %w", s.base, err)
		}
	}
	l.producers.end = to
	return nil
}

// replayBatch is noteProducer for a batch whose transaction, if it ends one, is in the index.
func (l *Log) replayBatch(b record.Batch, m record.Marker, isMarker bool) error {
	switch {
	case b.ProducerID() == record.NoProducerID:
	case isMarker:
		if ended, open := l.producers.applyMarker(b, m); open {
			l.marks.complete(ended.first, ended.last)
		}
	case !b.IsControl():
		l.producers.applyBatch(b, &l.marks)
	}
	return nil
}

// walk visits the entries in a range of the segment's bytes until one is not sound.
func (s *segment) walk(position, end int64, buf []byte, visit func(*entry) error) error {
	return s.walkCursor(position, end, buf, func(_ *cursor, e *entry) error { return visit(e) })
}

func (s *segment) walkCursor(position, end int64, buf []byte, visit func(*cursor, *entry) error) error {
	file, err := s.log.dir.files.acquire(s)
	if err != nil {
		return err
	}
	defer s.log.dir.files.release(s)
	c := &cursor{file: file, pos: position, end: end, buf: buf}
	for {
		e, err := c.next()
		if endsLog(err) {
			return nil
		}
		if err == nil {
			err = visit(c, &e)
		}
		if err != nil {
			return fmt.Errorf("walk segment %d: %w", s.base, err)
		}
	}
}

// resetIndexes empties the indexes before they are built anew.
func (s *segment) resetIndexes() error {
	s.offsets.inFile.Store(0)
	s.offsets.tail.Store(nil)
	s.times.inFile.Store(0)
	s.times.tail.Store(nil)
	s.aborted.inFile, s.aborted.waiting = 0, nil
	s.setNewest(stamp{record.NoTimestamp, s.base})
	s.lastTime, s.lastTimeKnown = record.NoTimestamp, true
	s.firstTime, s.firstKnown = record.NoTimestamp, true
	s.sinceIndex, s.flushed = 0, false
	return s.aborted.remove(s)
}
