package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// mover is a log in /a, to be moved to /b and back.
type mover struct {
	t   *testing.T
	fs  vfs.FS
	o   Options
	m   *Manager
	l   *Log
	buf []byte
}

func newMover(t *testing.T, fsys vfs.FS, c *Config) *mover {
	t.Helper()
	o := testOptions(fsys, c, "/a", "/b")
	m, l := openLog(t, o)
	if l.Dir() != "/a" {
		t.Fatalf("log in %s", l.Dir())
	}
	v := &mover{t: t, fs: fsys, o: o, m: m, l: l}
	t.Cleanup(func() { v.m.Close() })
	return v
}

// reopen stops and starts the manager and finds the log again.
func (v *mover) reopen() {
	v.t.Helper()
	mustClose(v.t, v.m)
	v.m = mustOpen(v.t, v.o)
	l, found := v.m.Log(testTP)
	if !found {
		v.t.Fatal("the log is gone")
	}
	v.l = l
}

func (v *mover) begin(dir string) *Log {
	v.t.Helper()
	f, err := v.m.CreateFuture(testTP, dir)
	if err != nil {
		v.t.Fatal(err)
	}
	return f
}

// step copies some bytes and tells whether the copy has all.
func (v *mover) step(size int) bool {
	v.t.Helper()
	f, found := v.m.Future(testTP)
	if !found {
		v.t.Fatal("the copy is gone")
	}
	c, buf, err := f.CopyFrom(v.l, size, v.buf)
	if v.buf = buf; err != nil {
		v.t.Fatal(err)
	}
	return c.Left == 0
}

func (v *mover) fill() {
	v.t.Helper()
	for i := 0; !v.step(300); i++ {
		if i > 10_000 {
			v.t.Fatal("the copy does not catch up")
		}
	}
}

func (v *mover) replace() *Log {
	v.t.Helper()
	if err := v.m.SettleFuture(testTP); err != nil {
		v.t.Fatal(err)
	}
	l, err := v.m.Replace(testTP)
	if err != nil {
		v.t.Fatal(err)
	}
	v.l = l
	return l
}

// folders lists the folders of partitions in a directory.
func folders(t *testing.T, fsys vfs.FS, dir string) []string {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func small() *Config {
	return testConfig().with(func(c *Config) { c.SegmentBytes, c.IndexIntervalBytes = 700, 150 })
}

func TestLogMovesToAnotherDirectoryAsItIs(t *testing.T) {
	v := newMover(t, vfs.NewMem(), small())
	for i := range 30 {
		mustAppend(t, v.l, plain(t, 1000+int64(i), strings.Repeat("v", 20)))
	}
	mustAppend(t, v.l, produced(t, 7, 0, 0, true, 2))
	mustAppend(t, v.l, markerBatch(t, record.AbortMarker, 7, 0, 0))
	open := mustAppend(t, v.l, produced(t, 8, 0, 0, true, 2)).BaseOffset
	for _, epoch := range []int32{3, 4} { // of the last nothing is in the batches
		if err := v.l.AssignEpoch(epoch, v.l.LogEndOffset()); err != nil {
			t.Fatal(err)
		}
		if epoch == 3 {
			if _, err := appendAs(v.l, plain(t, 2000, "w"), 3, FromClient); err != nil {
				t.Fatal(err)
			}
		}
	}
	v.l.SetHighWatermark(v.l.LogEndOffset())
	if err := v.l.AdvanceLogStart(5); err != nil {
		t.Fatal(err)
	}
	want, old := readAll(t, v.l, 5), v.l
	f := v.begin("/b")
	if !f.IsFuture() || v.l.Future() != f || f.Dir() != "/b" {
		t.Error("no copy")
	}
	if _, err := v.m.Replace(testTP); !errors.Is(err, ErrNotCaughtUp) {
		t.Errorf("replaced by an empty copy: %v", err)
	}
	v.fill()
	l := v.replace()
	check := func(l *Log) {
		t.Helper()
		if got := readAll(t, l, 5); !bytes.Equal(got, want) {
			t.Errorf("%d bytes, want %d", len(got), len(want))
		}
		if l.Dir() != "/b" || l.IsFuture() || l.LogStartOffset() != 5 || l.HighWatermark() != l.LogEndOffset() || l.LastStableOffset() != open {
			t.Errorf("in %s, future %v, start %d, high watermark %d, last stable %d", l.Dir(), l.IsFuture(), l.LogStartOffset(), l.HighWatermark(), l.LastStableOffset())
		}
		if epoch, end := l.EndOffsetFor(3); epoch != 3 || end != l.LogEndOffset() || l.LatestEpoch() != 4 {
			t.Errorf("epoch %d ends at %d, latest %d", epoch, end, l.LatestEpoch())
		}
		if aborted := mustAborted(t, l); len(aborted) != 1 || len(l.Producers()) != 2 {
			t.Errorf("aborted %v, producers %v", aborted, l.Producers())
		}
	}
	check(l)
	if a, b := folders(t, v.fs, "/a"), folders(t, v.fs, "/b"); len(a) != 1 || !strings.HasSuffix(a[0], deleteDirSuffix) || len(b) != 1 || b[0] != "topic-0" {
		t.Errorf("folders %v and %v", a, b)
	}
	if _, err := v.fs.Stat("/b/topic-0/" + replacementName); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file about the replacement is there: %v", err)
	}
	expectServed(t, old, l, want)
	want = readAll(t, l, 6)
	v.reopen()
	if got := readAll(t, v.l, 6); !bytes.Equal(got, want) || v.l.Dir() != "/b" || v.l.LogStartOffset() != 6 {
		t.Errorf("after a restart %d bytes in %s from %d", len(got), v.l.Dir(), v.l.LogStartOffset())
	}
	// And back, where the folder's name was used before.
	v.begin("/a")
	v.fill()
	if got := readAll(t, v.replace(), 6); !bytes.Equal(got, want) || v.l.Dir() != "/a" {
		t.Errorf("moved back: %d bytes in %s", len(got), v.l.Dir())
	}
}

