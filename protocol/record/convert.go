package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// convert rewrites a batch that passed the checks with another codec, or with
// consecutive offsets. It fails with ErrBlockTooLarge when the result would be larger than
// max.message.bytes, without having built more than that.
func convert(b Batch, rules *Rules, target Codec, level int, found findings, now int64) (Batch, error) {
	header := make(Batch, HeaderSize)
	copy(header, b[:HeaderSize])
	attributes := b.Attributes()&flagTransactional | int16(target)
	if rules.TimestampType == LogAppendTime {
		attributes |= flagLogAppendTime
	}
	binary.BigEndian.PutUint16(header[posAttributes:], uint16(attributes))

	if found.consecutive && b.TimestampType() == CreateTime {
		maxTimestamp := found.maxTimestamp
		if rules.TimestampType == LogAppendTime {
			maxTimestamp = now
		}
		return transcode(b, header, level, maxTimestamp, rules.MaxMessageBytes)
	}
	return rebuild(b, header, level, now, rules.MaxMessageBytes)
}

// transcode compresses the records anew without reading them: their deltas stay true,
// as the base timestamp stays.
func transcode(b, header Batch, level int, maxTimestamp int64, limit int) (Batch, error) {
	s, err := openStream(b.Codec(), 2, b.Records())
	if err != nil {
		return nil, err
	}
	defer s.close()
	out := appender{b: make([]byte, HeaderSize, HeaderSize+len(b)), limit: max(limit, HeaderSize)}
	block, err := openCompressor(&out, header.Codec(), level, 2)
	if err != nil {
		return nil, fmt.Errorf("convert batch: %w", err)
	}
	defer block.release()
	for s.peek(1) {
		if _, err := block.Write(s.buf[s.r:s.w]); err != nil {
			return nil, fmt.Errorf("convert batch: %w", err)
		}
		s.r = s.w
	}
	if s.err != nil {
		return nil, s.failure("")
	}
	if err := block.Close(); err != nil {
		return nil, fmt.Errorf("convert batch: %w", err)
	}
	converted := Batch(out.b)
	copy(converted, header)
	converted.finish(b.LastOffsetDelta(), b.Count(), b.BaseTimestamp(), maxTimestamp)
	return converted, nil
}

// rebuild appends the records one by one, at consecutive offsets.
func rebuild(b, header Batch, level int, now int64, limit int) (Batch, error) {
	it, err := b.Iterate()
	if err != nil {
		return nil, err
	}
	defer it.Close()
	n := newBuilder(header, level, now, limit)
	for offset := int64(0); it.Next(); offset++ {
		r := it.Record()
		r.Offset = offset
		n.AppendRecord(r)
	}
	converted, err := n.Build()
	if itErr := it.Err(); itErr != nil {
		return nil, itErr
	}
	return converted, err
}

func conversionRefusal(err error, rules *Rules) *Refusal {
	if errors.Is(err, ErrBlockTooLarge) {
		return refuse(TooLarge, "%v: after conversion larger than %d%s", err, rules.MaxMessageBytes, rules.where())
	}
	return refuse(InvalidRecord, "%v%s", err, rules.where())
}

// newHeader returns the header of a batch that no idempotent producer wrote, at offset 0.
func newHeader(attributes int16) Batch {
	h := make(Batch, HeaderSize)
	h.SetPartitionLeaderEpoch(NoLeaderEpoch)
	h[posMagic] = 2
	binary.BigEndian.PutUint16(h[posAttributes:], uint16(attributes))
	binary.BigEndian.PutUint64(h[posProducerID:], math.MaxUint64)
	binary.BigEndian.PutUint16(h[posProducerEpoch:], math.MaxUint16)
	binary.BigEndian.PutUint32(h[posBaseSequence:], math.MaxUint32)
	return h
}
