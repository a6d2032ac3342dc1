package cluster

import (
	"net"
	"sync"
	"time"
)

// Clients is where a link from clients begins.
const Clients = "clients"

// Condition of a link; the zero value is a whole one.
type Condition struct {
	Refused bool
	Stalled bool
	Delay   time.Duration // in each direction
}

// Network holds the links between parties, which are Clients, "broker 1" and "zookeeper 1". It is safe for concurrent use.
type Network struct {
	mu    sync.Mutex
	links map[[2]string]*link
}

// link is all connections that one party opens to another.
type link struct {
	mu        sync.Mutex
	condition Condition
	passable  chan struct{} // closed while the link is not stalled
	conns     map[net.Conn]struct{}
}

func newNetwork() *Network { return &Network{links: map[[2]string]*link{}} }

// Set gives the link a condition until the next.
func (n *Network) Set(from, to string, c Condition) { n.link(from, to).set(c) }

// Drop resets the connections that the link has; new ones are as its condition says.
func (n *Network) Drop(from, to string) { n.link(from, to).drop() }

// Heal makes all links whole.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		l.set(Condition{})
	}
}

func (n *Network) link(from, to string) *link {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := [2]string{from, to}
	l := n.links[key]
	if l == nil {
		l = &link{passable: closed(), conns: map[net.Conn]struct{}{}}
		n.links[key] = l
	}
	return l
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (l *link) set(c Condition) {
	l.mu.Lock()
	switch before := l.condition.Stalled; {
	case c.Stalled && !before:
		l.passable = make(chan struct{})
	case !c.Stalled && before:
		close(l.passable)
	}
	l.condition = c
	l.mu.Unlock()
	if c.Refused {
		l.drop()
	}
}

func (l *link) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	// First all are told to reset: the end of one makes its door close the other.
	for c := range l.conns {
		abrupt(c)
	}
	for c := range l.conns {
		c.Close()
	}
}

// keep notes a connection, unless the link refuses it.
func (l *link) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.condition.Refused {
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

func (l *link) forget(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

func (l *link) delay() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.condition.Delay
}

// await returns true once the link is not stalled, false when over is closed before.
func (l *link) await(over <-chan struct{}) bool {
	for {
		l.mu.Lock()
		passable, stalled := l.passable, l.condition.Stalled
		l.mu.Unlock()
		if !stalled {
			return true
		}
		select {
		case <-passable:
		case <-over:
			return false
		}
	}
}

// reset closes a connection so that its peer sees a reset.
func reset(c net.Conn) {
	abrupt(c)
	c.Close()
}

// abrupt lets a connection end with a reset once it is closed.
func abrupt(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a closed connection needs none
	}
}
