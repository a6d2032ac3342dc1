package record

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// payloads are what a block may hold: nothing, little, text, noise, and more than a
// window.
func payloads() map[string][]byte {
	random := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	return map[string][]byte{
		"empty": {},
		"byte":  {7},
		"text":  []byte(strings.Repeat("the same again and again ", 40_000)),
		"noise": noise,
		"mixed": append(bytes.Repeat([]byte{0}, 200_000), noise...),
	}
}

func compress(t testing.TB, codec Codec, level int, magic int8, p []byte) []byte {
	t.Helper()
	out := appender{limit: 1 << 30}
	z, err := openCompressor(&out, codec, level, magic)
	if err != nil {
		t.Fatal(err)
	}
	defer z.release()
	if _, err := z.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.b
}

func decompress(codec Codec, magic int8, block []byte) ([]byte, error) {
	s, err := openStream(codec, magic, block)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var out []byte
	for s.peek(1) {
		out = append(out, s.buf[s.r:s.w]...)
		s.r = s.w
	}
	return out, s.err
}

func TestCodecsRoundTrip(t *testing.T) {
	levels := map[Codec][]int{None: {0}, Gzip: {-1, 1, 9}, Snappy: {0}, LZ4: {9, 1, 5, 17}, Zstd: {3, -5, 1, 22}}
	for codec, levels := range levels {
		for _, level := range levels {
			for name, p := range payloads() {
				for range 2 { // the second time from the pools
					got, err := decompress(codec, 2, compress(t, codec, level, 2, p))
					if err != nil || !bytes.Equal(got, p) {
						t.Errorf("%s level %d of %s: %d bytes of %d, %v", codec, level, name, len(got), len(p), err)
					}
				}
			}
		}
	}
}

func TestUnknownCodecAndLevels(t *testing.T) {
	if _, err := openStream(5, 2, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("codec 5: %v", err)
	}
	for _, level := range []int{-4, 10} {
		if _, err := openCompressor(&appender{}, Gzip, level, 2); err == nil {
			t.Errorf("gzip level %d", level)
		}
	}
}

