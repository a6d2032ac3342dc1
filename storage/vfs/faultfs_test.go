package vfs

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

func TestFaultInjectsByCallAndPath(t *testing.T) {
	failing := map[Op]error{}
	f := NewFault(NewMem(), func(op Op, path string) error {
		if path == "/good" {
			return nil
		}
		return failing[op]
	})
	file := must[File](t)(f.Create("/bad"))
	good := must[File](t)(f.Create("/good"))
	near, _ := net.Pipe()
	calls := map[Op]func() error{
		OpOpen:       func() error { _, err := f.Open("/bad"); return err },
		OpOpenFile:   func() error { _, err := f.OpenFile("/bad"); return err },
		OpCreate:     func() error { _, err := f.Create("/bad"); return err },
		OpRename:     func() error { return f.Rename("/bad", "/worse") },
		OpRemove:     func() error { return f.Remove("/bad") },
		OpRemoveAll:  func() error { return f.RemoveAll("/bad") },
		OpMkdirAll:   func() error { return f.MkdirAll("/bad") },
		OpReadDir:    func() error { _, err := f.ReadDir("/bad"); return err },
		OpStat:       func() error { _, err := f.Stat("/bad"); return err },
		OpSetModTime: func() error { return f.SetModTime("/bad", time.Now()) },
		OpSyncDir:    func() error { return f.SyncDir("/bad") },
		OpLock:       func() error { _, err := f.Lock("/bad"); return err },
		OpSpace:      func() error { _, _, err := f.Space("/bad"); return err },
		OpRead:       func() error { _, err := file.ReadAt(make([]byte, 1), 0); return err },
		OpWrite:      func() error { _, err := file.WriteAt(make([]byte, 1), 0); return err },
		OpTruncate:   func() error { return file.Truncate(1) },
		OpSync:       file.Sync,
		OpSize:       func() error { _, err := file.Size(); return err },
		OpSend:       func() error { _, err := file.SendTo(near, 0, 1); return err },
	}
	if len(calls) != len(opNames)-1 {
		t.Fatalf("%d calls tested of %d", len(calls), len(opNames)-1)
	}
	for op, call := range calls {
		clear(failing)
		failing[op] = syscall.EIO
		if err := call(); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", op, err)
		}
	}
	if n := must[int64](t)(good.Size()); n != 0 {
		t.Errorf("size %d", n)
	}
	clear(failing)
	failing[OpClose] = syscall.EIO
	if err := file.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("close: %v", err)
	}
	if _, err := file.ReadAt(make([]byte, 1), 0); err == nil {
		t.Errorf("a failed close left the file open")
	}
}

func TestFaultLetsPartOfAWriteThrough(t *testing.T) {
	var fault error
	f := NewFault(NewMem(), func(op Op, _ string) error {
		if op == OpWrite || op == OpRead {
			return fault
		}
		return nil
	})
	file := must[File](t)(f.Create("/a"))
	fault = &Partial{Bytes: 3, Err: syscall.ENOSPC}
	if n, err := file.WriteAt([]byte("abcdef"), 0); n != 3 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("wrote %d: %v", n, err)
	}
	p := make([]byte, 6)
	if n, err := file.ReadAt(p, 0); n != 3 || !errors.Is(err, syscall.ENOSPC) || string(p[:n]) != "abc" {
		t.Fatalf("read %q: %v", p[:n], err)
	}
	fault = nil
	if n, err := file.ReadAt(p, 0); n != 3 || err != io.EOF {
		t.Fatalf("read %d: %v", n, err)
	}
}
