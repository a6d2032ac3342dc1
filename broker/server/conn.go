package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/socket"
	"github.com/kbroker/kbroker/protocol"
)

// readBuffer is what an idle connection costs beside its goroutine: one read of the
// socket takes a small request whole, and the rest of a large one goes straight into its frame.
const readBuffer = 2 << 10

// conn is one connection. The read loop owns everything that has no other owner written beside it.
type conn struct {
	info   Conn
	server *Server
	socket net.Conn
	quick  *socket.Quick // socket, for small messages
	in     *bufio.Reader
	header protocol.RequestHeader // of the last call: keeps its client id's string
	ctx    context.Context        // ends when the peer is gone, or Shutdown ran out of time
	cancel context.CancelFunc

	// activity grows with everything that moves on the socket; the idle sweep compares it with what it saw.
	activity  atomic.Uint64
	seen      uint64    // owned by the idle sweep
	idleSince time.Time // owned by the idle sweep

	vector [2][]byte // scratch of the goroutine that writes

	mu         sync.Mutex
	changed    sync.Cond // a call was answered, or the connection broke
	pending    queue     // handled and not answered
	bytes      int64     // of the frames of pending
	pipelined  bool      // Pipelines is true of all in pending
	answering  bool      // the answering goroutine runs
	awaiting   bool      // it is in an Await
	broken     bool      // nothing is written any more
	mutedUntil time.Time
}

func newConn(s *Server, listener, host string, nc net.Conn) *conn {
	c := &conn{server: s, socket: nc, quick: socket.New(nc), idleSince: time.Now()}
	c.info.Listener, c.info.RemoteHost = listener, host
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	c.changed.L = &c.mu
	c.in = bufio.NewReaderSize(c, readBuffer)
	return c
}

// Read reads from the socket, for the buffer of the read loop.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.quick.Read(p)
	if n > 0 {
		c.activity.Add(1)
	}
	return n, err
}

// serve is the read loop.
func (c *conn) serve() {
	defer c.server.forget(c)
	defer c.end()
	for !c.server.stopping() {
		call, err := c.next()
		if err != nil {
			c.readFailed(err)
			return
		}
		if !c.start(call) {
			return
		}
	}
}

// end waits for the answers that are owed and closes the connection.
func (c *conn) end() {
	c.mu.Lock()
	for c.answering {
		c.changed.Wait()
	}
	c.mu.Unlock()
	c.breakOff()
}

// breakOff closes the socket and gives up what is not written yet. It may be called from any goroutine, more than once.
func (c *conn) breakOff() {
	c.mu.Lock()
	c.broken = true
	c.changed.Broadcast()
	c.mu.Unlock()
	c.cancel()
	c.socket.Close()
}

// next reads a frame and its header. The call is the caller's.
func (c *conn) next() (*Call, error) {
	head, err := c.in.Peek(protocol.SizeBytes)
	if err != nil {
		if err == io.EOF && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	limits := c.server.limits()
	size, err := protocol.FrameSize(head, limits.RequestMaxBytes)
	if err != nil {
		return nil, err
	}
	_, _ = c.in.Discard(protocol.SizeBytes) // what Peek has seen
	call := c.server.calls.Get().(*Call)
	call.size = int64(size)
	call.frame, err = protocol.ReadBodyWithin(c.in, size, &c.server.buffers, func() error {
		if err := c.server.memory.reserve(c.ctx, call.size, limits.QueuedMaxBytes); err != nil {
			return fmt.Errorf("wait for memory for a frame of %d bytes: %w", size, err)
		}
		call.held = call.size
		return nil
	})
	if err != nil {
		c.server.recycle(call)
		return nil, err
	}
	call.Conn, call.Arrived = &c.info, time.Now()
	body, err := c.header.Parse(call.frame)
	call.Header, call.Body = c.header, body
	if err != nil {
		c.server.recycle(call)
		return nil, err
	}
	return call, nil
}

// readFailed says why reading ended, where a person may want to know, and ends the connection's context when the
// peer is gone. After bytes that are no request the calls before them are still answered, as Kafka would have.
func (c *conn) readFailed(err error) {
	var size *protocol.SizeError
	var reason string
	switch {
	case errors.As(err, &size):
		reason = refusedSize
	case errors.Is(err, protocol.ErrUnknownAPI):
		reason = refusedAPI
	case errors.Is(err, protocol.ErrUnsupportedVersion):
		reason = refusedVersion
	case errors.Is(err, protocol.ErrHeaderTooShort):
		reason = refusedHeader
	case c.server.stopping():
		return // Shutdown made the read end; the peer may still be there
	default:
		c.cancel()
		if err != io.EOF {
			c.server.log.Debug("connection ended", zap.String("remote", c.info.RemoteHost), zap.Error(err))
		}
		return
	}
	c.server.metrics.refused.WithLabelValues(reason).Inc()
	fields := append(c.identity(), zap.Error(err))
	if size == nil {
		fields = append(fields, zap.Int16("api_key", c.header.Key), zap.Int16("api_version", c.header.Version),
			zap.String("client_id", c.header.ClientID))
	}
	c.server.complaints.Warn("connection closed: what it sent is no request for this broker", fields...)
}

// identity returns the fields that tell which peer it is.
func (c *conn) identity() []zap.Field {
	software, version := c.info.Software()
	return []zap.Field{
		zap.String("listener", c.info.Listener), zap.String("remote", c.info.RemoteHost),
		zap.String("software", software), zap.String("software_version", version),
	}
}

// start waits for the call's turn, hands it to the handler, and answers it or queues its reply. It reports
// false when the connection is to end.
func (c *conn) start(call *Call) (ok bool) {
	handedOver := false
	defer func() {
		if !handedOver {
			c.server.recycle(call)
		}
	}()
	defer c.recover(&call.Header)

	pipelines := c.server.handler.Pipelines(call.Header)
	if !c.awaitTurn(call, pipelines) {
		return false
	}
	reply := c.server.handler.Handle(c.ctx, call)
	if c.enqueue(call, &reply, pipelines) {
		handedOver = true
		return true
	}
	c.send(call, &reply.Response)
	return !c.isBroken()
}

// recover is the only place of the broker that survives a panic: it costs the connection, whose state nobody knows.
func (c *conn) recover(h *protocol.RequestHeader) {
	cause := recover()
	if cause == nil {
		return
	}
	c.server.metrics.panics.Inc()
	c.breakOff()
	c.server.log.Error("connection closed: serving it panicked", append(c.identity(),
		zap.Any("panic", cause), zap.Int16("api_key", h.Key), zap.Int16("api_version", h.Version),
		zap.String("client_id", h.ClientID), zap.ByteString("stack", debug.Stack()))...)
}

func (c *conn) isBroken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// recycle takes a call back when nobody has it any more.
func (s *Server) recycle(c *Call) {
	c.Release()
	*c = Call{server: s}
	s.calls.Put(c)
}
