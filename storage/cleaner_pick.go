package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"go.uber.org/zap"
)

// dirtyLog is a log with what of it may be cleaned.
type dirtyLog struct {
	log *Log
	// The offsets from first to below end are dirty; end is the base of a segment.
	first, end int64
	// cleanBytes and dirtyBytes are of whole segments, so that one in which the dirty section begins counts in both.
	cleanBytes, dirtyBytes int64
	// overdue is by how long max.compaction.lag.ms has passed.
	overdue time.Duration
}

// ratio is the dirty share of what may be cleaned.
func (d *dirtyLog) ratio() float64 {
	return float64(d.dirtyBytes) / float64(max(d.cleanBytes+d.dirtyBytes, 1))
}

// due tells whether a cleaning is worth it, or owed.
func (d *dirtyLog) due(c *Config) bool {
	return d.dirtyBytes > 0 && (d.overdue > 0 || d.ratio() > c.MinCleanableRatio)
}

// pick chooses the dirtiest log and takes its turn; nil when there is none. The context is for the work on it.
func (c *cleaner) pick(ctx context.Context, now time.Time) (*dirtyLog, context.Context) {
	c.stats.looked(now)
	var dirtiest *dirtyLog
	ratio, overdue, uncleanable := 0.0, time.Duration(0), map[string]uncleanableLogs{}
	for _, l := range c.m.Logs() {
		config := l.Config()
		if !config.Compact || l.closed.Load() || l.dir.offline() != nil || l.copy.Load() != nil {
			continue // what was copied would not be cleaned with it
		}
		bad := l.cleaning.uncleanable.Load()
		if !bad && l.cleaning.busy() {
			continue
		}
		d, err := c.dirtySection(l, config, now)
		switch {
		case errors.Is(err, ErrClosed), errors.Is(err, ErrOffline), l.closed.Load():
			continue
		case err != nil && !bad:
			c.markUncleanable(l, err)
			bad = true
		}
		if bad {
			in := uncleanable[l.dir.path]
			uncleanable[l.dir.path] = uncleanableLogs{in.logs + 1, in.bytes + d.dirtyBytes}
			continue
		}
		ratio, overdue = max(ratio, d.ratio()), max(overdue, d.overdue)
		if d.due(config) && (dirtiest == nil || d.ratio() > dirtiest.ratio()) {
			dirtiest = &d
		}
	}
	c.stats.found(ratio, overdue, uncleanable)
	if dirtiest == nil {
		return nil, nil
	}
	abortable, ok := dirtiest.log.cleaning.begin(ctx)
	if !ok {
		return nil, nil // another was faster; the next look finds others
	}
	if dirtiest.log.copy.Load() != nil {
		dirtiest.log.cleaning.end()
		return nil, nil
	}
	return dirtiest, abortable
}

// dirtySection finds what of a log may be cleaned (Kafka: LogCleanerManager.cleanableOffsets, calculateCleanableBytes): from the
// checkpoint up to the active segment, the last stable offset and min.compaction.lag.ms.
func (c *cleaner) dirtySection(l *Log, config *Config, now time.Time) (dirtyLog, error) {
	d := dirtyLog{log: l}
	var err error
	if d.first, err = c.firstDirty(l, config); err != nil {
		return d, err
	}
	segments := *l.segments.Load()
	active := segments[len(segments)-1].base
	limit := min(l.LastStableOffset(), active)
	if config.MinCompactionLag > 0 {
		for _, s := range segmentsIn(segments, d.first, active) {
			age, err := s.age(now)
			if err != nil {
				return d, l.failed("look for what to clean in", err)
			}
			if age < config.MinCompactionLag {
				limit = min(limit, s.base)
				break
			}
		}
	}
	d.end = active
	if limit = max(d.first, limit); limit < active {
		d.end = segments[floorSegment(segments, limit)].base
	}
	for _, s := range segments {
		if s.base < d.first {
			d.cleanBytes += s.size.Load()
		}
	}
	for _, s := range segmentsIn(segments, min(d.first, d.end), d.end) {
		d.dirtyBytes += s.size.Load()
	}
	d.overdue, err = overdue(segmentsIn(segments, min(d.first, active), active), config, now)
	return d, l.failed("look for what to clean in", err)
}

// firstDirty is the cleaner's checkpoint, or the log start offset when that cannot be.
func (c *cleaner) firstDirty(l *Log, config *Config) (int64, error) {
	start, end := l.start.Load(), l.end.Load()
	checkpoint, found := l.dir.cleaner.get(l.tp)
	switch {
	case !found:
		return start, nil
	case checkpoint > end:
		l.logger().Warn("cleaner checkpoint is beyond the log end, the whole log is dirty again",
			zap.Int64("checkpoint", checkpoint), zap.Int64("log_end_offset", end))
	case checkpoint < start:
		if !config.Delete {
			l.logger().Info("cleaner checkpoint follows the log start", zap.Int64("checkpoint", checkpoint), zap.Int64("log_start_offset", start))
		}
	default:
		return checkpoint, nil
	}
	return start, c.checkpoint(l, start)
}

// checkpoint notes durably that a log is clean up to offset.
func (c *cleaner) checkpoint(l *Log, offset int64) error {
	err := l.dir.cleaner.set(l.tp, offset, func(tp TopicPartition) bool {
		for _, find := range []func(TopicPartition) (*Log, bool){c.m.Log, c.m.Future} {
			if other, found := find(tp); found && other.dir == l.dir {
				return true
			}
		}
		return false
	})
	if err != nil {
		return l.failed("note what was cleaned of", fmt.Errorf("write cleaner checkpoint: %w", err))
	}
	return nil
}

// overdue is how much longer than max.compaction.lag.ms the oldest record has been dirty, by the first batches of the segments.
func overdue(dirty []*segment, config *Config, now time.Time) (time.Duration, error) {
	if config.MaxCompactionLag <= 0 || config.MaxCompactionLag == math.MaxInt64 {
		return 0, nil
	}
	longest := time.Duration(0)
	for _, s := range dirty {
		first, err := s.firstTimestamp()
		if err != nil {
			return 0, err
		}
		if first > 0 {
			longest = max(longest, now.Sub(time.UnixMilli(first))-config.MaxCompactionLag)
		}
	}
	return longest, nil
}

// segmentsIn lists the segments from the one with the offset from to the last that begins below to.
func segmentsIn(segments []*segment, from, to int64) []*segment {
	if from >= to || len(segments) == 0 {
		return nil
	}
	last := floorSegment(segments, to-1)
	if segments[last].base >= to {
		return nil
	}
	return segments[floorSegment(segments, from) : last+1]
}
