package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

const validateNow = 1_000_000

// refused checks that b is refused for the reason, and returns the refusal.
func refused(t *testing.T, b []byte, rules Rules, version int16, want Reason) *Refusal {
	t.Helper()
	_, err := Validate(b, rules, version, validateNow)
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("error %v, want a refusal", err)
	}
	if r.Reason != want {
		t.Fatalf("reason %d (%s), want %d", r.Reason, r.Message, want)
	}
	return r
}

func put16(at int, v uint16) func(Batch) Batch {
	return func(b Batch) Batch { binary.BigEndian.PutUint16(b[at:], v); b.renewCRC(); return b }
}

func put32(at int, v uint32) func(Batch) Batch {
	return func(b Batch) Batch { binary.BigEndian.PutUint32(b[at:], v); b.renewCRC(); return b }
}

func put64(at int, v uint64) func(Batch) Batch {
	return func(b Batch) Batch { binary.BigEndian.PutUint64(b[at:], v); b.renewCRC(); return b }
}

// Each case breaks one thing in a sound batch of 3 records. Kafka's error for it is
// that of ProduceRequest.java, UnifiedLog.scala or LogValidator.java.
func TestValidateRefusals(t *testing.T) {
	cases := []struct {
		name    string
		change  func(Batch) Batch
		rules   func(*Rules)
		version int16
		reason  Reason
	}{
		{name: "nothing", change: func(Batch) Batch { return nil }, reason: InvalidRecord},
		{name: "header cut", change: func(b Batch) Batch { return b[:16] }, reason: InvalidRecord},
		{name: "batch cut", change: func(b Batch) Batch { return b[:len(b)-1] }, reason: InvalidRecord},
		{name: "two batches", change: func(b Batch) Batch { return append(bytes.Clone(b), b...) }, reason: InvalidRecord},
		{name: "junk after batch", change: func(b Batch) Batch { return append(bytes.Clone(b), make([]byte, 17)...) }, reason: Corrupt},
		{name: "magic 1", change: func(b Batch) Batch { b[posMagic] = 1; return b }, reason: InvalidRecord},
		{name: "magic 3", change: func(b Batch) Batch { b[posMagic] = 3; return b }, reason: Corrupt},
		{name: "length less than header", change: put32(posBatchLength, 40), reason: Corrupt},
		{name: "length negative", change: put32(posBatchLength, math.MaxUint32), reason: Corrupt},
		{name: "base offset", change: put64(posBaseOffset, 1), reason: InvalidRecord},
		{name: "checksum", change: func(b Batch) Batch { b[len(b)-1]++; return b }, reason: Corrupt},
		{name: "too large", rules: func(r *Rules) { r.MaxMessageBytes = HeaderSize }, reason: TooLarge},
		{name: "codec 5", change: put16(posAttributes, 5), reason: UnsupportedCompression},
		{name: "no records", change: put32(posCount, 0), reason: InvalidRecord},
		{name: "negative count", change: put32(posCount, math.MaxUint32), reason: InvalidRecord},
		{name: "negative last offset delta", change: put32(posLastOffsetDelta, math.MaxUint32), reason: InvalidRecord},
		{name: "count below offsets", change: put32(posCount, 2), reason: InvalidRecord},
		{name: "count below records", change: func(b Batch) Batch {
			return put32(posLastOffsetDelta, 1)(put32(posCount, 2)(b))
		}, reason: InvalidRecord},
		{name: "count above records", change: func(b Batch) Batch {
			return put32(posLastOffsetDelta, 3)(put32(posCount, 4)(b))
		}, reason: InvalidRecord},
		{name: "control batch", change: put16(posAttributes, flagControl), reason: InvalidRecord},
		{name: "producer without sequence", change: put64(posProducerID, 5), reason: InvalidRecord},
		{name: "record length", change: func(b Batch) Batch { b[posRecords] += 2; b.renewCRC(); return b }, reason: InvalidRecord},
		{name: "not gzip", change: put16(posAttributes, uint16(Gzip)), reason: InvalidRecord},
		{name: "not snappy", change: put16(posAttributes, uint16(Snappy)), reason: InvalidRecord},
		{name: "not lz4", change: put16(posAttributes, uint16(LZ4)), reason: InvalidRecord},
		{name: "not zstd", change: put16(posAttributes, uint16(Zstd)), reason: InvalidRecord},
		{name: "early zstd", change: put16(posAttributes, uint16(Zstd)), version: 6, reason: UnsupportedCompression},
		{name: "old timestamp", rules: func(r *Rules) { r.TimestampBeforeMax = validateNow - 1001 }, reason: InvalidTimestamp},
		{name: "stamped by producer", change: put16(posAttributes, flagLogAppendTime), rules: func(r *Rules) {
			r.TimestampType = LogAppendTime
		}, reason: InvalidTimestamp},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b, rules, version := build(t, BatchOptions{}, 3, 20), anyRules(), int16(9)
			if c.change != nil {
				b = c.change(b)
			}
			if c.rules != nil {
				c.rules(&rules)
			}
			if c.version != 0 {
				version = c.version
			}
			refused(t, b, rules, version, c.reason)
		})
	}
}

