package peer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/socket"
)

// ErrClosed ends requests of a Connection that was closed.
var ErrClosed = errors.New("connection to the broker is closed")

// Dial opens a connection to host:port.
type Dial func(ctx context.Context, address string) (net.Conn, error)

// Options are what a Connection is made of.
type Options struct {
	Address        string
	ClientID       string
	Dial           Dial
	ConnectTimeout time.Duration // for Dial; 0: no bound but ctx
	// ConnectTimeoutMax bounds ConnectTimeout, which doubles with every failure to connect in a row
	// (KIP-601, without its jitter); less than ConnectTimeout: it does not grow.
	ConnectTimeoutMax time.Duration
	RequestTimeout    time.Duration // from the first byte sent to the last received; 0: no bound but ctx
}

// Connection is the way to one broker: it dials when needed, has one request
// in flight at a time, and closes on any error, as Kafka's channels between
// brokers do. Safe for concurrent use; callers queue.
type Connection struct {
	options Options

	turn   chan struct{} // capacity 1: who put something in it owns the fields up to the next gap
	reader *bufio.Reader // of quick
	quick  *socket.Quick // of mu.conn
	next   int32         // correlation id of the next request
	frame  []byte        // the encoded request, kept for its memory
	failed int           // dials in a row

	done chan struct{} // closed by Close, so that callers stop queueing
	mu   struct {
		sync.Mutex
		closed bool
		conn   net.Conn                // set by the owner of the turn; nil: to be dialled
		cancel context.CancelCauseFunc // ends the request in flight; nil when there is none
	}
}

// New makes a Connection without dialling.
func New(o Options) *Connection {
	return &Connection{options: o, turn: make(chan struct{}, 1), done: make(chan struct{})}
}

// Request sends r with the version set in it (r.SetVersion) and returns the
// answer. The answer's byte fields alias memory that is not used again.
// Any error leaves the connection closed; the next Request dials anew. The outcome of a
// request that ended in an error is unknown unless dialling failed.
func (c *Connection) Request(ctx context.Context, r kmsg.Request) (kmsg.Response, error) {
	response := r.ResponseKind()
	if _, err := c.RequestInto(ctx, r, response, nil); err != nil {
		return nil, err
	}
	return response, nil
}

// RequestInto is Request for one who asks often and for much: it reads the
// answer into the memory of buffer, decodes it into response, and returns the
// buffer, which may have grown. response aliases it; both are the caller's
// until the next call.
func (c *Connection) RequestInto(ctx context.Context, r kmsg.Request, response kmsg.Response, buffer []byte) ([]byte, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return buffer, context.Cause(ctx)
	case <-c.done:
		return buffer, ErrClosed
	}
	defer func() { <-c.turn }()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !c.begin(cancel) {
		return buffer, ErrClosed
	}
	defer c.end()

	frame, err := c.exchange(ctx, r, response, buffer)
	if err != nil {
		c.drop()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return buffer, fmt.Errorf("%s to %s: %w", kmsg.NameForKey(r.Key()), c.options.Address, err)
	}
	return frame, nil
}

// Close ends the request in flight and all that wait with ErrClosed. It does
// not wait for them.
func (c *Connection) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return
	}
	c.mu.closed = true
	close(c.done)
	if c.mu.cancel != nil {
		c.mu.cancel(ErrClosed)
	}
	if c.mu.conn != nil {
		c.mu.conn.Close() // whatever it says, it is not used any more
	}
}

// begin makes the request stoppable by Close, and reports whether there still
// is something to stop.
func (c *Connection) begin(cancel context.CancelCauseFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.cancel = cancel
	return !c.mu.closed
}

func (c *Connection) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.cancel = nil
}

// drop closes the connection, so that the next request dials.
func (c *Connection) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.conn != nil {
		c.mu.conn.Close() // whatever it says, it is not used any more
		c.mu.conn = nil
	}
}

func (c *Connection) exchange(ctx context.Context, r kmsg.Request, response kmsg.Response, buffer []byte) ([]byte, error) {
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := conn.SetDeadline(c.deadline(ctx)); err != nil {
		return nil, fmt.Errorf("set deadline: %w", err)
	}
	// A deadline in the past ends reads and writes at once when ctx ends.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	correlationID := c.next
	c.next = (c.next + 1) & 0x7fffffff
	c.frame = appendRequest(c.frame[:0], r, correlationID, c.options.ClientID)
	_, err = c.quick.Write(c.frame)
	if cap(c.frame) > readStep {
		c.frame = nil // one large request shall not hold its memory for good
	}
	if err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	frame, err := readFrame(c.reader, buffer)
	if err != nil {
		return nil, err
	}
	return frame, parseResponse(frame, r, response, correlationID)
}

// connect returns the open connection, or dials it.
func (c *Connection) connect(ctx context.Context) (net.Conn, error) {
	c.mu.Lock()
	conn := c.mu.conn
	c.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	if timeout := c.connectTimeout(); timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	conn, err := c.options.Dial(ctx, c.options.Address)
	if err != nil {
		c.failed++
		return nil, err
	}
	c.failed = 0
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		conn.Close() // nobody else would
		return nil, ErrClosed
	}
	c.mu.conn, c.quick = conn, socket.New(conn)
	c.reader = bufio.NewReader(c.quick)
	return conn, nil
}

// connectTimeout is how long the next dial may take; 0: no bound.
func (c *Connection) connectTimeout() time.Duration {
	timeout := c.options.ConnectTimeout
	for i := 0; i < c.failed && 0 < timeout && timeout < c.options.ConnectTimeoutMax; i++ {
		timeout = min(2*timeout, c.options.ConnectTimeoutMax)
	}
	return timeout
}

func (c *Connection) deadline(ctx context.Context) time.Time {
	deadline, ok := ctx.Deadline()
	if c.options.RequestTimeout <= 0 {
		return deadline // zero: none
	}
	if own := time.Now().Add(c.options.RequestTimeout); !ok || own.Before(deadline) {
		return own
	}
	return deadline
}
