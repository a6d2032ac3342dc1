package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/protocol/record"
)

// clean cleans a log whose turn the caller has. What was swapped in stays when an error comes later.
func (t *cleanerThread) clean(ctx context.Context, d *dirtyLog, now time.Time) (done cleaned, err error) {
	l, config, settings := d.log, d.log.Config(), t.c.settings()
	l.logger().Debug("cleaning", zap.Int64("first_dirty_offset", d.first), zap.Int64("end_offset", d.end))
	// All that is copied is durable with everything around it, so that nobody else has to touch those files.
	if err := l.flushSealed(); err != nil {
		return done, err
	}
	buffer := settings.IOBufferSize / max(settings.Threads, 1) / 2
	t.in.yield = &t.yield
	t.in.reset(buffer, func(ctx context.Context, bytes int) error { return t.charge(ctx, &done.bytesRead, bytes) })
	if cap(t.out) != max(buffer, minIOBuffer) {
		t.out = make([]byte, 0, max(buffer, minIOBuffer))
	}
	segments := *l.segments.Load()
	if err := t.mapKeys(ctx, d, segments, settings); err != nil {
		return done, l.cleaningFailed("map the keys of", err)
	}
	done.mapTime, done.mapBytes, done.utilization = time.Since(now), done.bytesRead, t.keys.utilization()
	done.bytesRead = 0

	copied := segmentsIn(segments, segments[0].base, t.keys.latest+1)
	if len(copied) == 0 {
		return done, nil // a log that is not due
	}
	clean, err := t.newCleaning(d, segments, copied, config, now, &done)
	if err != nil {
		return done, l.cleaningFailed("clean", err)
	}
	for _, group := range groupSegments(copied, config, d.end) {
		if err := clean.group(ctx, group); err != nil {
			return done, l.cleaningFailed("clean", err)
		}
	}
	done.end = t.keys.latest + 1
	return done, t.c.checkpoint(l, done.end)
}

// errUnfit is wrapped by errors that are about what a log holds, not about the disk.
var errUnfit = errors.New("cannot be cleaned")

// cleaningFailed is failed but for errors that have nothing to do with the disk.
func (l *Log) cleaningFailed(attempt string, err error) error {
	for _, other := range []error{errCleaningAborted, context.Canceled, record.ErrCorrupt, errUnfit} {
		if errors.Is(err, other) {
			return fmt.Errorf("%s %s: %w", attempt, l.tp, err)
		}
	}
	return l.failed(attempt, err)
}

// charge counts bytes and waits for the rate.
func (t *cleanerThread) charge(ctx context.Context, counter *int64, bytes int) error {
	*counter += int64(bytes)
	return t.c.rate.take(ctx, bytes, t.c.settings().MaxBytesPerSecond)
}

// mapKeys fills the map with the keys of the dirty section, up to where it is full.
func (t *cleanerThread) mapKeys(ctx context.Context, d *dirtyLog, all []*segment, settings CleanerSettings) error {
	dirty := segmentsIn(all, d.first, d.end)
	memory := min(settings.DedupeBufferSize/int64(max(settings.Threads, 1)), math.MaxInt32)
	need := math.MaxInt32
	if !limited(settings.MaxBytesPerSecond) { // counting reads too
		var err error
		if need, err = t.countRecords(ctx, dirty, d.first, int(memory/keySlotSize)); err != nil {
			return err
		}
	}
	t.keys.reset(memory, settings.LoadFactor, need)
	t.keys.latest = d.first - 1
	aborted, err := d.log.abortedTxns(d.first, d.end)
	if err != nil {
		return err
	}
	txns := newTxnTracker(aborted)
	for i, s := range dirty {
		next := d.end
		if i+1 < len(dirty) {
			next = dirty[i+1].base
		}
		position, _, err := s.floorPosition(d.first)
		if err != nil {
			return err
		}
		err = t.in.each(ctx, s, position, next, func(e *scannedEntry) error { return t.mapEntry(e, d.first, &txns) })
		if errors.Is(err, errMapFull) {
			return nil
		}
		if err != nil {
			return err
		}
		t.keys.latest = next - 1 // there may be a gap
	}
	return nil
}

// errMapFull ends the mapping.
var errMapFull = errors.New("map of keys is full")

var errEnough = errors.New("counted as much as matters")

