package zkserver

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// maxInFlight bounds the requests of a connection that wait for their answers to be
	// written; then reading stops.
	maxInFlight = 256
	// maxQueued bounds the bytes waiting to be written. Watch events have no other bound; a client
	// that does not read them is cut off.
	maxQueued = 64 << 20
	// handshakeTime is how long a connection may stay silent before it has a session.
	handshakeTime = 30 * time.Second
)

// conn is a client's connection: a read loop that feeds the owner, and a write loop.
type conn struct {
	s     *Server
	net   net.Conn
	slots chan struct{} // held by requests in flight
	done  chan struct{} // closed by close
	once  sync.Once

	session        atomic.Pointer[session] // set by the owner in the handshake
	received, sent atomic.Int64            // frames

	// The owner's.
	gone bool
	who  []identity

	wake   chan struct{} // capacity 1
	mu     sync.Mutex
	queue  []output // guarded by mu
	queued int      // bytes in queue; guarded by mu
}

func newConn(s *Server, nc net.Conn) *conn {
	return &conn{
		s: s, net: nc,
		slots: make(chan struct{}, maxInFlight),
		done:  make(chan struct{}),
		wake:  make(chan struct{}, 1),
	}
}

// close ends the connection; both loops notice.
func (c *conn) close() {
	c.once.Do(func() {
		close(c.done)
		c.net.Close()
	})
}

// run serves the connection until it ends.
func (c *conn) run() {
	var writing sync.WaitGroup
	writing.Go(c.writeLoop)
	c.readLoop()
	c.close()
	writing.Wait()
	select {
	case c.s.mailbox <- message{gone: c}:
	case <-c.s.stop:
	}
}

func (c *conn) readLoop() {
	c.net.SetReadDeadline(time.Now().Add(handshakeTime))
	for first := true; ; first = false {
		var head [4]byte
		if _, err := io.ReadFull(c.net, head[:]); err != nil {
			return
		}
		if first && isWord(string(head[:])) {
			c.deliver(message{word: &word{conn: c, name: string(head[:])}})
			<-c.done // the write loop closes behind the answer
			return
		}
		size := int32(binary.BigEndian.Uint32(head[:]))
		if size < 0 || int(size) > c.s.options.MaxFrame {
			c.s.log.Warn("frame exceeds the limit", zap.Int32("bytes", size), zap.Stringer("client", c.net.RemoteAddr()))
			return
		}
		frame := make([]byte, size)
		if _, err := io.ReadFull(c.net, frame); err != nil {
			return
		}
		c.received.Add(1)
		if session := c.session.Load(); session != nil {
			session.heard.Store(int64(c.s.elapsed()))
		}
		m, ok := c.decode(frame, first)
		if !ok || !c.deliver(m) {
			return
		}
		if first {
			c.net.SetReadDeadline(time.Time{})
		}
	}
}

// decode turns a frame into a message. It is false for a frame that cannot be answered, and
// for one that shall not be.
func (c *conn) decode(frame []byte, first bool) (message, bool) {
	if first {
		h, ok := readHandshake(c, frame)
		if !ok {
			return message{}, false
		}
		drop := c.intercept(Request{SessionID: h.sessionID, Op: opCreateSession})
		h.dropAnswer = drop == DropAnswer
		return message{connect: h}, drop != DropRequest
	}
	r := &call{conn: c, in: reader{b: frame}}
	r.xid, r.op = r.in.int32(), r.in.int32()
	if r.in.bad {
		return message{}, false
	}
	if c.s.options.Intercept == nil {
		return message{call: r}, true
	}
	request := Request{Op: r.op}
	if session := c.session.Load(); session != nil {
		request.SessionID = session.id
	}
	if startsWithPath(r.op) {
		in := r.in
		request.Path = in.string()
	}
	drop := c.intercept(request)
	r.dropAnswer = drop == DropAnswer
	return message{call: r}, drop != DropRequest
}

func startsWithPath(op int32) bool {
	switch op {
	case opPing, opMulti, opMultiRead, opAuth, opSetWatches, opSetWatches2, opWhoAmI, opCloseSession:
		return false
	}
	return true
}

func (c *conn) intercept(r Request) Drop {
	if c.s.options.Intercept == nil {
		return DropNothing
	}
	v := c.s.options.Intercept(r)
	if v.Delay > 0 {
		timer := time.NewTimer(v.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.done:
			return DropRequest
		}
	}
	return v.Drop
}

// deliver hands a message to the owner, once an answer may be queued for it.
func (c *conn) deliver(m message) bool {
	select {
	case c.slots <- struct{}{}:
	case <-c.done:
		return false
	}
	select {
	case c.s.mailbox <- m:
		return true
	case <-c.done:
	case <-c.s.stop:
	}
	return false
}

// push queues an output for the write loop. It does not block.
func (c *conn) push(o output) {
	c.mu.Lock()
	c.queue = append(c.queue, o)
	c.queued += len(o.frame)
	tooMuch := c.queued > maxQueued
	c.mu.Unlock()
	if tooMuch {
		c.s.log.Warn("client does not read", zap.Stringer("client", c.net.RemoteAddr()))
		c.close()
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *conn) writeLoop() {
	defer c.close()
	for {
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
		c.mu.Lock()
		queue := c.queue
		c.queue, c.queued = nil, 0
		c.mu.Unlock()
		if !c.write(queue) {
			return
		}
	}
}

// write sends outputs together. It is false when the connection has ended.
func (c *conn) write(queue []output) bool {
	frames := make(net.Buffers, 0, len(queue))
	answered, last := 0, false
	for _, o := range queue {
		if o.frame != nil {
			frames = append(frames, o.frame)
		}
		if o.answers {
			answered++
		}
		if o.last {
			last = true
			break
		}
	}
	c.sent.Add(int64(len(frames)))
	if _, err := frames.WriteTo(c.net); err != nil {
		return false
	}
	for range answered {
		<-c.slots
	}
	return !last
}
