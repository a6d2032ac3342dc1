package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Positions of the fields in a batch of magic 2 (Kafka: DefaultRecordBatch.java).
// The checksum covers everything from the attributes on, so base offset and
// partition leader epoch can be set by the leader without touching it.
const (
	posBaseOffset           = 0
	posBatchLength          = 8
	posPartitionLeaderEpoch = 12
	posMagic                = 16
	posCRC                  = 17
	posAttributes           = 21
	posLastOffsetDelta      = 23
	posBaseTimestamp        = 27
	posMaxTimestamp         = 35
	posProducerID           = 43
	posProducerEpoch        = 51
	posBaseSequence         = 53
	posCount                = 57
	posRecords              = 61

	// HeaderSize is the size in bytes of everything before the first record.
	HeaderSize = posRecords
	// LogOverhead is the size in bytes of base offset and batch length, which
	// the batch length does not count. It is the same for every magic.
	LogOverhead = 12
)

// Bits of a batch's attributes.
const (
	codecMask         = 0x07
	flagLogAppendTime = 1 << 3
	flagTransactional = 1 << 4
	flagControl       = 1 << 5
	flagDeleteHorizon = 1 << 6
)

// Sentinels of fields that are not set.
const (
	NoProducerID    int64 = -1
	NoProducerEpoch int16 = -1
	NoSequence      int32 = -1
	NoTimestamp     int64 = -1
	NoLeaderEpoch   int32 = -1
)

// Codec is the compression of a batch: bits 0 to 2 of its attributes.
type Codec int8

// The codecs of Kafka.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

// String returns Kafka's name of the codec, as compression.type spells it.
func (c Codec) String() string {
	switch c {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Snappy:
		return "snappy"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	default:
		return fmt.Sprintf("codec(%d)", int8(c))
	}
}

// TimestampType says who set the timestamps of a batch.
type TimestampType int8

// The timestamp types of Kafka (message.timestamp.type).
const (
	CreateTime TimestampType = iota
	LogAppendTime
)

// ErrCorrupt is wrapped by every error about bytes that are not a sound batch.
var ErrCorrupt = errors.New("corrupt record batch")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is a view over the bytes of one record batch of magic 2. Parse and
// Header make one after checking its length; the accessors do not check again.
// A Batch aliases the bytes it was made from.
type Batch []byte

// Parse returns the first batch in b and the bytes after it. It checks sizes
// and the magic, not the checksum. A b that ends inside the batch gives an error
// that wraps ErrCorrupt.
func Parse(b []byte) (Batch, []byte, error) {
	if len(b) < HeaderSize {
		return nil, nil, fmt.Errorf("%w: %d bytes are less than a header", ErrCorrupt, len(b))
	}
	if magic := b[posMagic]; magic != 2 {
		return nil, nil, fmt.Errorf("%w: magic %d, want 2", ErrCorrupt, magic)
	}
	size := LogOverhead + int64(int32(binary.BigEndian.Uint32(b[posBatchLength:])))
	if size < HeaderSize || size > int64(len(b)) {
		return nil, nil, fmt.Errorf("%w: batch of %d bytes in %d", ErrCorrupt, size, len(b))
	}
	return Batch(b[:size:size]), b[size:], nil
}

// Header returns a Batch over the first HeaderSize bytes of b: every accessor
// but Records, ValidCRC and ComputeCRC works on it, and Size tells the size that
// the whole batch has. It serves those who walk a file without reading records.
func Header(b []byte) (Batch, error) {
	if len(b) < HeaderSize {
		return nil, fmt.Errorf("%w: %d bytes are less than a header", ErrCorrupt, len(b))
	}
	if magic := b[posMagic]; magic != 2 {
		return nil, fmt.Errorf("%w: magic %d, want 2", ErrCorrupt, magic)
	}
	if int32(binary.BigEndian.Uint32(b[posBatchLength:])) < HeaderSize-LogOverhead {
		return nil, fmt.Errorf("%w: batch length is less than a header", ErrCorrupt)
	}
	return Batch(b[:HeaderSize:HeaderSize]), nil
}

// Size returns the size of the whole batch in bytes, as its header gives it.
func (b Batch) Size() int {
	return LogOverhead + int(int32(binary.BigEndian.Uint32(b[posBatchLength:])))
}

// BaseOffset returns the offset of the first record.
func (b Batch) BaseOffset() int64 { return int64(binary.BigEndian.Uint64(b[posBaseOffset:])) }

// SetBaseOffset sets the offset of the first record; the checksum stays valid.
func (b Batch) SetBaseOffset(offset int64) {
	binary.BigEndian.PutUint64(b[posBaseOffset:], uint64(offset))
}

