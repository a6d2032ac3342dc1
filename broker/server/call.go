package server

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/kbroker/kbroker/protocol"
)

// Conn tells a handler about the connection that a call came on.
type Conn struct {
	Listener   string // upper case: the listener's name
	RemoteHost string // the peer's address without its port

	software atomic.Pointer[[2]string]
}

// SetSoftware notes the client's name and version as ApiVersions told them (KIP-511).
func (c *Conn) SetSoftware(name, version string) { c.software.Store(&[2]string{name, version}) }

// Software returns what SetSoftware noted; both are empty before.
func (c *Conn) Software() (name, version string) {
	if s := c.software.Load(); s != nil {
		return s[0], s[1]
	}
	return "", ""
}

// Call is one request. It belongs to the server again once its reply is complete: a handler must not
// keep it, nor its Body, beyond that.
type Call struct {
	Conn    *Conn
	Header  protocol.RequestHeader
	Body    []byte // aliases a pooled frame: valid until Release, or until the reply is complete
	Arrived time.Time

	frame  []byte
	server *Server // nil for calls that no server made
	size   int64   // of the frame, in bytes
	held   int64   // bytes reserved in server.memory
}

// Release gives the frame back early, once nothing aliases Body any more. The server calls it in any case.
// It is called by the goroutine that has the call: in Handle or in Await.
func (c *Call) Release() {
	c.Body = nil
	if c.server == nil {
		return
	}
	if c.frame != nil {
		c.server.buffers.Give(c.frame)
		c.frame = nil
	}
	if c.held > 0 {
		c.server.memory.release(c.held)
		c.held = 0
	}
}

// Stopping is closed when the server begins to stop: a call that merely waits for more to answer with answers with
// what there is, because the stop waits for it.
func (c *Call) Stopping() <-chan struct{} {
	if c.server == nil {
		return nil
	}
	return c.server.stop
}

// Piece is a part of an answer that is sent from a file. *storage.Slice is one. A Piece that also is an
// io.ReaderAt, with offsets from its own start, is copied when it is small.
type Piece interface {
	SendTo(conn net.Conn) error
	Len() int64
	// Release is called once by the server, after the piece was sent or given up.
	Release()
}

// Response is a finished answer: the chunks in order, each either bytes or a Piece. The server puts size and response header before it.
type Response struct {
	Chunks []Chunk
	// Silent sends nothing (produce with acks=0).
	Silent bool
	// Close closes the connection, after the answer if there is one; Reason is logged.
	Close  bool
	Reason string
	// Throttle mutes the connection for this long after the answer was sent (KIP-219).
	Throttle time.Duration
	// Done, when not nil, runs after the answer was sent or given up: it returns pooled memory.
	Done func()
}

// release gives back everything that the response holds.
func (r *Response) release() {
	for i := range r.Chunks {
		if p := r.Chunks[i].Piece; p != nil {
			p.Release()
		}
	}
	if r.Done != nil {
		r.Done()
	}
}

// Chunk is bytes or a Piece.
type Chunk struct {
	Bytes []byte
	Piece Piece
}

// size returns the number of bytes that the chunk sends.
func (c *Chunk) size() int64 {
	if c.Piece != nil {
		return c.Piece.Len()
	}
	return int64(len(c.Bytes))
}

// Reply is a Response, or the promise of one: Await, when not nil, is called once, in the order of
// answers, from the connection's answering goroutine and may block until ctx (the connection's) ends. It is
// called even when the connection broke meanwhile, with a ctx that has ended, so that it can let go of what it holds.
type Reply struct {
	Response Response
	Await    func(ctx context.Context) Response
}

// Handler serves calls. For each connection Handle is called in the order of arrival and must be prompt: what waits goes into
// Reply.Await. A call is handled only when every earlier call of its connection has been answered, as in Kafka,
// unless Pipelines is true of it and of all those still unanswered: then answers still leave in the order of arrival.
type Handler interface {
	Handle(ctx context.Context, c *Call) Reply
	Pipelines(h protocol.RequestHeader) bool
}
