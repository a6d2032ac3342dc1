package storage

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// compactedModel knows every record that was ever written to a log, in order, and what became of its transaction.
type compactedModel struct {
	records []written
	end     int64
}

type written struct {
	kept
	by       int64 // producer
	producer int64 // of an open transaction, else -1
	aborted  bool
}

// newest are the records that must be there: the last of each key that was not aborted. Tombstones may be.
func (c *compactedModel) newest() map[string]written {
	newest := map[string]written{}
	for _, w := range c.records {
		if !w.aborted && w.producer < 0 {
			newest[w.key] = w
		}
	}
	return newest
}

// compactedRun applies random operations to a log that is cleaned now and then.
type compactedRun struct {
	t     *testing.T
	r     *rand.Rand
	mem   *vfs.Mem
	o     Options
	m     *Manager
	l     *Log
	model compactedModel
	now   time.Time
	next  map[int64]int32 // sequence by producer
	open  map[int64]bool  // producers in a transaction
	trace []string
}

func (x *compactedRun) note(format string, args ...any) {
	x.trace = append(x.trace, fmt.Sprintf(format, args...))
}

func (x *compactedRun) fatal(format string, args ...any) {
	x.t.Helper()
	x.t.Fatalf(format+"\nafter %s", append(args, strings.Join(x.trace, "\n      "))...)
}

func (x *compactedRun) step() {
	switch n := x.r.IntN(100); {
	case n < 70:
		x.append()
	case n < 80:
		x.endTxn()
	case n < 92:
		x.clean()
	case n < 95:
		x.truncate()
	case n < 97:
		x.note("reopen")
		mustClose(x.t, x.m)
		x.reopen(x.mem)
	default:
		x.note("crash")
		if err := x.l.Flush(); err != nil {
			x.t.Fatal(err)
		}
		if x.r.IntN(2) == 0 {
			x.m.note(x.m.checkpointRecoveryPoints())
		}
		crashed := x.mem.CrashClone(x.r.Uint64())
		x.m.Close()
		x.reopen(crashed)
	}
}

func (x *compactedRun) reopen(mem *vfs.Mem) {
	x.mem = mem
	x.o.FS = mem
	x.m, x.l = openLog(x.t, x.o)
	x.l.SetHighWatermark(x.l.LogEndOffset())
	x.check()
}

// append writes a batch of up to six records by none or one of four producers.
func (x *compactedRun) append() {
	id := int64(x.r.IntN(5)) - 1
	o := record.BatchOptions{Codec: record.Codec(x.r.IntN(5))}
	transactional := id >= 2
	if id >= 0 {
		o.Producer, o.Transactional = &record.Producer{ID: id, Sequence: x.next[id]}, transactional
	}
	list := make([]pair, 1+x.r.IntN(6))
	for i := range list {
		list[i] = pair{fmt.Sprintf("k%d", x.r.IntN(25)), fmt.Sprintf("v%d-%s", x.model.end+int64(i), strings.Repeat("x", x.r.IntN(60)))}
		if x.r.IntN(5) == 0 {
			list[i].value = nil
		}
	}
	at := x.now.UnixMilli()
	a := mustAppend(x.t, x.l, pairs(x.t, o, at, list...))
	x.note("append %d at %d by %d", len(list), a.BaseOffset, id)
	for i, p := range list {
		w := written{by: id, kept: kept{offset: a.BaseOffset + int64(i), timestamp: at, key: p.key, tombstone: p.value == nil}, producer: -1}
		w.value, _ = p.value.(string)
		if transactional {
			w.producer, x.open[id] = id, true
		}
		x.model.records = append(x.model.records, w)
	}
	if id >= 0 {
		x.next[id] += int32(len(list))
	}
	x.model.end = a.LastOffset + 1
	x.l.SetHighWatermark(x.model.end)
}

func (x *compactedRun) endTxn() {
	if len(x.open) > 0 {
		id := slices.Min(slices.Collect(maps.Keys(x.open)))
		kind := record.ControlType(x.r.IntN(2))
		a := mustAppend(x.t, x.l, markerBatch(x.t, kind, id, 0, 0))
		x.note("end transaction of %d at %d: %d", id, a.BaseOffset, kind)
		for i := range x.model.records {
			if w := &x.model.records[i]; w.producer == id {
				w.producer, w.aborted = -1, kind == record.AbortMarker
			}
		}
		delete(x.open, id)
		x.model.end = a.LastOffset + 1
		x.l.SetHighWatermark(x.model.end)
	}
}

