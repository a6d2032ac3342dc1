package storage

import (
	"math"
	"testing"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
)

// inTxn is a batch of one producer's transaction.
func inTxn(t *testing.T, id int64, sequence int32, list ...pair) record.Batch {
	t.Helper()
	return pairs(t, record.BatchOptions{
		Producer: &record.Producer{ID: id, Sequence: sequence}, Transactional: true,
	}, time.Now().UnixMilli(), list...)
}

// controls lists the control batches by base offset, with their counts of records.
func controls(t *testing.T, l *Log) (offsets []int64, counts []int32) {
	t.Helper()
	for p := readAll(t, l, 0); len(p) > 0; {
		b, rest, err := record.Parse(p)
		if err != nil {
			t.Fatal(err)
		}
		if b.IsControl() {
			offsets, counts = append(offsets, b.BaseOffset()), append(counts, b.Count())
		}
		p = rest
	}
	return offsets, counts
}

func TestAbortedDataGoesAtOnceAndItsMarkerLater(t *testing.T) {
	mem, m, l := compactLog(t, compactConfig())
	now := time.Now()
	mustAppend(t, l, pairs(t, record.BatchOptions{}, 1, pair{"a", "old"}))    // 0
	mustAppend(t, l, inTxn(t, 1, 0, pair{"a", "aborted"}, pair{"b", "gone"})) // 1, 2
	mustAppend(t, l, markerBatch(t, record.AbortMarker, 1, 0, 0))             // 3
	mustAppend(t, l, inTxn(t, 1, 2, pair{"c", "committed"}))                  // 4
	mustAppend(t, l, markerBatch(t, record.CommitMarker, 1, 0, 0))            // 5
	rollNow(t, l)

	check := func(when string, wantMarkers, aborted int) {
		t.Helper()
		got := keptRecords(t, l)
		if len(got) != 2 || got[0].value != "old" || got[1].value != "committed" || got[1].offset != 4 {
			t.Errorf("%s: kept %v", when, got)
		}
		if at, _ := controls(t, l); len(at) != wantMarkers {
			t.Errorf("%s: markers at %v", when, at)
		}
		if list, err := l.AbortedIn(0, math.MaxInt64); err != nil || len(list) != aborted {
			t.Errorf("%s: aborted %v %v", when, list, err)
		}
		if p := l.Producers(); len(p) != 1 || p[0].LastSequence != 2 || p[0].CurrentTxnFirstOffset != -1 {
			t.Errorf("%s: producers %+v", when, p)
		}
	}
	mustCleanAt(t, l, m, now)
	check("data gone", 2, 1) // a reader under way still learns that the transaction was aborted
	mustCleanAt(t, l, m, now)
	check("horizon set", 2, 0)
	mustCleanAt(t, l, m, now.Add(l.Config().DeleteRetention+time.Second))
	check("horizon passed", 1, 0)
	// What a recovery finds in the cleaned segments is the same.
	m2, reopened := openLog(t, compactOptions(mem.CrashClone(1), compactConfig(), "/data"))
	defer mustClose(t, m2)
	l = reopened
	check("recovered", 1, 0)
}

func TestTheLastBatchOfAnActiveProducerStaysWithoutItsRecords(t *testing.T) {
	mem, m, l := compactLog(t, compactConfig())
	producer := func(id int64, sequence int32) record.BatchOptions {
		return record.BatchOptions{Producer: &record.Producer{ID: id, Sequence: sequence}, Codec: record.Zstd}
	}
	now := time.Now()
	mustAppend(t, l, pairs(t, producer(1, 0), now.UnixMilli(), pair{"a", "1"}))
	mustAppend(t, l, pairs(t, producer(1, 1), now.UnixMilli(), pair{"a", "2"}, pair{"a", "3"}))
	mustAppend(t, l, pairs(t, producer(2, 0), now.UnixMilli(), pair{"a", "4"}))
	mustAppend(t, l, pairs(t, record.BatchOptions{}, now.UnixMilli(), pair{"a", "5"}))
	rollNow(t, l)
	for range 2 {
		mustCleanAt(t, l, m, now)
		got := keptRecords(t, l)
		if len(got) != 1 || got[0].offset != 4 {
			t.Fatalf("kept %v", got)
		}
		if at := offsetsIn(t, readAll(t, l, 0)); len(at) != 3 || at[0] != 1 || at[1] != 3 {
			t.Errorf("batches at %v", at)
		}
	}
	m2, l2 := openLog(t, compactOptions(mem.CrashClone(1), compactConfig(), "/data"))
	if a := mustAppend(t, l2, pairs(t, producer(1, 1), now.UnixMilli(), pair{"a", "2"}, pair{"a", "3"})); !a.Duplicate || a.BaseOffset != 1 {
		t.Errorf("the last batch sent again: %+v", a)
	}
	if _, err := appendAs(l2, pairs(t, producer(1, 9), now.UnixMilli(), pair{"a", "x"}), 0, FromClient); err == nil {
		t.Error("a gap in the sequences was accepted")
	}
	mustClose(t, m2)
	// A producer that is no longer active does not hold its batch.
	l.mu.Lock()
	l.producers.byID = nil
	l.mu.Unlock()
	mustCleanAt(t, l, m, now)
	if at := offsetsIn(t, readAll(t, l, 0)); len(at) != 1 {
		t.Errorf("batches at %v", at)
	}
}

func TestNothingAtOrBehindAnOpenTransactionIsCleaned(t *testing.T) {
	_, m, l := compactLog(t, compactConfig())
	mustAppend(t, l, pairs(t, record.BatchOptions{}, 1, pair{"a", "1"}))
	rollNow(t, l)
	mustAppend(t, l, inTxn(t, 1, 0, pair{"a", "2"}))
	rollNow(t, l)
	mustAppend(t, l, pairs(t, record.BatchOptions{}, 1, pair{"a", "3"}))
	rollNow(t, l)
	if done := mustCleanAt(t, l, m, time.Now()); done.end != 1 || len(keptRecords(t, l)) != 3 {
		t.Errorf("clean up to %d, kept %v", done.end, keptRecords(t, l))
	}
	mustAppend(t, l, markerBatch(t, record.CommitMarker, 1, 0, 0))
	rollNow(t, l)
	if done := mustCleanAt(t, l, m, time.Now()); done.end != 4 || len(keptRecords(t, l)) != 1 {
		t.Errorf("clean up to %d, kept %v", done.end, keptRecords(t, l))
	}
}
