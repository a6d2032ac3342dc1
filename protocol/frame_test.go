package protocol

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReadFrame(t *testing.T) {
	var pool Buffers
	r := strings.NewReader("\x00\x00\x00\x03abc\x00\x00\x00\x00\x00\x00\x00\x02d")
	for _, want := range []string{"abc", ""} {
		got, err := ReadFrame(r, 10, &pool)
		if err != nil || string(got) != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
		pool.Give(got)
	}
	if _, err := ReadFrame(r, 10, &pool); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a frame: %v", err)
	}
	if _, err := ReadFrame(r, 10, &pool); err != io.EOF {
		t.Errorf("end between frames: %v", err)
	}
}

func TestReadFrameRefusesSizesBeforeItAllocates(t *testing.T) {
	var pool Buffers
	for head, looks := range map[string]string{
		"\xff\xff\xff\xff": "",
		"\x7f\xff\xff\xff": "",
		"\x00\x00\x00\x0b": "",
		"\x16\x03\x01\x02": "TLS",
		"GET ":             "HTTP",
		"PRI ":             "HTTP/2",
		"SSH-":             "SSH",
		"hell":             `"hell"`,
	} {
		var err error
		allocated := testing.AllocsPerRun(1, func() { _, err = ReadFrame(strings.NewReader(head+"..."), 10, &pool) })
		var size *SizeError
		if !errors.As(err, &size) || size.Max != 10 || !strings.Contains(size.Error(), looks) {
			t.Errorf("%q: %v", head, err)
		}
		if allocated > 20 {
			t.Errorf("%q: %v allocations", head, allocated)
		}
	}
}

// A peer that announces a giant frame and hangs up must not cost a giant.
func TestGiantFrameIsAllocatedOnlyOnceItsBytesCome(t *testing.T) {
	var pool Buffers
	const size = 100 << 20
	before := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ReadBody(strings.NewReader("few"), size, &pool); !errors.Is(err, io.ErrUnexpectedEOF) {
				b.Fatal(err)
			}
		}
	})
	if got := before.AllocedBytesPerOp(); got > firstBytes+4096 {
		t.Errorf("%d bytes allocated for a frame that never came", got)
	}

	want := bytes.Repeat([]byte("0123456789abcdef"), secondBytes/16+1000)
	got, err := ReadBody(bytes.NewReader(want), len(want), &pool)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("large frame differs, %v", err)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x03abc"))
	f.Add([]byte("\xff\xff\xff\xffabc"))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	var pool Buffers
	f.Fuzz(func(t *testing.T, in []byte) {
		const max = 1 << 16
		frame, err := ReadFrame(bytes.NewReader(in), max, &pool)
		if err != nil {
			_ = err.Error()
			return
		}
		if len(frame) > max || !bytes.Equal(frame, in[SizeBytes:SizeBytes+len(frame)]) {
			t.Errorf("frame of %d bytes differs from the input", len(frame))
		}
		pool.Give(frame)
	})
}

func TestBuffers(t *testing.T) {
	var pool Buffers
	for _, size := range []int{0, 1, 511, 512, 513, 4096, 1<<22 - 1, 1 << 22, 1<<22 + 1} {
		b := pool.Take(size)
		if len(b) != size {
			t.Errorf("asked for %d, got %d", size, len(b))
		}
		if size <= 1<<maxClass && cap(b) != 1<<classOf(size) {
			t.Errorf("%d bytes have the capacity %d", size, cap(b))
		}
		pool.Give(b)
	}
	pool.Give(nil)
	pool.Give(make([]byte, 700)) // of no class: left alone
	if b := pool.Take(700); cap(b) != 1024 {
		t.Errorf("a foreign buffer came back with the capacity %d", cap(b))
	}
	sub := pool.Take(1024)[100:]
	pool.Give(sub) // not what Take gave: left alone
}

func BenchmarkBuffers(b *testing.B) {
	var pool Buffers
	b.ReportAllocs()
	for b.Loop() {
		pool.Give(pool.Take(700))
	}
}
