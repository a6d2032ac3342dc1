package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

const (
	// windowSize is the size of a stream's buffer. It holds two blocks of LZ4 as
	// Kafka writes it, so that a block is decoded in place behind the record that
	// straddles its edge.
	windowSize = 128 << 10
	// maxKeptWindow is the largest buffer that goes back into a pool.
	maxKeptWindow = 1 << 20
	// maxUncompressed bounds what a block may decode to. Kafka counts it in an int
	// as well; no client builds more than one buffer of it.
	maxUncompressed = math.MaxInt32
	// maxRecordSize bounds one record, which an Iterator must hold in memory: more than
	// socket.request.max.bytes by default. Validate refuses a larger one, so that none is
	// stored that could not be read.
	maxRecordSize = 256 << 20
	// zstdWindow is the window up to which zstd is decoded as a stream. The format asks every
	// decoder for 8 MiB; levels above 19 use up to zstdWideWindow even for small data, so
	// their blocks are decoded whole instead of paying for a window they do not fill.
	zstdWindow     = 8 << 20
	zstdWideWindow = 128 << 20
)

var errBomb = errors.New("block decodes to more than 2 GiB")

// stream is the records of a batch as bytes to walk over: either all in memory, or
// decompressed piece by piece into a window that it reuses.
type stream struct {
	buf  []byte // what is in memory of the records
	r, w int    // unread bytes are buf[r:w]
	base int64  // bytes of records before buf[0]
	src  io.Reader
	err  error // why src ended, if not with io.EOF

	codec  Codec
	window []byte // owned; buf when src is not nil
	whole  []byte // owned; a block that could only be decoded whole

	input  bytes.Reader
	gzip   *gzip.Reader
	zstd   *zstd.Decoder
	lz4    lz4Reader
	snappy snappyReader
}

// The pools hold decoders and buffers between uses, by codec. They are caches
// without meaning: nothing depends on what is in them.
var (
	streams      [Zstd + 1]sync.Pool
	zstdWideness sync.Pool
)

// openStream returns a stream over the records of a batch, to be closed after use.
// The magic is that of the message whose value is the block.
func openStream(codec Codec, magic int8, block []byte) (*stream, error) {
	if codec < None || codec > Zstd {
		return nil, fmt.Errorf("%w: unknown compression type id %d", ErrCorrupt, int8(codec))
	}
	s, _ := streams[codec].Get().(*stream)
	if s == nil {
		s = &stream{codec: codec}
	}
	s.r, s.w, s.base, s.src, s.err = 0, 0, 0, nil, nil
	if err := s.start(magic, block); err != nil {
		s.close()
		return nil, fmt.Errorf("%w: open %s block: %w", ErrCorrupt, codec, err)
	}
	if s.src != nil {
		if s.window == nil {
			s.window = make([]byte, windowSize)
		}
		s.buf = s.window
	}
	return s, nil
}

func (s *stream) start(magic int8, block []byte) error {
	switch s.codec {
	case Gzip:
		s.input.Reset(block)
		if s.gzip == nil {
			s.gzip = new(gzip.Reader)
		}
		s.src = s.gzip
		return s.gzip.Reset(&s.input)
	case Snappy:
		if !isFramedSnappy(block) {
			return s.decodeSnappy(block)
		}
		s.src = &s.snappy
		return s.snappy.reset(block)
	case LZ4:
		s.src = &s.lz4
		return s.lz4.reset(block, magic)
	case Zstd:
		return s.startZstd(block)
	default:
		s.buf, s.w = block, len(block)
		return nil
	}
}

func (s *stream) decodeSnappy(block []byte) error {
	size, err := snappyLength(block)
	if err != nil {
		return err
	}
	if cap(s.whole) < size {
		s.whole = make([]byte, size)
	}
	decoded, err := snappy.Decode(s.whole[:size], block)
	s.buf, s.w = decoded, len(decoded)
	return err
}

