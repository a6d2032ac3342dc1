package storage

import (
	"fmt"
	"io/fs"
	"sync/atomic"
)

// indexEntry is an entry of the offset index or the time index.
type indexEntry[E any] interface {
	width() int
	suffix() string
	put(p []byte)
	parse(p []byte) E
}

// index is a segment's offset or time index: a file of entries in ascending order, of which
// the newest may be in memory only. Kafka maps a file of full size and cuts it when the
// segment is sealed; here the file always has exactly the entries written so far, and
// sealing writes the rest, which gives the same file.
//
// One writer (who holds Log.mu) and any number of readers may work at the same time.
// Readers see the entries up to the count they loaded: entries never change once counted.
type index[E indexEntry[E]] struct {
	inFile atomic.Int32                 // entries that the file has
	tail   atomic.Pointer[indexTail[E]] // nil: all entries are in the file
}

// indexTail is the part of an index in memory. Replaced, not changed, when it must grow.
type indexTail[E any] struct {
	first   int // slot of entries[0]; all slots below are in the file
	n       atomic.Int32
	entries []E
}

const (
	minTail = 8
	maxTail = 128
	// spillAfter is how many entries may wait before they are written.
	spillAfter = maxTail / 2
)

// split tells which slots are in the file alone and gives those in memory.
func (x *index[E]) split() (first int, entries []E) {
	if t := x.tail.Load(); t != nil {
		return t.first, t.entries[:t.n.Load()]
	}
	return int(x.inFile.Load()), nil
}

// count returns the number of entries.
func (x *index[E]) count() int {
	first, entries := x.split()
	return first + len(entries)
}

// add appends an entry in memory.
func (x *index[E]) add(e E) {
	t := x.tail.Load()
	if t == nil {
		t = &indexTail[E]{first: int(x.inFile.Load()), entries: make([]E, minTail)}
		x.tail.Store(t)
	}
	n := int(t.n.Load())
	if n == len(t.entries) {
		t = x.grow(t)
		n = int(t.n.Load())
	}
	t.entries[n] = e
	t.n.Store(int32(n + 1))
}

// grow replaces a full tail: by a larger one, or by one without the older half if that is written.
func (x *index[E]) grow(t *indexTail[E]) *indexTail[E] {
	drop, size := 0, 2*len(t.entries)
	if len(t.entries) >= maxTail {
		if drop = min(int(x.inFile.Load())-t.first, len(t.entries)/2); drop > 0 {
			size = len(t.entries)
		}
	}
	grown := &indexTail[E]{first: t.first + drop, entries: make([]E, size)}
	grown.n.Store(int32(copy(grown.entries, t.entries[drop:])))
	x.tail.Store(grown)
	return grown
}

// unwritten is how many entries are in memory only.
func (x *index[E]) unwritten() int { return x.count() - int(x.inFile.Load()) }

// spill writes the entries that the file does not have. On error it may be called again.
func (x *index[E]) spill(s *segment) error { return x.write(s, false) }

// finish writes what is missing, sees to it that the file exists with exactly the
// entries, and gives the memory back.
func (x *index[E]) finish(s *segment) error {
	if err := x.write(s, true); err != nil {
		return err
	}
	x.tail.Store(nil)
	return nil
}

func (x *index[E]) write(s *segment, exact bool) error {
	var zero E
	first, entries := x.split()
	from, to := int(x.inFile.Load()), first+len(entries)
	if from == to && !exact {
		return nil
	}
	open := s.log.dir.fs.OpenFile
	if from == 0 {
		open = s.log.dir.fs.Create // drops what an earlier segment of that name may have left
	}
	file, err := open(s.path(zero.suffix()))
	if err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	defer file.Close()

	width := zero.width()
	p := make([]byte, (to-from)*width)
	for i := from; i < to; i++ {
		entries[i-first].put(p[(i-from)*width:])
	}
	if len(p) > 0 {
		if _, err := file.WriteAt(p, int64(from*width)); err != nil {
			return fmt.Errorf("write index: %w", err)
		}
	}
	if exact {
		if size, err := file.Size(); err != nil || size != int64(to*width) {
			if err = file.Truncate(int64(to * width)); err != nil {
				return fmt.Errorf("trim index: %w", err)
			}
		}
	}
	if from == 0 || exact {
		s.log.folderDirty.Store(true)
	}
	x.inFile.Store(int32(to))
	return nil
}

