package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// fileData is a file's live bytes, its durable bytes and how one became the other.
// Pages are shared between the two until one is written.
type fileData struct {
	live    content
	durable content
	owner   *owner       // of the pages of live that durable does not share
	changes []dataChange // since the last Sync, in order
	dirty   []int64      // pages replaced since the last Sync
	cut     int64        // pages from here on were dropped, and perhaps made anew
}

// dataChange is a write, or a truncation when bytes is nil (then offset is the size).
type dataChange struct {
	offset int64
	bytes  []byte
}

const noCut = 1<<63 - 1

// maxFileSize bounds the page table that a write far beyond the end needs.
const maxFileSize = 64 << 30

// reset makes c both the live and the durable state.
func (d *fileData) reset(c content) {
	*d = fileData{live: c, durable: c.share(), owner: new(owner), cut: noCut}
}

func (d *fileData) sync() {
	count := int64(len(d.live.pages))
	d.durable.shrinkTo(count)
	d.durable.growTo(count)
	for _, index := range d.dirty {
		if index < min(count, d.cut) {
			d.durable.pages[index] = d.live.pages[index]
		}
	}
	if d.cut < count {
		copy(d.durable.pages[d.cut:], d.live.pages[d.cut:])
	}
	d.durable.size = d.live.size
	d.owner, d.changes, d.dirty, d.cut = new(owner), nil, d.dirty[:0], noCut
}

func (n *node) write(m *Mem, p []byte, offset int64) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := &n.data
	count := d.live.writeAt(p, offset, d.owner, m.reservePage, func(index int64) {
		d.dirty = append(d.dirty, index)
	})
	if count > 0 {
		d.changes = append(d.changes, dataChange{offset: offset, bytes: append([]byte(nil), p[:count]...)})
		n.modTime = time.Now()
	}
	if count < len(p) {
		return count, syscall.ENOSPC
	}
	return count, nil
}

func (n *node) truncate(m *Mem, size int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := &n.data
	if size == d.live.size {
		return
	}
	if size < d.live.size {
		d.cut = min(d.cut, size/pageSize)
	}
	m.used.Add(-pageSize * d.live.truncate(size, d.owner))
	d.changes = append(d.changes, dataChange{offset: size})
	n.modTime = time.Now()
}

// memFile is an open file of a Mem.
type memFile struct {
	mem      *Mem
	node     *node
	path     string
	writable bool
	closed   atomic.Bool
}

// handle opens n; Mem.mu is held for writing.
func (m *Mem) handle(n *node, path string, writable bool) *memFile {
	n.opens++
	return &memFile{mem: m, node: n, path: path, writable: writable}
}

func (f *memFile) ReadAt(p []byte, offset int64) (int, error) {
	switch {
	case f.closed.Load():
		return 0, pathError("read", f.path, fs.ErrClosed)
	case offset < 0:
		return 0, pathError("readat", f.path, fmt.Errorf("negative offset %d", offset))
	}
	f.node.mu.RLock()
	defer f.node.mu.RUnlock()
	n := f.node.data.live.readAt(p, offset)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, offset int64) (int, error) {
	switch {
	case offset < 0:
		return 0, pathError("writeat", f.path, fmt.Errorf("negative offset %d", offset))
	case offset > maxFileSize-int64(len(p)):
		return 0, pathError("write", f.path, syscall.EFBIG)
	}
	if err := f.mayWrite("write"); err != nil {
		return 0, err
	}
	f.mem.mu.RLock()
	defer f.mem.mu.RUnlock()
	n, err := f.node.write(f.mem, p, offset)
	if err != nil {
		return n, pathError("write", f.path, err)
	}
	return n, nil
}

func (f *memFile) Truncate(size int64) error {
	switch {
	case size < 0:
		return pathError("truncate", f.path, syscall.EINVAL)
	case size > maxFileSize:
		return pathError("truncate", f.path, syscall.EFBIG)
	}
	if err := f.mayWrite("truncate"); err != nil {
		return err
	}
	f.mem.mu.RLock()
	defer f.mem.mu.RUnlock()
	f.node.truncate(f.mem, size)
	return nil
}

func (f *memFile) mayWrite(op string) error {
	switch {
	case f.closed.Load():
		return pathError(op, f.path, fs.ErrClosed)
	case !f.writable:
		return pathError(op, f.path, syscall.EBADF)
	}
	return nil
}

func (f *memFile) Sync() error {
	if f.closed.Load() {
		return pathError("sync", f.path, fs.ErrClosed)
	}
	f.mem.mu.RLock()
	defer f.mem.mu.RUnlock()
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	f.node.data.sync()
	return nil
}

func (f *memFile) Size() (int64, error) {
	if f.closed.Load() {
		return 0, pathError("stat", f.path, fs.ErrClosed)
	}
	f.node.mu.RLock()
	defer f.node.mu.RUnlock()
	return f.node.data.live.size, nil
}

// SendTo copies through a buffer. The end of the file before size bytes is
// io.ErrUnexpectedEOF.
func (f *memFile) SendTo(conn net.Conn, position, size int64) (int64, error) {
	return copyTo(f, conn, position, size)
}

func copyTo(from io.ReaderAt, conn net.Conn, position, size int64) (int64, error) {
	const chunk = 64 << 10
	buffer := make([]byte, max(0, min(size, chunk)))
	var sent int64
	for sent < size {
		n, err := from.ReadAt(buffer[:min(size-sent, chunk)], position+sent)
		if n > 0 {
			written, err := conn.Write(buffer[:n])
			sent += int64(written)
			if err != nil {
				return sent, err
			}
			continue
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return sent, err
	}
	return sent, nil
}

func (f *memFile) Close() error {
	if f.closed.Swap(true) {
		return pathError("close", f.path, fs.ErrClosed)
	}
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	f.node.opens--
	f.mem.release(f.node)
	return nil
}
