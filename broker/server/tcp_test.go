package server

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func listenTCP(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func dialTCP(t *testing.T, l net.Listener) *client {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{t: t, Conn: c}
}

func TestConnectionsPerAddressAreLimited(t *testing.T) {
	l := listenTCP(t)
	s := serve(t, handler{handle: echo}, func(l *Limits) {
		l.MaxPerIP = 0
		l.MaxPerIPOverrides = map[string]int32{"127.0.0.1": 2}
	}, l)
	first, second := dialTCP(t, l), dialTCP(t, l)
	for _, c := range []*client{first, second} {
		c.send(1, "hi")
		c.want(1, "hi")
	}
	dialTCP(t, l).wantClosed()
	if n := testutil.ToFloat64(s.metrics.refused.WithLabelValues(refusedConnection)); n != 1 {
		t.Errorf("%v refused", n)
	}
	first.Close()
	second.send(2, "still")
	second.want(2, "still")
}

// As in Kafka a full broker lets new connections wait rather than closing them.
func TestFullServerLetsConnectionsWait(t *testing.T) {
	l := listenTCP(t)
	serve(t, handler{handle: echo}, func(l *Limits) { l.MaxConnections = 1 }, l)
	first := dialTCP(t, l)
	first.send(1, "hi")
	first.want(1, "hi")
	second := dialTCP(t, l)
	second.send(1, "waits")
	if err := second.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := second.receive(); !os.IsTimeout(err) {
		t.Errorf("a connection above the limit was served: %v", err)
	}
	first.Close()
	if err := second.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	second.want(1, "waits")
}

func TestCreationRate(t *testing.T) {
	var a admission
	now := time.Unix(1000, 0)
	for i := range 10 {
		if d := a.pace(10, now); d != 0 {
			t.Errorf("connection %d of the first second has to wait %s", i, d)
		}
	}
	if d := a.pace(10, now); d != 100*time.Millisecond {
		t.Errorf("the eleventh waits %s", d)
	}
	if d := a.pace(10, now.Add(time.Second)); d != 0 {
		t.Errorf("a second later it waits %s", d)
	}
}

// fileBlob is a Piece in a file, sent as storage sends it.
type fileBlob struct {
	f    *os.File
	size int64
}

func (b *fileBlob) Len() int64 { return b.size }
func (b *fileBlob) Release()   { b.f.Close() }
func (b *fileBlob) SendTo(conn net.Conn) error {
	_, err := conn.(io.ReaderFrom).ReadFrom(io.LimitReader(b.f, b.size))
	return err
}

// readableBlob can also be copied.
type readableBlob struct{ *fileBlob }

func (b readableBlob) ReadAt(p []byte, at int64) (int, error) { return b.f.ReadAt(p, at) }

func TestPiecesOfFilesOverTCP(t *testing.T) {
	for _, size := range []int{0, 1, 1000, smallPiece, smallPiece + 1, 3 << 20} {
		for _, readable := range []bool{false, true} {
			want := strings.Repeat("x", size)
			path := filepath.Join(t.TempDir(), "piece")
			if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
				t.Fatal(err)
			}
			l := listenTCP(t)
			serve(t, handler{handle: func(context.Context, *Call) Reply {
				f, err := os.Open(path)
				if err != nil {
					t.Error(err)
				}
				b := &fileBlob{f: f, size: int64(size)}
				var p Piece = b
				if readable {
					p = readableBlob{b}
				}
				return Reply{Response: Response{Chunks: []Chunk{{Bytes: []byte("<")}, {Piece: p}, {Bytes: []byte(">")}}}}
			}}, nil, l)
			c := dialTCP(t, l)
			c.send(1, "")
			if _, got, err := c.receive(); err != nil || got != "<"+want+">" {
				t.Errorf("piece of %d bytes, readable %t: %d bytes came, %v", size, readable, len(got), err)
			}
		}
	}
}

func TestSoftwareIsRemembered(t *testing.T) {
	var c Conn
	if n, v := c.Software(); n != "" || v != "" {
		t.Errorf("%q %q before anything was told", n, v)
	}
	c.SetSoftware("kgo", "1.2")
	if n, v := c.Software(); n != "kgo" || v != "1.2" {
		t.Errorf("%q %q", n, v)
	}
}

func TestQueueThatIsNeverEmptyDoesNotGrow(t *testing.T) {
	var q queue
	next, expected := int32(0), int32(0)
	push := func() {
		c := &Call{}
		c.Header.CorrelationID = next
		q.push(pending{call: c})
		next++
	}
	push()
	for range 10_000 {
		push()
		push()
		for range 2 {
			if got := q.first().call.Header.CorrelationID; got != expected {
				t.Fatalf("%d comes after %d", got, expected-1)
			}
			expected++
			q.pop()
		}
		if q.len() != 1 {
			t.Fatalf("%d are left", q.len())
		}
	}
	if cap(q.calls) > 16 {
		t.Errorf("grew to %d", cap(q.calls))
	}
}

func TestSocketBuffers(t *testing.T) {
	l := listenTCP(t)
	s := serve(t, handler{handle: echo}, func(l *Limits) { l.SendBuffer, l.ReceiveBuffer = 30_000, 20_000 }, l)
	c := dialTCP(t, l)
	c.send(1, "hi")
	c.want(1, "hi")
	s.each(func(c *conn) {
		raw, err := c.socket.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) {
			for option, want := range map[int]int{syscall.SO_SNDBUF: 30_000, syscall.SO_RCVBUF: 20_000} {
				// Linux doubles what it is asked for.
				if got, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, option); err != nil || got != want && got != 2*want {
					t.Errorf("option %d is %d, %v; want %d", option, got, err, want)
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFrameAboveTheLimitClosesItsConnection(t *testing.T) {
	l := listenTCP(t)
	serve(t, handler{handle: echo}, func(l *Limits) { l.RequestMaxBytes = 30 }, l)
	c := dialTCP(t, l)
	c.send(1, strings.Repeat("x", 18))
	c.want(1, strings.Repeat("x", 18))
	c.send(2, strings.Repeat("x", 19))
	c.wantClosed()
}
