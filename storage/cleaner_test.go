package storage

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
)

func TestCleaningKeepsTheNewestRecordOfEachKeyAtItsOffset(t *testing.T) {
	mem, m, l := compactLog(t, compactConfig())
	now := time.Now()
	var want []kept
	for i := range 400 {
		key, value := fmt.Sprintf("key-%d", i%7), fmt.Sprintf("value-%d", i)
		mustAppend(t, l, pairs(t, record.BatchOptions{Codec: record.Codec(i % 5)}, int64(1000+i), pair{key, value}, pair{"other-" + key, value}))
		want = slices.DeleteFunc(want, func(k kept) bool { return strings.HasSuffix(k.key, key) })
		want = append(want, kept{int64(2 * i), int64(1000 + i), key, value, false}, kept{int64(2*i + 1), int64(1000 + i), "other-" + key, value, false})
	}
	rollNow(t, l)
	before, segments := l.Size(), len(*l.segments.Load())
	done := mustCleanAt(t, l, m, now)
	if got := keptRecords(t, l); !reflect.DeepEqual(got, want) {
		t.Errorf("kept %v\nwant %v", got, want)
	}
	if l.Size() >= before/10 {
		t.Errorf("%d of %d bytes", l.Size(), before)
	}
	if l.LogStartOffset() != 0 || l.LogEndOffset() != 800 || done.end != 800 || done.recordsRead != 800 || done.recordsWritten != 14 {
		t.Errorf("log [%d,%d), %+v", l.LogStartOffset(), l.LogEndOffset(), done)
	}
	if at, _ := l.dir.cleaner.get(testTP); at != 800 {
		t.Errorf("checkpoint %d", at)
	}
	again := readAll(t, l, 0)
	mustCleanAt(t, l, m, now)
	if !slices.Equal(readAll(t, l, 0), again) {
		t.Error("a second cleaning changed something")
	}
	if got := segmentBases(l); !slices.Equal(got, []int64{0, 800}) {
		t.Errorf("small segments %v of %d did not become one", got, segments)
	}
	mustClose(t, m)
	m, l = openLog(t, compactOptions(mem, compactConfig(), "/data"))
	defer mustClose(t, m)
	if got := keptRecords(t, l); !reflect.DeepEqual(got, want) {
		t.Errorf("after reopening %v\nwant %v", got, want)
	}
}

func TestTombstonesGoAfterTheirHorizon(t *testing.T) {
	_, m, l := compactLog(t, compactConfig())
	now := time.Now()
	mustAppend(t, l, pairs(t, record.BatchOptions{}, 1, pair{"a", "1"}, pair{"b", "1"}, pair{"c", "1"}))
	mustAppend(t, l, pairs(t, record.BatchOptions{}, 2, pair{"a", nil}, pair{"b", "2"}))
	rollNow(t, l)
	mustCleanAt(t, l, m, now)
	want := []kept{{2, 1, "c", "1", false}, {3, 2, "a", "", true}, {4, 2, "b", "2", false}}
	if got := keptRecords(t, l); !reflect.DeepEqual(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	b, rest, err := record.Parse(readAll(t, l, 3))
	if err != nil || len(rest) > 0 {
		t.Fatal(err)
	}
	if horizon, ok := b.DeleteHorizon(); !ok || horizon != now.UnixMilli()+l.Config().DeleteRetention.Milliseconds() || !b.ValidCRC() {
		t.Errorf("delete horizon %d %t", horizon, ok)
	}
	late := now.Add(l.Config().DeleteRetention)
	for _, step := range []struct {
		at   time.Time
		want []kept
	}{{late.Add(-time.Millisecond), want}, {late, slices.Delete(slices.Clone(want), 1, 2)}} {
		// Something dirty, so that there is a range to map.
		mustAppend(t, l, pairs(t, record.BatchOptions{}, 3, pair{"z", "1"}))
		rollNow(t, l)
		mustCleanAt(t, l, m, step.at)
		got := slices.DeleteFunc(keptRecords(t, l), func(k kept) bool { return k.key == "z" })
		if !reflect.DeepEqual(got, step.want) {
			t.Errorf("kept %v, want %v", got, step.want)
		}
	}
}

func TestRecordsWithoutAKeyAreDroppedAndCounted(t *testing.T) {
	_, m, l := compactLog(t, compactConfig())
	mustAppend(t, l, pairs(t, record.BatchOptions{}, 1, pair{"", "1"}, pair{"a", "1"}, pair{"", "2"}))
	rollNow(t, l)
	done := mustCleanAt(t, l, m, time.Now())
	if got := keptRecords(t, l); len(got) != 1 || got[0].offset != 1 || done.keyless != 2 {
		t.Errorf("kept %v, %d dropped", got, done.keyless)
	}
}
