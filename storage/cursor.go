package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// Positions in an entry of magic 0 or 1, a message set of old (Kafka: LegacyRecord.java).
const (
	entryPosSize      = 8
	entryPosLegacyCRC = 12
	entryPosMagic     = 16
	entryPosTimestamp = 18 // magic 1

	entryMinHeader = 17 // up to and with the magic
	entryMinSize   = 14 // of the size field: a message of magic 0 without key and value
	legacyHeader   = entryPosTimestamp + 8
)

// entry is one batch of magic 2, or one message set of magic 0 or 1, in a segment.
type entry struct {
	position, size int64
	base, last     int64 // offsets; the same for the old magics, which tell only the last
	maxTimestamp   int64
	crc            uint32
	magic          int8
	// batch is the header of a batch of magic 2, valid until the next call of next; nil for the old magics.
	batch record.Batch
}

func (e *entry) end() int64 { return e.position + e.size }

// cursor walks the entries of a segment's file. It reads headers only, as much at a time as its buffer holds.
type cursor struct {
	file vfs.File
	pos  int64 // where the next entry starts
	end  int64 // nothing is read from here on

	buf    []byte // at least record.HeaderSize
	at     int64  // the buffer holds the file's bytes [at, at+have)
	have   int
	header [record.HeaderSize]byte
}

// reset makes the cursor start at a position, keeping file and buffer.
func (c *cursor) reset(position int64) { c.pos = position }

// window returns the bytes at a position, at least n of them and as many as the buffer
// happens to have.
func (c *cursor) window(position int64, n int) ([]byte, error) {
	if position >= c.at && position+int64(n) <= c.at+int64(c.have) {
		return c.buf[position-c.at : c.have], nil
	}
	size := int(min(int64(len(c.buf)), c.end-position))
	if size < n {
		return nil, io.ErrUnexpectedEOF
	}
	c.at, c.have = position, 0
	got, err := c.file.ReadAt(c.buf[:size], position)
	if got < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	c.have = got
	return c.buf[:got], nil
}

// next returns the next entry; io.EOF at the end or when the rest is not a whole entry; an error
// that wraps record.ErrCorrupt when it cannot be one.
func (c *cursor) next() (entry, error) {
	left := c.end - c.pos
	if left < entryMinHeader {
		return entry{}, io.EOF
	}
	w, err := c.window(c.pos, entryMinHeader)
	if err != nil {
		return entry{}, err
	}
	size := int64(int32(binary.BigEndian.Uint32(w[entryPosSize:])))
	if size < entryMinSize {
		return entry{}, fmt.Errorf("%w: size %d at position %d", record.ErrCorrupt, size, c.pos)
	}
	e := entry{position: c.pos, size: size + record.LogOverhead, magic: int8(w[entryPosMagic])}
	if e.size > left {
		return entry{}, io.EOF
	}
	if e.magic == 2 {
		err = c.parseBatch(&e)
	} else {
		err = c.parseLegacy(&e)
	}
	if err != nil {
		return entry{}, err
	}
	c.pos += e.size
	return e, nil
}

func (c *cursor) parseBatch(e *entry) error {
	if e.size < record.HeaderSize {
		return fmt.Errorf("%w: batch of %d bytes at position %d", record.ErrCorrupt, e.size, e.position)
	}
	w, err := c.window(e.position, record.HeaderSize)
	if err != nil {
		return err
	}
	copy(c.header[:], w)
	if e.batch, err = record.Header(c.header[:]); err != nil {
		return err
	}
	e.base, e.last = e.batch.BaseOffset(), e.batch.LastOffset()
	e.maxTimestamp, e.crc = e.batch.MaxTimestamp(), e.batch.CRC()
	if e.last < e.base {
		return fmt.Errorf("%w: last offset %d before base offset %d", record.ErrCorrupt, e.last, e.base)
	}
	return nil
}

func (c *cursor) parseLegacy(e *entry) error {
	if e.magic < 0 || e.magic > 1 {
		return fmt.Errorf("%w: magic %d at position %d", record.ErrCorrupt, e.magic, e.position)
	}
	w, err := c.window(e.position, int(min(legacyHeader, e.size)))
	if err != nil {
		return err
	}
	e.last = int64(binary.BigEndian.Uint64(w))
	e.base, e.crc, e.maxTimestamp = e.last, binary.BigEndian.Uint32(w[entryPosLegacyCRC:]), record.NoTimestamp
	if e.magic == 1 {
		if e.size < legacyHeader {
			return fmt.Errorf("%w: message of %d bytes at position %d", record.ErrCorrupt, e.size, e.position)
		}
		e.maxTimestamp = int64(binary.BigEndian.Uint64(w[entryPosTimestamp:]))
	}
	return nil
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errBadCRC  = fmt.Errorf("%w: checksum does not hold", record.ErrCorrupt)
)

// verify reads an entry whole and checks its checksum.
func (c *cursor) verify(e *entry) error {
	table, at := castagnoli, e.position+21
	if e.magic < 2 {
		table, at = crc32.IEEETable, e.position+entryPosMagic
	}
	sum := uint32(0)
	for at < e.end() {
		w, err := c.window(at, 1)
		if err != nil {
			return err
		}
		w = w[:min(int64(len(w)), e.end()-at)]
		sum = crc32.Update(sum, table, w)
		at += int64(len(w))
	}
	if sum != e.crc {
		return errBadCRC
	}
	return nil
}

// whole returns the bytes of a small entry; they are valid until the cursor moves.
func (c *cursor) whole(e *entry) ([]byte, error) {
	if e.size > int64(len(c.buf)) {
		return nil, fmt.Errorf("%w: control batch of %d bytes", record.ErrCorrupt, e.size)
	}
	w, err := c.window(e.position, int(e.size))
	if err != nil {
		return nil, err
	}
	return w[:e.size], nil
}

// endsLog tells errors that mean "no sound entry here" from those of the disk.
func endsLog(err error) bool {
	return err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, record.ErrCorrupt)
}
