package vfs

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"time"
)

// Op names a call that Fault can make fail.
type Op uint8

// The calls on a file system, then those on a file.
const (
	OpOpen Op = iota
	OpOpenFile
	OpCreate
	OpRemove
	OpRemoveAll
	OpRename
	OpMkdirAll
	OpReadDir
	OpStat
	OpSetModTime
	OpSyncDir
	OpLock
	OpSpace
	OpRead
	OpWrite
	OpTruncate
	OpSync
	OpSize
	OpSend
	OpClose
)

var opNames = [...]string{
	"open", "openfile", "create", "remove", "removeall", "rename", "mkdirall", "readdir", "stat",
	"setmodtime", "syncdir", "lock", "space", "read", "write", "truncate", "sync", "size", "send", "close",
}

func (op Op) String() string { return opNames[op] }

// Partial, returned by the predicate of a Fault for OpRead, OpWrite or OpSend, lets the
// first Bytes bytes through before Err.
type Partial struct {
	Bytes int
	Err   error
}

func (p *Partial) Error() string { return p.Err.Error() }

func (p *Partial) Unwrap() error { return p.Err }

// Fault is a file system that fails on demand.
type Fault struct {
	under  FS
	inject func(op Op, path string) error
}

// NewFault wraps a file system. inject is asked before every call; an error from it is the
// call's result and the call does not happen (but see Partial). For a rename
// it sees the old path. It must allow calls from several goroutines. A failed
// OpClose closes the file nevertheless.
func NewFault(under FS, inject func(op Op, path string) error) *Fault {
	return &Fault{under: under, inject: inject}
}

// Open implements FS.
func (f *Fault) Open(path string) (File, error) {
	return f.open(OpOpen, path, f.under.Open)
}

// OpenFile implements FS.
func (f *Fault) OpenFile(path string) (File, error) {
	return f.open(OpOpenFile, path, f.under.OpenFile)
}

// Create implements FS.
func (f *Fault) Create(path string) (File, error) {
	return f.open(OpCreate, path, f.under.Create)
}

func (f *Fault) open(op Op, path string, open func(string) (File, error)) (File, error) {
	if err := f.inject(op, path); err != nil {
		return nil, pathError(op.String(), path, err)
	}
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	return &faultFile{under: file, path: path, inject: f.inject}, nil
}

// Remove implements FS.
func (f *Fault) Remove(path string) error {
	return f.do(OpRemove, path, f.under.Remove)
}

// RemoveAll implements FS.
func (f *Fault) RemoveAll(path string) error {
	return f.do(OpRemoveAll, path, f.under.RemoveAll)
}

// Rename implements FS.
func (f *Fault) Rename(from, to string) error {
	return f.do(OpRename, from, func(string) error { return f.under.Rename(from, to) })
}

// MkdirAll implements FS.
func (f *Fault) MkdirAll(path string) error {
	return f.do(OpMkdirAll, path, f.under.MkdirAll)
}

// SyncDir implements FS.
func (f *Fault) SyncDir(path string) error {
	return f.do(OpSyncDir, path, f.under.SyncDir)
}

func (f *Fault) do(op Op, path string, call func(string) error) error {
	if err := f.inject(op, path); err != nil {
		return pathError(op.String(), path, err)
	}
	return call(path)
}

// ReadDir implements FS.
func (f *Fault) ReadDir(path string) ([]fs.DirEntry, error) {
	if err := f.inject(OpReadDir, path); err != nil {
		return nil, pathError(OpReadDir.String(), path, err)
	}
	return f.under.ReadDir(path)
}

// Stat implements FS.
func (f *Fault) Stat(path string) (fs.FileInfo, error) {
	if err := f.inject(OpStat, path); err != nil {
		return nil, pathError(OpStat.String(), path, err)
	}
	return f.under.Stat(path)
}

// SetModTime implements FS.
func (f *Fault) SetModTime(path string, modified time.Time) error {
	return f.do(OpSetModTime, path, func(string) error { return f.under.SetModTime(path, modified) })
}

// Lock implements FS.
func (f *Fault) Lock(path string) (io.Closer, error) {
	if err := f.inject(OpLock, path); err != nil {
		return nil, pathError(OpLock.String(), path, err)
	}
	return f.under.Lock(path)
}

// Space implements FS.
func (f *Fault) Space(path string) (total, usable uint64, err error) {
	if err := f.inject(OpSpace, path); err != nil {
		return 0, 0, pathError(OpSpace.String(), path, err)
	}
	return f.under.Space(path)
}

type faultFile struct {
	under  File
	path   string // as opened; a rename does not change it
	inject func(op Op, path string) error
}

// check asks the predicate, and how much of size may happen before its error.
func (f *faultFile) check(op Op, size int64) (part int64, err error) {
	err = f.inject(op, f.path)
	if err == nil {
		return size, nil
	}
	var partial *Partial
	if errors.As(err, &partial) {
		part = max(0, min(int64(partial.Bytes), size))
	}
	return part, pathError(op.String(), f.path, err)
}

func (f *faultFile) ReadAt(p []byte, offset int64) (int, error) {
	part, fault := f.check(OpRead, int64(len(p)))
	if fault != nil && part == 0 {
		return 0, fault
	}
	n, err := f.under.ReadAt(p[:part], offset)
	if err == nil {
		err = fault
	}
	return n, err
}

func (f *faultFile) WriteAt(p []byte, offset int64) (int, error) {
	part, fault := f.check(OpWrite, int64(len(p)))
	if fault != nil && part == 0 {
		return 0, fault
	}
	n, err := f.under.WriteAt(p[:part], offset)
	if err == nil {
		err = fault
	}
	return n, err
}

func (f *faultFile) SendTo(conn net.Conn, position, size int64) (int64, error) {
	part, fault := f.check(OpSend, size)
	if fault != nil && part == 0 {
		return 0, fault
	}
	n, err := f.under.SendTo(conn, position, part)
	if err == nil {
		err = fault
	}
	return n, err
}

func (f *faultFile) Truncate(size int64) error {
	if _, err := f.check(OpTruncate, 0); err != nil {
		return err
	}
	return f.under.Truncate(size)
}

func (f *faultFile) Sync() error {
	if _, err := f.check(OpSync, 0); err != nil {
		return err
	}
	return f.under.Sync()
}

func (f *faultFile) Size() (int64, error) {
	if _, err := f.check(OpSize, 0); err != nil {
		return 0, err
	}
	return f.under.Size()
}

func (f *faultFile) Close() error {
	_, fault := f.check(OpClose, 0)
	if err := f.under.Close(); err != nil {
		return err
	}
	return fault
}
