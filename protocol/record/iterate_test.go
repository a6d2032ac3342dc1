package record

import (
	"errors"
	"testing"
)

// raw makes a batch that promises count records out of bytes as they are.
func raw(t *testing.T, codec Codec, count int32, records []byte) Batch {
	t.Helper()
	b := append(newHeader(int16(codec)), compress(t, codec, DefaultLevel(codec), 2, records)...)
	b.finish(count-1, count, 0, 0)
	return b
}

// Every case but the first breaks a record's structure; both readers must see it, in
// memory and in a stream.
func TestMalformedRecords(t *testing.T) {
	sound := []byte{20, 0, 0, 0, 2, 'k', 2, 'v', 2, 0, 1} // one header: empty key, null value
	with := func(at int, b byte) []byte {
		p := append([]byte(nil), sound...)
		p[at] = b
		return p
	}
	cases := map[string][]byte{
		"nothing":               {},
		"cut short":             sound[:len(sound)-1],
		"negative length":       with(0, 1),
		"zero length":           {0},
		"length without end":    {0x80, 0x80, 0x80, 0x80, 0x80, 0x80},
		"key beyond end":        with(4, 40),
		"value beyond end":      with(6, 40),
		"negative header count": with(8, 1),
		"more headers than fit": with(8, 20),
		"null header key":       with(9, 1),
		"header value too long": with(10, 40),
		"a byte to spare":       append(with(0, 22), 0),
		"a byte too few":        with(0, 18),
		"bytes after the last":  append(with(0, 20), 0),
	}
	for _, codec := range allCodecs {
		if records, err := tryReadAll(raw(t, codec, 1, sound)); err != nil || records[0].HeaderCount() != 1 {
			t.Fatalf("%s: sound record: %v", codec, err)
		}
		for name, p := range cases {
			b := raw(t, codec, 1, p)
			if _, err := tryReadAll(b); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %s: iterated with %v", codec, name, err)
			}
			w, err := b.Walk()
			if err == nil {
				for w.Next() {
				}
				err = w.Err()
				w.Close()
			}
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %s: walked with %v", codec, name, err)
			}
		}
	}
}

// The same for a record larger than the window, which a Walker reads in pieces.
func TestLargeRecordMustFillItsLength(t *testing.T) {
	head := []byte{0, 0, 0, 1} // attributes, deltas, null key
	body := append(appendSized(head, make([]byte, 2*windowSize)), 0)
	for wrong, want := range map[int]error{0: nil, 1: ErrCorrupt, -1: ErrCorrupt} {
		p := append(appendVarint(nil, int32(len(body)+wrong)), body...)
		b := raw(t, LZ4, 1, append(p, make([]byte, max(wrong, 0))...))
		w, err := b.Walk()
		if err != nil {
			t.Fatal(err)
		}
		for w.Next() {
		}
		if !errors.Is(w.Err(), want) {
			t.Errorf("length wrong by %d: %v", wrong, w.Err())
		}
		w.Close()
	}
}

// A record that an Iterator would not hold in memory must not pass a Walker either: it
// is refused for its length, before any of it is read.
func TestRecordTooLargeToReadIsRefused(t *testing.T) {
	length := appendVarint(nil, maxRecordSize+1)
	w, err := raw(t, Zstd, 1, append(length, make([]byte, 1000)...)).Walk()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if w.Next() || !errors.Is(w.Err(), ErrCorrupt) || w.s.position() != int64(len(length)) {
		t.Errorf("%v after %d bytes", w.Err(), w.s.position())
	}
}

// What a checksum at the end of the block says must be heard though all records were
// read before it.
func TestDecompressorsLastWordIsHeard(t *testing.T) {
	b := build(t, BatchOptions{Codec: Gzip}, 3, 10)
	b[len(b)-5]++
	if _, err := tryReadAll(b); !errors.Is(err, ErrCorrupt) {
		t.Errorf("error %v", err)
	}
}

func TestVarints(t *testing.T) {
	for _, x := range []int64{0, -1, 1, 63, -64, 64, 1 << 31, -1 << 31, 1<<63 - 1, -1 << 63} {
		p := appendVarlong(nil, x)
		if got, n := varlong(p, 0); got != x || n != len(p) || varlongSize(x) != n {
			t.Errorf("varlong of %d: %d in %d bytes", x, got, n)
		}
		if _, n := varlong(p[:len(p)-1], 0); n >= 0 {
			t.Errorf("varlong of %d cut short", x)
		}
		if int64(int32(x)) != x {
			continue
		}
		if got, n := varint(p, 0); int64(got) != x || n != len(p) {
			t.Errorf("varint of %d: %d in %d bytes", x, got, n)
		}
	}
}
