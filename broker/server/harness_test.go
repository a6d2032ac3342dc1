package server

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/protocol"
)

// handler is a Handler made of functions.
type handler struct {
	handle    func(ctx context.Context, c *Call) Reply
	pipelines func(h protocol.RequestHeader) bool
}

func (h handler) Handle(ctx context.Context, c *Call) Reply { return h.handle(ctx, c) }

func (h handler) Pipelines(header protocol.RequestHeader) bool {
	return h.pipelines != nil && h.pipelines(header)
}

// echo answers with the body, which it copies.
func echo(_ context.Context, c *Call) Reply { return Reply{Response: text(string(c.Body))} }

func text(s string) Response { return Response{Chunks: []Chunk{{Bytes: []byte(s)}}} }

// pipes is a listener in memory, so that synctest can see it wait.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(t *testing.T) *client {
	t.Helper()
	here, there := net.Pipe()
	select {
	case p.conns <- there:
	case <-p.closed:
		t.Fatal("listener is closed")
	}
	return &client{t: t, Conn: here}
}

// client sends frames of Produce v8, whose header is the simplest, and reads answers.
type client struct {
	t *testing.T
	net.Conn
}

func frame(correlationID int32, body string) []byte {
	b := make([]byte, 4, 64)
	b = append(b, 0, 0, 0, 8)
	b = binary.BigEndian.AppendUint32(b, uint32(correlationID))
	b = append(b, 0, 2, 'm', 'e')
	b = append(b, body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func (c *client) send(correlationID int32, body string) {
	c.t.Helper()
	if _, err := c.Write(frame(correlationID, body)); err != nil {
		c.t.Errorf("send %d: %v", correlationID, err)
	}
}

func (c *client) receive() (correlationID int32, body string, err error) {
	var pool protocol.Buffers
	b, err := protocol.ReadFrame(c, 1<<30, &pool)
	if err != nil {
		return 0, "", err
	}
	return int32(binary.BigEndian.Uint32(b)), string(b[4:]), nil
}

func (c *client) want(correlationID int32, body string) {
	c.t.Helper()
	id, got, err := c.receive()
	if err != nil || id != correlationID || got != body {
		c.t.Errorf("got %d %q, %v; want %d %q", id, got, err, correlationID, body)
	}
}

func (c *client) wantClosed() {
	c.t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		c.t.Errorf("read %d bytes, %v; want the connection closed", n, err)
	}
}

// start serves on an in-memory listener until the test ends, and then looks for panics.
func start(t *testing.T, h Handler, change func(*Limits)) (*Server, *pipes) {
	t.Helper()
	p := newPipes()
	s := serve(t, h, change, p)
	return s, p
}

func serve(t *testing.T, h Handler, change func(*Limits), l net.Listener) *Server {
	t.Helper()
	limits := DefaultLimits()
	if change != nil {
		change(limits)
	}
	s := New(Options{
		Listeners:  []Listener{{Name: "PLAINTEXT", Listener: l}},
		Handler:    h,
		Limits:     func() *Limits { return limits },
		Registerer: prometheus.NewRegistry(),
		Logger:     zap.NewNop(),
	})
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		if !s.stopping() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			cancel() // the test is over: nobody reads any more
			_ = s.Shutdown(ctx)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.conns) != 0 || s.memory.used != 0 || s.admission.total != 0 {
			t.Errorf("left over: %d connections, %d bytes reserved, %d counted", len(s.conns), s.memory.used, s.admission.total)
		}
	})
	return s
}

// noPanics fails the test if a connection panicked.
func noPanics(t *testing.T, s *Server) {
	t.Helper()
	if n := testutil.ToFloat64(s.metrics.panics); n != 0 {
		t.Errorf("%v connections panicked", n)
	}
}

// blob is a Piece in memory.
type blob struct {
	data     string
	released int
	sent     int
}

func (b *blob) Len() int64 { return int64(len(b.data)) }
func (b *blob) Release()   { b.released++ }
func (b *blob) SendTo(conn net.Conn) error {
	b.sent++
	_, err := io.WriteString(conn, b.data)
	return err
}
