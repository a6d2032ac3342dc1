package cluster

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/kbroker/kbroker/integration/harness"
)

// door is a proxy in front of one listener of a party.
type door struct {
	port     int
	to       string
	target   string
	network  *Network
	from     func(c net.Conn) string // who has connected; empty: nobody known
	listener net.Listener
	running  sync.WaitGroup
	over     chan struct{}
}

// openDoor opens a door until the test ends.
func openDoor(t testing.TB, n *Network, to, target string, from func(c net.Conn) string) *door {
	t.Helper()
	d := &door{port: harness.FreePort(t), to: to, target: target, network: n, from: from, over: make(chan struct{})}
	var err error
	if d.listener, err = net.Listen("tcp", d.address()); err != nil {
		t.Fatalf("open a door to %s: %v", to, err)
	}
	d.running.Go(d.accept)
	t.Cleanup(func() {
		close(d.over)
		d.listener.Close()
		d.running.Wait()
	})
	return d
}

func (d *door) address() string { return fmt.Sprintf("127.0.0.1:%d", d.port) }

func (d *door) accept() {
	for {
		c, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.running.Go(func() { d.serve(c) })
	}
}

// serve joins a connection with one to the target.
func (d *door) serve(near net.Conn) {
	defer near.Close()
	from := d.from(near)
	if from == "" {
		reset(near) // a process that has just died
		return
	}
	l := d.network.link(from, d.to)
	if !l.keep(near) {
		reset(near)
		return
	}
	defer l.forget(near)
	if !l.await(d.over) {
		return
	}
	far, err := net.Dial("tcp", d.target)
	if err != nil {
		reset(near) // as if the door were the target, which is away
		return
	}
	defer far.Close()
	if !l.keep(far) {
		reset(near)
		return
	}
	defer l.forget(far)

	ended := make(chan struct{})
	var once sync.Once
	end := func() { once.Do(func() { close(ended); near.Close(); far.Close() }) }
	defer end()
	var pumps sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		const inFlight = 64 // chunks that a stalled or slow link holds before its sender has to wait
		chunks := make(chan chunk, inFlight)
		pumps.Go(func() { take(l, way[0], chunks, ended) })
		pumps.Go(func() { give(l, way[1], chunks, ended); end() })
	}
	select {
	case <-ended:
	case <-d.over:
		end()
	}
	pumps.Wait()
}

// chunk is bytes on their way.
type chunk struct {
	bytes []byte
	due   time.Time
}

// take reads a connection until it ends, or both do.
func take(l *link, from net.Conn, chunks chan<- chunk, ended <-chan struct{}) {
	defer close(chunks)
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			select {
			case chunks <- chunk{append([]byte(nil), buffer[:n]...), time.Now().Add(l.delay())}:
			case <-ended:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// give writes what was taken as the condition of the link allows. What was taken before the sender's end is still delivered.
func give(l *link, to net.Conn, chunks <-chan chunk, ended <-chan struct{}) {
	for c := range chunks {
		if wait := time.Until(c.due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ended:
				return
			}
		}
		if !l.await(ended) {
			return
		}
		if _, err := to.Write(c.bytes); err != nil {
			return
		}
	}
}