func (x *compactedRun) clean() {
	if x.r.IntN(3) == 0 {
		x.now = x.now.Add(20 * time.Hour)
	}
	if x.r.IntN(2) == 0 {
		rollNow(x.t, x.l)
	}
	done, err := cleanAt(x.l, x.m, x.now)
	x.note("clean to %d: %v", done.end, err)
	if err != nil {
		x.fatal("clean: %v", err)
	}
	x.check()
}

// truncate cuts the log at a batch of plain records at its end.
func (x *compactedRun) truncate() {
	if len(x.open) > 0 || len(x.model.records) == 0 {
		return
	}
	bases := offsetsIn(x.t, readAll(x.t, x.l, x.l.LogStartOffset()))
	if len(bases) == 0 {
		return
	}
	offset := bases[len(bases)-1]
	b, _, err := record.Parse(readAll(x.t, x.l, offset))
	if err != nil || b.ProducerID() >= 0 || b.NextOffset() != x.l.LogEndOffset() {
		return
	}
	x.note("truncate to %d of %d", offset, x.model.end)
	x.l.marks.high.Store(offset)
	if err := x.l.TruncateTo(offset); err != nil {
		x.fatal("truncate: %v", err)
	}
	x.model.records = slices.DeleteFunc(x.model.records, func(w written) bool { return w.offset >= offset })
	x.model.end = offset
}

// check compares the log with the model.
func (x *compactedRun) check() {
	x.t.Helper()
	if x.l.LogEndOffset() != x.model.end || x.l.LogStartOffset() != 0 {
		x.fatal("log is [%d,%d), want [0,%d)", x.l.LogStartOffset(), x.l.LogEndOffset(), x.model.end)
	}
	for id, sequence := range x.next {
		i := slices.IndexFunc(x.l.Producers(), func(p Producer) bool { return p.ID == id })
		if i < 0 || x.l.Producers()[i].LastSequence != sequence-1 {
			x.fatal("producer %d: %+v, want sequence %d", id, x.l.Producers(), sequence-1)
		}
	}
	checkCompacted(x.t, x.l, &x.model, func() string { return strings.Join(x.trace, "\n      ") })
}

// checkCompacted looks for what is missing from a log, or should not be there.
func checkCompacted(t *testing.T, l *Log, model *compactedModel, trace func() string) {
	t.Helper()
	all := map[int64]written{}
	for _, w := range model.records {
		all[w.offset] = w
	}
	last := int64(-1)
	there := map[int64]bool{}
	for _, k := range keptRecords(t, l) {
		if w, known := all[k.offset]; !known || !reflect.DeepEqual(w.kept, k) || k.offset <= last {
			t.Fatalf("record %+v after %d, want %+v\nafter %s", k, last, w, trace())
		}
		last, there[k.offset] = k.offset, true
		w := all[k.offset]
		list, err := l.AbortedIn(k.offset, k.offset+1)
		if known := slices.ContainsFunc(list, func(a Aborted) bool { return a.ProducerID == w.by && a.FirstOffset <= k.offset }); err != nil || known != w.aborted {
			t.Fatalf("%+v: aborted %v %v, want %t\nafter %s", w, list, err, w.aborted, trace())
		}
	}
	for key, w := range model.newest() {
		if !there[w.offset] && !w.tombstone {
			t.Fatalf("newest of %s is gone: %+v\nafter %s", key, w, trace())
		}
		if there[w.offset] || !w.tombstone {
			continue
		}
		// The tombstone went; nothing that it deleted may be there.
		for _, older := range model.records {
			if older.key == key && older.offset < w.offset && there[older.offset] && !older.aborted {
				t.Fatalf("%+v is back, its tombstone %+v is gone\nafter %s", older, w, trace())
			}
		}
	}
}

func newCompactedRun(t *testing.T, seed uint64) *compactedRun {
	t.Helper()
	x := &compactedRun{
		t: t, r: rand.New(rand.NewPCG(seed, 7)), mem: vfs.NewMem(), now: time.Now(),
		next: map[int64]int32{}, open: map[int64]bool{},
	}
	c := compactConfig().with(func(c *Config) {
		c.SegmentBytes, c.IndexIntervalBytes, c.ProducerExpiry = int64(900+x.r.IntN(3000)), x.r.IntN(500), 0
	})
	x.o = compactOptions(x.mem, c, "/data")
	if x.r.IntN(3) == 0 { // a map that is soon full
		settings := testSettings()
		settings.DedupeBufferSize = int64((3 + x.r.IntN(10)) * keySlotSize)
		x.o.Cleaner = func() CleanerSettings { return settings }
	}
	x.m, x.l = openLog(t, x.o)
	return x
}