// expectServed: who holds the old log is served by the new one.
func expectServed(t *testing.T, old, l *Log, want []byte) {
	t.Helper()
	if got := readAll(t, old, 5); !bytes.Equal(got, want) || len(old.Producers()) != 2 || len(mustAborted(t, old)) != 1 {
		t.Error("the old log is not what it was")
	}
	if _, found, err := old.OffsetForTimestamp(1010); !found || err != nil {
		t.Errorf("search in the old log: %v %v", found, err)
	}
	if err := old.AdvanceLogStart(6); err != nil || l.LogStartOffset() != 6 {
		t.Errorf("start of the old log: %v, new one %d", err, l.LogStartOffset())
	}
	if _, err := appendAs(old, plain(t, 1, "v"), 4, FromClient); !errors.Is(err, ErrClosed) {
		t.Errorf("append to the old log: %v", err)
	}
}

// TestCopyFollowsCutsAndEpochs lets a log live as a follower's does, cut and written again under newer epochs, and copies it meanwhile.
func TestCopyFollowsCutsAndEpochs(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		v := newMover(t, vfs.NewMem(), small())
		v.begin("/b")
		epoch := int32(0)
		for step := range 200 {
			switch r.IntN(8) {
			case 0:
				if err := v.l.TruncateTo(max(v.l.LogEndOffset()-int64(r.IntN(12)), v.l.LogStartOffset())); err != nil {
					t.Fatal(err)
				}
				epoch++
			case 1:
				v.l.SetHighWatermark(v.l.LogEndOffset())
				if r.IntN(4) == 0 {
					if err := v.l.AdvanceLogStart(v.l.LogStartOffset() + r.Int64N(v.l.LogEndOffset()-v.l.LogStartOffset()+1)); err != nil {
						t.Fatal(err)
					}
					if err := v.l.applyRetention(time.Now()); err != nil {
						t.Fatal(err)
					}
				}
			case 2, 3, 4:
				v.step(100 + r.IntN(600))
			default:
				// Of several records, so that cuts and starts fall into batches; no two batches have the same content.
				values := slices.Repeat([]string{fmt.Sprint("value ", seed, step)}, 1+r.IntN(4))
				if _, err := appendAs(v.l, plain(t, int64(step), values...), epoch, FromClient); err != nil {
					t.Fatal(err)
				}
			}
			if step == 100 {
				v.reopen()
			}
		}
		if _, err := appendAs(v.l, plain(t, 1, "last"), epoch, FromClient); err != nil { // or a cut leaves a gap at the end
			t.Fatal(err)
		}
		v.l.SetHighWatermark(v.l.LogEndOffset())
		v.fill()
		want, start, epochs := readAll(t, v.l, v.l.LogStartOffset()), v.l.LogStartOffset(), slices.Clone(v.l.epochs.entries)
		l := v.replace()
		if got := readAll(t, l, start); !bytes.Equal(got, want) || l.LogStartOffset() != start || !slices.Equal(l.epochs.entries, epochs) {
			t.Fatalf("seed %d: %d bytes from %d with epochs %v, want %d from %d with %v",
				seed, len(got), l.LogStartOffset(), l.epochs.entries, len(want), start, epochs)
		}
	}
}