func TestValidateNamesTheRecords(t *testing.T) {
	n := NewBuilder(BatchOptions{})
	n.Append(validateNow, []byte("key"), []byte("value"))
	n.Append(validateNow, nil, []byte("value"))
	n.Append(validateNow-101, []byte("key"), nil)
	n.Append(validateNow+51, []byte("key"), nil)
	b, err := n.Build()
	if err != nil {
		t.Fatal(err)
	}
	rules := anyRules()
	rules.Topic, rules.Partition = "users", 4
	rules.Compacted = true

	r := refused(t, bytes.Clone(b), rules, 9, InvalidRecord)
	if want := (RecordError{1, "Compacted topic cannot accept message without key in topic partition users-4"}); len(r.Records) != 1 || r.Records[0] != want {
		t.Errorf("%+v, want %+v", r.Records, want)
	}
	if want := "One or more records have been rejected due to 1 record errors in total, and only showing the first three errors at most: " +
		"[RecordError(batchIndex=1, message='Compacted topic cannot accept message without key in topic partition users-4')]"; r.Message != want {
		t.Errorf("message %q", r.Message)
	}

	// One bad timestamp decides the reason of the whole.
	rules.TimestampBeforeMax, rules.TimestampAfterMax = 100, 50
	r = refused(t, bytes.Clone(b), rules, 9, InvalidTimestamp)
	want := []RecordError{
		{1, "Compacted topic cannot accept message without key in topic partition users-4"},
		{2, "Timestamp 999899 of message with offset 2 is out of range. The timestamp should be within [999900, 1000050]"},
		{3, "Timestamp 1000051 of message with offset 3 is out of range. The timestamp should be within [999900, 1000050]"},
	}
	if len(r.Records) != 3 || r.Records[0] != want[0] || r.Records[1] != want[1] || r.Records[2] != want[2] {
		t.Errorf("%+v", r.Records)
	}
	if r.Message != "One or more records have been rejected due to invalid timestamp" {
		t.Errorf("message %q", r.Message)
	}

	stamped := put16(posAttributes, flagLogAppendTime)(bytes.Clone(b))
	rules = anyRules()
	rules.TimestampType = LogAppendTime
	r = refused(t, stamped, rules, 9, InvalidTimestamp)
	if !strings.Contains(r.Records[1].Message, "DefaultRecord(offset=1, timestamp=1000051, key=0 bytes, value=5 bytes). Producer should not") {
		t.Errorf("message %q", r.Records[1].Message)
	}
}

