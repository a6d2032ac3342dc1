package record

import (
	"bytes"
	"testing"
)

// seeds are small entries of every kind.
func seeds(f *testing.F) [][]byte {
	var all [][]byte
	for _, codec := range allCodecs {
		n := NewBuilder(BatchOptions{Codec: codec, Level: DefaultLevel(codec)})
		n.Append(5, []byte("k"), []byte("value value value"), RecordHeader{"h", []byte("x")})
		n.Append(6, nil, nil)
		b, err := n.Build()
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, b)
		for magic := int8(0); magic <= 1 && codec != Zstd; magic++ {
			old, err := DownConvert(nil, b, magic, 0)
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, old)
		}
	}
	marker, err := BuildMarker(Marker{CommitMarker, 3}, 1, 1, 1)
	if err != nil {
		f.Fatal(err)
	}
	return append(all, marker, EmptyLike(all[0]))
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		size, magic, err := EntrySize(p)
		b, rest, parseErr := Parse(p)
		if parseErr == nil {
			if err != nil || magic != 2 || size != len(b) || len(b)+len(rest) != len(p) || b.Size() != len(b) {
				t.Fatalf("Parse cut %d, EntrySize %d %v", len(b), size, err)
			}
			b.ComputeCRC()
			b.LastSequence()
			_, _, _ = b.Marker()
		}
		if h, err := Header(p); err == nil && parseErr == nil && h.Size() != len(b) {
			t.Fatalf("Header tells %d", h.Size())
		}
	})
}

func FuzzIterate(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		b, _, err := Parse(p)
		if err != nil {
			return
		}
		records, iterateErr := tryReadAll(b)
		w, err := b.Walk()
		if err != nil {
			if iterateErr == nil {
				t.Fatalf("walk fails with %v", err)
			}
			return
		}
		defer w.Close()
		count := 0
		for ; w.Next(); count++ {
			if count < len(records) && w.Outline().Offset != records[count].Offset {
				t.Fatalf("record %d at %d, walked at %d", count, records[count].Offset, w.Outline().Offset)
			}
		}
		if count != len(records) || (w.Err() == nil) != (iterateErr == nil) {
			t.Fatalf("%d records %v, walked %d %v", len(records), iterateErr, count, w.Err())
		}
	})
}

// What passes must read without error, as many records as it says, from offset 0 on;
// and pass again.
func FuzzValidate(f *testing.F) {
	for _, s := range seeds(f) {
		for _, version := range []int16{2, 9} {
			f.Add(s, version, int8(-1), true)
			f.Add(s, version, int8(Zstd), false)
			f.Add(s, version, int8(None), true)
		}
	}
	f.Fuzz(func(t *testing.T, p []byte, version int16, target int8, createTime bool) {
		p = bytes.Clone(p)
		if b, _, err := Parse(p); err == nil {
			b.renewCRC() // or nothing gets past the checksum
		}
		rules := anyRules()
		if target >= 0 {
			rules.Recompress, rules.Target = true, Codec(target)%(Zstd+1)
			rules.Level = DefaultLevel(rules.Target)
		}
		if !createTime {
			rules.TimestampType = LogAppendTime
		}
		rules.MaxMessageBytes = 1 << 20
		checked, err := Validate(p, rules, version, validateNow)
		if err != nil {
			if _, ok := err.(*Refusal); !ok {
				t.Fatalf("error %T", err)
			}
			return
		}
		if checked.Batch == nil {
			return
		}
		records, err := tryReadAll(checked.Batch)
		if err != nil || len(records) != int(checked.Batch.Count()) || !checked.Batch.ValidCRC() {
			t.Fatalf("passed, but %d records, %v", len(records), err)
		}
		for i, r := range records {
			if r.Offset != int64(i) {
				t.Fatalf("record %d has offset %d", i, r.Offset)
			}
		}
	})
}

func FuzzLegacy(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s, int8(0))
		f.Add(s, int8(1))
	}
	f.Fuzz(func(t *testing.T, p []byte, magic int8) {
		size, _, err := EntrySize(p)
		if err != nil || size == 0 || size > len(p) {
			return
		}
		p = p[:size] // entries are copied unread when they need no conversion
		records, err := tryReadAll(p)
		if err != nil {
			return
		}
		old, err := DownConvert(nil, p, magic&1, 0)
		if err != nil || len(old) <= LogOverhead {
			return
		}
		var back []Record
		for len(old) > 0 {
			size, _, err := EntrySize(old)
			if err != nil || size == 0 {
				t.Fatalf("down-converted to %x: %v", old, err)
			}
			rs, err := tryReadAll(old[:size])
			if err != nil {
				t.Fatalf("down-converted to %x: %v", old[:size], err)
			}
			back, old = append(back, rs...), old[size:]
		}
		if len(back) > len(records) {
			t.Fatalf("%d records became %d", len(records), len(back))
		}
	})
}
