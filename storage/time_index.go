package storage

import (
	"encoding/binary"

	"github.com/kbroker/kbroker/protocol/record"
)

const timeEntrySize = 12

// timeEntry says that up to a batch no timestamp is larger (Kafka: TimeIndex.java). The offset is that of the
// last record of the batch with that timestamp, relative to the segment's base.
type timeEntry struct {
	timestamp int64
	relative  int32
}

func (timeEntry) width() int     { return timeEntrySize }
func (timeEntry) suffix() string { return timeSuffix }

func (e timeEntry) put(p []byte) {
	binary.BigEndian.PutUint64(p, uint64(e.timestamp))
	binary.BigEndian.PutUint32(p[8:], uint32(e.relative))
}

func (timeEntry) parse(p []byte) timeEntry {
	return timeEntry{int64(binary.BigEndian.Uint64(p)), int32(binary.BigEndian.Uint32(p[8:]))}
}

// stamp is a timestamp and the last offset of the batch that has it.
type stamp struct {
	timestamp int64
	offset    int64
}

// newest returns the largest timestamp in the segment; NoTimestamp and the base offset when
// there is none. It may be called without Log.mu.
func (s *segment) newest() (stamp, error) {
	s.stampMu.Lock()
	defer s.stampMu.Unlock()
	if s.stampKnown {
		return s.stamp, nil
	}
	e, found, err := s.times.last(s)
	if err != nil {
		return stamp{}, err
	}
	s.stamp = stamp{record.NoTimestamp, s.base}
	if found {
		s.stamp = stamp{e.timestamp, s.base + int64(e.relative)}
	}
	s.stampKnown = true
	return s.stamp, nil
}

func (s *segment) setNewest(newest stamp) {
	s.stampMu.Lock()
	defer s.stampMu.Unlock()
	s.stamp, s.stampKnown = newest, true
}

// indexTime adds the largest timestamp so far to the time index unless it is there.
func (s *segment) indexTime() error {
	newest, err := s.newest()
	if err != nil {
		return err
	}
	if !s.lastTimeKnown {
		e, found, err := s.times.last(s)
		if err != nil {
			return err
		}
		if !found {
			e.timestamp = record.NoTimestamp
		}
		s.lastTime, s.lastTimeKnown = e.timestamp, true
	}
	if newest.timestamp <= s.lastTime {
		return nil
	}
	if relative, ok := relativeTo(s.base, newest.offset); ok {
		s.times.add(timeEntry{newest.timestamp, relative})
		s.lastTime = newest.timestamp
	}
	return nil
}

// floorTime finds the offset before which no record is as new as the timestamp.
func (s *segment) floorTime(timestamp int64) (offset int64, err error) {
	r, err := s.times.around(s, func(e timeEntry) bool { return e.timestamp > timestamp })
	if err != nil || !r.hasBefore {
		return s.base, err
	}
	return s.base + int64(r.before.relative), nil
}