func TestRefusalNamesABoundedNumberOfRecords(t *testing.T) {
	rules := anyRules()
	rules.TimestampBeforeMax = 0
	r := refused(t, build(t, BatchOptions{Codec: Zstd}, maxRecordErrors+5, 1), rules, 9, InvalidTimestamp)
	if len(r.Records) != maxRecordErrors {
		t.Errorf("%d records", len(r.Records))
	}
}

func TestValidateInPlace(t *testing.T) {
	for _, codec := range allCodecs {
		t.Run(codec.String(), func(t *testing.T) {
			b := build(t, BatchOptions{Codec: codec, Producer: &Producer{1, 2, 3}}, 50, 100)
			want := renderAll(t, b)

			b = put64(posMaxTimestamp, 5)(b) // a wrong one is put right
			c, err := Validate(b, anyRules(), 9, validateNow)
			if err != nil {
				t.Fatal(err)
			}
			if c.Converted || &c.Batch[0] != &b[0] || c.AppendTime != NoTimestamp {
				t.Errorf("%+v", c)
			}
			if c.Batch.MaxTimestamp() != 1049 || !c.Batch.ValidCRC() {
				t.Errorf("max timestamp %d", c.Batch.MaxTimestamp())
			}
			diffLines(t, renderAll(t, c.Batch), want)

			rules := anyRules()
			rules.TimestampType = LogAppendTime
			c, err = Validate(b, rules, 9, validateNow)
			if err != nil {
				t.Fatal(err)
			}
			if c.Converted || c.AppendTime != validateNow || c.Batch.MaxTimestamp() != validateNow ||
				c.Batch.TimestampType() != LogAppendTime || !c.Batch.ValidCRC() {
				t.Errorf("%+v", c)
			}
			if readAll(t, c.Batch)[7].Timestamp != validateNow {
				t.Error("record is not stamped")
			}
		})
	}
}

// A batch that a client stamped is taken with CreateTime when its time is in range, and
// loses the stamp, as in Kafka.
func TestValidateTakesTheStampOffWithCreateTime(t *testing.T) {
	b := put16(posAttributes, flagLogAppendTime)(build(t, BatchOptions{}, 3, 5))
	c, err := Validate(b, anyRules(), 9, validateNow)
	if err != nil {
		t.Fatal(err)
	}
	if c.Batch.TimestampType() != CreateTime || c.Batch.MaxTimestamp() != 1002 || !c.Batch.ValidCRC() {
		t.Errorf("type %d max %d", c.Batch.TimestampType(), c.Batch.MaxTimestamp())
	}
}

func TestValidateRecompresses(t *testing.T) {
	for _, source := range allCodecs {
		for _, target := range allCodecs {
			t.Run(source.String()+" to "+target.String(), func(t *testing.T) {
				b := build(t, BatchOptions{Codec: source, Producer: &Producer{1, 2, 3}, Transactional: true}, 500, 300)
				want := renderAll(t, b)
				rules := anyRules()
				rules.Recompress, rules.Target, rules.Level = true, target, DefaultLevel(target)
				c, err := Validate(b, rules, 9, validateNow)
				if err != nil {
					t.Fatal(err)
				}
				g := c.Batch
				if c.Converted != (source != target) || g.Codec() != target || !g.ValidCRC() || g.Size() != len(g) {
					t.Errorf("converted %t to %s", c.Converted, g.Codec())
				}
				if g.ProducerID() != 1 || g.ProducerEpoch() != 2 || g.BaseSequence() != 3 || !g.IsTransactional() ||
					g.Count() != 500 || g.LastOffsetDelta() != 499 || g.MaxTimestamp() != 1499 || g.BaseTimestamp() != 1000 {
					t.Errorf("header %x", g[:HeaderSize])
				}
				diffLines(t, renderAll(t, g), want)

				if source == target {
					return
				}
				rules.MaxMessageBytes = len(b)
				if len(g) > len(b) {
					refused(t, b, rules, 9, TooLarge)
				}
				rules.MaxMessageBytes = 1 << 30
				rules.TimestampType = LogAppendTime
				c, err = Validate(b, rules, 9, validateNow)
				if err != nil || c.Batch.MaxTimestamp() != validateNow || c.Batch.TimestampType() != LogAppendTime || !c.Batch.ValidCRC() {
					t.Errorf("stamped: %v", err)
				}
			})
		}
	}
}

