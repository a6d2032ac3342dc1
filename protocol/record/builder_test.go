package record

import (
	"bytes"
	"errors"
	"testing"
)

func TestBuildAndIterate(t *testing.T) {
	for _, codec := range allCodecs {
		t.Run(codec.String(), func(t *testing.T) {
			n := NewBuilder(BatchOptions{
				Codec: codec, Level: DefaultLevel(codec), BaseOffset: 40,
				Producer: &Producer{ID: 7, Epoch: 3, Sequence: 11}, Transactional: true,
			})
			n.Append(500, []byte("k"), []byte("v"), RecordHeader{"h", []byte("x")}, RecordHeader{"null", nil})
			n.Append(900, nil, []byte{})
			n.AppendAt(45, 400, []byte{}, nil)
			b, err := n.Build()
			if err != nil {
				t.Fatal(err)
			}
			if !b.ValidCRC() || b.Size() != len(b) || b.Codec() != codec || !b.IsTransactional() || b.IsControl() {
				t.Errorf("header of %x", b[:HeaderSize])
			}
			if b.BaseOffset() != 40 || b.LastOffset() != 45 || b.Count() != 3 || b.PartitionLeaderEpoch() != NoLeaderEpoch {
				t.Errorf("offsets %d to %d, count %d", b.BaseOffset(), b.LastOffset(), b.Count())
			}
			if b.ProducerID() != 7 || b.ProducerEpoch() != 3 || b.BaseSequence() != 11 {
				t.Errorf("producer %d %d %d", b.ProducerID(), b.ProducerEpoch(), b.BaseSequence())
			}
			if b.BaseTimestamp() != 500 || b.MaxTimestamp() != 900 {
				t.Errorf("timestamps %d to %d", b.BaseTimestamp(), b.MaxTimestamp())
			}
			diffLines(t, renderAll(t, b), []string{
				"40\t500\tk\tv\th=x,null= false false",
				"41\t900\t\t\t true false",
				"45\t400\t\t\t false true",
			})
			for k, v := range readAll(t, b)[0].Headers() {
				if (v == nil) != (string(k) == "null") {
					t.Errorf("header %s is %v", k, v)
				}
			}
			diffOutlines(t, b)
		})
	}
}

// diffOutlines checks that a Walker tells of a batch what an Iterator does.
func diffOutlines(t *testing.T, b Batch) {
	t.Helper()
	size := func(p []byte) int32 {
		if p == nil {
			return -1
		}
		return int32(len(p))
	}
	w, err := b.Walk()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i, r := range readAll(t, b) {
		if !w.Next() {
			t.Fatalf("walk ended at record %d: %v", i, w.Err())
		}
		want := Outline{r.Offset, r.Timestamp, size(r.Key), size(r.Value)}
		if w.Outline() != want {
			t.Fatalf("record %d: %+v, want %+v", i, w.Outline(), want)
		}
	}
	if w.Next() || w.Err() != nil {
		t.Fatalf("walk went on, or ended with %v", w.Err())
	}
}

// Records larger than the window, and larger than a block of every codec.
func TestLargeRecords(t *testing.T) {
	for _, codec := range allCodecs {
		for _, size := range []int{windowSize - 30, windowSize, windowSize + 1, 3 * windowSize} {
			b := build(t, BatchOptions{Codec: codec}, 3, size)
			records := readAll(t, b)
			if len(records) != 3 || len(records[2].Value) != size {
				t.Fatalf("%s: %d records", codec, len(records))
			}
			plain := readAll(t, build(t, BatchOptions{}, 3, size))
			for i := range records {
				if !bytes.Equal(records[i].Value, plain[i].Value) {
					t.Errorf("%s: value %d of %d bytes differs", codec, i, size)
				}
			}
			diffOutlines(t, b)
		}
	}
}

func TestStampedBatchGivesEveryRecordTheAppendTime(t *testing.T) {
	n := NewBuilder(BatchOptions{Stamped: true, AppendTime: 77})
	n.Append(1, nil, nil)
	n.Append(2, nil, nil)
	b, err := n.Build()
	if err != nil {
		t.Fatal(err)
	}
	if b.TimestampType() != LogAppendTime || b.MaxTimestamp() != 77 {
		t.Errorf("type %d, max %d", b.TimestampType(), b.MaxTimestamp())
	}
	for _, r := range readAll(t, b) {
		if r.Timestamp != 77 {
			t.Errorf("timestamp %d", r.Timestamp)
		}
	}
}

