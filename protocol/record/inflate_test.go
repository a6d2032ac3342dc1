package record

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	kflate "github.com/klauspost/compress/flate"
)

func inflate(in []byte) ([]byte, []byte, error) {
	z := new(inflater)
	z.reset(in)
	var out []byte
	for {
		p, err := z.next()
		if errors.Is(err, io.EOF) {
			return out, z.rest(), nil
		}
		if err != nil {
			return nil, nil, err
		}
		out = append(out, p...)
	}
}

func deflate(t testing.TB, level int, p []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// skewed has symbols of very different frequency, so that codes get long, and matches at all distances.
func skewed(size int) []byte {
	random := rand.New(rand.NewPCG(5, 6))
	p := make([]byte, 0, size)
	for len(p) < size {
		if len(p) > 300 && random.IntN(8) == 0 {
			from := len(p) - 1 - random.IntN(min(len(p)-1, 40_000))
			p = append(p, p[from:min(len(p), from+3+random.IntN(300))]...)
			continue
		}
		p = append(p, byte(random.ExpFloat64()*float64(1+random.IntN(60))))
	}
	return p[:size]
}

func TestInflateReadsWhatDeflateWrites(t *testing.T) {
	inputs := payloads()
	inputs["skewed"] = skewed(500_000)
	inputs["runs"] = bytes.Repeat([]byte{1, 1, 1, 1, 2, 2, 3}, 30_000)
	for name, p := range inputs {
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 6, 9} {
			block := deflate(t, level, p)
			got, rest, err := inflate(append(block, "rest"...))
			if err != nil || !bytes.Equal(got, p) || string(rest) != "rest" {
				t.Errorf("%s level %d: %d of %d bytes, then %q, %v", name, level, len(got), len(p), rest, err)
			}
		}
	}
}

func TestInflateRefusesWhatEndsEarly(t *testing.T) {
	for _, level := range []int{flate.HuffmanOnly, 0, 1, 9} {
		block := deflate(t, level, skewed(3000))
		for n := range len(block) {
			if _, _, err := inflate(block[:n]); err == nil {
				t.Errorf("level %d: %d of %d bytes were enough", level, n, len(block))
			}
		}
	}
}

// A code that is not complete is refused, but for the one symbol of one bit that deflate writes for a single distance.
func TestHuffmanCodes(t *testing.T) {
	for name, c := range map[string]struct {
		lengths []uint8
		single  bool
		want    bool
	}{
		"complete":        {[]uint8{1, 2, 2}, false, true},
		"all lengths":     {[]uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15}, false, true},
		"oversubscribed":  {[]uint8{1, 1, 2}, true, false},
		"incomplete":      {[]uint8{2, 2, 2}, true, false},
		"single":          {[]uint8{0, 1}, true, true},
		"single of two":   {[]uint8{0, 2}, true, false},
		"single unwanted": {[]uint8{0, 1}, false, false},
		"none":            {[]uint8{0, 0}, true, true},
	} {
		var table [distanceSpace]uint32
		if got := buildHuffman(table[:], distanceWidth, c.lengths, distanceEntries[:], c.single); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// FuzzInflate compares with the standard library, which accepts the same but for how far it reads on into damage.
func FuzzInflate(f *testing.F) {
	for _, level := range []int{flate.HuffmanOnly, 0, 1, 9} {
		f.Add(deflate(f, level, skewed(2000)))
		f.Add(deflate(f, level, []byte("the same again and again and again")))
	}
	f.Add([]byte{5, 0x20, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		in = append(in, make([]byte, 16)...) // so that decodeFast sees the last bytes too
		got, _, err := inflate(in)
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(in)), 64<<20))
		if len(want) == 64<<20 {
			return
		}
		if err == nil && wantErr == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, the library gives %d", len(got), len(want))
		}
		if err == nil && wantErr != nil {
			t.Fatalf("accepted what the library refuses: %v", wantErr)
		}
		if err != nil && wantErr == nil {
			t.Fatalf("refused what the library accepts: %v", err)
		}
	})
}

// BenchmarkInflate: log lines that compress to a fifth, beside the library that was used before.
func BenchmarkInflate(b *testing.B) {
	block := logBatch(b, None).Records()
	size := int64(len(block))
	block = deflate(b, 6, block)
	b.Run("ours", func(b *testing.B) {
		z := new(inflater)
		b.SetBytes(size)
		for b.Loop() {
			z.reset(block)
			for {
				if _, err := z.next(); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		var in bytes.Reader
		z, window := kflate.NewReader(&in), make([]byte, windowSize)
		b.SetBytes(size)
		for b.Loop() {
			in.Reset(block)
			if err := z.(kflate.Resetter).Reset(&in, nil); err != nil {
				b.Fatal(err)
			}
			for {
				if _, err := z.Read(window); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
