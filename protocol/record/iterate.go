package record

import (
	"fmt"
	"iter"
	"sync"
)

// Record is one record. Its bytes are views: of an uncompressed batch into the batch
// itself, of a compressed one into a buffer that the next call of Next reuses.
type Record struct {
	Offset    int64
	Timestamp int64  // milliseconds, or NoTimestamp
	Key       []byte // nil when null
	Value     []byte // nil when null

	headers     []byte
	headerCount int
}

// HeaderCount returns the number of headers.
func (r Record) HeaderCount() int { return r.headerCount }

// Headers yields the keys and values of the headers; a null value is nil.
func (r Record) Headers() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		p, i := r.headers, 0
		var key, value []byte
		for range r.headerCount {
			key, i = sized(p, i)
			value, i = sized(p, i)
			if i < 0 || !yield(key, value) { // negative only for a Record made by hand
				return
			}
		}
	}
}

// cursor is where an Iterator or a Walker stands in a batch.
type cursor struct {
	s             *stream
	baseOffset    int64
	baseTimestamp int64
	appendTime    int64 // the timestamp of every record, when stamped
	stamped       bool
	count, read   int32
	err           error
}

func (c *cursor) open(b Batch) error {
	count := b.Count()
	if count < 0 {
		return fmt.Errorf("%w: count of %d records", ErrCorrupt, count)
	}
	*c = cursor{
		baseOffset:    b.BaseOffset(),
		baseTimestamp: b.BaseTimestamp(),
		appendTime:    b.MaxTimestamp(),
		stamped:       b.TimestampType() == LogAppendTime,
		count:         count,
	}
	if count == 0 {
		return nil // a cleaner leaves such a batch uncompressed and without bytes
	}
	s, err := openStream(b.Codec(), 2, b.Records())
	c.s = s
	return err
}

func (c *cursor) close() {
	if c.s != nil {
		c.s.close()
	}
	*c = cursor{}
}

// more reports whether another record is due, and after the last one checks that no
// bytes are left.
func (c *cursor) more() bool {
	if c.err != nil || c.s == nil {
		return false
	}
	if c.read < c.count {
		return true
	}
	if !c.s.ended() {
		c.err = fmt.Errorf("%w: bytes are left after the last record", ErrCorrupt)
	} else if c.s.err != nil {
		c.err = c.s.failure("")
	}
	return false
}

func (c *cursor) timestamp(delta int64) int64 {
	if c.stamped {
		return c.appendTime
	}
	return c.baseTimestamp + delta
}

// Iterator reads the records of a batch in order, without an allocation for each:
//
//	it, err := batch.Iterate()
//	if err != nil { ... }
//	defer it.Close()
//	for it.Next() {
//		use(it.Record())
//	}
//	return it.Err()
//
// It must not be used after Close, which gives its buffers to others. Not for use by
// several goroutines.
type Iterator struct {
	cursor
	messages messageReader // instead of the cursor's stream
	legacy   bool          // the entry is of magic 0 or 1
	record   Record
}

var iterators = sync.Pool{New: func() any { return new(Iterator) }}

// Iterate returns an Iterator before the first record. The batch's checksum is not
// looked at. The error wraps ErrCorrupt.
func (b Batch) Iterate() (*Iterator, error) {
	it := iterators.Get().(*Iterator)
	if err := it.open(b); err != nil {
		it.Close()
		return nil, fmt.Errorf("iterate batch at offset %d: %w", b.BaseOffset(), err)
	}
	return it, nil
}

// Next goes to the next record and reports whether there is one: if not, Err tells
// whether the batch ended as its header says.
func (it *Iterator) Next() bool {
	if it.legacy {
		return it.nextLegacy()
	}
	if !it.more() {
		return false
	}
	it.read++
	s := it.s
	size, ok := s.varint()
	if !ok || size < 0 || size > maxRecordSize || !s.peek(int(size)) {
		it.err = s.failure(fmt.Sprintf("record %d is cut short or too large", it.read-1))
		return false
	}
	body := s.buf[s.r : s.r+int(size)]
	s.r += int(size)
	f, ok := parseFields(body)
	if !ok {
		it.err = fmt.Errorf("%w: record %d is malformed", ErrCorrupt, it.read-1)
		return false
	}
	it.record = Record{
		Offset:      it.baseOffset + int64(f.offsetDelta),
		Timestamp:   it.timestamp(f.timestampDelta),
		Key:         f.key,
		Value:       f.value,
		headers:     f.headers,
		headerCount: f.headerCount,
	}
	return true
}

// Record returns the record that Next went to.
func (it *Iterator) Record() Record { return it.record }

// Err returns what ended the iteration early, or nil. It wraps ErrCorrupt.
func (it *Iterator) Err() error { return it.err }

// Close gives the buffers back.
func (it *Iterator) Close() {
	it.close()
	it.messages.close()
	it.legacy, it.record = false, Record{}
	iterators.Put(it)
}

// fields are a record's, relative to its batch.
type fields struct {
	timestampDelta int64
	offsetDelta    int32
	headerCount    int
	key, value     []byte
	headers        []byte
}

func (f *fields) keySize() int32 { return sizeOf(f.key) }

func (f *fields) valueSize() int32 { return sizeOf(f.value) }

// sizeOf returns the size of a field, -1 when it is null.
func sizeOf(field []byte) int32 {
	if field == nil {
		return -1
	}
	return int32(len(field))
}

// parseFields reads a record's body, which must be filled to its last byte.
func parseFields(p []byte) (f fields, ok bool) {
	if len(p) == 0 {
		return f, false
	}
	i := 1 // attributes, of which none is defined
	if f.timestampDelta, i = varlong(p, i); i < 0 {
		return f, false
	}
	if f.offsetDelta, i = varint(p, i); i < 0 {
		return f, false
	}
	if f.key, i = sized(p, i); i < 0 {
		return f, false
	}
	if f.value, i = sized(p, i); i < 0 {
		return f, false
	}
	count, i := varint(p, i)
	if i < 0 || count < 0 || int(count) > len(p)-i {
		return f, false
	}
	f.headerCount, f.headers = int(count), p[i:]
	for range f.headerCount {
		var key []byte
		if key, i = sized(p, i); i < 0 || key == nil {
			return f, false
		}
		if _, i = sized(p, i); i < 0 {
			return f, false
		}
	}
	return f, i == len(p)
}

// sized reads bytes that follow their length, nil for a negative one. The position is
// negative when p ends inside them.
func sized(p []byte, i int) ([]byte, int) {
	if i < 0 {
		return nil, -1
	}
	size, i := varint(p, i)
	switch {
	case i < 0:
		return nil, -1
	case size < 0:
		return nil, i
	case int(size) > len(p)-i:
		return nil, -1
	}
	end := i + int(size)
	return p[i:end:end], end
}
