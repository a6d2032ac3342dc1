package storage

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sort"

	"github.com/kbroker/kbroker/storage/vfs"
)

// Slice is a piece of a segment: whole batches, unless maxBytes cut the last one.
// It holds its file open until Release. The zero Slice is empty.
type Slice struct {
	Position int64
	Size     int64
	// NextOffset bounds the offsets in the slice from above (it may be larger than the true next).
	NextOffset int64
	// Segment position facts used by waiters: base offset of the segment read.
	SegmentBase int64

	file    vfs.File
	segment *segment
}

// Len is the number of bytes that SendTo sends.
func (s *Slice) Len() int64 { return s.Size }

// SendTo writes the bytes to the connection, by sendfile where that is possible. It fails
// when the log was truncated meanwhile; what was sent is then not a whole answer.
func (s *Slice) SendTo(conn net.Conn) error {
	if s.Size == 0 {
		return nil
	}
	if n, err := s.file.SendTo(conn, s.Position, s.Size); err != nil {
		return fmt.Errorf("send %d of %d bytes of segment %d: %w", n, s.Size, s.SegmentBase, err)
	}
	return nil
}

// ReadAt reads bytes of the slice, counted from its start.
func (s *Slice) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 {
		return 0, fmt.Errorf("read slice at %d: negative", at)
	}
	left := s.Size - at
	if left <= 0 {
		return 0, io.EOF
	}
	if int64(len(p)) <= left {
		return s.file.ReadAt(p, s.Position+at)
	}
	n, err := s.file.ReadAt(p[:left], s.Position+at)
	if err == nil {
		err = io.EOF
	}
	return n, err
}

// Release lets the file be closed. It may be called more than once.
func (s *Slice) Release() {
	if s.segment != nil {
		s.segment.log.dir.files.release(s.segment)
		s.segment, s.file = nil, nil
	}
}

// Read finds the batches from the one that holds offset on, below upTo, of at most
// maxBytes. With minOne a first batch larger than maxBytes is given whole. An offset
// equal to upTo or the log end gives an empty Slice; one outside [log start, log end] ErrOffsetOutOfRange.
func (l *Log) Read(offset, upTo, maxBytes int64, minOne bool) (Slice, error) {
	slice, err := l.readAt(offset, upTo, maxBytes, minOne)
	if next := l.successor.Load(); err != nil && next != nil {
		return next.Read(offset, upTo, maxBytes, minOne)
	}
	return slice, err
}

func (l *Log) readAt(offset, upTo, maxBytes int64, minOne bool) (Slice, error) {
	if err := l.dir.offline(); err != nil {
		return Slice{}, err
	}
	for {
		// The end before the list: whatever is below the end is in a list loaded later,
		// unless the head of the log was dropped.
		end := l.end.Load()
		list := l.segments.Load()
		segments := *list
		if offset < l.start.Load() || offset > end || len(segments) == 0 || offset < segments[0].base {
			return Slice{}, fmt.Errorf("read %s at %d: %w", l.tp, offset, ErrOffsetOutOfRange)
		}
		if offset >= upTo || offset == end {
			return Slice{NextOffset: offset, SegmentBase: segments[floorSegment(segments, offset)].base}, nil
		}
		slice, err := l.readFrom(segments, offset, upTo, maxBytes, minOne)
		if !errors.Is(err, errSegmentGone) {
			return slice, l.failed("read", err)
		}
		if l.closed.Load() {
			return Slice{}, fmt.Errorf("read %s: %w", l.tp, ErrClosed)
		}
		if l.segments.Load() == list {
			// Being truncated fully; what comes next starts elsewhere.
			return Slice{}, fmt.Errorf("read %s at %d: %w", l.tp, offset, ErrOffsetOutOfRange)
		}
	}
}

// floorSegment finds the last segment whose base is at most offset; the first if there is none.
func floorSegment(segments []*segment, offset int64) int {
	return max(sort.Search(len(segments), func(i int) bool { return segments[i].base > offset })-1, 0)
}

// readFrom reads in the segment of offset or, when that has nothing from there on (the
// cleaner may have emptied it), in the next that has.
func (l *Log) readFrom(segments []*segment, offset, upTo, maxBytes int64, minOne bool) (Slice, error) {
	first := floorSegment(segments, offset)
	for i, s := range segments[first:] {
		limit := readLimit{upTo: upTo, next: noOffset}
		if next := first + i + 1; next < len(segments) {
			limit.next = segments[next].base
		}
		slice, found, err := s.read(offset, limit, maxBytes, minOne)
		if found || err != nil {
			return slice, err
		}
		if limit.next >= upTo {
			break
		}
	}
	return Slice{NextOffset: offset, SegmentBase: segments[first].base}, nil
}

