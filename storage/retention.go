package storage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
)

// AdvanceLogStart drops everything below offset (DeleteRecords): it fails with
// ErrOffsetOutOfRange above the high watermark. The segments go with the next retention;
// the new start is durable with the next checkpoint, or when the log is closed.
func (l *Log) AdvanceLogStart(offset int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if next := l.successor.Load(); next != nil {
		return next.AdvanceLogStart(offset)
	}
	if err := l.usable(); err != nil {
		return err
	}
	if high := l.HighWatermark(); offset > high {
		return fmt.Errorf("advance start of %s to %d, above the high watermark %d: %w", l.tp, offset, high, ErrOffsetOutOfRange)
	}
	l.advanceStart(offset)
	return nil
}

func (l *Log) advanceStart(offset int64) {
	if offset <= l.start.Load() {
		return
	}
	l.start.Store(offset)
	l.touched.Store(true)
	l.flusher.raise(offset)
	l.marks.startAdvanced(offset)
	l.epochs.truncateStart(offset)
	l.logger().Info("log start offset advanced", zap.Int64("log_start_offset", offset))
}

// tryRetention applies retention unless the log is being cleaned, cut or deleted: the next time does as well.
func (l *Log) tryRetention(now time.Time) error {
	if _, ok := l.cleaning.begin(context.Background()); !ok {
		return nil
	}
	defer l.cleaning.end()
	return l.applyRetention(now)
}

// applyRetention discards the segments that retention.ms, retention.bytes or the log start
// offset call for, and forgets producers that are long silent. A log that is only compacted
// loses segments to the log start offset alone.
func (l *Log) applyRetention(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	c := l.Config()
	l.producers.expire(now.UnixMilli(), c)
	start := l.start.Load()
	err := l.dropHead("below log start", func(_ *segment, next int64, last bool) (bool, error) {
		return !last && next <= start, nil
	})
	if err == nil && c.Delete && c.RetentionBytes >= 0 {
		excess := l.Size() - c.RetentionBytes
		err = l.dropHead("retention.bytes", func(s *segment, _ int64, _ bool) (bool, error) {
			size := s.size.Load()
			excess -= size
			return excess >= 0, nil
		})
	}
	if err == nil && c.Delete && c.RetentionAge >= 0 {
		err = l.dropHead("retention.ms", func(s *segment, _ int64, _ bool) (bool, error) {
			age, err := s.age(now)
			return age > c.RetentionAge, err
		})
	}
	return l.failed("apply retention to", err)
}

// dropHead discards segments from the first on while the condition, given the offset after the
// segment and whether it is the active one, holds. Nothing at or above the high watermark goes. mu is held.
func (l *Log) dropHead(reason string, condition func(s *segment, next int64, active bool) (bool, error)) error {
	segments := *l.segments.Load()
	count := 0
	for i, s := range segments {
		active := i == len(segments)-1
		next := l.end.Load()
		if !active {
			next = segments[i+1].base
		}
		if next > l.HighWatermark() || active && s.size.Load() == 0 {
			break
		}
		drop, err := condition(s, next, active)
		if err != nil {
			return err
		}
		if !drop {
			break
		}
		count++
	}
	if count == 0 {
		return nil
	}
	if count == len(segments) {
		// There is always an active segment.
		if err := l.roll(l.end.Load()); err != nil {
			return err
		}
		segments = *l.segments.Load()
	}
	l.logger().Info("deleting segments", zap.String("reason", reason), zap.Int("segments", count),
		zap.Int64("log_start_offset", segments[count].base))
	l.advanceStart(segments[count].base)
	kept := slices.Clone(segments[count:])
	l.segments.Store(&kept)
	return l.drop(segments[:count])
}
