package vfs

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// OS is the file system of the operating system. Its files are bare descriptors: a broker
// opens and closes many, and the runtime's poller has nothing to offer for regular files.
type OS struct{}

// Open implements FS.
func (OS) Open(path string) (File, error) {
	return openFile(path, unix.O_RDONLY)
}

// OpenFile implements FS.
func (OS) OpenFile(path string) (File, error) {
	return openFile(path, unix.O_RDWR|unix.O_CREAT)
}

// Create implements FS.
func (OS) Create(path string) (File, error) {
	return openFile(path, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC)
}

func openFile(path string, flags int) (File, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o644)
		if err == nil {
			return &osFile{fd: fd, path: path}, nil
		}
		if err != unix.EINTR {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// Remove implements FS.
func (OS) Remove(path string) error { return os.Remove(path) }

// RemoveAll implements FS.
func (OS) RemoveAll(path string) error { return os.RemoveAll(path) }

// Rename implements FS.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// MkdirAll implements FS.
func (OS) MkdirAll(path string) error { return os.MkdirAll(path, 0o755) }

// ReadDir implements FS.
func (OS) ReadDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }

// Stat implements FS.
func (OS) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }

// SetModTime implements FS.
func (OS) SetModTime(path string, modified time.Time) error {
	return os.Chtimes(path, time.Time{}, modified)
}

// SyncDir implements FS.
func (OS) SyncDir(path string) error {
	f, err := openFile(filepath.Clean(path), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer f.Close()
	fd := f.(*osFile).fd
	return retry("fsync", path, func() error { return unix.Fsync(fd) })
}

// Lock implements FS. It fails with syscall.EAGAIN or EACCES while another holds the lock.
func (OS) Lock(path string) (io.Closer, error) {
	f, err := openFile(path, unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		return nil, err
	}
	// All of the file, as java.nio's FileChannel.tryLock asks for.
	whole := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	fd := uintptr(f.(*osFile).fd)
	if err := retry("lock", path, func() error { return unix.FcntlFlock(fd, lockCommand, &whole) }); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Space implements FS.
func (OS) Space(path string) (total, usable uint64, err error) {
	var s unix.Statfs_t
	if err := retry("statfs", path, func() error { return unix.Statfs(path, &s) }); err != nil {
		return 0, 0, err
	}
	size := uint64(s.Bsize)
	return uint64(s.Blocks) * size, uint64(s.Bavail) * size, nil
}

func retry(op, path string, call func() error) error {
	for {
		switch err := call(); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return &fs.PathError{Op: op, Path: path, Err: err}
		}
	}
}

// osFile is an open file. Its user sees to it that Close comes after everything else.
type osFile struct {
	fd   int
	path string
}

// ReadAt implements io.ReaderAt.
func (f *osFile) ReadAt(p []byte, position int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Pread(f.fd, p[done:], position+int64(done))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return done, &fs.PathError{Op: "read", Path: f.path, Err: err}
		case n == 0:
			return done, io.EOF
		default:
			done += n
		}
	}
	return done, nil
}

// WriteAt implements io.WriterAt.
func (f *osFile) WriteAt(p []byte, position int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Pwrite(f.fd, p[done:], position+int64(done))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return done, &fs.PathError{Op: "write", Path: f.path, Err: err}
		default:
			done += n
		}
	}
	return done, nil
}

// Size implements File.
func (f *osFile) Size() (int64, error) {
	var s unix.Stat_t
	if err := unix.Fstat(f.fd, &s); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: f.path, Err: err}
	}
	return s.Size, nil
}

// Truncate implements File.
func (f *osFile) Truncate(size int64) error {
	return retry("truncate", f.path, func() error { return unix.Ftruncate(f.fd, size) })
}

// Sync implements File.
func (f *osFile) Sync() error {
	return retry("sync", f.path, func() error { return syncData(f.fd) })
}

// Close implements File.
func (f *osFile) Close() error {
	if err := unix.Close(f.fd); err != nil && err != unix.EINTR {
		return &fs.PathError{Op: "close", Path: f.path, Err: err}
	}
	return nil
}

// maxSend bounds one call of sendfile, so that a write deadline is looked at in between.
const maxSend = 4 << 20

// SendTo implements File: by sendfile to a TCP or Unix connection, by copying to any other.
func (f *osFile) SendTo(conn net.Conn, position, size int64) (int64, error) {
	var raw syscall.RawConn
	var err error
	switch c := conn.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		raw, err = c.SyscallConn()
	default:
		return f.copyTo(conn, position, size)
	}
	if err != nil {
		return 0, err
	}

	sent := int64(0)
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for sent < size {
			at := position + sent
			n, err := unix.Sendfile(int(fd), f.fd, &at, int(min(size-sent, maxSend)))
			if n > 0 {
				sent += int64(n)
			}
			switch {
			case err == unix.EAGAIN:
				return false // the poller calls again when the socket takes more
			case err == unix.EINTR:
			case err != nil:
				failed = &fs.PathError{Op: "sendfile", Path: f.path, Err: err}
				return true
			case n == 0:
				failed = &fs.PathError{Op: "sendfile", Path: f.path, Err: io.ErrUnexpectedEOF}
				return true
			}
		}
		return true
	})
	return sent, errors.Join(failed, err)
}

// copyBuffers serves connections that are not the kernel's alone, such as TLS.
var copyBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

func (f *osFile) copyTo(w io.Writer, position, size int64) (int64, error) {
	buffer := copyBuffers.Get().(*[64 << 10]byte)
	defer copyBuffers.Put(buffer)
	sent := int64(0)
	for sent < size {
		n, err := f.ReadAt(buffer[:min(size-sent, int64(len(buffer)))], position+sent)
		if n == 0 {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return sent, err
		}
		written, err := w.Write(buffer[:n])
		sent += int64(written)
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}