// readLimit is where a read in a segment ends: below an offset, and at the next segment's
// base (noOffset: there is no next).
type readLimit struct{ upTo, next int64 }

func (s *segment) read(offset int64, limit readLimit, maxBytes int64, minOne bool) (Slice, bool, error) {
	// The size before the end: all bytes up to this size are below that end.
	size := s.size.Load()
	end := s.log.end.Load()
	c, done, err := s.cursor(0, size)
	if err != nil {
		return Slice{}, false, err
	}
	defer done()

	first, err := s.locate(c, offset)
	if endsLog(err) {
		return Slice{}, false, nil
	}
	if err != nil {
		return Slice{}, false, err
	}
	bound := end
	if limit.next != noOffset {
		bound = limit.next
	}
	want := max(maxBytes, 0)
	if minOne {
		want = max(want, first.size)
	}
	if limit.upTo < bound {
		bound = limit.upTo
		if size, err = s.positionOf(c, limit.upTo, first.position+want, size); err != nil {
			return Slice{}, false, err
		}
	}
	slice := Slice{
		Position: first.position, Size: max(min(want, size-first.position), 0),
		NextOffset: bound, SegmentBase: s.base,
	}
	if slice.Size == 0 {
		slice.NextOffset = offset
		return slice, true, nil
	}
	if err := s.tighten(&slice); err != nil {
		return Slice{}, false, err
	}
	if slice.file, err = s.log.dir.files.acquire(s); err != nil {
		return Slice{}, false, err
	}
	slice.segment = s
	return slice, true, nil
}

// positionOf finds where the batches below an offset end, as far as it matters to who
// reads up to the position enough.
func (s *segment) positionOf(c *cursor, offset, enough, size int64) (int64, error) {
	if position, known := s.log.marks.position.find(offset, s.base); known {
		return min(position, size), nil
	}
	if position, _, err := s.floorPosition(offset); err == nil && position >= enough && position <= size {
		return position, nil // the batches up to the indexed one are all below
	}
	e, err := s.locate(c, offset)
	if endsLog(err) {
		return size, nil
	}
	return e.position, err
}

// tighten lowers the slice's NextOffset with the help of the index where it is worth it:
// where there are aborted transactions, of which the answer lists those below it.
func (s *segment) tighten(slice *Slice) error {
	if s.aborted.empty() {
		return nil
	}
	offset, found, err := s.offsetAfter(slice.Position + slice.Size)
	if err == nil && found && offset < slice.NextOffset {
		slice.NextOffset = offset
	}
	if errors.Is(err, io.EOF) {
		return nil // a truncation cut the index meanwhile; the bound stands
	}
	return err
}

// Aborted is an aborted transaction as a read_committed fetch answers it.
type Aborted struct {
	ProducerID  int64
	FirstOffset int64
}

// AbortedIn lists the aborted transactions that touch [from, to), by first offset.
func (l *Log) AbortedIn(from, to int64) ([]Aborted, error) {
	txns, err := l.abortedTxns(from, to)
	if next := l.successor.Load(); err != nil && next != nil {
		return next.AbortedIn(from, to)
	}
	if err != nil {
		return nil, l.failed("read", err)
	}
	var found []Aborted
	for _, a := range txns {
		found = append(found, Aborted{a.producerID, a.first})
	}
	sort.Slice(found, func(i, j int) bool { return found[i].FirstOffset < found[j].FirstOffset })
	return found, nil
}

// abortedTxns lists the aborted transactions that touch [from, to), by marker.
func (l *Log) abortedTxns(from, to int64) ([]abortedTxn, error) {
	for {
		list := l.segments.Load()
		found, err := abortedIn((*list)[floorSegment(*list, from):], from, to)
		if !errors.Is(err, errSegmentGone) || l.segments.Load() == list {
			return found, err
		}
		// A segment was removed or replaced meanwhile.
	}
}

func abortedIn(segments []*segment, from, to int64) (found []abortedTxn, err error) {
	for _, s := range segments {
		entries, err := s.aborted.all(s)
		if err != nil && s.isGone() {
			return nil, errSegmentGone
		}
		if err != nil {
			return nil, err
		}
		for _, a := range entries {
			if a.last >= from && a.first < to {
				found = append(found, a)
			}
			if a.lastStableOffset >= to {
				return found, nil // later markers end transactions that begin after
			}
		}
	}
	return found, nil
}
