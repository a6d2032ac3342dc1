package zkserver

import (
	"net"
	"time"

	"go.uber.org/zap"
)

// Options are what a Server is made of. Only Listener is required.
type Options struct {
	// Listener takes the clients; Close closes it. It may be in memory.
	Listener net.Listener

	// Path is the bbolt file. Empty keeps everything in memory, gone with the Server.
	Path string

	// NoSync leaves writing to disk to the operating system: a crash of the machine may
	// lose or damage the file. For tests.
	NoSync bool

	// TickTime is the granularity of session expiry, as in ZooKeeper. Default 2 s.
	TickTime time.Duration

	// MinSessionTimeout and MaxSessionTimeout bound what a client may ask for.
	// Defaults 2 and 20 ticks.
	MinSessionTimeout time.Duration
	MaxSessionTimeout time.Duration

	// MaxFrame bounds a request and an answer in bytes, as jute.maxbuffer does;
	// beyond it the connection is closed. Default 4 MiB, as Kafka sets it for its client.
	MaxFrame int

	// MaxConnections bounds the open connections; more are closed at once. Default 1,024.
	MaxConnections int

	// Intercept, when not nil, is asked about every request, in the order of arrival, by the
	// goroutine that reads the connection. For tests. It may block.
	Intercept func(Request) Verdict

	Logger *zap.Logger
}

// Request is what Intercept sees.
type Request struct {
	SessionID int64 // 0 in the handshake of a new session
	// Op is ZooKeeper's number of the operation; the handshake counts as -10, createSession.
	Op int32
	// Path of the operation, or empty where it has none or several.
	Path string
}

// Verdict tells what shall become of a request. The zero value lets it pass.
type Verdict struct {
	// Delay holds up the request, and those behind it on the same connection.
	Delay time.Duration
	Drop  Drop
}

// Drop breaks the connection at a request.
type Drop uint8

const (
	// DropNothing serves the request.
	DropNothing Drop = iota
	// DropRequest closes the connection instead of serving the request.
	DropRequest
	// DropAnswer serves the request, then closes the connection instead of answering:
	// the client cannot know the outcome.
	DropAnswer
)

func (o Options) withDefaults() Options {
	if o.TickTime <= 0 {
		o.TickTime = 2 * time.Second
	}
	if o.MinSessionTimeout <= 0 {
		o.MinSessionTimeout = 2 * o.TickTime
	}
	if o.MaxSessionTimeout <= 0 {
		o.MaxSessionTimeout = max(20*o.TickTime, o.MinSessionTimeout)
	}
	if o.MaxFrame <= 0 {
		o.MaxFrame = 4 << 20
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = 1024
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}
