package record

import (
	"fmt"
	"sync"
)

// Outline is what a Walker tells of a record.
type Outline struct {
	Offset    int64
	Timestamp int64 // milliseconds, or NoTimestamp
	KeySize   int32 // bytes, negative when the key is null
	ValueSize int32 // bytes, negative when the value is null
}

// Walker is an Iterator for those who need no keys and values: it looks at lengths and
// skips the rest, so its memory does not depend on the size of a record. The same
// rules of use apply.
type Walker struct {
	cursor
	outline Outline
}

var walkers = sync.Pool{New: func() any { return new(Walker) }}

// Walk returns a Walker before the first record. The error wraps ErrCorrupt.
func (b Batch) Walk() (*Walker, error) {
	w := walkers.Get().(*Walker)
	if err := w.open(b); err != nil {
		w.Close()
		return nil, fmt.Errorf("walk batch at offset %d: %w", b.BaseOffset(), err)
	}
	return w, nil
}

// Next goes to the next record and reports whether there is one.
func (w *Walker) Next() bool {
	if !w.more() {
		return false
	}
	w.read++
	s := w.s
	size, ok := s.varint()
	if !ok || size < 0 || size > maxRecordSize {
		w.err = s.failure(fmt.Sprintf("record %d is cut short or too large", w.read-1))
		return false
	}
	if size <= windowSize && s.peek(int(size)) {
		f, ok := parseFields(s.buf[s.r : s.r+int(size)])
		if !ok {
			w.err = fmt.Errorf("%w: record %d is malformed", ErrCorrupt, w.read-1)
			return false
		}
		s.r += int(size)
		w.outline = Outline{w.baseOffset + int64(f.offsetDelta), w.timestamp(f.timestampDelta), f.keySize(), f.valueSize()}
		return true
	}
	// Larger than the window, or cut short.
	end := s.position() + int64(size)
	if !w.walkBody() || s.position() != end {
		w.err = s.failure(fmt.Sprintf("record %d is malformed or cut short", w.read-1))
		return false
	}
	return true
}

// walkBody reads one record's fields off the stream.
func (w *Walker) walkBody() bool {
	s := w.s
	if !s.skip(1) { // attributes, of which none is defined
		return false
	}
	timestampDelta, ok := s.varlong()
	if !ok {
		return false
	}
	offsetDelta, ok := s.varint()
	if !ok {
		return false
	}
	w.outline.Offset = w.baseOffset + int64(offsetDelta)
	w.outline.Timestamp = w.timestamp(timestampDelta)
	if w.outline.KeySize, ok = s.skipSized(); !ok {
		return false
	}
	if w.outline.ValueSize, ok = s.skipSized(); !ok {
		return false
	}
	headers, ok := s.varint()
	if !ok || headers < 0 {
		return false
	}
	for range headers {
		if size, ok := s.skipSized(); !ok || size < 0 {
			return false
		}
		if _, ok := s.skipSized(); !ok {
			return false
		}
	}
	return true
}

// skipSized consumes bytes that follow their length, which it returns.
func (s *stream) skipSized() (int32, bool) {
	size, ok := s.varint()
	return size, ok && (size <= 0 || s.skip(int64(size)))
}

// Outline returns the record that Next went to.
func (w *Walker) Outline() Outline { return w.outline }

// Err returns what ended the walk early, or nil. It wraps ErrCorrupt.
func (w *Walker) Err() error { return w.err }

// Close gives the buffers back.
func (w *Walker) Close() {
	w.close()
	walkers.Put(w)
}
