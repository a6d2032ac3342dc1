package storage

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

func TestTheLastFiveBatchesAreRecognisedAsDuplicates(t *testing.T) {
	_, _, l := memLog(t, testConfig())
	for i := range int32(7) {
		mustAppend(t, l, produced(t, 1, 0, i*2, false, 2))
	}
	for i := range int32(7) {
		a, err := appendAs(l, produced(t, 1, 0, i*2, false, 2), 0, FromClient)
		if i < 2 {
			if !errors.Is(err, ErrOutOfOrderSequence) {
				t.Errorf("batch %d, long gone: %+v %v", i, a, err)
			}
			continue
		}
		if err != nil || !a.Duplicate || a.BaseOffset != int64(i)*2 || a.LastOffset != int64(i)*2+1 || a.AppendTime <= 0 {
			t.Errorf("batch %d again: %+v %v", i, a, err)
		}
	}
	if l.LogEndOffset() != 14 {
		t.Errorf("log end %d", l.LogEndOffset())
	}
	// Sequences that only overlap are no duplicate.
	if _, err := appendAs(l, produced(t, 1, 0, 12, false, 1), 0, FromClient); !errors.Is(err, ErrOutOfOrderSequence) {
		t.Errorf("half a batch: %v", err)
	}
}

func TestSequencesAndEpochsOfProducers(t *testing.T) {
	for name, test := range map[string]struct {
		before []record.Batch
		batch  record.Batch
		origin Origin
		want   error
	}{
		"unknown producer may begin anywhere": {nil, produced(t, 1, 4, 77, false, 1), FromClient, nil},
		"next sequence":                       {[]record.Batch{produced(t, 1, 0, 0, false, 3)}, produced(t, 1, 0, 3, false, 1), FromClient, nil},
		"gap":                                 {[]record.Batch{produced(t, 1, 0, 0, false, 3)}, produced(t, 1, 0, 4, false, 1), FromClient, ErrOutOfOrderSequence},
		"wrap to zero":                        {[]record.Batch{produced(t, 1, 0, math.MaxInt32, false, 1)}, produced(t, 1, 0, 0, false, 1), FromClient, nil},
		"wrap inside a batch":                 {[]record.Batch{produced(t, 1, 0, math.MaxInt32-1, false, 3)}, produced(t, 1, 0, 1, false, 1), FromClient, nil},
		"new epoch from zero":                 {[]record.Batch{produced(t, 1, 0, 5, false, 3)}, produced(t, 1, 1, 0, false, 1), FromClient, nil},
		"new epoch from elsewhere":            {[]record.Batch{produced(t, 1, 0, 5, false, 3)}, produced(t, 1, 1, 8, false, 1), FromClient, ErrOutOfOrderSequence},
		"old epoch":                           {[]record.Batch{produced(t, 1, 1, 0, false, 3)}, produced(t, 1, 0, 3, false, 1), FromClient, ErrInvalidProducerEpoch},
		"old epoch of a coordinator":          {[]record.Batch{produced(t, 1, 1, 0, false, 3)}, produced(t, 1, 0, -1, false, 1), FromCoordinator, ErrInvalidProducerEpoch},
		"coordinator without sequence":        {[]record.Batch{produced(t, 1, 1, 0, true, 3)}, produced(t, 1, 1, -1, true, 1), FromCoordinator, nil},
		"plain batch in a transaction":        {[]record.Batch{produced(t, 1, 0, 0, true, 1)}, produced(t, 1, 0, 1, false, 1), FromClient, ErrInvalidTxnState},
		"marker of an old epoch": {
			[]record.Batch{produced(t, 1, 2, 0, true, 1)}, markerBatch(t, record.CommitMarker, 1, 1, 0), FromCoordinator, ErrInvalidProducerEpoch,
		},
		"marker of a deposed coordinator": {
			[]record.Batch{produced(t, 1, 0, 0, true, 1), markerBatch(t, record.AbortMarker, 1, 0, 9)},
			markerBatch(t, record.CommitMarker, 1, 0, 8), FromCoordinator, ErrCoordinatorFenced,
		},
		"after a marker with a new epoch from zero": {
			[]record.Batch{produced(t, 1, 0, 0, true, 1), markerBatch(t, record.AbortMarker, 1, 1, 9)}, produced(t, 1, 1, 0, true, 1), FromClient, nil,
		},
		"sequence goes on after a marker of the same epoch": {
			[]record.Batch{produced(t, 1, 0, 0, true, 2), markerBatch(t, record.CommitMarker, 1, 0, 9)}, produced(t, 1, 0, 2, true, 1), FromClient, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, l := memLog(t, testConfig())
			for _, b := range test.before {
				mustAppend(t, l, b)
			}
			end := l.LogEndOffset()
			_, err := appendAs(l, test.batch, 0, test.origin)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if test.want != nil && l.LogEndOffset() != end {
				t.Error("something was appended")
			}
		})
	}
}