func TestCopyGoesOnAfterARestart(t *testing.T) {
	v := newMover(t, vfs.NewMem(), small())
	for i := range 30 {
		mustAppend(t, v.l, plain(t, int64(i), strings.Repeat("v", 20)))
	}
	v.begin("/b")
	for range 5 {
		v.step(300)
	}
	f, _ := v.m.Future(testTP)
	had := f.LogEndOffset()
	v.reopen()
	if f, found := v.m.Future(testTP); !found || f.LogEndOffset() != had || had == 0 || v.l.Future() != f {
		t.Fatalf("copy found %v, want it to end at %d", found, had)
	}
	if len(v.m.Logs()) != 1 || len(v.m.Dirs()[1].Logs) != 1 || !v.m.Dirs()[1].Logs[0].IsFuture() {
		t.Error("the copy is not told from logs")
	}
	want := readAll(t, v.l, 0)
	v.fill()
	if got := readAll(t, v.replace(), 0); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}

func TestCopyIsGivenUp(t *testing.T) {
	v := newMover(t, vfs.NewMem(), small())
	mustAppend(t, v.l, plain(t, 1, "v"))
	if _, err := v.m.CreateFuture(testTP, "/c"); !errors.Is(err, ErrNoDirectory) {
		t.Errorf("to nowhere: %v", err)
	}
	long := TopicPartition{strings.Repeat("t", 215), 0}
	if _, err := v.m.Create(long, [16]byte{3}, small()); err != nil {
		t.Fatal(err)
	}
	if _, err := v.m.CreateFuture(long, map[bool]string{true: "/a", false: "/b"}[len(folders(t, v.fs, "/b")) == 1]); !errors.Is(err, ErrNameTooLong) {
		t.Errorf("name too long: %v", err)
	}
	if err := v.m.Delete(long); err != nil {
		t.Fatal(err)
	}
	v.begin("/b")
	v.fill()
	if err := v.m.DiscardFuture(testTP); err != nil {
		t.Fatal(err)
	}
	if _, found := v.m.Future(testTP); found || v.l.Future() != nil {
		t.Error("the copy is there")
	}
	v.reopen()
	if _, found := v.m.Future(testTP); found {
		t.Error("the copy is there again")
	}
	v.begin("/b")
	v.fill()
	if err := v.m.Delete(testTP); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/a", "/b"} {
		for _, name := range folders(t, v.fs, dir) {
			if !strings.HasSuffix(name, deleteDirSuffix) {
				t.Errorf("after the deletion there is %s in %s", name, dir)
			}
		}
	}
}

func TestLogGoesToThePreferredDirectory(t *testing.T) {
	v := newMover(t, vfs.NewMem(), small())
	for i := range int32(3) {
		tp := TopicPartition{"other", i}
		v.m.PreferDir(tp, "/a")
		if l, err := v.m.Create(tp, [16]byte{2}, small()); err != nil || l.Dir() != "/a" {
			t.Errorf("%v: log in %s", err, l.Dir())
		}
	}
}

// TestCopyBeginsAnewAfterACleaning: of a copy of which only a part was cleaned a deleted key could come back.
func TestCopyBeginsAnewAfterACleaning(t *testing.T) {
	v := newMover(t, vfs.NewMem(), small())
	for i := range 30 {
		mustAppend(t, v.l, plain(t, int64(i), strings.Repeat("v", 20)))
	}
	v.begin("/b")
	v.fill()
	everything := func(TopicPartition) bool { return true }
	if err := v.l.dir.cleaner.set(testTP, 9, everything); err != nil {
		t.Fatal(err)
	}
	v.reopen()
	f, _ := v.m.Future(testTP)
	if f.LogEndOffset() != 0 {
		t.Errorf("the copy ends at %d", f.LogEndOffset())
	}
	v.fill()
	v.reopen()
	if f, _ = v.m.Future(testTP); f.LogEndOffset() != v.l.LogEndOffset() {
		t.Errorf("begun anew twice: the copy ends at %d", f.LogEndOffset())
	}
	// With the log goes what is known of its cleaning.
	if at, found := v.replace().dir.cleaner.get(testTP); !found || at != 9 {
		t.Errorf("cleaned up to %d %v", at, found)
	}
}