// truncate drops the entries from slot count on.
func (x *index[E]) truncate(s *segment, count int) error {
	var zero E
	first, entries := x.split()
	if int(x.inFile.Load()) > count {
		file, err := s.log.dir.fs.OpenFile(s.path(zero.suffix()))
		if err != nil {
			return fmt.Errorf("truncate index: %w", err)
		}
		defer file.Close()
		if err := file.Truncate(int64(count * zero.width())); err != nil {
			return fmt.Errorf("truncate index: %w", err)
		}
		x.inFile.Store(int32(count))
	}
	if count <= first {
		x.tail.Store(nil)
		return nil
	}
	cut := &indexTail[E]{first: first, entries: make([]E, max(minTail, count-first))}
	cut.n.Store(int32(copy(cut.entries, entries[:count-first])))
	x.tail.Store(cut)
	return nil
}

// last returns the newest entry.
func (x *index[E]) last(s *segment) (e E, found bool, err error) {
	first, entries := x.split()
	if len(entries) > 0 {
		return entries[len(entries)-1], true, nil
	}
	if first == 0 {
		return e, false, nil
	}
	r, err := openIndex[E](s)
	if err != nil {
		return e, false, err
	}
	defer r.close()
	if e, err = r.at(first - 1); err == nil {
		err = s.stillThere()
	}
	return e, err == nil, err
}

// around finds the first entry for which after holds (it must hold for all later ones) and
// the one before it.
func (x *index[E]) around(s *segment, after func(E) bool) (r around[E], err error) {
	first, entries := x.split()
	if len(entries) > 0 && (first == 0 || !after(entries[0])) {
		lo, hi := 0, len(entries)
		for lo < hi {
			if mid := (lo + hi) / 2; after(entries[mid]) {
				hi = mid
			} else {
				lo = mid + 1
			}
		}
		r.slot = first + lo
		if lo > 0 {
			r.before, r.hasBefore = entries[lo-1], true
		}
		if lo < len(entries) {
			r.at, r.hasAt = entries[lo], true
		}
		return r, nil
	}
	if len(entries) > 0 {
		r.at, r.hasAt = entries[0], true
	}
	r.slot = first
	if first == 0 {
		return r, nil
	}
	reader, err := openIndex[E](s)
	if err != nil {
		return r, err
	}
	defer reader.close()
	if err := reader.search(first, after, &r); err != nil {
		return r, err
	}
	return r, s.stillThere()
}

// around is what index.around finds.
type around[E any] struct {
	slot             int // of the first entry after; the count when there is none
	before, at       E
	hasBefore, hasAt bool
}

// indexReader reads entries from an index's file.
type indexReader[E indexEntry[E]] struct {
	file interface {
		ReadAt(p []byte, position int64) (int, error)
		Close() error
	}
	files *openFiles
	buf   *scratch
}

func openIndex[E indexEntry[E]](s *segment) (indexReader[E], error) {
	var zero E
	file, err := s.openFile(zero.suffix())
	if err != nil {
		return indexReader[E]{}, fmt.Errorf("open index: %w", err)
	}
	return indexReader[E]{file: file, files: s.log.dir.files, buf: s.log.dir.files.buffer()}, nil
}

func (r indexReader[E]) close() {
	r.files.recycle(r.buf)
	r.file.Close()
}

func (r indexReader[E]) at(slot int) (e E, err error) {
	p := r.buf[:e.width()]
	if _, err := r.file.ReadAt(p, int64(slot*e.width())); err != nil {
		return e, fmt.Errorf("read index entry %d: %w", slot, err)
	}
	return e.parse(p), nil
}

// search does around's work on slots [0, count): by halves until the rest fits the buffer.
func (r indexReader[E]) search(count int, after func(E) bool, result *around[E]) error {
	var zero E
	width := zero.width()
	block := scratchSize/width - 1 // and the entry before
	lo, hi := 0, count
	for hi-lo > block {
		mid := (lo + hi) / 2
		e, err := r.at(mid)
		if err != nil {
			return err
		}
		if after(e) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	from, to := max(lo-1, 0), min(hi+1, count)
	p := r.buf[:(to-from)*width]
	if _, err := r.file.ReadAt(p, int64(from*width)); err != nil {
		return fmt.Errorf("read index entries from %d: %w", from, err)
	}
	entry := func(slot int) E { return zero.parse(p[(slot-from)*width:]) }
	for lo < hi {
		if mid := (lo + hi) / 2; after(entry(mid)) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	result.slot = lo
	if lo > 0 {
		result.before, result.hasBefore = entry(lo-1), true
	}
	if lo < count {
		result.at, result.hasAt = entry(lo), true
	}
	return nil
}

// entriesIn tells how many entries a file of that size has and whether the size is sound.
func entriesIn[E indexEntry[E]](info fs.FileInfo) (count int, whole bool) {
	var zero E
	size := info.Size()
	return int(size / int64(zero.width())), size%int64(zero.width()) == 0
}
