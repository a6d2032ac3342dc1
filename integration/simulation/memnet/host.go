package memnet

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Host is a machine from its start to its end. A host that comes back is a new Host of the same name.
type Host struct {
	network *Network
	name    string

	// Guarded by network.mu.
	dead    bool
	silent  bool // it died with its machine, and none has come in its place
	expired chan struct{}
}

// Host starts a host. An earlier one of this name must be dead.
func (n *Network) Host(name string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	if before := n.hosts[name]; before != nil && !before.dead {
		panic("host " + name + " is alive")
	}
	h := &Host{network: n, name: name, expired: make(chan struct{})}
	n.hosts[name] = h
	for c := range n.conns {
		if c.host.silent && c.host.name == name {
			c.peer.in.put(c.peer, parcel{kind: resets}) // the new machine knows nothing of it
		}
	}
	n.wake()
	return h
}

// Kill ends the host as the end of its process does: its connections are reset, and the host's own calls fail.
func (h *Host) Kill() { h.die(false) }

// PowerOff ends the host without a word to anybody.
func (h *Host) PowerOff() { h.die(true) }

func (h *Host) die(silently bool) {
	n := h.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if h.dead {
		return
	}
	h.dead, h.silent = true, silently
	close(h.expired)
	for _, l := range n.listeners {
		if l.host == h {
			l.close()
		}
	}
	for c := range n.conns {
		if c.host != h {
			continue
		}
		if !silently {
			c.peer.in.put(c.peer, parcel{kind: resets})
		}
		c.breakWith(net.ErrClosed)
	}
	n.wake()
}

// Listen opens a listener at host:port; the host part must be the host's name.
func (h *Host) Listen(_, address string) (net.Listener, error) {
	n := h.network
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case h.dead:
		return nil, opError("listen", address, net.ErrClosed)
	case hostOf(address) != h.name:
		return nil, opError("listen", address, syscall.EADDRNOTAVAIL)
	case n.listeners[address] != nil:
		return nil, opError("listen", address, syscall.EADDRINUSE)
	}
	l := &listener{host: h, address: address, accept: make(chan *Conn, backlog), closed: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

// Dial connects to host:port. While a link between the two is stalled, or the other machine is off, it waits for ctx to end.
func (h *Host) Dial(ctx context.Context, address string) (net.Conn, error) {
	for {
		waited, c, err := h.try(ctx, address)
		if err != nil {
			return nil, opError("dial", address, err)
		}
		if c != nil {
			return c, nil
		}
		select {
		case <-waited:
		case <-h.expired:
		case <-ctx.Done():
			return nil, opError("dial", address, context.Cause(ctx))
		}
	}
}

// DialTimeout is Dial for those who have no context.
func (h *Host) DialTimeout(_, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return h.Dial(ctx, address)
}

// try makes a connection, or gives the channel that is closed when it is worth trying again.
func (h *Host) try(ctx context.Context, address string) (<-chan struct{}, *Conn, error) {
	n, to := h.network, hostOf(address)
	n.mu.Lock()
	trip := n.delay(n.link(h.name, to)) + n.delay(n.link(to, h.name))
	n.mu.Unlock()
	timer := time.NewTimer(trip)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}

	n.mu.Lock()
	defer n.mu.Unlock()
	other := n.hosts[to]
	switch {
	case h.dead:
		return nil, nil, net.ErrClosed
	case other == nil:
		return nil, nil, fmt.Errorf("no host is called %s", to)
	case other.silent, n.link(h.name, to).Stalled, n.link(to, h.name).Stalled:
		return n.changed, nil, nil
	}
	l := n.listeners[address]
	if l == nil || len(l.accept) == cap(l.accept) {
		return nil, nil, syscall.ECONNREFUSED
	}
	n.port++
	here, there := newConn(h, Addr(fmt.Sprintf("%s:%d", h.name, n.port))), newConn(l.host, Addr(address))
	here.peer, there.peer = there, here
	n.conns[here], n.conns[there] = struct{}{}, struct{}{}
	l.accept <- there // only try sends, and there is room
	return nil, here, nil
}

type listener struct {
	host    *Host
	address string
	accept  chan *Conn
	closed  chan struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, opError("accept", l.address, net.ErrClosed)
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.host.network.mu.Lock()
	defer l.host.network.mu.Unlock()
	l.close()
	return nil
}

// close ends the listener; network.mu is held.
func (l *listener) close() {
	n := l.host.network
	if n.listeners[l.address] != l {
		return
	}
	delete(n.listeners, l.address)
	close(l.closed)
	for {
		select {
		case c := <-l.accept: // nobody will accept it
			c.peer.in.put(c.peer, parcel{kind: resets})
			c.breakWith(net.ErrClosed)
		default:
			return
		}
	}
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return Addr(l.address) }

func opError(op, address string, err error) error {
	return &net.OpError{Op: op, Net: "memory", Addr: Addr(address), Err: err}
}