func TestACompactedLogHasTheNewestOfEachKeyWhateverHappens(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			x := newCompactedRun(t, seed)
			for range 250 {
				x.step()
			}
			x.check()
			for len(x.open) > 0 {
				x.endTxn()
			}
			rollNow(t, x.l)
			for range 40 { // with a small map it takes several
				if x.clean(); len(mustAborted(t, x.l)) == 0 {
					break
				}
			}
			mustClose(t, x.m)
			x.reopen(x.mem)
			mustClose(t, x.m)
		})
	}
}

// A crash before any call of the file system during a cleaning leaves a log that opens, has everything, and can be cleaned.
func TestACrashAnywhereInACleaningLosesNothing(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { crashCleaning(t, seed) })
	}
}

func crashCleaning(t *testing.T, seed uint64) {
	t.Helper()
	x := newCompactedRun(t, seed)
	for range 100 {
		if x.r.IntN(3) > 0 {
			x.append()
		} else {
			x.endTxn()
		}
	}
	for len(x.open) > 0 {
		x.endTxn()
	}
	rollNow(t, x.l)
	mustClose(t, x.m)

	type crashed struct {
		when string
		disk *vfs.Mem
	}
	var crashes []crashed
	recording, salt := false, seed<<32
	x.o.FS = vfs.NewFault(x.mem, func(op vfs.Op, path string) error {
		if recording && op != vfs.OpRead && op != vfs.OpOpen && op != vfs.OpStat && op != vfs.OpSize {
			for range 1 {
				salt++
				crashes = append(crashes, crashed{fmt.Sprintf("%v %s", op, path), x.mem.CrashClone(salt)})
			}
		}
		return nil
	})
	x.m, x.l = openLog(t, x.o)
	x.l.SetHighWatermark(x.model.end)
	recording = true
	for range 3 {
		mustCleanAt(t, x.l, x.m, x.now)
		x.now = x.now.Add(15 * time.Hour)
	}
	recording = false
	mustClose(t, x.m)
	if len(crashes) < 60 {
		t.Fatalf("only %d crashes", len(crashes))
	}
	for i, c := range crashes {
		if uint64(i)%5 != seed%5 {
			continue // each takes milliseconds, and they are thousands
		}
		x.trace = []string{c.when}
		x.o.FS = c.disk
		x.m, x.l = openLog(t, x.o)
		x.l.SetHighWatermark(x.l.LogEndOffset())
		x.check()
		checkSegments(t, x.l, c.when)
		if _, err := cleanAt(x.l, x.m, x.now); err != nil {
			x.fatal("clean after the crash: %v", err)
		}
		x.check()
		mustClose(t, x.m)
	}
}

// checkSegments looks for segments that overlap and files that should not be there.
func checkSegments(t *testing.T, l *Log, when string) {
	t.Helper()
	entries, err := l.dir.fs.ReadDir(l.folder())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), swapSuffix) || strings.HasSuffix(e.Name(), cleanedSuffix) {
			t.Errorf("%s: %s is left", when, e.Name())
		}
	}
}

// An error at any call of the file system during a cleaning: a full disk is waited for, anything else takes the
// directory offline; what is on the disk is sound either way.
func TestAnErrorAnywhereInACleaningHarmsNothing(t *testing.T) {
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO} {
		t.Run(fault.Error(), func(t *testing.T) { failCleaning(t, fault) })
	}
}

func failCleaning(t *testing.T, fault error) {
	t.Helper()
	for at, more := 0, true; more; at++ {
		x := newCompactedRun(t, 3)
		calls := -1
		x.o.FS = vfs.NewFault(x.mem, func(op vfs.Op, path string) error {
			if calls >= 0 && op != vfs.OpClose && op != vfs.OpRead && op != vfs.OpOpen {
				if calls++; calls-1 == at {
					return fault
				}
			}
			return nil
		})
		mustClose(t, x.m)
		x.m, x.l = openLog(t, x.o)
		for range 25 {
			x.append()
		}
		for len(x.open) > 0 {
			x.endTxn()
		}
		rollNow(t, x.l)
		calls = 0
		_, err := cleanAt(x.l, x.m, x.now)
		more = calls > at
		offline := x.l.dir.offline() != nil
		calls = -1
		x.trace = []string{fmt.Sprintf("call %d: %v", at, err)}
		switch {
		case err == nil && more && fault == syscall.EIO:
			// Only removing a copy that is not needed may fail silently.
		case err != nil && !offline:
			if !errors.Is(err, ErrDiskFull) {
				x.fatal("neither offline nor full")
			}
			x.check()
			mustCleanAt(t, x.l, x.m, x.now)
			x.check()
		}
		x.m.Close()
		x.reopen(x.mem)
		mustClose(t, x.m)
	}
}
