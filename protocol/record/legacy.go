package record

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Positions in a message of magic 0 or 1 (Kafka: LegacyRecord.java). Its first
// LogOverhead bytes are those of any entry: an offset, and the size of what follows.
// Magic 0 has no timestamp, so its key starts earlier. The checksum is a CRC-32 (IEEE)
// of everything from the magic on.
const (
	posMessageCRC        = 12
	posMessageAttributes = 17
	posMessageTimestamp  = 18
	posMessageKeyV0      = 18
	posMessageKeyV1      = 26

	// entryHeaderSize reaches over the magic, whose position all formats share.
	entryHeaderSize = posMagic + 1
	// minEntryBody is the smallest size that an entry may give: a message of magic 0
	// without key and value.
	minEntryBody = posMessageKeyV0 + 4 + 4 - LogOverhead
)

// EntrySize reads the header of the log entry that b starts with: a batch of magic 2,
// or a message of magic 0 or 1. It returns the size in bytes of the whole entry, of
// which b may hold only a part, and 0 when b is too short to tell. The error wraps ErrCorrupt.
func EntrySize(b []byte) (size int, magic int8, err error) {
	if len(b) < LogOverhead {
		return 0, 0, nil
	}
	body := int32(binary.BigEndian.Uint32(b[posBatchLength:]))
	if body < minEntryBody {
		return 0, 0, fmt.Errorf("%w: entry size %d is less than %d", ErrCorrupt, body, minEntryBody)
	}
	if len(b) < entryHeaderSize {
		return 0, 0, nil
	}
	if magic = int8(b[posMagic]); magic < 0 || magic > 2 {
		return 0, 0, fmt.Errorf("%w: magic %d", ErrCorrupt, magic)
	}
	return LogOverhead + int(body), magic, nil
}

// message is a checked view of one message of magic 0 or 1.
type message struct {
	bytes      []byte // all of it, from the offset on
	offset     int64
	timestamp  int64 // NoTimestamp with magic 0
	magic      int8
	attributes byte
	key, value []byte
}

func (m *message) codec() Codec { return Codec(m.attributes & codecMask) }

func (m *message) stamped() bool { return m.magic > 0 && m.attributes&flagLogAppendTime != 0 }

func (m *message) timestampType() TimestampType {
	if m.stamped() {
		return LogAppendTime
	}
	return CreateTime
}

func (m *message) validCRC() bool {
	return binary.BigEndian.Uint32(m.bytes[posMessageCRC:]) == crc32.ChecksumIEEE(m.bytes[posMagic:])
}

// parseMessage reads an entry of magic 0 or 1 that fills b.
func parseMessage(b []byte) (message, error) {
	m := message{bytes: b, timestamp: NoTimestamp}
	if len(b) < LogOverhead+minEntryBody {
		return m, fmt.Errorf("%w: message of %d bytes", ErrCorrupt, len(b))
	}
	m.offset = int64(binary.BigEndian.Uint64(b))
	m.magic = int8(b[posMagic])
	m.attributes = b[posMessageAttributes]
	p := b[posMessageKeyV0:]
	switch {
	case m.magic != 0 && m.magic != 1:
		return m, fmt.Errorf("%w: message of magic %d", ErrCorrupt, m.magic)
	case m.magic == 1 && len(b) < posMessageKeyV1:
		return m, fmt.Errorf("%w: message of %d bytes", ErrCorrupt, len(b))
	case m.magic == 1:
		m.timestamp = int64(binary.BigEndian.Uint64(b[posMessageTimestamp:]))
		p = b[posMessageKeyV1:]
	}
	var ok bool
	if m.key, p, ok = int32Sized(p); ok {
		m.value, p, ok = int32Sized(p)
	}
	if !ok || len(p) > 0 {
		return m, fmt.Errorf("%w: message at offset %d has sizes that do not fit it", ErrCorrupt, m.offset)
	}
	return m, nil
}

// int32Sized cuts bytes off p that follow their size as an int32, nil for a negative one.
func int32Sized(p []byte) (field, rest []byte, ok bool) {
	if len(p) < 4 {
		return nil, nil, false
	}
	size, p := int64(int32(binary.BigEndian.Uint32(p))), p[4:]
	switch {
	case size < 0:
		return nil, p, true
	case size > int64(len(p)):
		return nil, nil, false
	}
	return p[:size:size], p[size:], true
}

// messageReader reads the messages in an entry: the one that it is, or if it is
// compressed those in its value.
type messageReader struct {
	outer message
	inner *stream // nil unless compressed
	done  bool
	count int
	m     message
	err   error
}

