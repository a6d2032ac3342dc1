// Package server is the network side of the broker: listeners, connections, frames, the order of
// answers, limits, and the way bytes reach the socket.
package server

import (
	"context"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/protocol"
)

// Conn tells a handler about the connection that a call came on.
type Conn struct {
	Listener   string // upper case: the listener's name
	RemoteHost string // the peer's address without its port
	// SoftwareName and SoftwareVersion are what ApiVersions told (KIP-511); set by the handler through SetSoftware.
}

// Call is one request.
type Call struct {
	Conn    *Conn
	Header  protocol.RequestHeader
	Body    []byte // aliases a pooled frame: valid until Release, or until the reply is complete
	Arrived time.Time
}

// Release gives the frame back early, once nothing aliases Body any more. The server calls it in any case.
func (c *Call) Release() { panic("unwritten") }

// Piece is a part of an answer that is sent from a file. *storage.Slice is one.
type Piece interface {
	SendTo(conn net.Conn) error
	Len() int64
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

// Chunk is bytes or a Piece.
type Chunk struct {
	Bytes []byte
	Piece Piece
}

// Reply is a Response, or the promise of one: Await, when not nil, is called once, in the order of
// answers, from the connection's answering goroutine and may block until ctx (the connection's) ends.
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

// Limits are read anew where they apply, so that dynamic configuration takes effect.
type Limits struct {
	RequestMaxBytes           int32 // socket.request.max.bytes
	QueuedMaxBytes            int64 // queued.max.request.bytes; negative: no bound
	MaxConnections            int32
	MaxPerIP                  int32
	MaxPerIPOverrides         map[string]int32
	MaxCreationRate           int32         // max.connection.creation.rate, per second
	MaxIdle                   time.Duration // connections.max.idle.ms
	SendBuffer, ReceiveBuffer int32         // -1: the system's
	// MaxPending and MaxPendingBytes bound the pipelined calls of one connection.
	MaxPending      int
	MaxPendingBytes int64
}

// Listener is a bound socket with its name.
type Listener struct {
	Name string
	net.Listener
}

// Options are what a Server is made of.
type Options struct {
	Listeners  []Listener // bound already; clients may connect, nobody is served before Serve
	Handler    Handler
	Limits     func() Limits
	Registerer prometheus.Registerer
	Logger     *zap.Logger
}

// Server accepts and serves connections.
type Server struct{}

func New(o Options) *Server { panic("unwritten") }

// Serve serves until Shutdown, and returns nil then.
func (s *Server) Serve() error { panic("unwritten") }

// Shutdown stops accepting and reading, waits until what was started is answered (or ctx ends) and closes the connections.
func (s *Server) Shutdown(ctx context.Context) error { panic("unwritten") }
