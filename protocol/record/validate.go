package record

import "fmt"

// Rules say what a leader demands of the batches it appends: the topic's
// configuration as far as it is about records.
type Rules struct {
	// Topic and Partition are only named in messages to clients.
	Topic     string
	Partition int32

	MaxMessageBytes    int           // max.message.bytes
	Compacted          bool          // cleanup.policy has compact: every record needs a key
	TimestampType      TimestampType // message.timestamp.type
	TimestampBeforeMax int64         // message.timestamp.before.max.ms
	TimestampAfterMax  int64         // message.timestamp.after.max.ms
	// Recompress is false for compression.type=producer. When true, a batch of
	// another codec than Target is rewritten.
	Recompress bool
	Target     Codec
	Level      int // of Target; meaningful for gzip, lz4 and zstd
}

// target returns the codec and level that a batch of the given codec is stored with.
func (r *Rules) target(source Codec) (Codec, int) {
	if r.Recompress {
		return r.Target, r.Level
	}
	return source, DefaultLevel(source)
}

// appendTime returns the log append time of a batch appended now.
func (r *Rules) appendTime(now int64) int64 {
	if r.TimestampType == LogAppendTime {
		return now
	}
	return NoTimestamp
}

// Checked is a batch that passed Validate, ready to be given an offset.
type Checked struct {
	// Batch is the bytes to append: those of the request, or new ones when Converted.
	// It is nil when a produce request before version 3 held no message.
	Batch Batch
	// AppendTime is the log append time in milliseconds for the answer, or
	// NoTimestamp with CreateTime.
	AppendTime int64
	// Converted is true when the batch was rewritten, for another codec or from an
	// old format, and so does not alias the request.
	Converted bool
}

// Trust returns a batch as checked that this broker built itself, as coordinators do.
func Trust(b Batch) Checked { return Checked{Batch: b, AppendTime: NoTimestamp} }

const (
	firstVersionOfV2   = 3 // of Produce, from which on it carries one batch of magic 2
	firstVersionOfZstd = 7 // of Produce (KIP-110)
)

// Validate checks the records of one partition of a produce request of the given
// version as Kafka does (ProduceRequest.java, UnifiedLog.analyzeAndValidateRecords,
// LogValidator.java), at time now in milliseconds, and converts them where the
// rules ask for it. The error is a *Refusal. The result may alias b, whose bytes
// it may patch; a batch that needs no conversion costs no allocation.
//
// Kafka answers UNKNOWN_SERVER_ERROR for bytes that do not decompress; they are
// refused as InvalidRecord here, upon which clients do not retry. It does so too for
// a compressed batch whose offset deltas are not 0, 1, 2..., and stores an
// uncompressed one to the harm of its readers; both are renumbered here.
func Validate(b []byte, rules Rules, produceVersion int16, now int64) (Checked, error) {
	if produceVersion >= firstVersionOfV2 {
		batch, refusal := onlyBatch(b, produceVersion)
		if refusal != nil {
			refusal.OfRequest = true
			return Checked{}, refusal
		}
		return validateBatch(batch, &rules, now)
	}
	// Before version 3 any magic may come, and Kafka does not compare it to the version.
	size, magic, refusal := firstEntry(b)
	switch {
	case refusal != nil:
		return Checked{}, refusal
	case size == 0:
		return Checked{AppendTime: NoTimestamp}, nil
	case magic < 2:
		return validateMessages(b, &rules, now)
	}
	if more, _, refusal := firstEntry(b[size:]); refusal != nil {
		return Checked{}, refusal
	} else if more > 0 {
		return Checked{}, refuse(InvalidRecord, "record batch is followed by another%s", rules.where())
	}
	return validateBatch(Batch(b[:size:size]), &rules, now)
}

// firstEntry returns the size and magic of the first entry of b, 0 when b ends before
// the end of it: Kafka cuts such a rest off (ByteBufferLogInputStream.java).
func firstEntry(b []byte) (int, int8, *Refusal) {
	size, magic, err := EntrySize(b)
	if err != nil {
		return 0, 0, refuse(Corrupt, "%v", err)
	}
	if size > len(b) {
		size = 0
	}
	if size > 0 && magic == 2 && size < HeaderSize {
		return 0, 0, refuse(Corrupt, "batch of %d bytes is less than its header", size)
	}
	return size, magic, nil
}

// onlyBatch applies the rules of Produce from version 3 on: one batch, of magic 2.
func onlyBatch(b []byte, version int16) (Batch, *Refusal) {
	size, magic, refusal := firstEntry(b)
	switch {
	case refusal != nil:
		return nil, refusal
	case size == 0:
		return nil, refuse(InvalidRecord, "produce request of version %d without a record batch", version)
	case magic != 2:
		return nil, refuse(InvalidRecord, "produce request of version %d with magic %d", version, magic)
	}
	batch := Batch(b[:size:size])
	if version < firstVersionOfZstd && batch.Codec() == Zstd {
		return nil, refuse(UnsupportedCompression, "produce request of version %d with zstd", version)
	}
	more, _, refusal := firstEntry(b[size:])
	if refusal == nil && more > 0 {
		refusal = refuse(InvalidRecord, "produce request of version %d with more than one record batch", version)
	}
	return batch, refusal
}

