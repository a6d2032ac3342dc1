package replica

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kbroker/kbroker/storage/vfs"
)

func TestDirsDescribeTheirLogs(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	appendTo(t, p, 1)
	dirs := h.Dirs()
	if len(dirs) != 1 || dirs[0].Path != "/a" || dirs[0].Err != nil || len(dirs[0].Logs) != 1 {
		t.Fatalf("%+v", dirs)
	}
	if l := dirs[0].Logs[0]; l.Topic != "t" || l.Size != p.log.Size() || l.Size == 0 || l.OffsetLag != 0 || l.Future {
		t.Errorf("%+v", l)
	}
}

// TestALogIsNotMadeBesideAFailedDirectoryThatMayHoldIt would lose the partition's records.
func TestALogIsNotMadeBesideAFailedDirectoryThatMayHoldIt(t *testing.T) {
	var broken atomic.Bool
	fs := vfs.NewFault(vfs.NewMem(), func(_ vfs.Op, path string) error {
		if broken.Load() && strings.HasPrefix(path, "/b") {
			return errors.New("input/output error")
		}
		return nil
	})
	h := newHost(t, fs, "/a", "/b")
	var onB *Partition
	for partition := range int32(2) {
		s := leading(0, []int32{1}, []int32{1})
		s.Partition = partition
		if p := h.apply(s); p.dir() == "/b" {
			onB = p
		}
	}
	if onB == nil {
		t.Fatal("no log in /b")
	}
	broken.Store(true)
	for range 3 {
		_, err := onB.AppendAsLeader(batch(t, 1, 0), 1, 0)
		if err != nil && !errors.Is(err, ErrStorage) {
			t.Errorf("append: %v", err)
		}
	}
	h.checkDirs()
	if _, err := h.Partition("t", onB.Index()); !errors.Is(err, ErrStorage) {
		t.Errorf("found: %v", err)
	}

	s := leading(1, []int32{1}, []int32{1})
	s.Partition = 5
	if err := h.applyErr(s); !errors.Is(err, ErrStorage) {
		t.Errorf("not new: %v", err)
	}
	s.Partition, s.IsNew = 6, true
	if p := h.apply(s); p.dir() != "/a" {
		t.Errorf("new log in %s", p.dir())
	}
	offline := 0
	for _, d := range h.Dirs() {
		if d.Err != nil {
			offline++
			if d.Path != "/b" || !errors.Is(d.Err, ErrStorage) {
				t.Errorf("%+v", d)
			}
		}
	}
	if offline != 1 {
		t.Errorf("%d directories offline", offline)
	}
}
