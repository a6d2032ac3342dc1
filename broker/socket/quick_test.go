package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// pair is both ends of a TCP connection.
func pair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client.(*net.TCPConn), server.(*net.TCPConn)
}

func TestEverythingArrivesInOrder(t *testing.T) {
	a, b := pair(t)
	// Small buffers, so that writes find the socket full and reads find it empty.
	if err := errors.Join(a.SetWriteBuffer(2<<10), b.SetReadBuffer(2<<10)); err != nil {
		t.Fatal(err)
	}
	sent := make([]byte, 20<<10)
	for i := range sent {
		sent[i] = byte(i * 7 / 3)
	}
	failed := make(chan error, 1)
	go func() {
		w := New(a)
		for at, size := 0, 1; at < len(sent); size = size*2%5000 + 1 {
			n, err := w.Write(sent[at:min(at+size, len(sent))])
			if err != nil {
				failed <- err
				return
			}
			at += n
		}
		failed <- a.CloseWrite()
	}()
	got, err := io.ReadAll(struct{ io.Reader }{New(b)})
	if err := errors.Join(err, <-failed); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes arrived, %d were sent, or others", len(got), len(sent))
	}
}

func TestDeadlinesAndClosingEndARead(t *testing.T) {
	_, b := pair(t)
	q := New(b)
	ended := make(chan error, 1)
	read := func() {
		_, err := q.Read(make([]byte, 10))
		ended <- err
	}
	go read()
	if err := b.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v, want that of a deadline", err)
	}
	if err := b.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go read()
	b.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v, want net.ErrClosed", err)
	}
}

func TestAPeerThatIsGone(t *testing.T) {
	a, b := pair(t)
	if err := errors.Join(b.SetLinger(0), b.Close()); err != nil { // with a reset
		t.Fatal(err)
	}
	q := New(a)
	if _, err := q.Read(make([]byte, 10)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("read ends with %v, want the reset", err)
	}
	if _, err := q.Write([]byte("x")); err == nil {
		t.Error("a write to a peer that is gone succeeds")
	}
}

func TestAnyConnection(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go New(a).Write([]byte("hello"))
	got := make([]byte, 10)
	if n, err := New(b).Read(got); err != nil || string(got[:n]) != "hello" {
		t.Errorf("read %q, %v", got[:n], err)
	}
}
