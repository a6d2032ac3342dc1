package harness

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy stands between clients and a broker, which advertises it. It can lose answers, as a network does that
// fails after a request has arrived.
type Proxy struct {
	Port int

	target   string
	listener net.Listener
	running  sync.WaitGroup
	losing   atomic.Bool
	lost     atomic.Int64 // bytes of answers since LoseAnswers

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
}

// StartProxy starts a proxy in front of an address; the end of the test stops it.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p := &Proxy{Port: FreePort(t), target: target, conns: map[net.Conn]struct{}{}}
	var err error
	if p.listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p.Port)); err != nil {
		t.Fatalf("start a proxy: %v", err)
	}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.listener.Close()
		p.Cut()
		p.running.Wait()
	})
	return p
}

// Address is host:port for bootstrap.servers.
func (p *Proxy) Address() string { return fmt.Sprintf("127.0.0.1:%d", p.Port) }

// LoseAnswers discards what the broker sends, until Cut.
func (p *Proxy) LoseAnswers() {
	p.lost.Store(0)
	p.losing.Store(true)
}

// Lost returns how many bytes of answers were discarded since LoseAnswers.
func (p *Proxy) Lost() int64 { return p.lost.Load() }

// Cut closes all connections; new ones are whole.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
	p.losing.Store(false)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close() // as if the proxy were the broker, which is away
			continue
		}
		if !p.keep(client, broker) {
			return
		}
		p.running.Go(func() { p.forward(broker, client, func() bool { return false }) })
		p.running.Go(func() { p.forward(client, broker, p.losing.Load) })
	}
}

// keep notes the connections for Cut, unless the test is over.
func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			c.Close()
		} else {
			p.conns[c] = struct{}{}
		}
	}
	return !p.closed
}

// forward copies bytes until one of the connections ends, and ends both.
func (p *Proxy) forward(to io.WriteCloser, from io.ReadCloser, lose func() bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if lose() {
			p.lost.Add(int64(n))
		} else if _, failed := to.Write(buf[:n]); failed != nil {
			return
		}
		if err != nil {
			return
		}
	}
}
