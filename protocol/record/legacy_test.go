package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// oldMessage makes a message of magic 0 or 1.
func oldMessage(magic int8, offset, timestamp int64, key, value []byte) []byte {
	return appendMessage(nil, Record{Timestamp: timestamp, Key: key, Value: value}, offset, magic, 0)
}

// oldWrapper compresses messages into one, at the offset given.
func oldWrapper(t testing.TB, codec Codec, magic int8, offset, timestamp int64, inner ...[]byte) []byte {
	t.Helper()
	block := compress(t, codec, DefaultLevel(codec), magic, bytes.Join(inner, nil))
	return appendMessage(nil, Record{Timestamp: timestamp, Value: block}, offset, magic, byte(codec))
}

// These are the bytes that the format's description gives for small messages.
func TestOldMessageBytes(t *testing.T) {
	got := oldMessage(0, 5, 0, []byte("k"), nil)
	want := []byte{0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 15, 0x90, 0x82, 0x04, 0xf6, 0, 0, 0, 0, 0, 1, 'k', 0xff, 0xff, 0xff, 0xff}
	if !bytes.Equal(got, want) {
		t.Errorf("magic 0\n got %x\nwant %x", got, want)
	}
	got = oldMessage(1, 5, 258, nil, []byte("v"))
	want = []byte{0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 23, 0x71, 0x1a, 0x48, 0xd3, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 'v'}
	if !bytes.Equal(got, want) {
		t.Errorf("magic 1\n got %x\nwant %x", got, want)
	}
}

func TestEntrySize(t *testing.T) {
	b := build(t, BatchOptions{}, 1, 1)
	m := oldMessage(1, 0, 0, nil, nil)
	for name, c := range map[string]struct {
		b     []byte
		size  int
		magic int8
		err   error
	}{
		"nothing":      {nil, 0, 0, nil},
		"short header": {m[:16], 0, 0, nil},
		"just header":  {m[:17], len(m), 1, nil},
		"message":      {m, len(m), 1, nil},
		"batch":        {b, len(b), 2, nil},
		"tiny":         {[]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13}, 0, 0, ErrCorrupt},
		"negative":     {bytes.Repeat([]byte{0xff}, 20), 0, 0, ErrCorrupt},
		"magic 3":      {append(append(bytes.Clone(m[:16]), 3), m[17:]...), 0, 0, ErrCorrupt},
	} {
		size, magic, err := EntrySize(c.b)
		if size != c.size || magic != c.magic || !errors.Is(err, c.err) {
			t.Errorf("%s: %d %d %v", name, size, magic, err)
		}
	}
}

func TestIterateOldEntries(t *testing.T) {
	a := func(magic int8, offset int64) []byte {
		return oldMessage(magic, offset, 10+offset, []byte("k"), []byte("v"))
	}
	for name, c := range map[string]struct {
		entry []byte
		want  []string
	}{
		"magic 0": {a(0, 7), []string{"7\t-1\tk\tv\t false false"}},
		"magic 1": {a(1, 7), []string{"7\t17\tk\tv\t false false"}},
		"nulls":   {oldMessage(1, 7, 3, nil, nil), []string{"7\t3\t\t\t true true"}},
		"wrapper of magic 0": {
			oldWrapper(t, Gzip, 0, 8, 0, a(0, 7), a(0, 8)),
			[]string{"7\t-1\tk\tv\t false false", "8\t-1\tk\tv\t false false"},
		},
		"wrapper of magic 1": {
			oldWrapper(t, Snappy, 1, 101, 11, a(1, 0), a(1, 1)),
			[]string{"100\t10\tk\tv\t false false", "101\t11\tk\tv\t false false"},
		},
		"wrapper at 0": {
			oldWrapper(t, LZ4, 1, 0, 11, a(1, 0), a(1, 1)),
			[]string{"0\t10\tk\tv\t false false", "1\t11\tk\tv\t false false"},
		},
		"wrapper with a piece at the end": {
			oldWrapper(t, Gzip, 0, 8, 0, a(0, 7), a(0, 8)[:20]),
			[]string{"7\t-1\tk\tv\t false false"},
		},
		"stamped wrapper": {
			appendMessage(nil, Record{Timestamp: 99, Value: compress(t, Gzip, -1, 1, a(1, 0))}, 50, 1, byte(Gzip)|flagLogAppendTime),
			[]string{"50\t99\tk\tv\t false false"},
		},
		"batch": {build(t, BatchOptions{BaseOffset: 3}, 1, 0), []string{"3\t1000\tkey-0\t\t false false"}},
	} {
		t.Run(name, func(t *testing.T) { diffLines(t, renderAll(t, c.entry), c.want) })
	}
}