// countRecords bounds the number of keys in the segments from above, from the headers of their batches.
func (t *cleanerThread) countRecords(ctx context.Context, segments []*segment, first int64, enough int) (int, error) {
	count := 0
	for _, s := range segments {
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
		position, _, err := s.floorPosition(first)
		if err != nil {
			return 0, err
		}
		err = s.walk(position, s.size.Load(), t.in.buf, func(e *entry) error {
			if e.magic == 2 {
				count += int(min(max(e.batch.Count(), 0), math.MaxInt32))
			} else {
				count = math.MaxInt32 // a wrapper does not tell
			}
			if count >= enough {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return math.MaxInt32, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return count, nil
}

// mapEntry notes the keys of an entry, unless it was aborted.
func (t *cleanerThread) mapEntry(e *scannedEntry, first int64, txns *txnTracker) error {
	if err := e.verify(); err != nil {
		return err
	}
	if e.magic == 2 && e.batch.IsControl() {
		if _, _, err := txns.control(e.batch); err != nil {
			return err
		}
	} else if e.magic < 2 || !txns.data(e.batch) {
		if err := t.mapRecords(e, first); err != nil {
			return err
		}
	}
	t.keys.latest = max(t.keys.latest, e.last)
	return nil
}

func (t *cleanerThread) mapRecords(e *scannedEntry, first int64) error {
	it, err := record.IterateEntry(e.bytes)
	if err != nil {
		return err
	}
	defer it.Close()
	t.hashed = t.hashed[:0]
	for it.Next() {
		r := it.Record()
		if r.Key == nil || r.Offset < first {
			continue
		}
		high, low := t.keys.hash(r.Key)
		t.hashed = append(t.hashed, keySlot{high, low, r.Offset})
		t.yield.worked(recordWork)
	}
	for _, h := range t.hashed {
		if t.keys.full() {
			return errMapFull
		}
		t.keys.put(h.high, h.low, h.next)
		t.yield.worked(recordWork)
	}
	return it.Err()
}

// logCleaning is a cleaning of one log; its groups have this in common.
type logCleaning struct {
	t      *cleanerThread
	log    *Log
	config *Config
	filter batchFilter
	// legacyHorizon: segments modified after it keep the tombstones in the formats of old.
	legacyHorizon time.Time
	all           []*segment // of the log, when the cleaning began
	done          *cleaned
}

// newCleaning prepares the copying, once the keys are mapped.
func (t *cleanerThread) newCleaning(d *dirtyLog, all, copied []*segment, config *Config, now time.Time, done *cleaned) (*logCleaning, error) {
	c := &logCleaning{t: t, log: d.log, config: config, all: all, done: done}
	// To the end of what is copied, which may be beyond what the map reflects.
	aborted, err := d.log.abortedTxns(all[0].base, c.endOf(copied[len(copied)-1]))
	if err != nil {
		return nil, err
	}
	c.filter = batchFilter{
		keys: &t.keys, yield: &t.yield, out: &t.rebuilt, txns: newTxnTracker(aborted), last: d.log.lastRecords(), done: done,
		now: now.UnixMilli(), horizon: addMillis(now.UnixMilli(), config.DeleteRetention),
	}
	if clean := segmentsIn(all, all[0].base, d.first); len(clean) > 0 {
		modified, err := clean[len(clean)-1].modified()
		if err != nil {
			return nil, err
		}
		c.legacyHorizon = modified.Add(-config.DeleteRetention)
	}
	return c, nil
}

// addMillis does not overflow for a duration that means for ever.
func addMillis(at int64, d time.Duration) int64 { return at + min(d.Milliseconds(), math.MaxInt64-at) }

// group cleans consecutive segments into one, or more where what they hold does not fit.
func (c *logCleaning) group(ctx context.Context, group []*segment) (err error) {
	w := &cleanedWriter{c: c, group: group}
	defer func() {
		if err != nil {
			w.discard()
		}
	}()
	for _, s := range group {
		modified, err := s.modified()
		if err != nil {
			return err
		}
		c.filter.legacyDeletes = modified.After(c.legacyHorizon)
		w.modified = modified
		err = c.t.in.each(ctx, s, 0, c.endOf(s), func(e *scannedEntry) error {
			kept, err := c.filter.filter(e)
			if err != nil {
				return err
			}
			w.changed = w.changed || kept.changed
			if len(kept.bytes) == 0 {
				return nil
			}
			return w.add(ctx, &kept, e)
		})
		if err != nil {
			return err
		}
	}
	if err := w.finish(ctx); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if len(group) == 1 && len(w.segments) == 1 && !w.changed {
		w.discard() // it would be swapped for the same
		return nil
	}
	if err := c.log.swapIn(group, w.segments); err != nil {
		w.segments = nil // they are not ours any more
		// There is no way back, so that not even a full disk is to be waited for.
		return fmt.Errorf("swap cleaned segments in: %v", err)
	}
	return nil
}

// endOf is where the segment after s begins.
func (c *logCleaning) endOf(s *segment) int64 {
	if i := floorSegment(c.all, s.base) + 1; i < len(c.all) {
		return c.all[i].base
	}
	return c.log.end.Load()
}

// groupSegments puts consecutive segments together that would fit into one as they are, and whose offsets do (Kafka:
// Cleaner.groupSegmentsBySize). end is where the last one ends at the latest.
func groupSegments(segments []*segment, c *Config, end int64) [][]*segment {
	var groups [][]*segment
	for len(segments) > 0 {
		size, offsets, times := segments[0].size.Load(), segments[0].offsets.count(), segments[0].times.count()
		n := 1
		for ; n < len(segments); n++ {
			s := segments[n]
			next := end
			if n+1 < len(segments) {
				next = segments[n+1].base
			}
			size += s.size.Load()
			offsets += s.offsets.count()
			times += s.times.count()
			_, near := relativeTo(segments[0].base, next-1)
			if size > c.SegmentBytes || offsets > c.maxOffsetEntries() || times > c.maxTimeEntries() || s.size.Load() > 0 && !near {
				break
			}
		}
		groups = append(groups, segments[:n])
		segments = segments[n:]
	}
	return groups
}
