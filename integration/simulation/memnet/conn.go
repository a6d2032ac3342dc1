package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Conn is one end of a connection.
type Conn struct {
	host  *Host
	local Addr
	peer  *Conn

	// Guarded by network.mu.
	changed sync.Cond // something to read, room to write, a deadline, or the end
	in      flow
	err     error // why this end is of no use any more
	read    deadline
	write   deadline
}

func newConn(h *Host, local Addr) *Conn {
	c := &Conn{host: h, local: local}
	c.changed.L = &h.network.mu
	return c
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	n := c.host.network
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		switch {
		case c.err != nil:
			return 0, c.failed("read", c.err)
		case c.read.passed:
			return 0, c.failed("read", os.ErrDeadlineExceeded)
		case len(c.in.ready) > 0:
			count := c.in.take(p)
			c.peer.changed.Broadcast()
			return count, nil
		case c.in.ended:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		c.changed.Wait()
	}
}

// Write implements net.Conn. It returns when the window of the connection has taken all of p.
func (c *Conn) Write(p []byte) (int, error) {
	n := c.host.network
	n.mu.Lock()
	defer n.mu.Unlock()
	written := 0
	for {
		switch {
		case c.err != nil:
			return written, c.failed("write", c.err)
		case c.write.passed:
			return written, c.failed("write", os.ErrDeadlineExceeded)
		}
		if room := min(window-c.peer.in.size, len(p)-written); room > 0 {
			c.peer.in.put(c.peer, parcel{bytes: append([]byte(nil), p[written:written+room]...)})
			written += room
		}
		if written == len(p) {
			return written, nil
		}
		c.changed.Wait()
	}
}

// Close implements net.Conn. The other side reads what was written, then the end.
func (c *Conn) Close() error {
	n := c.host.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.err != nil {
		if c.err == net.ErrClosed {
			return c.failed("close", c.err)
		}
		c.breakWith(net.ErrClosed)
		return nil
	}
	c.peer.in.put(c.peer, parcel{kind: ends})
	c.breakWith(net.ErrClosed)
	return nil
}

// breakWith ends this end; network.mu is held.
func (c *Conn) breakWith(err error) {
	if c.err != net.ErrClosed {
		c.err = err
	}
	c.in.ready = nil
	c.read.stop()
	c.write.stop()
	c.changed.Broadcast()
	c.peer.changed.Broadcast()
	if c.peer.err != nil {
		n := c.host.network
		delete(n.conns, c)
		delete(n.conns, c.peer)
		c.in.drop()
		c.peer.in.drop()
	}
}

func (c *Conn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "memory", Source: c.local, Addr: c.peer.local, Err: err}
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.peer.local }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.setDeadlines(t, &c.read, &c.write)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, &c.read) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, &c.write) }

func (c *Conn) setDeadlines(t time.Time, which ...*deadline) error {
	n := c.host.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.err == net.ErrClosed {
		return c.failed("set deadline", c.err)
	}
	for _, d := range which {
		d.set(c, t)
	}
	c.changed.Broadcast()
	return nil
}

// deadline of one direction.
type deadline struct {
	timer  *time.Timer
	at     time.Time
	passed bool
}

func (d *deadline) set(c *Conn, t time.Time) {
	d.stop()
	d.at, d.passed = t, false
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		d.passed = true
		return
	}
	d.timer = time.AfterFunc(left, func() {
		c.host.network.mu.Lock()
		defer c.host.network.mu.Unlock()
		if d.at.Equal(t) { // not set anew since
			d.passed = true
			c.changed.Broadcast()
		}
	})
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