// Some old clients did not number the records of a batch from 0: the leader does.
func TestValidateRenumbersOffsets(t *testing.T) {
	for _, codec := range allCodecs {
		n := NewBuilder(BatchOptions{Codec: codec, Level: DefaultLevel(codec)})
		n.AppendAt(0, 10, nil, []byte("a"))
		n.AppendAt(5, 20, nil, []byte("b"), RecordHeader{"h", nil})
		n.AppendAt(6, 15, nil, []byte("c"))
		b, err := n.Build()
		if err != nil {
			t.Fatal(err)
		}
		c, err := Validate(put32(posLastOffsetDelta, 2)(b), anyRules(), 9, validateNow)
		if err != nil {
			t.Fatal(err)
		}
		if !c.Converted || c.Batch.LastOffsetDelta() != 2 || c.Batch.MaxTimestamp() != 20 {
			t.Errorf("%s: header %x", codec, c.Batch[:HeaderSize])
		}
		diffLines(t, renderAll(t, c.Batch), []string{
			"0\t10\t\ta\t true false", "1\t20\t\tb\th= true false", "2\t15\t\tc\t true false",
		})
	}
}

func TestValidateCutsOffATail(t *testing.T) {
	b := build(t, BatchOptions{}, 2, 10)
	for _, version := range []int16{2, 9} {
		c, err := Validate(append(bytes.Clone(b), b[:20]...), anyRules(), version, validateNow)
		if err != nil || len(c.Batch) != len(b) {
			t.Errorf("version %d: %d bytes, %v", version, len(c.Batch), err)
		}
	}
}

// The stamp must not be lost when the batch is rewritten: its deltas are not the times
// that readers saw.
func TestRecompressOfAStampedBatchKeepsItsTime(t *testing.T) {
	b := put16(posAttributes, flagLogAppendTime)(put64(posMaxTimestamp, 5000)(build(t, BatchOptions{}, 3, 5)))
	rules := anyRules()
	rules.Recompress, rules.Target, rules.Level = true, Gzip, -1
	c, err := Validate(b, rules, 9, validateNow)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range readAll(t, c.Batch) {
		if r.Timestamp != 5000 || c.Batch.TimestampType() != CreateTime {
			t.Errorf("timestamp %d", r.Timestamp)
		}
	}
}

// TestLevelsAreKept has batches rewritten with little effort and with much: the more, the smaller. In Kafka 9 is the fast one of LZ4.
func TestLevelsAreKept(t *testing.T) {
	values := make([]string, 200)
	for i := range values {
		values[i] = fmt.Sprintf("record %d of many that are alike, but %x", i, i*i*i*7919)
	}
	n := NewBuilder(BatchOptions{})
	for _, v := range values {
		n.Append(1, nil, []byte(v))
	}
	batch, err := n.Build()
	if err != nil {
		t.Fatal(err)
	}
	for codec, levels := range map[Codec][2]int{Gzip: {1, 9}, LZ4: {9, 17}, Zstd: {-5, 22}} {
		var sizes [2]int
		for i, level := range levels {
			rules := anyRules()
			rules.Recompress, rules.Target, rules.Level = true, codec, level
			checked, err := Validate(slices.Clone(batch), rules, 9, 1)
			if err != nil {
				t.Fatal(err)
			}
			sizes[i] = len(checked.Batch)
		}
		if sizes[1] >= sizes[0] {
			t.Errorf("codec %v makes %d bytes at level %d, %d at level %d", codec, sizes[0], levels[0], sizes[1], levels[1])
		}
	}
}
