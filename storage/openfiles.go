package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/kbroker/kbroker/storage/vfs"
)

// errSegmentGone is given to a reader that finds a segment which was removed meanwhile: it
// looks at the list of segments again.
var errSegmentGone = errors.New("segment was removed")

// openFiles bounds how many segment files are open at once, over all logs. Files in use
// are never closed, so the bound gives way when all are.
//
// Lock order: segmentFile.mu, then openFiles.mu; eviction only tries the former.
type openFiles struct {
	fs  vfs.FS
	max int

	// scratch has *scratch buffers for reading indexes and batch headers.
	scratch sync.Pool

	mu    sync.Mutex
	clock []*segmentFile // open ones; the hand goes round, a used file gets a second chance
	hand  int
}

// scratch holds the batches between two index entries, as long as they are small.
const scratchSize = 8 << 10

type scratch [scratchSize]byte

func newOpenFiles(fs vfs.FS, limit int) *openFiles {
	return &openFiles{fs: fs, max: max(limit, 1), scratch: sync.Pool{New: func() any { return new(scratch) }}}
}

func (o *openFiles) buffer() *scratch     { return o.scratch.Get().(*scratch) }
func (o *openFiles) recycle(buf *scratch) { o.scratch.Put(buf) }

// segmentFile is a segment's .log file, open or not. It is part of a segment.
type segmentFile struct {
	used atomic.Bool
	slot int // in openFiles.clock; guarded by openFiles.mu

	mu   sync.Mutex
	file vfs.File
	refs int
	gone bool // renamed to be deleted: not to be opened again
}

// acquire opens the file if need be and keeps it open until release.
func (o *openFiles) acquire(s *segment) (vfs.File, error) {
	f := &s.file
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		if f.gone {
			return nil, errSegmentGone
		}
		if err := o.open(s, f); err != nil {
			return nil, err
		}
	}
	f.refs++
	f.used.Store(true)
	return f.file, nil
}

func (o *openFiles) open(s *segment, f *segmentFile) error {
	path := s.path(logSuffix)
	file, err := o.fs.OpenFile(path)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	// OpenFile creates what is missing; a file that somebody removed or cut must not
	// look like an empty segment.
	if size, err := file.Size(); err != nil || size < s.size.Load() {
		file.Close()
		if err != nil {
			return fmt.Errorf("open segment: %w", err)
		}
		return fmt.Errorf("segment %s has %d bytes, want %d: %w", path, size, s.size.Load(), fs.ErrNotExist)
	}
	f.file = file

	o.mu.Lock()
	defer o.mu.Unlock()
	f.slot = len(o.clock)
	o.clock = append(o.clock, f)
	o.evict(f)
	return nil
}

// evict closes idle files while there are too many. o.mu is held, and the mutex of kept.
func (o *openFiles) evict(kept *segmentFile) {
	for tries := 2 * len(o.clock); len(o.clock) > o.max && tries > 0; tries-- {
		o.hand = (o.hand + 1) % len(o.clock)
		f := o.clock[o.hand]
		if f == kept || f.used.Swap(false) || !f.mu.TryLock() {
			continue
		}
		if f.refs == 0 {
			o.remove(f)
		}
		f.mu.Unlock()
	}
}

// remove closes a file; both mutexes are held.
func (o *openFiles) remove(f *segmentFile) {
	f.file.Close() // what was written and not synced stays with the kernel
	f.file = nil
	last := o.clock[len(o.clock)-1]
	o.clock[f.slot], last.slot = last, f.slot
	o.clock[len(o.clock)-1] = nil
	o.clock = o.clock[:len(o.clock)-1]
}

// release ends one use.
func (o *openFiles) release(s *segment) {
	f := &s.file
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refs--
	if f.refs == 0 && f.gone && f.file != nil {
		o.mu.Lock()
		o.remove(f)
		o.mu.Unlock()
	}
}

// retire closes the file for good, once nobody uses it; rename runs before and, like
// opening, under the file's mutex, so that no reader opens a file that is just being renamed.
func (o *openFiles) retire(s *segment, rename func() error) error {
	f := &s.file
	f.mu.Lock()
	defer f.mu.Unlock()
	if rename != nil {
		if err := rename(); err != nil {
			return err
		}
	}
	f.gone = true
	if f.refs == 0 && f.file != nil {
		o.mu.Lock()
		o.remove(f)
		o.mu.Unlock()
	}
	return nil
}
