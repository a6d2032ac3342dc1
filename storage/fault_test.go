package storage

import (
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// switchedFault fails with the error that is stored, for the calls that it is asked about.
type switchedFault struct {
	err   atomic.Pointer[error]
	asked func(op vfs.Op, path string) bool
}

func (s *switchedFault) inject(op vfs.Op, path string) error {
	if err := s.err.Load(); err != nil && s.asked(op, path) {
		return *err
	}
	return nil
}

func (s *switchedFault) set(err error) {
	if err == nil {
		s.err.Store(nil)
		return
	}
	s.err.Store(&err)
}

func TestFullDiskRefusesAppendsAndRecovers(t *testing.T) {
	for name, err := range map[string]error{
		"nothing written": syscall.ENOSPC,
		"half written":    &vfs.Partial{Bytes: 40, Err: syscall.ENOSPC},
	} {
		t.Run(name, func(t *testing.T) {
			fault := &switchedFault{asked: func(op vfs.Op, path string) bool {
				return op == vfs.OpWrite && strings.HasSuffix(path, logSuffix)
			}}
			mem := vfs.NewMem()
			o := testOptions(vfs.NewFault(mem, fault.inject), testConfig(), "/data")
			m, l := openLog(t, o)
			mustAppend(t, l, produced(t, 1, 0, 0, false, 2))
			fault.set(err)
			batch := produced(t, 1, 0, 2, false, 2)
			if _, err := appendAs(l, batch, 0, FromClient); !errors.Is(err, ErrDiskFull) || errors.Is(err, ErrOffline) {
				t.Fatalf("got %v", err)
			}
			size, err := mem.Stat("/data/topic-0/" + segmentName(0, logSuffix))
			if err != nil || size.Size() != l.Size() {
				t.Errorf("the file has %d bytes, the log %d", size.Size(), l.Size())
			}
			if got := offsetsIn(t, readAll(t, l, 0)); len(got) != 1 || l.LogEndOffset() != 2 {
				t.Errorf("batches at %v, log end %d", got, l.LogEndOffset())
			}
			fault.set(nil)
			if a := mustAppend(t, l, batch); a.BaseOffset != 2 || a.Duplicate {
				t.Errorf("sent again: %+v", a)
			}
			mustClose(t, m)
		})
	}
}

// A disk that is full at any moment of a log's life must neither harm what is there nor
// keep the log from going on when there is space again.
func TestFullDiskAtAnyMomentOfARollIsOnlyAnError(t *testing.T) {
	for _, suffix := range []string{offsetSuffix, timeSuffix, txnSuffix, snapshotSuffix, logSuffix, ".tmp"} {
		fault := &switchedFault{asked: func(op vfs.Op, path string) bool {
			return (op == vfs.OpWrite || op == vfs.OpCreate) && strings.HasSuffix(path, suffix)
		}}
		mem := vfs.NewMem()
		c := testConfig().with(func(c *Config) { c.SegmentBytes, c.IndexIntervalBytes = 400, 50 })
		o := testOptions(vfs.NewFault(mem, fault.inject), c, "/data")
		m, l := openLog(t, o)
		mustAppend(t, l, produced(t, 1, 0, 0, true, 1))
		fault.set(syscall.ENOSPC)
		failed := 0
		for i := range 10 {
			b := plain(t, int64(i), strings.Repeat("v", 30))
			if i == 1 {
				b = markerBatch(t, record.AbortMarker, 1, 0, 0)
			}
			if _, err := appendAs(l, b, 0, FromClient); err != nil {
				if failed++; !errors.Is(err, ErrDiskFull) {
					t.Fatalf("%s: %v", suffix, err)
				}
			}
		}
		if failed == 0 && suffix != ".tmp" {
			t.Errorf("%s: nothing failed", suffix)
		}
		if aborted, err := l.AbortedIn(0, math.MaxInt64); err != nil || suffix != logSuffix && len(aborted) != 1 {
			t.Errorf("%s: aborted %v %v", suffix, aborted, err)
		}
		fault.set(nil)
		for i := range 10 {
			mustAppend(t, l, plain(t, int64(100+i), strings.Repeat("v", 30)))
		}
		want, aborted := readAll(t, l, 0), len(mustAborted(t, l))
		mustClose(t, m)
		m, l = openLog(t, o)
		if got := readAll(t, l, 0); len(got) != len(want) || len(mustAborted(t, l)) != aborted {
			t.Errorf("%s: %d bytes after reopening, want %d", suffix, len(got), len(want))
		}
		mustClose(t, m)
	}
}

func mustAborted(t *testing.T, l *Log) []Aborted {
	t.Helper()
	aborted, err := l.AbortedIn(0, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	return aborted
}

func TestFailingDiskTakesItsDirectoryOfflineOnceAndLoudly(t *testing.T) {
	for name, asked := range map[string]func(op vfs.Op, path string) bool{
		"write": func(op vfs.Op, path string) bool { return op == vfs.OpWrite && strings.HasSuffix(path, logSuffix) },
		"sync":  func(op vfs.Op, path string) bool { return op == vfs.OpSync && strings.HasSuffix(path, logSuffix) },
		"undo": func(op vfs.Op, path string) bool {
			return (op == vfs.OpWrite || op == vfs.OpTruncate) && strings.HasSuffix(path, logSuffix)
		},
	} {
		t.Run(name, func(t *testing.T) {
			fault := &switchedFault{asked: func(op vfs.Op, path string) bool {
				return strings.HasPrefix(path, "/bad/") && asked(op, path)
			}}
			c := testConfig().with(func(c *Config) { c.FlushMessages = 1 })
			o := testOptions(vfs.NewFault(vfs.NewMem(), fault.inject), c, "/bad", "/good")
			logger, logs := observed()
			o.Logger = logger
			var told atomic.Int32
			o.DirFailed = func(dir string, err error) {
				if dir != "/bad" || err == nil {
					t.Errorf("told %s %v", dir, err)
				}
				told.Add(1)
			}
			m, l := openLog(t, o)
			other, err := m.Create(TopicPartition{"other", 0}, [16]byte{2}, c)
			if err != nil || l.Dir() != "/bad" || other.Dir() != "/good" {
				t.Fatalf("%v: logs in %s and %s", err, l.Dir(), other.Dir())
			}
			mustAppend(t, l, plain(t, 1, "v"))
			mustAppend(t, other, plain(t, 1, "v"))
			fault.set(syscall.EIO)
			if name == "undo" {
				fault.set(syscall.ENOSPC) // and the truncation that would undo it fails as well
			}
			for range 3 {
				if _, err := appendAs(l, plain(t, 2, "v"), 0, FromClient); !errors.Is(err, ErrOffline) {
					t.Fatalf("append: %v", err)
				}
			}
			if _, err := l.Read(0, 1, 100, true); !errors.Is(err, ErrOffline) {
				t.Errorf("read: %v", err)
			}
			if err := l.TruncateTo(0); !errors.Is(err, ErrOffline) {
				t.Errorf("truncate: %v", err)
			}
			if _, err := m.Create(testTP, [16]byte{1}, c); !errors.Is(err, ErrOffline) {
				t.Errorf("create: %v", err)
			}
			mustAppend(t, other, plain(t, 2, "v"))
			for _, d := range m.Dirs() {
				if (d.Err != nil) != (d.Path == "/bad") {
					t.Errorf("%s: %v", d.Path, d.Err)
				}
			}
			if err := m.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if told.Load() != 1 || logs.FilterLevelExact(zapcore.ErrorLevel).Len() != 1 {
				t.Errorf("told %d times, logged %d times", told.Load(), logs.FilterLevelExact(zapcore.ErrorLevel).Len())
			}
			if _, err := o.FS.Stat("/bad/" + cleanShutdownName); err == nil {
				t.Error("the failed directory has the marker of a clean stop")
			}
			if _, err := o.FS.Stat("/good/" + cleanShutdownName); err != nil {
				t.Errorf("the other directory: %v", err)
			}
		})
	}
}

func TestManagerOpensWithTheDirectoriesThatWork(t *testing.T) {
	fault := &switchedFault{asked: func(_ vfs.Op, path string) bool { return strings.HasPrefix(path, "/bad") }}
	fault.set(syscall.EIO)
	o := testOptions(vfs.NewFault(vfs.NewMem(), fault.inject), testConfig(), "/bad", "/good")
	if _, _, err := ReadMeta(o.FS, []string{"/bad", "/good"}); err != nil {
		t.Errorf("read what the directories say: %v", err)
	}
	m, l := openLog(t, o)
	if l.Dir() != "/good" {
		t.Errorf("log in %s", l.Dir())
	}
	mustClose(t, m)
	// One in which nothing but meta.properties cannot be read is offline, too.
	fault.set(nil)
	mustClose(t, mustOpen(t, o))
	fault.asked = func(_ vfs.Op, path string) bool { return path == "/bad/"+metaName }
	fault.set(syscall.EIO)
	m = mustOpen(t, o)
	if dirs := m.Dirs(); dirs[0].Err == nil || dirs[1].Err != nil {
		t.Errorf("%+v", dirs)
	}
	mustClose(t, m)
	fault.asked = func(_ vfs.Op, path string) bool { return strings.HasPrefix(path, "/bad") }
	o.Dirs = []string{"/bad"}
	if _, err := Open(o); !errors.Is(err, ErrOffline) {
		t.Errorf("no directory left: %v", err)
	}
}
