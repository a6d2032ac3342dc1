package record

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The logs in testdata are whole batches out of segments that Apache Kafka 3.9 wrote;
// records.txt is what its consumer read from them at read_committed.
func goldenLogs(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.log")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden logs: %v", err)
	}
	logs := make(map[string][]byte)
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		logs[strings.TrimSuffix(filepath.Base(p), ".log")] = b
	}
	return logs
}

func goldenBatches(t testing.TB) map[string][]Batch {
	t.Helper()
	batches := make(map[string][]Batch)
	for name, log := range goldenLogs(t) {
		for len(log) > 0 {
			size, magic, err := EntrySize(log)
			if err != nil || magic != 2 {
				t.Fatalf("%s: magic %d, %v", name, magic, err)
			}
			b, rest, err := Parse(log)
			if err != nil || len(b) != size {
				t.Fatalf("%s: size %d, EntrySize %d, %v", name, len(b), size, err)
			}
			batches[name] = append(batches[name], b)
			log = rest
		}
	}
	return batches
}

func goldenRecords(t testing.TB) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/records.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		f := strings.SplitN(line, "\t", 3)
		name := f[0] + "-" + f[1]
		lines[name] = append(lines[name], f[2])
	}
	return lines
}

func render(r Record) string {
	var headers []string
	for k, v := range r.Headers() {
		headers = append(headers, fmt.Sprintf("%s=%s", k, v))
	}
	return fmt.Sprintf("%d\t%d\t%s\t%s\t%s", r.Offset, r.Timestamp, r.Key, r.Value, strings.Join(headers, ","))
}

func TestGoldenLogsReadAsKafkaReadThem(t *testing.T) {
	want := goldenRecords(t)
	for name, batches := range goldenBatches(t) {
		t.Run(name, func(t *testing.T) {
			aborted := abortedRanges(t, batches)
			var got []string
			for _, b := range batches {
				if !b.ValidCRC() {
					t.Fatalf("checksum of batch at %d", b.BaseOffset())
				}
				if b.IsControl() || aborted[b.BaseOffset()] {
					continue
				}
				for _, r := range readAll(t, b) {
					got = append(got, render(r))
				}
			}
			diffLines(t, got, want[name])
		})
	}
}

// abortedRanges returns the base offsets of batches whose transaction an abort marker ends.
func abortedRanges(t *testing.T, batches []Batch) map[int64]bool {
	t.Helper()
	aborted := make(map[int64]bool)
	open := make(map[int64][]int64)
	for _, b := range batches {
		m, ok, err := b.Marker()
		if err != nil {
			t.Fatal(err)
		}
		id := b.ProducerID()
		switch {
		case ok:
			for _, offset := range open[id] {
				aborted[offset] = m.Type == AbortMarker
			}
			delete(open, id)
		case b.IsTransactional():
			open[id] = append(open[id], b.BaseOffset())
		}
	}
	return aborted
}

func TestGoldenMarkersAreWhatWeBuild(t *testing.T) {
	found := 0
	for _, b := range goldenBatches(t)["transactions-1"] {
		m, ok, err := b.Marker()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		found++
		built, err := BuildMarker(m, b.ProducerID(), b.ProducerEpoch(), b.BaseTimestamp())
		if err != nil {
			t.Fatal(err)
		}
		built.SetBaseOffset(b.BaseOffset())
		built.SetPartitionLeaderEpoch(b.PartitionLeaderEpoch())
		if !bytes.Equal(built, b) {
			t.Errorf("marker at %d\n got %x\nwant %x", b.BaseOffset(), built, b)
		}
	}
	if found < 3 {
		t.Errorf("%d markers", found)
	}
}

// Rebuilding a golden batch from its records gives Kafka's bytes, as far as no
// compressor had a choice.
func TestGoldenBatchesRebuildToTheSameBytes(t *testing.T) {
	for name, batches := range goldenBatches(t) {
		for _, b := range batches {
			n := NewBuilderLike(b, DefaultLevel(b.Codec()))
			for _, r := range readAll(t, b) {
				n.AppendRecord(r)
			}
			got, err := n.Build()
			if err != nil {
				t.Fatal(err)
			}
			if b.Codec() == None && b.TimestampType() == CreateTime && !bytes.Equal(got, b) {
				t.Errorf("%s at %d\n got %x\nwant %x", name, b.BaseOffset(), got, b)
			}
			if a, w := renderAll(t, got), renderAll(t, b); strings.Join(a, "\n") != strings.Join(w, "\n") {
				t.Errorf("%s at %d reads differently", name, b.BaseOffset())
			}
		}
	}
}

// What Kafka compressed and stored must pass as a client's batch would, in place.
func TestGoldenBatchesValidateInPlace(t *testing.T) {
	for name, batches := range goldenBatches(t) {
		for _, b := range batches {
			if b.IsControl() || b.TimestampType() == LogAppendTime {
				continue
			}
			c := bytes.Clone(b)
			Batch(c).SetBaseOffset(0)
			want := bytes.Clone(c)
			rules := anyRules()
			checked, err := Validate(c, rules, 9, 0)
			if err != nil {
				t.Errorf("%s at %d: %v", name, b.BaseOffset(), err)
				continue
			}
			if checked.Converted || !bytes.Equal(checked.Batch, want) {
				t.Errorf("%s at %d was changed", name, b.BaseOffset())
			}
		}
	}
}

func diffLines(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("line %d\n got %q\nwant %q", i, got[i], want[i])
		}
	}
}
