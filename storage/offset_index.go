package storage

import (
	"encoding/binary"
	"math"
)

const offsetEntrySize = 8

// offsetEntry says where in the segment a batch starts (Kafka: OffsetIndex.java). The offset is that
// of the batch's last record, relative to the segment's base.
type offsetEntry struct {
	relative int32
	position int32
}

func (offsetEntry) width() int     { return offsetEntrySize }
func (offsetEntry) suffix() string { return offsetSuffix }

func (e offsetEntry) put(p []byte) {
	binary.BigEndian.PutUint32(p, uint32(e.relative))
	binary.BigEndian.PutUint32(p[4:], uint32(e.position))
}

func (offsetEntry) parse(p []byte) offsetEntry {
	return offsetEntry{int32(binary.BigEndian.Uint32(p)), int32(binary.BigEndian.Uint32(p[4:]))}
}

// relativeTo returns an offset as the indexes of a segment store it.
func relativeTo(base, offset int64) (int32, bool) {
	relative := offset - base
	return int32(relative), relative >= 0 && relative <= math.MaxInt32
}

// floorPosition finds the last indexed batch whose last offset is at most offset: where it
// starts and that last offset. With none it is the start of the segment and base-1.
func (s *segment) floorPosition(offset int64) (position, last int64, err error) {
	r, err := s.offsets.around(s, func(e offsetEntry) bool { return s.base+int64(e.relative) > offset })
	if err != nil || !r.hasBefore {
		return 0, s.base - 1, err
	}
	return int64(r.before.position), s.base + int64(r.before.relative), nil
}

// offsetAfter bounds from above the offsets of the batches that start below position; found is
// false when the index has nothing from there on.
func (s *segment) offsetAfter(position int64) (offset int64, found bool, err error) {
	r, err := s.offsets.around(s, func(e offsetEntry) bool { return int64(e.position) >= position })
	return s.base + int64(r.at.relative), r.hasAt, err
}
