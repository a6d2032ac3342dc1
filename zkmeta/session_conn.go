package zkmeta

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// Numbers of the operations that can ask for a watch.
const (
	opExists       = 3
	opGetData      = 4
	opGetChildren2 = 12
)

const (
	// firstOwnXid and those below number our own requests: the library's numbers are positive, and ZooKeeper's special ones
	// (notifications, pings) are just below zero.
	firstOwnXid = -1000
	// replyHeader is xid, zxid and code.
	replyHeader = 16
)

// sessionConn is a connection as the library sees it. It adds three things that the library lacks.
//
// Deadlines: the library asks for ten times the usual silence while it opens a session, and for none at all inside a
// frame.
//
// Watches: the library keeps a channel for each watch and sets all of them again after a reconnection, behind
// requests that wait already; so it can miss an event, and it reads the zxid to start from without a lock (v1.0.4,
// sendSetWatches). We need neither, as we look again after each reconnection. Therefore we use its reads without watch, and
// the bit that asks for one is put into the request here.
//
// Requests that the library does not know: ask sends them between its own, and the answers are taken out of what it reads.
//
// Used by one reading and one writing goroutine, and those who ask.
type sessionConn struct {
	net.Conn
	wanted func(path string, kind watchKind) bool
	limit  time.Duration // longest wait for bytes
	opened bool          // the session is open: what the library asks for is the negotiated limit

	reader  *bufio.Reader // of the reading goroutine, as are the bytes of a frame of the library's that it has not taken yet
	passing int64

	mu     sync.Mutex
	lost   bool // nothing will be answered any more
	asked  map[int32]chan<- reply
	ownXid int32
}

// reply is an answer, without its header.
type reply struct {
	body []byte
	err  error
}

func newSessionConn(conn net.Conn, limit time.Duration, wanted func(path string, kind watchKind) bool) *sessionConn {
	return &sessionConn{
		Conn: conn, limit: limit, wanted: wanted,
		reader: bufio.NewReader(conn), asked: map[int32]chan<- reply{}, ownXid: firstOwnXid,
	}
}

func (c *sessionConn) SetReadDeadline(t time.Time) error {
	switch now := time.Now(); {
	case t.IsZero():
		t = now.Add(c.limit)
	case c.opened:
		c.limit = t.Sub(now)
	case t.Sub(now) > c.limit:
		t = now.Add(c.limit)
	}
	return c.Conn.SetReadDeadline(t)
}

// Write takes one request; the library writes each with one call.
func (c *sessionConn) Write(frame []byte) (int, error) {
	if path, kind, ok := watchable(frame); ok && c.wanted(path, kind) {
		frame = slices.Clone(frame) // not ours
		frame[len(frame)-1] = 1
	}
	return c.Conn.Write(frame)
}

// Read gives the library the frames that are for it.
func (c *sessionConn) Read(p []byte) (int, error) {
	if c.passing == 0 {
		if err := c.nextFrame(); err != nil {
			c.lose()
			return 0, err
		}
	}
	n, err := c.reader.Read(p[:min(int64(len(p)), c.passing)])
	c.passing -= int64(n)
	if err != nil {
		c.lose()
	}
	return n, err
}

// nextFrame hands out the answers to our own requests up to the next frame for the library.
func (c *sessionConn) nextFrame() error {
	for {
		head, err := c.reader.Peek(8)
		if err != nil {
			return err
		}
		size, xid := int64(binary.BigEndian.Uint32(head)), int32(binary.BigEndian.Uint32(head[4:]))
		if xid > firstOwnXid {
			c.passing = 4 + size
			return nil
		}
		if size < replyHeader || size > maxFrame {
			return fmt.Errorf("zookeeper sent a packet of %d bytes", size)
		}
		frame := make([]byte, 4+size)
		if _, err := io.ReadFull(c.reader, frame); err != nil {
			return err
		}
		c.answer(xid, reply{frame[4+replyHeader:], replyError(int32(binary.BigEndian.Uint32(frame[16:])))})
	}
}

// answer gives an answer to the one who asked.
func (c *sessionConn) answer(xid int32, r reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to := c.asked[xid]; to != nil {
		delete(c.asked, xid)
		to <- r // there is room for one
	}
}

// lose ends those who wait for answers. What they asked for may have been done.
func (c *sessionConn) lose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = true
	for xid, to := range c.asked {
		to <- reply{err: zk.ErrConnectionClosed} // there is room for one
		delete(c.asked, xid)
	}
}

func (c *sessionConn) Close() error {
	defer c.lose()
	return c.Conn.Close()
}

// ask sends a request of our own and waits for the answer, or the end of the connection. The session must be open.
func (c *sessionConn) ask(op int32, body []byte) ([]byte, error) {
	answered := make(chan reply, 1)
	c.mu.Lock()
	if c.lost {
		c.mu.Unlock()
		return nil, zk.ErrConnectionClosed
	}
	xid := c.ownXid
	if c.ownXid--; c.ownXid > firstOwnXid {
		c.ownXid = firstOwnXid // it went all the way round
	}
	c.asked[xid] = answered
	c.mu.Unlock()

	frame := make([]byte, 0, 12+len(body))
	frame = binary.BigEndian.AppendUint32(frame, uint32(8+len(body)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(xid))
	frame = binary.BigEndian.AppendUint32(frame, uint32(op))
	if _, err := c.Conn.Write(append(frame, body...)); err != nil {
		c.Close() // half a request may be on its way
	}
	r := <-answered
	return r.body, r.err
}

// watchable takes a request apart that can ask for a watch: size, xid, operation, path, and the bit.
func watchable(frame []byte) (path string, kind watchKind, ok bool) {
	const header = 16
	if len(frame) <= header {
		return "", 0, false
	}
	switch binary.BigEndian.Uint32(frame[8:]) {
	case opExists, opGetData:
		kind = watchData
	case opGetChildren2:
		kind = watchChildren
	default:
		return "", 0, false
	}
	size := int64(binary.BigEndian.Uint32(frame[12:]))
	if header+size+1 != int64(len(frame)) {
		return "", 0, false
	}
	return string(frame[header : header+size]), kind, true
}