func TestOldEntriesThatAreNotSound(t *testing.T) {
	sound := oldMessage(1, 0, 0, []byte("k"), []byte("v"))
	for name, entry := range map[string][]byte{
		"key beyond end":     func() []byte { m := bytes.Clone(sound); m[posMessageKeyV1+3] = 100; return m }(),
		"bytes after value":  append(bytes.Clone(sound), 0),
		"zstd":               oldWrapper(t, Zstd, 1, 0, 0, sound),
		"null wrapper":       appendMessage(nil, Record{}, 0, 1, byte(Gzip)),
		"empty wrapper":      oldWrapper(t, Gzip, 1, 0, 0),
		"wrapper in wrapper": oldWrapper(t, Gzip, 1, 0, 0, oldWrapper(t, Gzip, 1, 0, 0, sound)),
		"inner offset above": oldWrapper(t, Gzip, 1, 1, 0, oldMessage(1, 5, 0, nil, nil)),
		"not compressed":     appendMessage(nil, Record{Value: []byte("x")}, 0, 1, byte(LZ4)),
		"batch in wrapper":   oldWrapper(t, Gzip, 1, 0, 0, build(t, BatchOptions{}, 1, 1)),
		"short":              sound[:20],
	} {
		if _, err := tryReadAll(entry); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProduceOfMessageSets(t *testing.T) {
	m := func(magic int8, offset int64) []byte {
		return oldMessage(magic, offset, 10+offset, []byte("k"), []byte("v"))
	}
	two := []string{"0\t10\tk\tv\t false false", "1\t11\tk\tv\t false false"}
	untimed := []string{"0\t-1\tk\tv\t false false", "1\t-1\tk\tv\t false false"}
	for name, c := range map[string]struct {
		set   []byte
		codec Codec
		want  []string
	}{
		"magic 0":                {append(m(0, 0), m(0, 0)...), None, untimed},
		"magic 1":                {append(m(1, 0), m(1, 1)...), None, two},
		"with a piece at end":    {append(append(m(1, 0), m(1, 1)...), m(1, 2)[:25]...), None, two},
		"gzip of magic 0":        {oldWrapper(t, Gzip, 0, 1, 0, m(0, 0), m(0, 1)), Gzip, untimed},
		"lz4 of magic 0":         {oldWrapper(t, LZ4, 0, 1, 0, m(0, 0), m(0, 1)), LZ4, untimed},
		"snappy of magic 1":      {oldWrapper(t, Snappy, 1, 1, 11, m(1, 0), m(1, 1)), Snappy, two},
		"lz4 of magic 1":         {oldWrapper(t, LZ4, 1, 1, 11, m(1, 0), m(1, 1)), LZ4, two},
		"librdkafka's offset 0":  {oldWrapper(t, LZ4, 1, 0, 11, m(1, 0), m(1, 1)), LZ4, two},
		"offsets not renumbered": {oldWrapper(t, Gzip, 1, 7, 11, m(1, 0), m(1, 1)), Gzip, two},
	} {
		t.Run(name, func(t *testing.T) {
			checked, err := Validate(bytes.Clone(c.set), anyRules(), 2, validateNow)
			if err != nil {
				t.Fatal(err)
			}
			b := checked.Batch
			if !checked.Converted || !b.ValidCRC() || b.Codec() != c.codec || b.ProducerID() != NoProducerID || b.Count() != 2 {
				t.Errorf("header %x", b[:HeaderSize])
			}
			diffLines(t, renderAll(t, b), c.want)

			rules := anyRules()
			rules.TimestampType, rules.Recompress, rules.Target, rules.Level = LogAppendTime, true, Zstd, 3
			if checked, err = Validate(bytes.Clone(c.set), rules, 0, validateNow); err != nil {
				t.Fatal(err)
			}
			if b = checked.Batch; b.Codec() != Zstd || b.MaxTimestamp() != validateNow || checked.AppendTime != validateNow {
				t.Errorf("header %x", b[:HeaderSize])
			}

			refused(t, c.set, anyRules(), 3, InvalidRecord)
			rules = anyRules()
			rules.MaxMessageBytes = 70
			refused(t, c.set, rules, 2, TooLarge)
		})
	}
	if c, err := Validate(nil, anyRules(), 2, 0); err != nil || c.Batch != nil {
		t.Errorf("empty set: %+v %v", c, err)
	}
	// Kafka does not compare the magic to the version before 3.
	if c, err := Validate(build(t, BatchOptions{}, 2, 5), anyRules(), 2, 0); err != nil || c.Batch.Count() != 2 {
		t.Errorf("batch in old request: %v", err)
	}
}

func TestRefusalsOfMessageSets(t *testing.T) {
	v := []byte("v")
	plain := oldMessage(1, 0, validateNow, nil, v)
	brokenCRC := bytes.Clone(plain)
	brokenCRC[len(brokenCRC)-1]++
	wrapper := oldWrapper(t, Gzip, 1, 0, validateNow, plain)
	for name, c := range map[string]struct {
		set    []byte
		rules  func(*Rules)
		reason Reason
	}{
		"checksum":       {set: brokenCRC, reason: Corrupt},
		"inner checksum": {set: oldWrapper(t, Gzip, 1, 0, 0, brokenCRC), reason: Corrupt},
		"mixed magic":    {set: append(bytes.Clone(plain), oldMessage(0, 0, 0, nil, v)...), reason: InvalidRecord},
		"batch after":    {set: append(bytes.Clone(plain), build(t, BatchOptions{}, 1, 1)...), reason: InvalidRecord},
		"two batches":    {set: append(build(t, BatchOptions{}, 1, 1), build(t, BatchOptions{}, 1, 1)...), reason: InvalidRecord},
		"two wrappers":   {set: append(bytes.Clone(wrapper), wrapper...), reason: InvalidRecord},
		"inner magic":    {set: oldWrapper(t, Gzip, 1, 0, 0, oldMessage(0, 0, 0, nil, v)), reason: InvalidRecord},
		"inner offset":   {set: oldWrapper(t, Gzip, 1, 1, 0, oldMessage(1, 5, 0, nil, v)), reason: InvalidRecord},
		"zstd":           {set: oldWrapper(t, Zstd, 1, 0, 0, plain), reason: InvalidRecord},
		"no key":         {set: plain, rules: func(r *Rules) { r.Compacted = true }, reason: InvalidRecord},
		"no inner key":   {set: wrapper, rules: func(r *Rules) { r.Compacted = true }, reason: InvalidRecord},
		"too old":        {set: oldMessage(1, 0, 5, nil, v), rules: func(r *Rules) { r.TimestampBeforeMax = 10 }, reason: InvalidTimestamp},
		"stamped": {
			set:    appendMessage(nil, Record{Value: v}, 0, 1, flagLogAppendTime),
			rules:  func(r *Rules) { r.TimestampType = LogAppendTime },
			reason: InvalidTimestamp,
		},
		"large": {set: plain, rules: func(r *Rules) { r.MaxMessageBytes = len(plain) - 1 }, reason: TooLarge},
		"tiny":  {set: []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13, 0, 0, 0, 0, 0}, reason: Corrupt},
	} {
		t.Run(name, func(t *testing.T) {
			rules := anyRules()
			if c.rules != nil {
				c.rules(&rules)
			}
			refused(t, bytes.Clone(c.set), rules, 2, c.reason)
		})
	}
}

func TestDownConvert(t *testing.T) {
	for _, codec := range []Codec{None, Gzip, Snappy, LZ4} {
		for magic := int8(0); magic <= 1; magic++ {
			n := NewBuilder(BatchOptions{Codec: codec, Level: DefaultLevel(codec), BaseOffset: 100})
			n.Append(20, []byte("k"), nil, RecordHeader{"h", nil})
			n.AppendAt(105, 10, nil, []byte("v"))
			b, err := n.Build()
			if err != nil {
				t.Fatal(err)
			}
			got, err := DownConvert(nil, b, magic, 0)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"100\t20\tk\t\t false true", "105\t10\t\tv\t true false"}
			if magic == 0 {
				want = []string{"100\t-1\tk\t\t false true", "105\t-1\t\tv\t true false"}
			}
			diffLines(t, renderSet(t, got), want)
			if codec != None {
				m, err := parseMessage(got)
				if err != nil || m.offset != 105 || m.codec() != codec || !m.validCRC() || magic == 1 && m.timestamp != 20 {
					t.Errorf("wrapper %+v, %v", m, err)
				}
			}
			// From an uncompressed batch the records before the fetch offset are left out.
			if got, err = DownConvert([]byte("before"), b, magic, 101); err != nil || !bytes.HasPrefix(got, []byte("before")) {
				t.Fatal(err)
			}
			if codec == None {
				want = want[1:]
			}
			diffLines(t, renderSet(t, got[len("before"):]), want)
		}
	}
}

