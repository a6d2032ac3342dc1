package zktest

import (
	"net"
	"sync"
	"time"
)

// Network is a listener in memory and the dialer to it, for tests under testing/synctest.
type Network struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewNetwork returns a network with one listener, itself.
func NewNetwork() *Network {
	return &Network{accept: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (n *Network) Accept() (net.Conn, error) {
	select {
	case c := <-n.accept:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (n *Network) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

// Addr implements net.Listener.
func (n *Network) Addr() net.Addr { return address{} }

type address struct{}

func (address) Network() string { return "memory" }
func (address) String() string  { return "127.0.0.1:2181" }

// Dial connects to the listener, whatever the address. It has the type of the dialer of
// go-zookeeper.
func (n *Network) Dial(_, _ string, timeout time.Duration) (net.Conn, error) {
	near, far := net.Pipe()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case n.accept <- far:
		return near, nil
	case <-n.closed:
		return nil, net.ErrClosed
	case <-timer.C:
		return nil, &net.OpError{Op: "dial", Net: "memory", Err: net.ErrClosed}
	}
}