func TestBuilderLikeKeepsWhatACleanerKeeps(t *testing.T) {
	b := build(t, BatchOptions{Codec: Zstd, BaseOffset: 100, Producer: &Producer{5, 1, 9}}, 10, 20)
	b.SetPartitionLeaderEpoch(4)
	n := NewBuilderLike(b, DefaultLevel(Zstd))
	n.SetDeleteHorizon(5000)
	records := readAll(t, b)
	n.AppendRecord(records[2])
	n.AppendRecord(records[5])
	got, err := n.Build()
	if err != nil {
		t.Fatal(err)
	}
	if got.BaseOffset() != 100 || got.LastOffset() != 109 || got.Count() != 2 || got.PartitionLeaderEpoch() != 4 ||
		got.ProducerID() != 5 || got.BaseSequence() != 9 || got.LastSequence() != 18 || got.Codec() != Zstd {
		t.Errorf("header %x", got[:HeaderSize])
	}
	if horizon, ok := got.DeleteHorizon(); !ok || horizon != 5000 {
		t.Errorf("delete horizon %d %t", horizon, ok)
	}
	kept := readAll(t, got)
	if kept[0].Offset != 102 || kept[1].Timestamp != records[5].Timestamp || got.MaxTimestamp() != records[5].Timestamp {
		t.Errorf("kept %+v", kept)
	}
	// A second cleaning keeps the horizon.
	n = NewBuilderLike(got, DefaultLevel(Zstd))
	n.AppendRecord(kept[0])
	again, err := n.Build()
	if err != nil {
		t.Fatal(err)
	}
	if horizon, ok := again.DeleteHorizon(); !ok || horizon != 5000 || readAll(t, again)[0].Timestamp != kept[0].Timestamp {
		t.Errorf("delete horizon %d %t", horizon, ok)
	}

	empty := EmptyLike(got)
	if empty.Count() != 0 || empty.LastOffset() != 109 || !empty.ValidCRC() || empty.Size() != HeaderSize ||
		empty.LastSequence() != 18 || len(readAll(t, empty)) != 0 {
		t.Errorf("empty batch %x", empty)
	}
}

func TestBuilderRefuses(t *testing.T) {
	if _, err := NewBuilder(BatchOptions{}).Build(); err == nil {
		t.Error("built a batch without records")
	}
	n := NewBuilder(BatchOptions{BaseOffset: 5})
	n.AppendAt(6, 0, nil, nil)
	n.AppendAt(6, 0, nil, nil)
	if _, err := n.Build(); err == nil {
		t.Error("built a batch with an offset twice")
	}
	n = NewBuilder(BatchOptions{Codec: 6})
	n.Append(0, nil, nil)
	if _, err := n.Build(); err == nil {
		t.Error("built a batch with codec 6")
	}
	header := NewBuilder(BatchOptions{}).header
	n = newBuilder(header, 0, 0, 100)
	n.Append(0, nil, make([]byte, 100))
	if _, err := n.Build(); !errors.Is(err, ErrBlockTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestMarkers(t *testing.T) {
	for _, m := range []Marker{{AbortMarker, 0}, {CommitMarker, 1 << 30}} {
		b, err := BuildMarker(m, 12, 3, 999)
		if err != nil {
			t.Fatal(err)
		}
		if !b.IsControl() || !b.IsTransactional() || b.BaseSequence() != NoSequence || b.ProducerID() != 12 {
			t.Errorf("header %x", b)
		}
		if got, ok, err := b.Marker(); err != nil || !ok || got != m {
			t.Errorf("%v %t %v, want %v", got, ok, err, m)
		}
	}
	if _, err := ParseMarker(Record{Key: []byte{0, 0, 0}}); !errors.Is(err, ErrCorrupt) {
		t.Error("short key")
	}
	if _, err := ParseMarker(Record{Key: []byte{0, 0, 0, 1}, Value: []byte{0, 0, 0}}); !errors.Is(err, ErrCorrupt) {
		t.Error("short value")
	}
	if _, err := ParseMarker(Record{Key: []byte{0xff, 0, 0, 1}, Value: make([]byte, 6)}); !errors.Is(err, ErrCorrupt) {
		t.Error("negative version")
	}
	if _, ok, err := build(t, BatchOptions{}, 1, 1).Marker(); ok || err != nil {
		t.Error("a data batch has a marker")
	}
}

// TestBuilderWritesIntoGivenMemory: what is built is the same, and is there when there is room.
func TestBuilderWritesIntoGivenMemory(t *testing.T) {
	for _, codec := range []Codec{None, Gzip, Snappy, LZ4, Zstd} {
		build := func(memory []byte) Batch {
			n := NewBuilder(BatchOptions{Codec: codec, Level: DefaultLevel(codec)})
			if memory != nil {
				n.Into(memory)
			}
			n.Append(1, []byte("key"), bytes.Repeat([]byte("value"), 100))
			b, err := n.Build()
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		want := build(nil)
		memory := bytes.Repeat([]byte{0xff}, 4096)
		if got := build(memory); !bytes.Equal(got, want) || &got[0] != &memory[0] {
			t.Errorf("codec %v: another batch, or at another place", codec)
		}
		if got := build(make([]byte, 3)); !bytes.Equal(got, want) {
			t.Errorf("codec %v: another batch where there is too little room", codec)
		}
	}
	n := NewBuilder(BatchOptions{})
	n.Append(1, nil, nil)
	n.Into(nil)
	if _, err := n.Build(); err == nil {
		t.Error("the memory was changed with a record in it")
	}
}