// validateBatch checks one batch of magic 2 from a client.
func validateBatch(b Batch, rules *Rules, now int64) (Checked, error) {
	if refusal := checkHeader(b, rules); refusal != nil {
		return Checked{}, refusal
	}
	source := b.Codec()
	target, level := rules.target(source)
	found, refusal := checkRecords(b, rules, target, now)
	if refusal != nil {
		return Checked{}, refusal
	}
	checked := Checked{Batch: b, AppendTime: rules.appendTime(now)}
	if source != target || !found.consecutive {
		converted, err := convert(b, rules, target, level, found, now)
		if err != nil {
			return Checked{}, conversionRefusal(err, rules)
		}
		checked.Batch, checked.Converted = converted, true
		return checked, nil
	}
	maxTimestamp := found.maxTimestamp
	if rules.TimestampType == LogAppendTime {
		maxTimestamp = now
	}
	b.setMaxTimestamp(rules.TimestampType, maxTimestamp)
	return checked, nil
}

// checkHeader checks all that can be told without looking at a record.
func checkHeader(b Batch, rules *Rules) *Refusal {
	if base := b.BaseOffset(); base != 0 {
		return refuse(InvalidRecord, "base offset is %d instead of 0%s", base, rules.where())
	}
	if len(b) > rules.MaxMessageBytes {
		return refuse(TooLarge, "batch of %d bytes is larger than %d%s", len(b), rules.MaxMessageBytes, rules.where())
	}
	if !b.ValidCRC() {
		return refuse(Corrupt, "batch has checksum %#x instead of %#x%s", b.CRC(), b.ComputeCRC(), rules.where())
	}
	if c := b.Codec(); c > Zstd {
		return refuse(UnsupportedCompression, "unknown compression type id %d%s", int8(c), rules.where())
	}
	count, span := int64(b.Count()), int64(b.LastOffsetDelta())+1
	switch {
	case span <= 0:
		return refuse(InvalidRecord, "last offset delta is %d%s", b.LastOffsetDelta(), rules.where())
	case count <= 0:
		return refuse(InvalidRecord, "count is %d%s", count, rules.where())
	case count != span:
		return refuse(InvalidRecord, "count is %d, offsets tell %d%s", count, span, rules.where())
	case b.IsControl():
		return refuse(InvalidRecord, "control record from a client%s", rules.where())
	case b.ProducerID() > NoProducerID && b.BaseSequence() < 0:
		return refuse(InvalidRecord, "sequence %d of producer %d%s", b.BaseSequence(), b.ProducerID(), rules.where())
	}
	return nil
}

// findings are what a walk over the records of a sound batch told.
type findings struct {
	maxTimestamp int64
	consecutive  bool // offset deltas are 0, 1, 2...
}

// checkRecords walks the records, checks their shape, and applies the rules to each.
func checkRecords(b Batch, rules *Rules, target Codec, now int64) (findings, *Refusal) {
	f := findings{maxTimestamp: NoTimestamp, consecutive: true}
	w, err := b.Walk()
	if err != nil {
		return f, refuse(InvalidRecord, "%v%s", err, rules.where())
	}
	defer w.Close()
	var bad faults
	for index := int32(0); w.Next(); index++ {
		o := w.Outline()
		rules.checkRecord(&bad, index, o, b, target, now)
		f.maxTimestamp = max(f.maxTimestamp, o.Timestamp)
		f.consecutive = f.consecutive && o.Offset == int64(index)
	}
	if err := w.Err(); err != nil {
		return f, refuse(InvalidRecord, "%v%s", err, rules.where())
	}
	if bad.count > 0 {
		return f, bad.refusal()
	}
	return f, nil
}

// checkRecord adds to bad what is wrong with a record, at most one thing.
func (r *Rules) checkRecord(bad *faults, index int32, o Outline, b Batch, target Codec, now int64) {
	switch {
	case r.Compacted && o.KeySize < 0:
		bad.add(index, InvalidRecord, "Compacted topic cannot accept message without key%s", r.where())
	case r.TimestampType == CreateTime && o.Timestamp != NoTimestamp:
		if !r.timely(o.Timestamp, now) {
			bad.add(index, InvalidTimestamp, "%s", r.untimely(o, now))
		}
	case b.TimestampType() == LogAppendTime:
		bad.add(index, InvalidTimestamp, "Invalid timestamp type in message %s. "+
			"Producer should not set timestamp type to LogAppendTime.", describe(o, b.Codec(), target))
	}
}

func (r *Rules) timely(timestamp, now int64) bool {
	age := now - timestamp // wraps as Kafka's does
	return age <= r.TimestampBeforeMax && -age <= r.TimestampAfterMax
}

func (r *Rules) untimely(o Outline, now int64) string {
	return fmt.Sprintf("Timestamp %d of message with offset %d is out of range. "+
		"The timestamp should be within [%d, %d]",
		o.Timestamp, o.Offset, now-r.TimestampBeforeMax, now+r.TimestampAfterMax)
}

// describe renders a record as Kafka's toString does, which depends on whether Kafka
// would have read its key and value at this point.
func describe(o Outline, source, target Codec) string {
	name, key, value := "DefaultRecord", max(o.KeySize, 0), max(o.ValueSize, 0)
	if source != None && source == target {
		name, key, value = "PartialDefaultRecord", o.KeySize, o.ValueSize
	}
	return fmt.Sprintf("%s(offset=%d, timestamp=%d, key=%d bytes, value=%d bytes)",
		name, o.Offset, o.Timestamp, key, value)
}

// where ends a message with the partition that it is about.
func (r *Rules) where() string {
	if r.Topic == "" {
		return ""
	}
	return fmt.Sprintf(" in topic partition %s-%d", r.Topic, r.Partition)
}
