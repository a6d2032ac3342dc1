package storage

import (
	"context"
	"math"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/protocol/record"
)

// cleanedWriter writes what is kept of a group of segments into new ones, under names that a start removes.
type cleanedWriter struct {
	c        *logCleaning
	group    []*segment
	modified time.Time // of the segment that was read last
	// changed: something of the original is not in the copy as it was.
	changed bool

	segments []*segment // the last one is being written
	buffered []byte
	last     int64 // offset of the last entry
}

// add appends what is left of an entry.
func (w *cleanedWriter) add(ctx context.Context, kept *filtered, e *scannedEntry) error {
	if err := w.place(ctx, kept, e); err != nil {
		return err
	}
	s, c := w.current(), w.c.config
	position := s.size.Load() + int64(len(w.buffered))
	if err := s.noteBatch(c, position, int64(len(kept.bytes)), kept.last, kept.maxTimestamp); err != nil {
		return err
	}
	if kept.ended != nil {
		s.aborted.waiting = append(s.aborted.waiting, *kept.ended)
	}
	w.last = kept.last
	w.c.done.recordsWritten += int64(kept.records)
	if len(w.buffered)+len(kept.bytes) > cap(w.c.t.out) {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	if len(kept.bytes) > cap(w.c.t.out) {
		return w.write(ctx, kept.bytes)
	}
	w.buffered = append(w.buffered, kept.bytes...)
	return nil
}

func (w *cleanedWriter) current() *segment { return w.segments[len(w.segments)-1] }

// place begins a segment when there is none, or when the entry does not fit the one there is: a group fits one as it was,
// but a batch may grow when it is written anew, and what Kafka once wrote may not fit even alone (KAFKA-6264).
func (w *cleanedWriter) place(ctx context.Context, kept *filtered, e *scannedEntry) error {
	if len(w.segments) == 0 {
		return w.begin(w.group[0].base)
	}
	s, c := w.current(), w.c.config
	size := s.size.Load() + int64(len(w.buffered)+len(kept.bytes))
	_, near := relativeTo(s.base, kept.last)
	full := s.offsets.count() >= c.maxOffsetEntries() || s.times.count() >= c.maxTimeEntries()
	limit := min(max(c.SegmentBytes, w.group[0].size.Load()), math.MaxInt32)
	if size <= limit && near && !full || size == int64(len(kept.bytes)) {
		return nil
	}
	if err := w.seal(ctx); err != nil {
		return err
	}
	// Entries of the old formats tell their last offset only.
	base := w.last + 1
	if e.magic == 2 {
		base = e.batch.BaseOffset()
	}
	return w.begin(base)
}

// begin makes an empty segment, and removes what an earlier attempt may have left.
func (w *cleanedWriter) begin(base int64) error {
	s := newSegment(w.c.log, base)
	s.stage.Store(stageCleaned)
	for _, suffix := range segmentSuffixes {
		if err := removeIfThere(s.log.dir.fs, s.path(suffix)); err != nil {
			return err
		}
	}
	w.segments, w.last = append(w.segments, s), base-1
	file, err := s.log.dir.fs.Create(s.path(logSuffix))
	if err != nil {
		return err
	}
	s.setNewest(stamp{record.NoTimestamp, base})
	w.buffered = w.c.t.out[:0]
	return file.Close()
}

// flush writes what is buffered.
func (w *cleanedWriter) flush(ctx context.Context) error {
	if len(w.buffered) == 0 {
		return nil
	}
	err := w.write(ctx, w.buffered)
	w.buffered = w.buffered[:0]
	return err
}

func (w *cleanedWriter) write(ctx context.Context, p []byte) error {
	s := w.current()
	for rest := p; len(rest) > 0; {
		piece := rest[:min(len(rest), pieceSize)]
		if err := s.write(piece); err != nil {
			return err
		}
		s.size.Add(int64(len(piece)))
		rest = rest[len(piece):]
		w.c.t.yield.worked(len(piece))
	}
	if err := s.spillIndexes(); err != nil {
		return err
	}
	return w.c.t.charge(ctx, &w.c.done.bytesWritten, len(p))
}

// seal completes the segment and makes it durable.
func (w *cleanedWriter) seal(ctx context.Context) error {
	if err := w.flush(ctx); err != nil {
		return err
	}
	s := w.current()
	if err := s.completeIndexes(); err != nil {
		return err
	}
	if err := s.sync(true); err != nil {
		return err
	}
	// The age of a segment without timestamps is its file's, and tombstones of the old formats go by it.
	for _, suffix := range []string{logSuffix, offsetSuffix, timeSuffix} {
		if err := s.log.dir.fs.SetModTime(s.path(suffix), w.modified); err != nil {
			return err
		}
	}
	s.flushed = true
	return nil
}

// finish seals the last segment. When nothing is kept there is an empty one, with the base offset of the group.
func (w *cleanedWriter) finish(ctx context.Context) error {
	if len(w.segments) == 0 {
		if err := w.begin(w.group[0].base); err != nil {
			return err
		}
	}
	return w.seal(ctx)
}

// discard removes what was written.
func (w *cleanedWriter) discard() {
	for _, s := range w.segments {
		w.c.log.dir.files.retire(s, nil) // without renaming it cannot fail
		for _, suffix := range segmentSuffixes {
			if err := removeIfThere(s.log.dir.fs, s.path(suffix)); err != nil {
				w.c.log.logger().Warn("copy that is not needed stays until the next start", zap.Error(err))
			}
		}
	}
	w.segments = nil
}
