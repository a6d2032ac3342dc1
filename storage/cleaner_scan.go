package storage

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/protocol/record"
)

// minIOBuffer is the least that is read at a time, however small log.cleaner.io.buffer.size is.
const minIOBuffer = 16 << 10

// batchReader reads the entries of segments in order, whole. Its buffer grows to what a large batch takes, and shrinks
// again with the next cleaning.
type batchReader struct {
	buf  []byte
	size int // of the buffer when no batch asks for more
	// charge is called for bytes that were read, and may wait or fail.
	charge func(ctx context.Context, bytes int) error
	yield  *yielder
}

func (r *batchReader) reset(size int, charge func(ctx context.Context, bytes int) error) {
	r.size, r.charge = max(size, minIOBuffer), charge
	if len(r.buf) != r.size {
		r.buf = make([]byte, r.size)
	}
}

// scannedEntry is an entry with its bytes, which are void after visit returns.
type scannedEntry struct {
	bytes []byte
	magic int8
	last  int64
	batch record.Batch // of magic 2
}

// each visits the entries of a segment from a position on. Its offsets must rise and stay below next, where the following
// segment begins; an error wraps record.ErrCorrupt when they do not, or when the segment has anything but whole
// entries. ctx is looked at with every reading.
func (r *batchReader) each(ctx context.Context, s *segment, position, next int64, visit func(e *scannedEntry) error) error {
	file, err := s.log.dir.files.acquire(s)
	if err != nil {
		return err
	}
	defer s.log.dir.files.release(s)
	if len(r.buf) < r.size {
		r.buf = make([]byte, r.size)
	}
	size, last, have := s.size.Load(), s.base-1, 0
	for position < size {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		// What is left of the last reading is at the front.
		n, err := r.fill(file, r.buf[have:min(int64(len(r.buf)), size-position)], position+int64(have))
		if have += n; err != nil {
			return fmt.Errorf("read segment %d at %d: %w", s.base, position, err)
		}
		if err := r.charge(ctx, n); err != nil {
			return err
		}
		rest := r.buf[:have]
		for {
			e, want, err := scanEntry(rest)
			if err == nil && want == 0 && (e.last <= last || e.last >= next) {
				err = fmt.Errorf("%w: offset %d after %d in a segment that ends at %d", record.ErrCorrupt, e.last, last, next)
			}
			if err == nil && want > 0 && int64(want) > size-position {
				err = fmt.Errorf("%w: batch is not whole", record.ErrCorrupt)
			}
			if err != nil {
				return fmt.Errorf("segment %d at position %d: %w", s.base, position, err)
			}
			if want > 0 {
				r.keep(s, rest, want)
				have = len(rest)
				break
			}
			if err := visit(&e); err != nil {
				return err
			}
			r.yield.worked(recordWork)
			last, position, rest = e.last, position+int64(len(e.bytes)), rest[len(e.bytes):]
			if position == size {
				return nil
			}
		}
	}
	return nil
}

// fill reads p full, in pieces.
func (r *batchReader) fill(file io.ReaderAt, p []byte, position int64) (n int, err error) {
	for n < len(p) && err == nil {
		read := 0
		read, err = file.ReadAt(p[n:min(n+pieceSize, len(p))], position+int64(n))
		n += read
		r.yield.worked(read)
	}
	return n, err
}

// keep moves what is left to the front of the buffer, with room for an entry of the wanted size.
func (r *batchReader) keep(s *segment, rest []byte, want int) {
	if want > len(r.buf) {
		s.log.logger().Info("cleaner buffer grows for a large batch", zap.Int64("segment", s.base), zap.Int("bytes", want))
		r.buf = append(make([]byte, 0, want), rest...)[:want]
		return
	}
	copy(r.buf, rest)
}

// scanEntry parses the first entry of p. When it is not whole, want is the least size that is needed to go on.
func scanEntry(p []byte) (e scannedEntry, want int, err error) {
	size, magic, err := record.EntrySize(p)
	switch {
	case err != nil:
		return e, 0, err
	case size == 0:
		return e, entryMinHeader, nil
	case size > len(p):
		return e, size, nil
	}
	e = scannedEntry{bytes: p[:size:size], magic: magic}
	if magic < 2 {
		e.last = int64(binary.BigEndian.Uint64(p))
		return e, 0, nil
	}
	if e.batch, _, err = record.Parse(e.bytes); err != nil {
		return e, 0, err
	}
	if e.last = e.batch.LastOffset(); e.last < e.batch.BaseOffset() {
		err = fmt.Errorf("%w: last offset %d before base offset %d", record.ErrCorrupt, e.last, e.batch.BaseOffset())
	}
	return e, 0, err
}

// verify checks the checksum: what is to be dropped, or to make others obsolete, must be what was written.
func (e *scannedEntry) verify() error {
	sound := false
	if e.magic == 2 {
		sound = e.batch.ValidCRC()
	} else {
		sound = binary.BigEndian.Uint32(e.bytes[entryPosLegacyCRC:]) == crc32.ChecksumIEEE(e.bytes[entryPosMagic:])
	}
	if !sound {
		return fmt.Errorf("batch that ends at offset %d: %w", e.last, errBadCRC)
	}
	return nil
}
