package record

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

var (
	errGzipHeader   = errors.New("gzip header is not one")
	errGzipChecksum = errors.New("gzip checksum does not hold")
)

// Of a member's header (RFC 1952).
const (
	gzipHeaderSize  = 10
	gzipTrailerSize = 8
	gzipMethod      = 8 // DEFLATE

	gzipHeaderCRC = 1 << 1
	gzipExtra     = 1 << 2
	gzipName      = 1 << 3
	gzipComment   = 1 << 4
)

// gzipReader reads gzip members that follow each other, from memory.
type gzipReader struct {
	inflater inflater
	pending  []byte // decoded, not yet handed out
	crc      uint32
	size     uint32
	ended    bool
}

func (g *gzipReader) reset(in []byte) error {
	g.pending, g.ended = nil, false
	return g.startMember(in)
}

func (g *gzipReader) startMember(in []byte) error {
	body, err := skipGzipHeader(in)
	if err != nil {
		return err
	}
	g.crc, g.size = 0, 0
	g.inflater.reset(body)
	return nil
}

// skipGzipHeader returns what follows a member's header.
func skipGzipHeader(in []byte) ([]byte, error) {
	if len(in) < gzipHeaderSize {
		return nil, io.ErrUnexpectedEOF
	}
	if in[0] != 0x1f || in[1] != 0x8b || in[2] != gzipMethod {
		return nil, errGzipHeader
	}
	flags, at := in[3], gzipHeaderSize
	if flags&gzipExtra != 0 {
		if len(in) < at+2 {
			return nil, io.ErrUnexpectedEOF
		}
		at += 2 + int(binary.LittleEndian.Uint16(in[at:]))
	}
	for _, text := range []byte{gzipName, gzipComment} {
		if flags&text == 0 {
			continue
		}
		for at < len(in) && in[at] != 0 {
			at++
		}
		at++
	}
	if at > len(in) {
		return nil, io.ErrUnexpectedEOF
	}
	if flags&gzipHeaderCRC != 0 {
		if len(in) < at+2 {
			return nil, io.ErrUnexpectedEOF
		}
		if binary.LittleEndian.Uint16(in[at:]) != uint16(crc32.ChecksumIEEE(in[:at])) {
			return nil, errGzipHeader
		}
		at += 2
	}
	return in[at:], nil
}

func (g *gzipReader) Read(p []byte) (int, error) {
	for len(g.pending) == 0 {
		if g.ended {
			return 0, io.EOF
		}
		decoded, err := g.inflater.next()
		if err == io.EOF {
			err = g.endMember()
		}
		if err != nil {
			return 0, err
		}
		g.pending = decoded
		g.crc = crc32.Update(g.crc, crc32.IEEETable, decoded)
		g.size += uint32(len(decoded))
	}
	n := copy(p, g.pending)
	g.pending = g.pending[n:]
	return n, nil
}

// endMember checks a member's trailer and starts the next member, if there is one.
func (g *gzipReader) endMember() error {
	trailer := g.inflater.rest()
	if len(trailer) < gzipTrailerSize {
		return io.ErrUnexpectedEOF
	}
	if binary.LittleEndian.Uint32(trailer) != g.crc || binary.LittleEndian.Uint32(trailer[4:]) != g.size {
		return errGzipChecksum
	}
	if rest := trailer[gzipTrailerSize:]; len(rest) > 0 {
		return g.startMember(rest)
	}
	g.ended = true
	return nil
}

// release lets go of the input.
func (g *gzipReader) release() { g.inflater.in, g.pending = nil, nil }
