package record

import (
	"encoding/binary"
	"fmt"
	"math"
)

// RecordHeader is a header of a record to build. A nil value is null.
type RecordHeader struct {
	Key   string
	Value []byte
}

// Producer is what a batch says of the producer that wrote it.
type Producer struct {
	ID       int64
	Epoch    int16
	Sequence int32 // of the first record, or NoSequence in a control batch
}

// BatchOptions say what a Builder's batch is, besides its records. The zero value is
// an uncompressed batch of CreateTime that no idempotent producer wrote, at offset 0.
type BatchOptions struct {
	Codec         Codec
	Level         int // of the codec; DefaultLevel gives Kafka's
	BaseOffset    int64
	Producer      *Producer // nil for none
	Transactional bool
	Control       bool
	// Stamped makes the batch one of type LogAppendTime, with AppendTime in milliseconds.
	Stamped    bool
	AppendTime int64
}

// Builder makes one batch of magic 2. Its methods keep the first error for Build.
// Not for use by several goroutines; after Build it is spent.
type Builder struct {
	out     appender
	block   compressor
	header  Batch // the fields known before the records
	scratch []byte
	err     error

	stamped       bool
	count         int32
	maxTimestamp  int64
	baseTimestamp int64
	baseFixed     bool  // the base timestamp is not the first record's to set
	lastOffset    int64 // of the last record, or one before the base offset
	keptLast      bool  // the last offset delta is that of the batch we are like
}

// NewBuilder returns a Builder for a new batch, which has NoLeaderEpoch until a
// leader appends it.
func NewBuilder(o BatchOptions) *Builder {
	attributes := int16(o.Codec) & codecMask
	for _, f := range []struct {
		set bool
		bit int16
	}{{o.Transactional, flagTransactional}, {o.Control, flagControl}, {o.Stamped, flagLogAppendTime}} {
		if f.set {
			attributes |= f.bit
		}
	}
	h := newHeader(attributes)
	h.SetBaseOffset(o.BaseOffset)
	if p := o.Producer; p != nil {
		binary.BigEndian.PutUint64(h[posProducerID:], uint64(p.ID))
		binary.BigEndian.PutUint16(h[posProducerEpoch:], uint16(p.Epoch))
		binary.BigEndian.PutUint32(h[posBaseSequence:], uint32(p.Sequence))
	}
	return newBuilder(h, o.Level, o.AppendTime, math.MaxInt32)
}

// NewBuilderLike returns a Builder for a batch that keeps everything of b but its
// records: offsets, leader epoch, producer, flags, codec and append time. A cleaner
// appends the records that it retains, at their offsets; the last offset delta
// stays that of b even if its last record goes.
func NewBuilderLike(b Batch, level int) *Builder {
	h := make(Batch, HeaderSize)
	copy(h, b[:HeaderSize])
	n := newBuilder(h, level, b.MaxTimestamp(), math.MaxInt32)
	n.keptLast = true
	if b.HasDeleteHorizon() {
		n.baseTimestamp, n.baseFixed = b.BaseTimestamp(), true
	}
	return n
}

// Into makes the builder write into the memory of p, as far as that goes; the batch is void once p is used again. It
// must come before the first record.
func (n *Builder) Into(p []byte) {
	if n.count > 0 {
		n.fail(fmt.Errorf("change the memory after %d records", n.count))
		return
	}
	n.out.b = append(p[:0], n.out.b...)
}

// SetDeleteHorizon makes the base timestamp a delete horizon in milliseconds
// (KIP-534). It must come before the first record.
func (n *Builder) SetDeleteHorizon(horizon int64) {
	if n.count > 0 {
		n.fail(fmt.Errorf("set delete horizon after %d records", n.count))
		return
	}
	attributes := uint16(n.header.Attributes() | flagDeleteHorizon)
	binary.BigEndian.PutUint16(n.header[posAttributes:], attributes)
	n.baseTimestamp, n.baseFixed = horizon, true
}

// newBuilder takes over the header. The batch may take up to limit bytes.
func newBuilder(header Batch, level int, appendTime int64, limit int) *Builder {
	n := &Builder{
		out:           appender{b: make([]byte, HeaderSize, 512), limit: max(limit, HeaderSize)},
		header:        header,
		stamped:       header.TimestampType() == LogAppendTime,
		maxTimestamp:  NoTimestamp,
		baseTimestamp: NoTimestamp,
		lastOffset:    header.BaseOffset() - 1,
	}
	if n.stamped {
		n.maxTimestamp = appendTime
	}
	var err error
	n.block, err = openCompressor(&n.out, header.Codec(), level, 2)
	n.fail(err)
	return n
}

func (n *Builder) fail(err error) {
	if n.err == nil && err != nil {
		n.err = fmt.Errorf("build batch: %w", err)
	}
}

// Append adds a record at the next offset, with its timestamp in milliseconds. A nil
// key or value is null. Nothing is kept of the arguments.
func (n *Builder) Append(timestamp int64, key, value []byte, headers ...RecordHeader) {
	n.AppendAt(n.lastOffset+1, timestamp, key, value, headers...)
}

