package record

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Kafka's default compression levels (CompressionType.java). For LZ4 it means the fast
// compressor; for gzip the library's own choice.
const (
	defaultGzipLevel = -1
	defaultLZ4Level  = 9
	defaultZstdLevel = 3
)

// zstdWriterWindow is the window of what we compress: a batch is rarely larger than
// the default max.message.bytes, and a reader allocates it too.
const zstdWriterWindow = 1 << 20

// ErrBlockTooLarge is wrapped by the error of compressing more than the limit.
var ErrBlockTooLarge = errors.New("compressed block is too large")

// DefaultLevel returns Kafka's default level of a codec, 0 for those without levels.
func DefaultLevel(c Codec) int {
	switch c {
	case Gzip:
		return defaultGzipLevel
	case LZ4:
		return defaultLZ4Level
	case Zstd:
		return defaultZstdLevel
	default:
		return 0
	}
}

// appender is an io.Writer onto the end of a slice, up to a limit.
type appender struct {
	b     []byte
	limit int
}

func (a *appender) Write(p []byte) (int, error) {
	if len(p) > a.limit-len(a.b) {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrBlockTooLarge, a.limit)
	}
	a.b = append(a.b, p...)
	return len(p), nil
}

// compressor writes one block. Close ends the block; release gives the compressor back.
type compressor struct {
	io.WriteCloser
	pool *sync.Pool
}

func (c compressor) release() {
	switch z := c.WriteCloser.(type) { // none may keep the finished batch alive
	case *gzip.Writer:
		z.Reset(io.Discard)
	case *zstd.Encoder:
		z.Reset(nil)
	case *lz4Writer:
		z.out = nil
	case *snappyWriter:
		z.out = nil
	}
	if c.pool != nil {
		c.pool.Put(c.WriteCloser)
	}
}

type plainWriter struct{ *appender }

func (plainWriter) Close() error { return nil }

// Pools of compressors, as those of streams are: by codec, and where it is fixed at
// construction by level.
var (
	gzipWriters   [gzip.BestCompression - gzip.HuffmanOnly + 1]sync.Pool
	zstdWriters   [zstd.SpeedBestCompression + 1]sync.Pool
	lz4Writers    sync.Pool
	snappyWriters sync.Pool
)

// openCompressor starts a block at the end of out. The magic is that of the message
// whose value the block becomes: with 0, LZ4 gets the header checksum of then.
func openCompressor(out *appender, codec Codec, level int, magic int8) (compressor, error) {
	switch codec {
	case None:
		return compressor{WriteCloser: plainWriter{out}}, nil
	case Gzip:
		return openGzip(out, level)
	case Snappy:
		z, _ := snappyWriters.Get().(*snappyWriter)
		if z == nil {
			z = new(snappyWriter)
		}
		return compressor{z, &snappyWriters}, z.reset(out)
	case LZ4:
		z, _ := lz4Writers.Get().(*lz4Writer)
		if z == nil {
			z = new(lz4Writer)
		}
		return compressor{z, &lz4Writers}, z.reset(out, level, magic)
	case Zstd:
		return openZstd(out, level)
	default:
		return compressor{}, fmt.Errorf("compress with unknown type id %d", int8(codec))
	}
}

func openGzip(out *appender, level int) (compressor, error) {
	if level < gzip.HuffmanOnly || level > gzip.BestCompression {
		return compressor{}, fmt.Errorf("gzip has no level %d", level)
	}
	pool := &gzipWriters[level-gzip.HuffmanOnly]
	z, _ := pool.Get().(*gzip.Writer)
	if z == nil {
		var err error
		if z, err = gzip.NewWriterLevel(out, level); err != nil {
			return compressor{}, fmt.Errorf("make gzip compressor: %w", err)
		}
	} else {
		z.Reset(out)
	}
	return compressor{z, pool}, nil
}

func openZstd(out *appender, level int) (compressor, error) {
	speed := zstd.EncoderLevelFromZstd(level)
	pool := &zstdWriters[speed]
	z, _ := pool.Get().(*zstd.Encoder)
	if z == nil {
		var err error
		z, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(speed), zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderCRC(false), zstd.WithWindowSize(zstdWriterWindow), zstd.WithLowerEncoderMem(true),
			zstd.WithZeroFrames(true))
		if err != nil {
			return compressor{}, fmt.Errorf("make zstd compressor: %w", err)
		}
	}
	z.Reset(out)
	return compressor{z, pool}, nil
}
