package record

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

var allCodecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

// anyRules let every sound batch pass unchanged.
func anyRules() Rules {
	return Rules{MaxMessageBytes: 1 << 30, TimestampBeforeMax: math.MaxInt64, TimestampAfterMax: math.MaxInt64}
}

// clone copies a record out of an iterator's buffer.
func clone(r Record) Record {
	r.Key, r.Value, r.headers = bytes.Clone(r.Key), bytes.Clone(r.Value), bytes.Clone(r.headers)
	return r
}

func readAll(t testing.TB, b Batch) []Record {
	t.Helper()
	records, err := tryReadAll(b)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func tryReadAll(entry []byte) ([]Record, error) {
	it, err := IterateEntry(entry)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var records []Record
	for it.Next() {
		records = append(records, clone(it.Record()))
	}
	return records, it.Err()
}

func renderAll(t testing.TB, entry []byte) []string {
	t.Helper()
	records, err := tryReadAll(entry)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range records {
		lines = append(lines, fmt.Sprintf("%s %t %t", render(r), r.Key == nil, r.Value == nil))
	}
	return lines
}

// build makes a batch of n records of about size bytes, half of which compress.
func build(t testing.TB, o BatchOptions, n, size int) Batch {
	t.Helper()
	if o.Level == 0 {
		o.Level = DefaultLevel(o.Codec)
	}
	random := rand.New(rand.NewPCG(1, 2))
	b := NewBuilder(o)
	for i := range n {
		value := make([]byte, size)
		for j := range value[:size/2] {
			value[j] = byte(random.Uint32())
		}
		b.Append(1000+int64(i), fmt.Appendf(nil, "key-%d", i), value)
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// allocatedBy returns how many bytes f allocates, with a margin for what else runs.
func allocatedBy(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}
