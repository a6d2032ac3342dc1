package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// ErrZstdDownConversion is returned for a first batch with zstd, which the old formats
// do not have (UNSUPPORTED_COMPRESSION_TYPE).
var ErrZstdDownConversion = errors.New("down-conversion of zstd-compressed batches is not supported")

// overflowBody is the size that the header of an overflow message gives.
const overflowBody = HeaderSize

// DownConvert appends to dst the entries of a fetched slice of a log in the format of
// magic 0 or 1, as fetch requests before version 4 need it (RecordsUtil.java and
// LazyDownConversionRecords.java). Control batches and headers are dropped, and from
// uncompressed batches the records below firstOffset. A piece of an entry at the end
// of the slice is ignored.
//
// When nothing is left of one or more entries, the result is the header of a message
// that does not follow: a consumer then learns that it must fetch more, instead of
// taking the partition for ended. From a batch with zstd on the rest is left out; if
// it is the first, the error is ErrZstdDownConversion.
func DownConvert(dst, entries []byte, magic int8, firstOffset int64) ([]byte, error) {
	out := appender{b: dst, limit: math.MaxInt32}
	seen := false
	for {
		size, entryMagic, err := EntrySize(entries)
		if err != nil {
			return nil, fmt.Errorf("down-convert: %w", err)
		}
		if size == 0 || size > len(entries) {
			break
		}
		entry := entries[:size:size]
		entries = entries[size:]
		if entryMagic <= magic {
			if _, err := out.Write(entry); err != nil {
				return nil, fmt.Errorf("down-convert: %w", err)
			}
		} else if err := downConvertEntry(&out, entry, magic, firstOffset); errors.Is(err, ErrZstdDownConversion) {
			if len(out.b) == len(dst) {
				return nil, err
			}
			break
		} else if err != nil {
			return nil, fmt.Errorf("down-convert to magic %d: %w", magic, err)
		}
		seen = true
	}
	if seen && len(out.b) == len(dst) {
		out.b = binary.BigEndian.AppendUint64(out.b, math.MaxUint64) // offset -1
		out.b = binary.BigEndian.AppendUint32(out.b, overflowBody)
	}
	return out.b, nil
}

// entryFacts are what the conversion must know of an entry besides its records.
type entryFacts struct {
	codec   Codec
	stamped bool
	control bool
}

func factsOf(entry []byte) (entryFacts, error) {
	if entry[posMagic] == 2 {
		b, _, err := Parse(entry)
		if err != nil {
			return entryFacts{}, err
		}
		return entryFacts{b.Codec(), b.TimestampType() == LogAppendTime, b.IsControl()}, nil
	}
	m, err := parseMessage(entry)
	return entryFacts{codec: m.codec(), stamped: m.stamped()}, err
}

func downConvertEntry(out *appender, entry []byte, magic int8, firstOffset int64) error {
	facts, err := factsOf(entry)
	if err != nil {
		return err
	}
	if facts.control {
		return nil
	}
	if facts.codec == Zstd {
		return ErrZstdDownConversion
	}
	it, err := IterateEntry(entry)
	if err != nil {
		return err
	}
	defer it.Close()
	if facts.codec != None {
		return wrap(out, it, magic, facts, nil)
	}
	attributes := facts.attributes(None, magic)
	for it.Next() {
		if r := it.Record(); r.Offset >= firstOffset {
			out.b = appendMessage(out.b, r, r.Offset, magic, attributes)
		}
		if len(out.b) > out.limit {
			return ErrBlockTooLarge
		}
	}
	return it.Err()
}

func (f entryFacts) attributes(codec Codec, magic int8) byte {
	a := byte(codec)
	if f.stamped && magic > 0 {
		a |= flagLogAppendTime
	}
	return a
}

// wrap compresses the records into the value of one message: all, or those that keep wants.
func wrap(out *appender, it *Iterator, magic int8, facts entryFacts, keep func(Record) bool) error {
	start := len(out.b)
	wrapper := Record{Timestamp: NoTimestamp, Value: []byte{}}
	out.b = appendMessage(out.b, wrapper, 0, magic, facts.attributes(facts.codec, magic))
	valueStart := len(out.b)
	block, err := openCompressor(out, facts.codec, DefaultLevel(facts.codec), magic)
	if err != nil {
		return err
	}
	defer block.release()
	var scratch []byte
	first, count := int64(0), 0
	for it.Next() {
		r := it.Record()
		if keep != nil && !keep(r) {
			continue
		}
		if count == 0 {
			first = r.Offset
		}
		count++
		offset := r.Offset
		if magic > 0 {
			offset -= first
		}
		scratch = appendMessage(scratch[:0], r, offset, magic, facts.attributes(None, magic))
		if _, err := block.Write(scratch); err != nil {
			return err
		}
		wrapper.Offset = r.Offset
		wrapper.Timestamp = max(wrapper.Timestamp, r.Timestamp)
	}
	if err := it.Err(); err != nil {
		return err
	}
	if count == 0 {
		out.b = out.b[:start]
		return nil
	}
	if err := block.Close(); err != nil {
		return err
	}
	finishWrapper(out.b[start:], wrapper, magic, valueStart-start)
	return nil
}

// finishWrapper sets what is known of a wrapper only when its value is complete.
func finishWrapper(m []byte, wrapper Record, magic int8, valueStart int) {
	binary.BigEndian.PutUint64(m, uint64(wrapper.Offset))
	binary.BigEndian.PutUint32(m[posBatchLength:], uint32(len(m)-LogOverhead))
	if magic > 0 {
		binary.BigEndian.PutUint64(m[posMessageTimestamp:], uint64(wrapper.Timestamp))
	}
	binary.BigEndian.PutUint32(m[valueStart-4:], uint32(len(m)-valueStart))
	binary.BigEndian.PutUint32(m[posMessageCRC:], crc32.ChecksumIEEE(m[posMagic:]))
}

// appendMessage appends a message of magic 0 or 1.
func appendMessage(dst []byte, r Record, offset int64, magic int8, attributes byte) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint64(dst, uint64(offset))
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, byte(magic), attributes) // size and checksum follow
	if magic > 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(r.Timestamp))
	}
	dst = appendInt32Sized(dst, r.Key)
	dst = appendInt32Sized(dst, r.Value)
	m := dst[start:]
	binary.BigEndian.PutUint32(m[posBatchLength:], uint32(len(m)-LogOverhead))
	binary.BigEndian.PutUint32(m[posMessageCRC:], crc32.ChecksumIEEE(m[posMagic:]))
	return dst
}

func appendInt32Sized(dst, p []byte) []byte {
	if p == nil {
		return binary.BigEndian.AppendUint32(dst, math.MaxUint32) // -1: null
	}
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(p))), p...)
}