func (s *stream) startZstd(block []byte) error {
	var h zstd.Header
	if err := h.Decode(block); err != nil {
		return err
	}
	if size := max(h.WindowSize, h.FrameContentSize); size > zstdWindow && (h.SingleSegment || h.WindowSize > zstdWindow) {
		return s.decodeWideZstd(block)
	}
	s.input.Reset(block)
	if s.zstd == nil {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return err
		}
		s.zstd = z
	}
	s.src = s.zstd
	return s.zstd.Reset(&s.input)
}

func (s *stream) decodeWideZstd(block []byte) error {
	z, _ := zstdWideness.Get().(*zstd.Decoder)
	if z == nil {
		var err error
		z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWideWindow), zstd.WithDecoderMaxMemory(zstdWideWindow))
		if err != nil {
			return err
		}
	}
	defer zstdWideness.Put(z)
	decoded, err := z.DecodeAll(block, s.whole[:0])
	if err != nil {
		return err
	}
	s.whole, s.buf, s.w = decoded, decoded, len(decoded)
	return nil
}

// close gives the stream back. Views of its bytes are void afterwards.
func (s *stream) close() {
	s.buf, s.src = nil, nil
	s.input.Reset(nil)
	s.lz4.frame, s.lz4.pending = nil, nil
	s.snappy.chunks, s.snappy.pending = nil, nil
	if s.zstd != nil {
		_ = s.zstd.Reset(nil) // lets go of the input; cannot fail on an open decoder
	}
	if cap(s.window) > maxKeptWindow {
		s.window = nil
	}
	if cap(s.whole) > maxKeptWindow {
		s.whole = nil
	}
	streams[s.codec].Put(s)
}

// position returns how many bytes of the records were consumed.
func (s *stream) position() int64 { return s.base + int64(s.r) }

// peek makes at least n unread bytes available at buf[r:w] and reports whether that
// many are left. The window grows to n, but never faster than data arrives.
func (s *stream) peek(n int) bool {
	for s.w-s.r < n {
		if s.src == nil {
			return false
		}
		s.fill(n)
	}
	return true
}

// fill reads once from the source, for one who wants n unread bytes.
func (s *stream) fill(n int) {
	if s.r > 0 {
		copy(s.buf, s.buf[s.r:s.w])
		s.base += int64(s.r)
		s.w -= s.r
		s.r = 0
	}
	if s.w == len(s.buf) {
		// All full, and n is still more: the bytes so far were real, so twice as many is fair.
		grown := make([]byte, max(windowSize, min(n, 2*len(s.buf))))
		copy(grown, s.buf[:s.w])
		s.window, s.buf = grown, grown
	}
	got, err := s.src.Read(s.buf[s.w:])
	s.w += got
	if err == nil && s.base+int64(s.w) > maxUncompressed {
		err = errBomb
	}
	if err != nil {
		s.src = nil
		if !errors.Is(err, io.EOF) {
			s.err = err
		}
	}
}

// skip consumes n bytes without keeping them and reports whether there were as many.
func (s *stream) skip(n int64) bool {
	for int64(s.w-s.r) < n {
		n -= int64(s.w - s.r)
		s.r = s.w
		if s.src == nil {
			return false
		}
		s.fill(1)
	}
	s.r += int(n)
	return true
}

// varint consumes an int32 and reports whether there was one.
func (s *stream) varint() (int32, bool) {
	s.peek(maxVarintSize) // fewer may be left
	v, next := varint(s.buf[:s.w], s.r)
	if next < 0 {
		return 0, false
	}
	s.r = next
	return v, true
}

func (s *stream) varlong() (int64, bool) {
	s.peek(maxVarlongSize)
	v, next := varlong(s.buf[:s.w], s.r)
	if next < 0 {
		return 0, false
	}
	s.r = next
	return v, true
}

// ended reports whether no byte is left.
func (s *stream) ended() bool { return !s.peek(1) }

// failure names what is wrong when bytes are missing.
func (s *stream) failure(what string) error {
	if s.err != nil {
		return fmt.Errorf("%w: decompress %s: %w", ErrCorrupt, s.codec, s.err)
	}
	return fmt.Errorf("%w: %s", ErrCorrupt, what)
}
