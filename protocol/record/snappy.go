package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
)

// Kafka frames snappy as snappy-java does: a header of 16 bytes, then chunks, each
// an int32 size and a snappy block. Several clients send one bare block instead,
// and snappy-java reads that too.
const (
	snappyMagic      = "\x82SNAPPY\x00"
	snappyHeader     = snappyMagic + "\x00\x00\x00\x01\x00\x00\x00\x01" // version, oldest reader
	snappyChunkSize  = 32 << 10                                         // bytes before compression
	snappyMinVersion = 1
	// A header may come again where a chunk's size is expected, when streams were
	// joined: this is how its first bytes read as a size.
	snappyMagicAsSize = 0x82534E41
	// snappyMaxExpansion bounds what a byte of a block can decode to: the densest element is a copy
	// of 64 bytes in 3. It is checked before the length that a block claims is allocated.
	snappyMaxExpansion = 22
)

var errSnappyLength = errors.New("snappy block claims more than it can hold")

func isFramedSnappy(b []byte) bool {
	return len(b) >= len(snappyHeader) && string(b[:len(snappyMagic)]) == snappyMagic
}

// snappyLength returns the decoded size of a block, checked against its own size.
func snappyLength(block []byte) (int, error) {
	size, err := snappy.DecodedLen(block)
	if err != nil {
		return 0, fmt.Errorf("read snappy length: %w", err)
	}
	if size > snappyMaxExpansion*len(block) {
		return 0, errSnappyLength
	}
	return size, nil
}

// snappyReader reads the framed form.
type snappyReader struct {
	chunks  []byte // what is left of them
	block   []byte // owned; holds a decoded chunk that did not fit the caller's buffer
	pending []byte // of the block, not yet handed out
}

func (z *snappyReader) reset(framed []byte) error {
	if version := int32(binary.BigEndian.Uint32(framed[len(snappyMagic):])); version < snappyMinVersion {
		return fmt.Errorf("snappy frame has version %d", version)
	}
	z.chunks, z.pending = framed[len(snappyHeader):], nil
	return nil
}

func (z *snappyReader) Read(p []byte) (int, error) {
	for len(z.pending) == 0 {
		chunk, err := z.nextChunk()
		if err != nil {
			return 0, err
		}
		size, err := snappyLength(chunk)
		if err != nil {
			return 0, err
		}
		if size <= len(p) {
			decoded, err := snappy.Decode(p[:size], chunk)
			if err != nil {
				return 0, fmt.Errorf("decode snappy chunk: %w", err)
			}
			if len(decoded) > 0 {
				return len(decoded), nil
			}
			continue
		}
		if cap(z.block) < size {
			z.block = make([]byte, max(size, snappyChunkSize))
		}
		if z.pending, err = snappy.Decode(z.block[:size], chunk); err != nil {
			z.pending = nil
			return 0, fmt.Errorf("decode snappy chunk: %w", err)
		}
	}
	n := copy(p, z.pending)
	z.pending = z.pending[n:]
	return n, nil
}

func (z *snappyReader) nextChunk() ([]byte, error) {
	for {
		if len(z.chunks) == 0 {
			return nil, io.EOF
		}
		if len(z.chunks) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		size := binary.BigEndian.Uint32(z.chunks)
		if size != snappyMagicAsSize {
			rest := z.chunks[4:]
			if int64(size) > int64(len(rest)) {
				return nil, io.ErrUnexpectedEOF
			}
			z.chunks = rest[size:]
			return rest[:size], nil
		}
		if !isFramedSnappy(z.chunks) {
			return nil, io.ErrUnexpectedEOF
		}
		z.chunks = z.chunks[len(snappyHeader):]
	}
}

// snappyWriter writes the framed form.
type snappyWriter struct {
	out   *appender
	used  int
	block [snappyChunkSize]byte
	coded []byte
}

func (z *snappyWriter) reset(out *appender) error {
	z.out, z.used = out, 0
	if z.coded == nil {
		z.coded = make([]byte, snappy.MaxEncodedLen(snappyChunkSize))
	}
	_, err := out.Write([]byte(snappyHeader))
	return err
}

func (z *snappyWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		n := copy(z.block[z.used:], p)
		z.used += n
		written += n
		p = p[n:]
		if z.used == len(z.block) {
			if err := z.flush(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

func (z *snappyWriter) flush() error {
	chunk := snappy.Encode(z.coded, z.block[:z.used])
	z.used = 0
	var h [4]byte
	binary.BigEndian.PutUint32(h[:], uint32(len(chunk)))
	if _, err := z.out.Write(h[:]); err != nil {
		return err
	}
	_, err := z.out.Write(chunk)
	return err
}

func (z *snappyWriter) Close() error {
	if z.used == 0 {
		return nil
	}
	return z.flush()
}