// What the usual libraries write must be read, and what we write they must read.
func TestForeignGzip(t *testing.T) {
	for name, p := range payloads() {
		var theirs bytes.Buffer
		for _, half := range [][]byte{p[:len(p)/2], p[len(p)/2:]} { // two members, as gzip allows
			w := gzip.NewWriter(&theirs)
			w.Name = "a name"
			_, _ = w.Write(half)
			_ = w.Close()
		}
		if got, err := decompress(Gzip, 2, theirs.Bytes()); err != nil || !bytes.Equal(got, p) {
			t.Errorf("read %s: %v", name, err)
		}
		r, err := gzip.NewReader(bytes.NewReader(compress(t, Gzip, -1, 2, p)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, p) {
			t.Errorf("write %s: %v", name, err)
		}
	}
}

func TestForeignSnappy(t *testing.T) {
	for name, p := range payloads() {
		if got, err := decompress(Snappy, 2, snappy.Encode(nil, p)); err != nil || !bytes.Equal(got, p) {
			t.Errorf("bare %s: %v", name, err)
		}
		// Joined frames, and chunks larger than ours.
		framed := []byte(snappyHeader)
		for _, half := range [][]byte{p[:len(p)/2], p[len(p)/2:]} {
			chunk := snappy.Encode(nil, half)
			framed = binary.BigEndian.AppendUint32(framed, uint32(len(chunk)))
			framed = append(framed, chunk...)
			framed = append(framed, snappyHeader...)
		}
		if got, err := decompress(Snappy, 2, framed); err != nil || !bytes.Equal(got, p) {
			t.Errorf("framed %s: %v", name, err)
		}
	}
}

func TestForeignLZ4(t *testing.T) {
	for name, p := range payloads() {
		for _, size := range []lz4.BlockSize{lz4.Block64Kb, lz4.Block256Kb, lz4.Block1Mb, lz4.Block4Mb} {
			var theirs bytes.Buffer
			w := lz4.NewWriter(&theirs)
			if err := w.Apply(lz4.BlockSizeOption(size), lz4.BlockChecksumOption(true), lz4.SizeOption(uint64(len(p)))); err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write(p)
			_ = w.Close()
			if got, err := decompress(LZ4, 2, theirs.Bytes()); err != nil || !bytes.Equal(got, p) {
				t.Errorf("read %s in blocks of %d: %v", name, size, err)
			}
		}
		ours := compress(t, LZ4, 9, 2, p)
		if got, err := io.ReadAll(lz4.NewReader(bytes.NewReader(ours))); err != nil || !bytes.Equal(got, p) {
			t.Errorf("write %s: %v", name, err)
		}
	}
}

func TestForeignZstd(t *testing.T) {
	for name, p := range payloads() {
		for _, window := range []int{1 << 10, 8 << 20, 32 << 20} { // the last is decoded whole
			var theirs bytes.Buffer
			w, err := zstd.NewWriter(&theirs, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write(p[:len(p)/2])
			_ = w.Flush() // keeps the encoder from shrinking the window to the content
			_, _ = w.Write(p[len(p)/2:])
			_ = w.Close()
			if got, err := decompress(Zstd, 2, theirs.Bytes()); err != nil || !bytes.Equal(got, p) {
				t.Errorf("read %s with window %d: %v", name, window, err)
			}
		}
		r, err := zstd.NewReader(bytes.NewReader(compress(t, Zstd, 3, 2, p)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, p) {
			t.Errorf("write %s: %v", name, err)
		}
		r.Close()
	}
}

// The header checksum of LZ4 in magic 0 covers the frame's magic too (KAFKA-3160).
func TestBrokenLZ4ChecksumOfMagic0(t *testing.T) {
	p := []byte("some text")
	right, broken := compress(t, LZ4, 9, 1, p), compress(t, LZ4, 9, 0, p)
	if right[6] != 0x82 || broken[6] == right[6] {
		t.Errorf("checksums %#x and %#x", right[6], broken[6])
	}
	for _, block := range [][]byte{right, broken} {
		if got, err := decompress(LZ4, 0, block); err != nil || !bytes.Equal(got, p) {
			t.Errorf("magic 0: %v", err)
		}
	}
	if _, err := decompress(LZ4, 1, broken); err == nil {
		t.Error("magic 1 took the broken checksum")
	}
}

func TestXXH32(t *testing.T) {
	for text, want := range map[string]uint32{
		"": 0x02CC5D05, "a": 0x550D7456, "abc": 0x32D153FF,
		"Nobody inspects the spammish repetition": 0xE2293B2F,
	} {
		if got := xxh32([]byte(text)); got != want {
			t.Errorf("%q: %#x, want %#x", text, got, want)
		}
	}
}

// A block must end as its format says: cut anywhere it is an error, or gives less
// without one where Kafka takes the cut for the end.
func TestCutBlocksDoNotPanic(t *testing.T) {
	p := payloads()["text"][:5000]
	for _, codec := range allCodecs[1:] {
		block := compress(t, codec, DefaultLevel(codec), 2, p)
		for n := range len(block) {
			if got, err := decompress(codec, 2, block[:n]); err == nil && len(got) == len(p) && codec != LZ4 && codec != Zstd {
				t.Errorf("%s cut to %d of %d bytes was whole", codec, n, len(block))
			}
		}
	}
}

// A small block that decompresses to a lot costs time, but no memory.
func TestBombIsStreamed(t *testing.T) {
	const size = 24 << 20
	for _, codec := range []Codec{Gzip, LZ4, Zstd} {
		n := NewBuilder(BatchOptions{Codec: codec, Level: DefaultLevel(codec)})
		n.Append(0, []byte("k"), make([]byte, size))
		b, err := n.Build()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Validate(b, anyRules(), 9, validateNow); err != nil {
			t.Fatal(err)
		}
		got := allocatedBy(func() {
			if _, err := Validate(b, anyRules(), 9, validateNow); err != nil {
				t.Error(err)
			}
		})
		if got > size/2 {
			t.Errorf("%s: %d bytes allocated to validate %d", codec, got, len(b))
		}
	}
}

// A claim of much is not believed: neither by snappy's length, nor by a record's.
func TestClaimsAreNotAllocated(t *testing.T) {
	block := binary.AppendUvarint(nil, 1<<30)
	got := allocatedBy(func() {
		if _, err := decompress(Snappy, 2, append(block, 0, 0, 0)); err == nil {
			t.Error("snappy block of 1 GiB in 8 bytes")
		}
	})
	if got > 1<<20 {
		t.Errorf("%d bytes for a snappy block of 8", got)
	}
	body := appendVarint(nil, maxRecordSize)
	for _, codec := range allCodecs {
		b := Batch(append(make([]byte, HeaderSize), compress(t, codec, DefaultLevel(codec), 2, body)...))
		copy(b, newHeader(int16(codec)))
		b.finish(0, 1, 0, 0)
		got := allocatedBy(func() {
			if _, err := tryReadAll(b); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %v", codec, err)
			}
		})
		if got > 4<<20 {
			t.Errorf("%s: %d bytes for a record of %d", codec, got, len(body))
		}
	}
}

func TestStreamEndsAt2GiB(t *testing.T) {
	s, err := openStream(Zstd, 2, compress(t, Zstd, 3, 2, []byte("some text")))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.base = maxUncompressed - 3 // as if so much had been read
	if s.peek(10) || !errors.Is(s.err, errBomb) {
		t.Errorf("error %v", s.err)
	}
}