func TestDownConvertFromMagic1(t *testing.T) {
	a, b := oldMessage(1, 0, 10, []byte("k"), nil), oldMessage(1, 1, 11, nil, []byte("v"))
	set := append(oldMessage(0, 3, 0, nil, nil), oldWrapper(t, LZ4, 1, 6, 11, a, b)...)
	got, err := DownConvert(nil, set, 1, 0)
	if err != nil || !bytes.Equal(got, set) {
		t.Errorf("to magic 1: %x %v", got, err)
	}
	if got, err = DownConvert(nil, set, 0, 0); err != nil {
		t.Fatal(err)
	}
	diffLines(t, renderSet(t, got), []string{"3\t-1\t\t\t true true", "5\t-1\tk\t\t false true", "6\t-1\t\tv\t true false"})
}

func TestDownConvertKeepsTheStamp(t *testing.T) {
	for _, codec := range []Codec{None, Gzip} {
		n := NewBuilder(BatchOptions{Codec: codec, Level: -1, Stamped: true, AppendTime: 77})
		n.Append(20, nil, nil)
		b, _ := n.Build()
		got, err := DownConvert(nil, b, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		m, err := parseMessage(got)
		if err != nil || !m.stamped() || m.timestamp != 77 {
			t.Errorf("%+v %v", m, err)
		}
		if got, err = DownConvert(nil, b, 0, 0); err != nil || got[posMessageAttributes]&flagLogAppendTime != 0 {
			t.Errorf("magic 0: %x %v", got, err)
		}
	}
}

func TestDownConvertDropsAndStops(t *testing.T) {
	marker, err := BuildMarker(Marker{CommitMarker, 1}, 1, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	data, zstd := build(t, BatchOptions{}, 1, 5), build(t, BatchOptions{Codec: Zstd}, 1, 5)
	join := func(bs ...Batch) []byte {
		var all []byte
		for _, b := range bs {
			all = append(all, b...)
		}
		return all
	}
	one, err := DownConvert(nil, data, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string][]byte{
		"marker":         join(marker, data),
		"empty batch":    join(EmptyLike(data), data),
		"piece":          join(data, data[:len(data)-1]),
		"zstd afterward": join(data, zstd, data),
	} {
		if got, err := DownConvert(nil, set, 1, 0); err != nil || !bytes.Equal(got, one) {
			t.Errorf("%s: %x %v", name, got, err)
		}
	}
	for name, set := range map[string][]byte{"first": join(zstd, data), "after a marker": join(marker, zstd)} {
		if _, err := DownConvert(nil, set, 1, 0); !errors.Is(err, ErrZstdDownConversion) {
			t.Errorf("zstd %s: %v", name, err)
		}
	}
	overflow := binary.BigEndian.AppendUint32(bytes.Repeat([]byte{0xff}, 8), HeaderSize)
	if got, err := DownConvert(nil, marker, 1, 0); err != nil || !bytes.Equal(got, overflow) {
		t.Errorf("only a marker: %x %v", got, err)
	}
	if got, err := DownConvert(nil, data[:30], 1, 0); err != nil || len(got) != 0 {
		t.Errorf("no whole entry: %x %v", got, err)
	}
}

// renderSet renders the records of a message set and checks its messages' checksums.
func renderSet(t *testing.T, set []byte) []string {
	t.Helper()
	var lines []string
	for len(set) > 0 {
		size, _, err := EntrySize(set)
		if err != nil || size == 0 || size > len(set) {
			t.Fatalf("entry of %d bytes in %d, %v", size, len(set), err)
		}
		if m, err := parseMessage(set[:size]); err != nil || !m.validCRC() {
			t.Fatalf("message %x: %v", set[:size], err)
		}
		lines = append(lines, renderAll(t, set[:size])...)
		set = set[size:]
	}
	return lines
}