// AppendAt is Append at an offset above the last one.
func (n *Builder) AppendAt(offset, timestamp int64, key, value []byte, headers ...RecordHeader) {
	var encoded []byte
	for _, h := range headers {
		encoded = appendVarint(encoded, int32(len(h.Key)))
		encoded = append(encoded, h.Key...)
		encoded = appendSized(encoded, h.Value)
	}
	n.AppendRecord(Record{
		Offset: offset, Timestamp: timestamp, Key: key, Value: value,
		headers: encoded, headerCount: len(headers),
	})
}

// AppendRecord adds a record read from another batch, with its headers, at its offset.
func (n *Builder) AppendRecord(r Record) {
	delta := r.Offset - n.header.BaseOffset()
	if r.Offset <= n.lastOffset || delta > math.MaxInt32 {
		n.fail(fmt.Errorf("offset %d after %d in batch at %d", r.Offset, n.lastOffset, n.header.BaseOffset()))
	}
	if n.err != nil {
		return
	}
	if !n.baseFixed {
		n.baseTimestamp, n.baseFixed = r.Timestamp, true
	}
	timestampDelta := r.Timestamp - n.baseTimestamp
	size := 1 + varlongSize(timestampDelta) + varlongSize(delta) + sizedSize(r.Key) + sizedSize(r.Value) +
		varlongSize(int64(r.headerCount)) + len(r.headers)
	if size > math.MaxInt32 {
		n.fail(fmt.Errorf("record of %d bytes", size))
		return
	}
	n.scratch = appendVarint(n.scratch[:0], int32(size))
	n.scratch = append(n.scratch, 0) // attributes
	n.scratch = appendVarlong(n.scratch, timestampDelta)
	n.scratch = appendVarint(n.scratch, int32(delta))
	n.scratch = appendSized(n.scratch, r.Key)
	n.scratch = appendSized(n.scratch, r.Value)
	n.scratch = appendVarint(n.scratch, int32(r.headerCount))
	n.scratch = append(n.scratch, r.headers...)
	if _, err := n.block.Write(n.scratch); err != nil {
		n.fail(err)
		return
	}
	n.count++
	n.lastOffset = r.Offset
	if !n.stamped {
		n.maxTimestamp = max(n.maxTimestamp, r.Timestamp)
	}
}

// Count returns how many records were appended.
func (n *Builder) Count() int { return int(n.count) }

// Size returns the size in bytes of the batch as far as it was written; a compressor
// may hold back some.
func (n *Builder) Size() int { return len(n.out.b) }

// Build returns the batch, with its checksum. A batch without records is an error:
// EmptyLike makes those.
func (n *Builder) Build() (Batch, error) {
	if n.block.WriteCloser != nil {
		if n.err == nil {
			n.fail(n.block.Close())
		}
		n.block.release()
		n.block = compressor{}
	}
	if n.err == nil && n.count == 0 {
		n.fail(fmt.Errorf("no records"))
	}
	if n.err != nil {
		return nil, n.err
	}
	b := Batch(n.out.b)
	copy(b, n.header)
	lastOffsetDelta := n.header.LastOffsetDelta()
	if !n.keptLast {
		lastOffsetDelta = int32(n.lastOffset - n.header.BaseOffset())
	}
	b.finish(lastOffsetDelta, n.count, n.baseTimestamp, n.maxTimestamp)
	return b, nil
}

// finish sets what is known only after the records.
func (b Batch) finish(lastOffsetDelta, count int32, baseTimestamp, maxTimestamp int64) {
	binary.BigEndian.PutUint32(b[posBatchLength:], uint32(len(b)-LogOverhead))
	binary.BigEndian.PutUint32(b[posLastOffsetDelta:], uint32(lastOffsetDelta))
	binary.BigEndian.PutUint64(b[posBaseTimestamp:], uint64(baseTimestamp))
	binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(maxTimestamp))
	binary.BigEndian.PutUint32(b[posCount:], uint32(count))
	b.renewCRC()
}

// EmptyLike returns a batch without records at the offsets of b. A cleaner keeps
// such a batch for the producer's last sequence, or for the last offset of a log.
func EmptyLike(b Batch) Batch {
	e := make(Batch, HeaderSize)
	copy(e, b[:HeaderSize])
	attributes := uint16(b.Attributes() &^ (codecMask | flagDeleteHorizon))
	binary.BigEndian.PutUint16(e[posAttributes:], attributes)
	e.finish(b.LastOffsetDelta(), 0, NoTimestamp, b.MaxTimestamp())
	return e
}

func appendSized(dst, p []byte) []byte {
	if p == nil {
		return appendVarint(dst, -1)
	}
	return append(appendVarint(dst, int32(len(p))), p...)
}

func sizedSize(p []byte) int {
	if p == nil {
		return 1
	}
	return varlongSize(int64(len(p))) + len(p)
}