func TestLastStableOffsetWaitsForMarkersBelowTheHighWatermark(t *testing.T) {
	_, _, l := memLog(t, testConfig())
	step := func(what string, wantStable int64) {
		t.Helper()
		if got := l.LastStableOffset(); got != wantStable {
			t.Errorf("%s: last stable offset %d, want %d", what, got, wantStable)
		}
	}
	mustAppend(t, l, plain(t, 1, "a"))              // 0
	mustAppend(t, l, produced(t, 1, 0, 0, true, 2)) // 1, 2
	mustAppend(t, l, produced(t, 2, 0, 0, true, 1)) // 3
	step("nothing replicated", 0)
	l.SetHighWatermark(4)
	step("open transactions", 1)
	mustAppend(t, l, markerBatch(t, record.CommitMarker, 1, 0, 0)) // 4
	step("marker not replicated", 1)
	l.SetHighWatermark(5)
	step("the other transaction", 3)
	mustAppend(t, l, markerBatch(t, record.AbortMarker, 2, 0, 0)) // 5
	l.SetHighWatermark(6)
	step("all decided", 6)
	aborted, err := l.AbortedIn(0, 6)
	if err != nil || !reflect.DeepEqual(aborted, []Aborted{{2, 3}}) {
		t.Errorf("aborted %v %v", aborted, err)
	}
	if aborted, _ := l.AbortedIn(0, 3); len(aborted) != 0 {
		t.Errorf("aborted below the transaction: %v", aborted)
	}
	if aborted, _ := l.AbortedIn(6, 7); len(aborted) != 0 {
		t.Errorf("aborted behind the marker: %v", aborted)
	}
}

func TestAbortedTransactionsAreListedByFirstOffsetOverSegments(t *testing.T) {
	c := testConfig().with(func(c *Config) { c.SegmentBytes = 300 })
	mem := vfs.NewMem()
	m, l := openLog(t, testOptions(mem, c, "/data"))
	mustAppend(t, l, produced(t, 1, 0, 0, true, 1)) // 0
	mustAppend(t, l, produced(t, 2, 0, 0, true, 1)) // 1
	for range 5 {
		mustAppend(t, l, plain(t, 1, "filler"))
	}
	mustAppend(t, l, markerBatch(t, record.AbortMarker, 2, 0, 0)) // 7
	mustAppend(t, l, markerBatch(t, record.AbortMarker, 1, 0, 0)) // 8
	want := []Aborted{{1, 0}, {2, 1}}
	for range 2 {
		if got, err := l.AbortedIn(0, 9); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v %v, want %v", got, err, want)
		}
		mustClose(t, m)
		m, l = openLog(t, testOptions(mem, c, "/data"))
	}
	defer mustClose(t, m)
	// The last stable offset goes into the index as it is when the marker is written.
	entries, err := (*l.segments.Load())[len(segmentBases(l))-1].aborted.all((*l.segments.Load())[len(segmentBases(l))-1])
	if err != nil || entries[len(entries)-1].lastStableOffset != 9 {
		t.Errorf("index entries %+v %v", entries, err)
	}
}