func (r *messageReader) open(entry []byte) error {
	*r = messageReader{}
	outer, err := parseMessage(entry)
	if err != nil {
		return err
	}
	r.outer = outer
	if outer.codec() == None {
		return nil
	}
	if outer.codec() >= Zstd {
		return fmt.Errorf("%w: message of magic %d with compression type id %d", ErrCorrupt, outer.magic, outer.codec())
	}
	if outer.value == nil {
		return fmt.Errorf("%w: compressed message with a null value", ErrCorrupt)
	}
	r.inner, err = openStream(outer.codec(), outer.magic, outer.value)
	return err
}

func (r *messageReader) close() {
	if r.inner != nil {
		r.inner.close()
	}
	*r = messageReader{}
}

// next goes to the next message. Its bytes are void after the following call.
func (r *messageReader) next() bool {
	if r.done || r.err != nil {
		return false
	}
	if r.inner == nil {
		r.m, r.done = r.outer, true
		r.count++
		return true
	}
	entry, ok := r.inner.entry(&r.err)
	if !ok {
		r.done = true
		if r.err == nil && r.count == 0 {
			r.err = fmt.Errorf("%w: compressed message without inner messages", ErrCorrupt)
		}
		return false
	}
	m, err := parseMessage(entry)
	if err == nil && m.codec() != None {
		err = fmt.Errorf("%w: inner message is compressed", ErrCorrupt)
	}
	if err != nil {
		r.err = err
		return false
	}
	if m.magic > 0 && r.outer.stamped() {
		m.timestamp = r.outer.timestamp
	}
	r.m = m
	r.count++
	return true
}

// entry reads the bytes of the next entry off the stream. Like Kafka it takes a piece
// of one at the end for the end.
func (s *stream) entry(err *error) (entry []byte, ok bool) {
	if !s.peek(LogOverhead) {
		if s.err != nil {
			*err = s.failure("")
		}
		return nil, false
	}
	body := int32(binary.BigEndian.Uint32(s.buf[s.r+posBatchLength:]))
	if body < minEntryBody || body > maxRecordSize {
		*err = fmt.Errorf("%w: inner message of %d bytes", ErrCorrupt, body)
		return nil, false
	}
	size := LogOverhead + int(body)
	if !s.peek(size) {
		if s.err != nil {
			*err = s.failure("")
		}
		return nil, false
	}
	entry = s.buf[s.r : s.r+size]
	s.r += size
	return entry, true
}

// lastInnerOffset reads a compressed entry to its end for the offset of its last message.
func lastInnerOffset(entry []byte) (int64, error) {
	var r messageReader
	defer r.close()
	if err := r.open(entry); err != nil {
		return 0, err
	}
	last := int64(0)
	for r.next() {
		last = r.m.offset
	}
	return last, r.err
}

// IterateEntry is Batch.Iterate for an entry of any magic that fills b, as EntrySize
// tells. The offsets are absolute. Checksums are not looked at.
func IterateEntry(b []byte) (*Iterator, error) {
	if len(b) >= entryHeaderSize && b[posMagic] == 2 {
		batch, _, err := Parse(b)
		if err != nil {
			return nil, err
		}
		return batch.Iterate()
	}
	it := iterators.Get().(*Iterator)
	if err := it.openLegacy(b); err != nil {
		it.Close()
		return nil, fmt.Errorf("iterate message set: %w", err)
	}
	return it, nil
}

func (it *Iterator) openLegacy(b []byte) error {
	it.legacy = true
	if err := it.messages.open(b); err != nil {
		return err
	}
	outer := &it.messages.outer
	if it.messages.inner == nil || outer.magic == 0 {
		return nil
	}
	// With magic 1 the inner offsets are relative, and the outer one is that of the last
	// message. Some librdkafka sent 0 there, with relative offsets all the same.
	if outer.offset == 0 {
		return nil
	}
	last, err := lastInnerOffset(b)
	if err != nil {
		return err
	}
	if outer.offset < last {
		return fmt.Errorf("%w: outer offset %d is less than inner offset %d", ErrCorrupt, outer.offset, last)
	}
	it.baseOffset = outer.offset - last
	return nil
}

func (it *Iterator) nextLegacy() bool {
	if !it.messages.next() {
		it.err = it.messages.err
		return false
	}
	m := &it.messages.m
	it.record = Record{Offset: it.baseOffset + m.offset, Timestamp: m.timestamp, Key: m.key, Value: m.value}
	return true
}