// TestFailedReplacementLeavesTheLogWhereItIs fails one step of a replacement after the other.
func TestFailedReplacementLeavesTheLogWhereItIs(t *testing.T) {
	failures := 0
	for at := 0; ; at++ {
		armed, calls := false, 0
		inject := func(op vfs.Op, path string) error {
			if !armed || !strings.HasPrefix(path, "/b") || op == vfs.OpClose {
				return nil
			}
			if calls++; calls > at {
				return syscall.EIO
			}
			return nil
		}
		mem := vfs.NewMem()
		v := newMover(t, vfs.NewFault(mem, inject), small())
		for i := range 10 {
			mustAppend(t, v.l, plain(t, int64(i), strings.Repeat("v", 20)))
		}
		v.begin("/b")
		v.fill()
		armed = true
		err := v.m.SettleFuture(testTP)
		if err == nil {
			_, err = v.m.Replace(testTP)
		}
		if err == nil {
			armed = false
			mustClose(t, v.m)
			break
		}
		failures++
		if !errors.Is(err, ErrOffline) {
			t.Fatalf("call %d: %v", at, err)
		}
		if err := v.m.DiscardFuture(testTP); err != nil {
			t.Fatalf("call %d: discard: %v", at, err)
		}
		mustAppend(t, v.l, plain(t, 99, "after the failure"))
		want := readAll(t, v.l, 0)
		if err := v.m.Close(); err != nil {
			t.Fatalf("call %d: %v", at, err)
		}
		armed = false
		v.o.FS = mem
		v.m = mustOpen(t, v.o)
		if v.l, _ = v.m.Log(testTP); v.l == nil || v.l.Dir() != "/a" {
			t.Fatalf("call %d: the log is not where it was", at)
		}
		if got := readAll(t, v.l, 0); !bytes.Equal(got, want) {
			t.Fatalf("call %d: %d bytes, want %d", at, len(got), len(want))
		}
		// What the failed disk kept of the copy is gone on with, or discarded.
		if _, found := v.m.Future(testTP); !found {
			v.begin("/b")
		}
		v.fill()
		if got := readAll(t, v.replace(), 0); !bytes.Equal(got, want) {
			t.Fatalf("call %d: moved %d bytes, want %d", at, len(got), len(want))
		}
		mustClose(t, v.m)
	}
	if failures < 10 {
		t.Errorf("only %d failures", failures)
	}
}

// TestReplacedLogWhoseDirectoryFailedStaysReplaced: the old folder is found again when the disk is repaired.
func TestReplacedLogWhoseDirectoryFailedStaysReplaced(t *testing.T) {
	fault := &switchedFault{asked: func(op vfs.Op, path string) bool { return strings.HasPrefix(path, "/a") && op != vfs.OpClose }}
	mem := vfs.NewMem()
	v := newMover(t, vfs.NewFault(mem, fault.inject), small())
	mustAppend(t, v.l, plain(t, 1, "v"))
	v.begin("/b")
	v.fill()
	fault.set(syscall.EIO)
	mustAppend(t, v.replace(), plain(t, 2, "in the new directory"))
	want := readAll(t, v.l, 0)
	if err := v.m.Close(); err != nil {
		t.Fatal(err)
	}
	v.m = mustOpen(t, v.o) // the disk is still broken
	if v.l, _ = v.m.Log(testTP); v.l == nil || !bytes.Equal(readAll(t, v.l, 0), want) {
		t.Fatal("the log is not in the directory that works")
	}
	if err := v.m.Close(); err != nil {
		t.Fatal(err)
	}
	fault.set(nil)
	v.m = mustOpen(t, v.o)
	v.l, _ = v.m.Log(testTP)
	if v.l.Dir() != "/b" || !bytes.Equal(readAll(t, v.l, 0), want) {
		t.Errorf("the log is in %s", v.l.Dir())
	}
	if a := folders(t, mem, "/a"); len(a) != 1 || !strings.HasSuffix(a[0], deleteDirSuffix) {
		t.Errorf("folders %v", a)
	}
	mustClose(t, v.m)
	v.m = mustOpen(t, v.o)
	mustClose(t, v.m)
}
