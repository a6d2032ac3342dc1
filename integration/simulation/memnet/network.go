package memnet

import (
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// window is how many bytes may be on their way, or wait to be read, in one direction of a connection.
const window = 1 << 20

// backlog is how many connections of a listener may wait to be accepted.
const backlog = 1024

// Link is how the way from one host to another behaves.
type Link struct {
	Delay   time.Duration // of everything it carries
	Jitter  time.Duration // up to this is added by chance
	Stalled bool          // it holds what it carries
}

type way struct{ from, to string }

// Network connects hosts. Its methods may be called from several goroutines.
type Network struct {
	normal Link // of ways that SetLink did not change

	mu        sync.Mutex // guards everything below, and all connections
	rng       *rand.Rand
	hosts     map[string]*Host // the latest of each name
	listeners map[string]*listener
	links     map[way]Link
	conns     map[*Conn]struct{} // both ends of each
	changed   chan struct{}      // closed when a dial that waits should look again
	port      int
}

// New makes a network without hosts, whose links behave like normal. What happens by chance follows seed.
func New(seed uint64, normal Link) *Network {
	return &Network{
		normal:    normal,
		rng:       rand.New(rand.NewPCG(seed, 0x6d656d6e6574)),
		hosts:     map[string]*Host{},
		listeners: map[string]*listener{},
		links:     map[way]Link{},
		conns:     map[*Conn]struct{}{},
		changed:   make(chan struct{}),
		port:      50_000,
	}
}

// SetLink changes the way from one host to another, by their names; it also holds for hosts of these names to come.
func (n *Network) SetLink(from, to string, l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[way{from, to}] = l
	n.moved(from, to)
}

// Heal gives every way its normal behaviour.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.links)
	for c := range n.conns {
		c.in.released(c)
	}
	n.wake()
}

// Reset breaks the connections between two hosts; both sides see a reset after the delay of the link. Connections over a stalled
// link see it when the link is let go.
func (n *Network) Reset(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		if from, to := c.peer.host.name, c.host.name; from == a && to == b || from == b && to == a {
			c.in.put(c, parcel{kind: resets})
		}
	}
}

// Names lists all hosts there ever were, but one, in the order of names.
func (n *Network) Names(but string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	names := slices.Sorted(maps.Keys(n.hosts))
	return slices.DeleteFunc(names, func(name string) bool { return name == but })
}

// moved tells those whom a link holds that it changed.
func (n *Network) moved(from, to string) {
	for c := range n.conns {
		if c.peer.host.name == from && c.host.name == to {
			c.in.released(c)
		}
	}
	n.wake()
}

func (n *Network) wake() {
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *Network) link(from, to string) Link {
	if from == to {
		return Link{Delay: n.normal.Delay} // a host reaches itself whatever happens outside
	}
	if l, ok := n.links[way{from, to}]; ok {
		return l
	}
	return n.normal
}

// delay draws how long a link takes now.
func (n *Network) delay(l Link) time.Duration {
	if l.Jitter <= 0 {
		return l.Delay
	}
	return l.Delay + time.Duration(n.rng.Int64N(int64(l.Jitter)))
}

// Addr is host:port.
type Addr string

// Network implements net.Addr.
func (Addr) Network() string { return "memory" }

func (a Addr) String() string { return string(a) }

func hostOf(address string) string {
	name, _, _ := strings.Cut(address, ":")
	return name
}

var _ net.Addr = Addr("")
