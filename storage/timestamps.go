package storage

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
)

// TimestampOffset is an offset with the timestamp and leader epoch of its record.
type TimestampOffset struct {
	Offset      int64
	Timestamp   int64
	LeaderEpoch int32
}

// OffsetForTimestamp finds the first record with at least the timestamp.
func (l *Log) OffsetForTimestamp(timestamp int64) (TimestampOffset, bool, error) {
	t, found, err := l.searchTime(timestamp)
	if next := l.successor.Load(); next != nil && !found {
		return next.OffsetForTimestamp(timestamp)
	}
	return t, found, err
}

func (l *Log) searchTime(timestamp int64) (TimestampOffset, bool, error) {
	if err := l.dir.offline(); err != nil {
		return TimestampOffset{}, false, err
	}
	list := l.segments.Load()
	for _, s := range *list {
		newest, err := s.newest()
		if err == nil && newest.timestamp >= timestamp {
			var from int64
			if from, err = s.floorTime(timestamp); err == nil {
				t, found, err := s.scan(max(from, l.start.Load()), func(r record.Record) bool {
					return r.Timestamp >= timestamp && r.Offset >= l.start.Load()
				}, func(e *entry) bool { return e.maxTimestamp >= timestamp })
				if found || err != nil {
					return t, found, l.failed("search", err)
				}
			}
		}
		if err != nil && !s.isGone() {
			return TimestampOffset{}, false, l.failed("search", err)
		}
	}
	// What was removed meanwhile may have been replaced.
	if l.segments.Load() != list && slices.ContainsFunc(*list, (*segment).isGone) {
		return l.searchTime(timestamp)
	}
	return TimestampOffset{}, false, nil
}

// MaxTimestampOffset finds the record with the largest timestamp (KIP-734).
func (l *Log) MaxTimestampOffset() (TimestampOffset, bool, error) {
	t, found, err := l.searchNewest()
	if next := l.successor.Load(); next != nil && !found {
		return next.MaxTimestampOffset()
	}
	return t, found, err
}

func (l *Log) searchNewest() (TimestampOffset, bool, error) {
	if err := l.dir.offline(); err != nil {
		return TimestampOffset{}, false, err
	}
	var with *segment
	largest := stamp{record.NoTimestamp, 0}
	list := l.segments.Load()
	for _, s := range *list {
		newest, err := s.newest()
		if err != nil && !s.isGone() {
			return TimestampOffset{}, false, l.failed("search", err)
		}
		if err != nil && l.segments.Load() != list {
			return l.searchNewest()
		}
		if err == nil && newest.timestamp > largest.timestamp {
			with, largest = s, newest
		}
	}
	if with == nil {
		return TimestampOffset{}, false, nil
	}
	t, found, err := with.scan(largest.offset, func(r record.Record) bool {
		return r.Timestamp == largest.timestamp
	}, func(e *entry) bool { return e.maxTimestamp == largest.timestamp })
	if !found && err == nil && with.isGone() && l.segments.Load() != list {
		return l.searchNewest() // retention was faster; the segment is in the list no longer
	}
	return t, found, l.failed("search", err)
}

// scan finds the first record that matches, in the batches from the one with offset on for which worth holds.
func (s *segment) scan(offset int64, match func(record.Record) bool, worth func(*entry) bool) (TimestampOffset, bool, error) {
	c, done, err := s.cursor(0, s.size.Load())
	if errors.Is(err, errSegmentGone) {
		return TimestampOffset{}, false, nil
	}
	if err != nil {
		return TimestampOffset{}, false, err
	}
	defer done()
	e, err := s.locate(c, offset)
	for ; err == nil; e, err = c.next() {
		if !worth(&e) {
			continue
		}
		t, found, err := matchRecord(c, &e, match)
		if found || err != nil {
			return t, found, err
		}
	}
	if endsLog(err) || errors.Is(err, errSegmentGone) {
		err = nil
	}
	return TimestampOffset{}, false, err
}

// matchRecord looks for a record in a batch, which it reads whole.
func matchRecord(c *cursor, e *entry, match func(record.Record) bool) (TimestampOffset, bool, error) {
	epoch := record.NoLeaderEpoch
	if e.magic == 2 {
		epoch = e.batch.PartitionLeaderEpoch()
	}
	p := make([]byte, e.size) // at most what is left of the file, as the cursor checked
	if _, err := c.file.ReadAt(p, e.position); err != nil {
		return TimestampOffset{}, false, fmt.Errorf("read batch at offset %d: %w", e.base, err)
	}
	records, err := record.IterateEntry(p)
	if err != nil {
		return TimestampOffset{}, false, nil // unreadable, which is for its reader to see
	}
	defer records.Close()
	for records.Next() {
		if r := records.Record(); match(r) {
			return TimestampOffset{r.Offset, r.Timestamp, epoch}, true, nil
		}
	}
	return TimestampOffset{}, false, nil
}

// age is how old the newest record of the segment is, by its timestamp or, without one, by
// the file's (Kafka: LogSegment.largestTimestamp).
func (s *segment) age(now time.Time) (time.Duration, error) {
	newest, err := s.newest()
	if err != nil {
		return 0, err
	}
	if newest.timestamp >= 0 {
		return now.Sub(time.UnixMilli(newest.timestamp)), nil
	}
	modified, err := s.modified()
	return now.Sub(modified), err
}
