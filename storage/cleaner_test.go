package storage

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
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

func TestACorruptBatchMakesALogUncleanable(t *testing.T) {
	for name, dirty := range map[string]bool{"dirty": true, "clean": false} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			o := compactOptions(mem, compactConfig(), "/data")
			logger, logs := observed()
			o.Logger = logger
			m, l := openLog(t, o)
			defer mustClose(t, m)
			mustAppend(t, l, pairs(t, record.BatchOptions{}, 1, pair{"a", "1"}, pair{"b", "1"}))
			rollNow(t, l)
			if !dirty {
				mustCleanAt(t, l, m, time.Now())
			}
			mustAppend(t, l, pairs(t, record.BatchOptions{}, 1, pair{"a", "2"}, pair{"c", "1"}))
			rollNow(t, l)
			file, err := mem.OpenFile((*l.segments.Load())[0].path(logSuffix))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.WriteAt([]byte{'c'}, 61+6); err != nil { // the key a, which becomes another
				t.Fatal(err)
			}
			file.Close()
			before := readAllUnchecked(t, l)
			thread := &cleanerThread{c: m.cleaner}
			for range 3 {
				thread.cleanDirtiest(t.Context())
			}
			stats := m.CleanerStats()
			if stats.Uncleanable["/data"] != 1 || stats.UncleanableBytes["/data"] == 0 || stats.Cleanings != 0 {
				t.Errorf("stats %+v", stats)
			}
			if l.dir.offline() != nil || !bytes.Equal(readAllUnchecked(t, l), before) {
				t.Error("the log changed, or went offline")
			}
			if n := logs.FilterLevelExact(zapcore.ErrorLevel).Len(); n != 1 {
				t.Errorf("%d errors were logged", n)
			}
			mustAppend(t, l, pairs(t, record.BatchOptions{}, 1, pair{"a", "3"}))
		})
	}
}

// readAllUnchecked reads the sealed segments' bytes.
func readAllUnchecked(t *testing.T, l *Log) []byte {
	t.Helper()
	s, err := l.Read(0, l.LogEndOffset(), 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	p := make([]byte, s.Size)
	if _, err := s.ReadAt(p, 0); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestALargeBatchGrowsTheBufferAndSmallOnesFillSegments(t *testing.T) {
	c := compactConfig().with(func(c *Config) { c.SegmentBytes = 300 << 10 })
	_, m, l := compactLog(t, c)
	large := strings.Repeat("large", 30<<10)
	mustAppend(t, l, pairs(t, record.BatchOptions{}, 1, pair{"a", "1"}, pair{"large", large}, pair{"b", "1"}))
	for i := range 300 {
		mustAppend(t, l, pairs(t, record.BatchOptions{}, int64(i), pair{fmt.Sprint(i), strings.Repeat("v", 1000)}))
	}
	mustAppend(t, l, pairs(t, record.BatchOptions{}, 1, pair{"a", "2"}))
	rollNow(t, l)
	for range 3 {
		mustCleanAt(t, l, m, time.Now())
		if got := keptRecords(t, l); len(got) != 303 || got[0].value != large || got[0].offset != 1 {
			t.Fatalf("kept %d records", len(got))
		}
		for _, s := range *l.segments.Load() {
			if s.size.Load() > c.SegmentBytes {
				t.Errorf("segment %d has %d bytes", s.base, s.size.Load())
			}
		}
	}
}

// A batch that is written anew may be larger than it was; then a group does not fit one segment.
func TestAGroupThatOutgrowsItsSegmentBecomesTwo(t *testing.T) {
	c := compactConfig()
	mem, m, l := compactLog(t, c)
	for i := range 60 { // tombstones far from the horizon that they are to be relative to
		mustAppend(t, l, pairs(t, record.BatchOptions{}, 5, pair{fmt.Sprint(i), nil}))
	}
	rollNow(t, l)
	first := (*l.segments.Load())[0].size.Load()
	l.SetConfig(c.with(func(c *Config) { c.SegmentBytes = first }))
	mustCleanAt(t, l, m, time.Now())
	got := keptRecords(t, l)
	for i, k := range got {
		if k.offset != int64(i) || k.timestamp != 5 {
			t.Fatalf("record %+v", k)
		}
	}
	for _, s := range *l.segments.Load() {
		if s.size.Load() > first {
			t.Errorf("segment %d has %d bytes of %d", s.base, s.size.Load(), first)
		}
	}
	mustClose(t, m)
	m, l = openLog(t, compactOptions(mem, c, "/data"))
	defer mustClose(t, m)
	if again := keptRecords(t, l); !reflect.DeepEqual(got, again) || len(got) != 60 {
		t.Errorf("%d records, after reopening %d", len(got), len(again))
	}
}

func TestWhatIsDirtyAndDue(t *testing.T) {
	now := time.Now()
	at := func(age time.Duration) int64 { return now.Add(-age).UnixMilli() }
	for name, test := range map[string]struct {
		change     func(*Config)
		checkpoint int64
		first, end int64
		due        bool
	}{
		"all":                   {func(*Config) {}, -1, 0, 3, true},
		"half":                  {func(c *Config) { c.MinCleanableRatio = 0.5 }, 1, 1, 3, true},
		"below the ratio":       {func(c *Config) { c.MinCleanableRatio = 0.9 }, 2, 2, 3, false},
		"overdue":               {func(c *Config) { c.MinCleanableRatio, c.MaxCompactionLag = 0.9, 30*time.Minute }, 2, 2, 3, true},
		"not yet overdue":       {func(c *Config) { c.MinCleanableRatio, c.MaxCompactionLag = 0.9, 2*time.Hour }, 2, 2, 3, false},
		"too new":               {func(c *Config) { c.MinCompactionLag = 150 * time.Minute }, -1, 0, 1, true},
		"all too new":           {func(c *Config) { c.MinCompactionLag = 5 * time.Hour }, -1, 0, 0, false},
		"clean":                 {func(*Config) {}, 3, 3, 3, false},
		"checkpoint beyond end": {func(*Config) {}, 99, 0, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := compactConfig().with(test.change)
			_, m, l := compactLog(t, c)
			for i, age := range []time.Duration{3 * time.Hour, 2 * time.Hour, time.Hour} {
				mustAppend(t, l, pairs(t, record.BatchOptions{}, at(age), pair{fmt.Sprint(i), "v"}))
				rollNow(t, l)
			}
			mustAppend(t, l, pairs(t, record.BatchOptions{}, at(0), pair{"active", "v"}))
			if test.checkpoint >= 0 {
				if err := m.cleaner.checkpoint(l, test.checkpoint); err != nil {
					t.Fatal(err)
				}
			}
			d, err := m.cleaner.dirtySection(l, c, now)
			if err != nil || d.first != test.first || d.end != test.end || d.due(c) != test.due {
				t.Errorf("[%d,%d) due %t ratio %f overdue %v %v", d.first, d.end, d.due(c), d.ratio(), d.overdue, err)
			}
		})
	}
}

func TestMapOfKeysIsFullAtItsLoadFactor(t *testing.T) {
	for loadFactor, want := range map[float64]int{0.25: 25, 0.5: 50, 0.9: 90} {
		var k keyMap
		if k.reset(100*keySlotSize, loadFactor, math.MaxInt32); k.limit != want {
			t.Errorf("100 slots at load factor %v hold %d keys, want %d", loadFactor, k.limit, want)
		}
	}
}
