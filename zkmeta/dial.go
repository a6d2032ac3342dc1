package zkmeta

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// Back-off between rounds over all servers: short, because a broker without ZooKeeper can do little, and
// bounded, because all brokers come back at the same time.
const (
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = time.Second
)

// dialer chooses the servers for one session, connects to them, and keeps the connection in use. It stands
// between the library and the network because the library resolves names once for all, waits a whole
// second before it comes back to the same server, reads some answers without a deadline, and forgets to close
// the connection on which it learned that the session is gone.
type dialer struct {
	servers     []string
	dial        func(network, address string, timeout time.Duration) (net.Conn, error)
	dialTimeout time.Duration
	readTimeout time.Duration                          // longest silence of a server while the session opens
	alive       context.Context                        // ends with the session: no connection is made after that
	wanted      func(path string, kind watchKind) bool // which reads ask for a watch

	mu      sync.Mutex
	next    int          // index into servers
	tries   int          // connections tried since one got a session
	current *sessionConn // the latest connection
	err     error        // why the latest try failed
}

func newDialer(alive context.Context, servers []string, o Options, wanted func(path string, kind watchKind) bool) *dialer {
	servers = slices.Clone(servers)
	// Spread the brokers of a cluster over the servers.
	rand.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
	d := &dialer{
		servers:     servers,
		dial:        o.Dial,
		dialTimeout: max(time.Second, min(10*time.Second, o.SessionTimeout/time.Duration(len(servers)))),
		readTimeout: o.SessionTimeout * 2 / 3,
		alive:       alive,
		wanted:      wanted,
	}
	if d.dial == nil {
		d.dial = func(network, address string, timeout time.Duration) (net.Conn, error) {
			// The dialer resolves the name each time, so that a server may move.
			return (&net.Dialer{Timeout: timeout}).DialContext(alive, network, address)
		}
	}
	return d
}

// Init, Len, Next and Connected are the library's zk.HostProvider.
func (d *dialer) Init([]string) error { return nil }
func (d *dialer) Len() int            { return len(d.servers) }

// Next never asks the library to pause (connect does that better), except when the session is over: its
// pause is the only place where it looks whether it was closed.
func (d *dialer) Next() (server string, pause bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	server = d.servers[d.next]
	d.next = (d.next + 1) % len(d.servers)
	d.tries++
	return server, d.alive.Err() != nil
}

// Connected is called when a server gave or kept the session.
func (d *dialer) Connected() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tries, d.err = 0, nil
	d.current.opened = true
}

// connect is the library's zk.Dialer.
func (d *dialer) connect(network, address string, _ time.Duration) (net.Conn, error) {
	if err := d.pause(); err != nil {
		return nil, err
	}
	conn, err := d.dial(network, address, d.dialTimeout)
	if err != nil {
		err = fmt.Errorf("connect to %s: %w", address, err)
		d.failed(err)
		return nil, err
	}

	wrapped := newSessionConn(conn, d.readTimeout, d.wanted)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.current = wrapped
	if d.alive.Err() != nil {
		conn.Close()
		return nil, errors.New("the session is over")
	}
	return wrapped, nil
}

// pause waits before each round over the servers but the first.
func (d *dialer) pause() error {
	d.mu.Lock()
	round, nth := (d.tries-1)/len(d.servers), (d.tries-1)%len(d.servers)
	d.mu.Unlock()

	if round > 0 && nth == 0 {
		wait := time.NewTimer(min(lastBackoff, firstBackoff<<min(round-1, 10)))
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-d.alive.Done():
		}
	}
	if d.alive.Err() != nil {
		return errors.New("the session is over")
	}
	return nil
}

// failed notes why no server could be used, for the one who waits in Connect.
func (d *dialer) failed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// failure returns the latest reason for not having a session, nil while there is none.
func (d *dialer) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// ask makes a request that the library does not know, on the connection in use.
func (d *dialer) ask(op int32, body []byte) ([]byte, error) {
	d.mu.Lock()
	conn := d.current
	if conn == nil || !conn.opened {
		d.mu.Unlock()
		return nil, zk.ErrConnectionClosed
	}
	d.mu.Unlock()
	return conn.ask(op, body)
}

// hangUp closes the latest connection.
func (d *dialer) hangUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current != nil {
		d.current.Close()
	}
}