// LastOffsetDelta returns the last record's offset relative to the base offset.
// A cleaner may have removed that record; the delta stays.
func (b Batch) LastOffsetDelta() int32 {
	return int32(binary.BigEndian.Uint32(b[posLastOffsetDelta:]))
}

// LastOffset returns the offset of the last record.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// NextOffset returns the offset that follows the batch.
func (b Batch) NextOffset() int64 { return b.LastOffset() + 1 }

// PartitionLeaderEpoch returns the epoch of the leader that appended the batch.
func (b Batch) PartitionLeaderEpoch() int32 {
	return int32(binary.BigEndian.Uint32(b[posPartitionLeaderEpoch:]))
}

// SetPartitionLeaderEpoch sets the leader epoch; the checksum stays valid.
func (b Batch) SetPartitionLeaderEpoch(epoch int32) {
	binary.BigEndian.PutUint32(b[posPartitionLeaderEpoch:], uint32(epoch))
}

// Attributes returns the raw attribute bits.
func (b Batch) Attributes() int16 { return int16(binary.BigEndian.Uint16(b[posAttributes:])) }

// Codec returns the compression of the records.
func (b Batch) Codec() Codec { return Codec(b.Attributes() & codecMask) }

// TimestampType returns who set the timestamps.
func (b Batch) TimestampType() TimestampType {
	if b.Attributes()&flagLogAppendTime != 0 {
		return LogAppendTime
	}
	return CreateTime
}

// IsTransactional reports whether the batch belongs to a transaction.
func (b Batch) IsTransactional() bool { return b.Attributes()&flagTransactional != 0 }

// IsControl reports whether the batch holds a control record, as a
// transaction's marker.
func (b Batch) IsControl() bool { return b.Attributes()&flagControl != 0 }

// HasDeleteHorizon reports whether the base timestamp is a delete horizon,
// which the cleaner sets (KIP-534).
func (b Batch) HasDeleteHorizon() bool { return b.Attributes()&flagDeleteHorizon != 0 }

// BaseTimestamp returns the timestamp in milliseconds to which the records'
// deltas are relative.
func (b Batch) BaseTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[posBaseTimestamp:])) }

// MaxTimestamp returns the largest timestamp in the batch in milliseconds.
func (b Batch) MaxTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[posMaxTimestamp:])) }

// ProducerID returns the id of the idempotent producer, or NoProducerID.
func (b Batch) ProducerID() int64 { return int64(binary.BigEndian.Uint64(b[posProducerID:])) }

// ProducerEpoch returns the epoch of the producer, or NoProducerEpoch.
func (b Batch) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(b[posProducerEpoch:])) }

// BaseSequence returns the sequence of the first record, or NoSequence.
func (b Batch) BaseSequence() int32 { return int32(binary.BigEndian.Uint32(b[posBaseSequence:])) }

// LastSequence returns the sequence of the last record, or NoSequence.
// Sequences wrap from 2^31-1 to 0.
func (b Batch) LastSequence() int32 {
	base := b.BaseSequence()
	if base == NoSequence {
		return NoSequence
	}
	return int32((int64(base) + int64(b.LastOffsetDelta())) & 0x7fffffff)
}

// Count returns the number of records that the header promises.
func (b Batch) Count() int32 { return int32(binary.BigEndian.Uint32(b[posCount:])) }

// Records returns the records as they are stored, compressed or not.
func (b Batch) Records() []byte { return b[posRecords:] }

// CRC returns the checksum that the header carries.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[posCRC:]) }

// ComputeCRC returns the CRC-32C of the bytes that the checksum covers.
func (b Batch) ComputeCRC() uint32 { return crc32.Checksum(b[posAttributes:], castagnoli) }

// ValidCRC reports whether the checksum holds.
func (b Batch) ValidCRC() bool { return b.CRC() == b.ComputeCRC() }

// StampAppendTime makes the batch one of type LogAppendTime with the given
// time in milliseconds and renews the checksum.
func (b Batch) StampAppendTime(now int64) { b.setMaxTimestamp(LogAppendTime, now) }

// setMaxTimestamp sets type and largest timestamp, and renews the checksum only if
// that changed anything.
func (b Batch) setMaxTimestamp(t TimestampType, maxTimestamp int64) {
	if b.TimestampType() == t && b.MaxTimestamp() == maxTimestamp {
		return
	}
	attributes := b.Attributes() &^ flagLogAppendTime
	if t == LogAppendTime {
		attributes |= flagLogAppendTime
	}
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(attributes))
	binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(maxTimestamp))
	b.renewCRC()
}

// DeleteHorizon returns the delete horizon in milliseconds, if the batch has one.
func (b Batch) DeleteHorizon() (int64, bool) { return b.BaseTimestamp(), b.HasDeleteHorizon() }

func (b Batch) renewCRC() { binary.BigEndian.PutUint32(b[posCRC:], b.ComputeCRC()) }
