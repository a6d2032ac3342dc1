package memnet

import (
	"syscall"
	"time"
)

// parcel is what travels: bytes, the end of what is written, or a reset.
type parcel struct {
	kind  parcelKind
	bytes []byte
	at    time.Time // of arrival
}

type parcelKind uint8

const (
	carries parcelKind = iota
	ends
	resets
)

// flow is what is on its way to one end of a connection, and what has arrived there. network.mu guards it.
type flow struct {
	flying []parcel // in the order of arrival
	ready  []byte
	size   int // bytes of both
	ended  bool
	timer  *time.Timer // of the first parcel
}

// put sends a parcel to c.
func (f *flow) put(c *Conn, p parcel) {
	n := c.host.network
	p.at = time.Now().Add(n.delay(n.link(c.peer.host.name, c.host.name)))
	if last := len(f.flying) - 1; last >= 0 && f.flying[last].at.After(p.at) {
		p.at = f.flying[last].at
	}
	f.size += len(p.bytes)
	f.flying = append(f.flying, p)
	if len(f.flying) == 1 {
		f.pump(c)
	}
}

// released sends on what a stalled link held: it starts now.
func (f *flow) released(c *Conn) {
	n := c.host.network
	l := n.link(c.peer.host.name, c.host.name)
	if len(f.flying) == 0 || l.Stalled {
		return
	}
	earliest := time.Now().Add(n.delay(l))
	for i := range f.flying {
		if f.flying[i].at.Before(earliest) {
			f.flying[i].at = earliest
		}
	}
	f.pump(c)
}

// pump lets arrive what is due, and sets the timer for the rest.
func (f *flow) pump(c *Conn) {
	n := c.host.network
	if n.link(c.peer.host.name, c.host.name).Stalled {
		return
	}
	now := time.Now()
	for len(f.flying) > 0 {
		p := f.flying[0]
		if wait := p.at.Sub(now); wait > 0 {
			f.arm(c, wait)
			return
		}
		f.flying[0] = parcel{}
		f.flying = f.flying[1:]
		f.arrive(c, p)
	}
}

func (f *flow) arm(c *Conn, wait time.Duration) {
	if f.timer != nil {
		f.timer.Reset(wait)
		return
	}
	f.timer = time.AfterFunc(wait, func() {
		c.host.network.mu.Lock()
		defer c.host.network.mu.Unlock()
		f.pump(c)
	})
}

func (f *flow) arrive(c *Conn, p parcel) {
	switch {
	case c.err != nil:
		f.size -= len(p.bytes)
		if p.kind == carries && !c.host.silent && c.peer.err == nil {
			c.peer.in.put(c.peer, parcel{kind: resets}) // nobody is there to take it
		}
	case p.kind == carries:
		f.ready = append(f.ready, p.bytes...)
	case p.kind == ends:
		f.ended = true
	case p.kind == resets:
		c.breakWith(syscall.ECONNRESET)
	}
	c.changed.Broadcast()
}

// take copies what has arrived.
func (f *flow) take(p []byte) int {
	n := copy(p, f.ready)
	f.size -= n
	if f.ready = f.ready[n:]; len(f.ready) == 0 {
		f.ready = nil
	}
	return n
}

// drop forgets everything: both ends are gone.
func (f *flow) drop() {
	f.flying, f.ready = nil, nil
	if f.timer != nil {
		f.timer.Stop()
	}
}
