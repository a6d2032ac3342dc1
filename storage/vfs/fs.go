// Package vfs is the file system as storage sees it: the real one (OS), one in
// memory that can give "the disk after a crash now" (Mem), and one that fails
// on demand (Fault).
package vfs

import (
	"io"
	"io/fs"
	"net"
	"time"
)

// FS is a file system. Paths are the operating system's. Errors satisfy errors.Is
// with fs.ErrNotExist, fs.ErrExist and syscall.ENOSPC where they apply. All methods may be
// called from several goroutines.
type FS interface {
	// Open opens a file for reading.
	Open(path string) (File, error)
	// OpenFile opens for reading and writing, creating the file when absent.
	OpenFile(path string) (File, error)
	// Create creates a file, or empties it, for reading and writing.
	Create(path string) (File, error)
	Remove(path string) error
	RemoveAll(path string) error
	Rename(from, to string) error
	MkdirAll(path string) error
	// ReadDir lists a directory in the order of names.
	ReadDir(path string) ([]fs.DirEntry, error)
	Stat(path string) (fs.FileInfo, error)
	// SetModTime sets when a file was last modified, as Stat tells it. A crash may undo that.
	SetModTime(path string, modified time.Time) error
	// SyncDir makes creations, renames and removals in a directory durable.
	SyncDir(path string) error
	// Lock takes the lock file as the Java virtual machine takes it (a POSIX record
	// lock), so that Kafka and kbroker exclude each other; Close releases it.
	Lock(path string) (io.Closer, error)
	// Space tells the total and the usable bytes of the volume under path.
	Space(path string) (total, usable uint64, err error)
}

// File is an open file. ReadAt, WriteAt and SendTo may be called together.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Sync makes data and size durable.
	Sync() error
	// SendTo writes size bytes from position to the connection, by sendfile where both
	// sides are the kernel's, and returns how many were sent.
	SendTo(conn net.Conn, position, size int64) (int64, error)
}