func TestProducersSurviveRestartTruncationAndRetention(t *testing.T) {
	c := testConfig().with(func(c *Config) { c.SegmentBytes = 400; c.FileDeleteDelay = 0 })
	mem := vfs.NewMem()
	o := testOptions(mem, c, "/data")
	m, l := openLog(t, o)
	for i := range int32(10) {
		mustAppend(t, l, produced(t, 1, 0, i, false, 1))
		mustAppend(t, l, produced(t, 2, 0, i, i >= 5, 1))
	}
	want := l.Producers()
	if len(want) != 2 || want[1].CurrentTxnFirstOffset != 11 || want[0].LastSequence != 9 {
		t.Fatalf("producers %+v", want)
	}
	mustClose(t, m)
	m, l = openLog(t, o)
	if got := l.Producers(); !reflect.DeepEqual(got, want) {
		t.Errorf("after a clean stop %+v, want %+v", got, want)
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	o.FS = mem.CrashClone(1)
	m.Close()
	m, l = openLog(t, o)
	if got := l.Producers(); !reflect.DeepEqual(got, want) {
		t.Errorf("after a crash %+v, want %+v", got, want)
	}
	a, err := appendAs(l, produced(t, 1, 0, 9, false, 1), 0, FromClient)
	if err != nil || !a.Duplicate || a.BaseOffset != 18 {
		t.Errorf("duplicate after a crash: %+v %v", a, err)
	}
	if err := l.TruncateTo(13); err != nil {
		t.Fatal(err)
	}
	got := l.Producers()
	if got[0].LastSequence != 6 || got[1].LastSequence != 5 || got[1].CurrentTxnFirstOffset != 11 {
		t.Errorf("after truncation %+v", got)
	}
	mustAppend(t, l, produced(t, 1, 0, 7, false, 1))
	mustAppend(t, l, markerBatch(t, record.CommitMarker, 2, 0, 0))
	l.SetHighWatermark(l.LogEndOffset())
	if l.LastStableOffset() != l.HighWatermark() {
		t.Errorf("last stable offset %d, high watermark %d", l.LastStableOffset(), l.HighWatermark())
	}
	l.SetConfig(c.with(func(c *Config) { c.RetentionBytes = 0 }))
	if err := l.applyRetention(time.Now()); err != nil {
		t.Fatal(err)
	}
	if l.LogStartOffset() != l.LogEndOffset() {
		t.Fatalf("log is [%d, %d) after retention", l.LogStartOffset(), l.LogEndOffset())
	}
	mustClose(t, m)
	m, l = openLog(t, o)
	defer m.Close()
	if got := l.Producers(); len(got) != 2 || got[0].LastSequence != 7 {
		t.Errorf("after retention and a restart %+v", got)
	}
}

func TestProducersExpireUnlessInATransaction(t *testing.T) {
	_, _, l := memLog(t, testConfig().with(func(c *Config) { c.ProducerExpiry = 24 * time.Hour }))
	mustAppend(t, l, produced(t, 1, 0, 0, false, 1))
	mustAppend(t, l, produced(t, 2, 0, 0, true, 1))
	if err := l.applyRetention(time.Now().Add(23 * time.Hour)); err != nil || len(l.Producers()) != 2 {
		t.Fatalf("too early: %v %+v", err, l.Producers())
	}
	if err := l.applyRetention(time.Now().Add(25 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := l.Producers(); len(got) != 1 || got[0].ID != 2 {
		t.Errorf("left: %+v", got)
	}
	if !l.HasOpenTransaction(2) || l.HasOpenTransaction(1) {
		t.Error("open transactions are told wrongly")
	}
}

func TestSnapshotKeepsWhatItIsGiven(t *testing.T) {
	p := newProducerState(9)
	p.epoch, p.coordinatorEpoch, p.lastTimestamp, p.txnFirst = 3, 4, 1234, 17
	p.addBatch(producerBatch{lastOffset: 30, timestamp: 1234, lastSequence: 8, offsetDelta: 2})
	got, err := decodeSnapshot(encodeSnapshot(map[int64]*producerState{9: p, 10: newProducerState(10)}))
	if err != nil || len(got) != 2 || !reflect.DeepEqual(got[0], p) || !reflect.DeepEqual(got[1], newProducerState(10)) {
		t.Fatalf("got %+v %v", got, err)
	}
}

func FuzzDecodeSnapshot(f *testing.F) {
	f.Add(encodeSnapshot(nil))
	f.Add(encodeSnapshot(map[int64]*producerState{1: newProducerState(1)}))
	f.Add([]byte{0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		producers, err := decodeSnapshot(b)
		if err != nil && !errors.Is(err, errCorruptSnapshot) {
			t.Fatal(err)
		}
		if len(producers)*snapshotEntrySize > len(b) {
			t.Fatalf("%d producers in %d bytes", len(producers), len(b))
		}
	})
}
