package simulation

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/kbroker/kbroker/integration/simulation/memnet"
	"github.com/kbroker/kbroker/storage/vfs"
)

// fault is one kind of mishap. do makes it happen and takes it back after about d.
type fault struct {
	name   string
	weight int
	do     func(c *chaos, d time.Duration)
	// exact: nothing else may be wrong when it begins, nor until all has recovered, as it destroys what was not synced: acks=all
	// promises no more than that one copy may be lost.
	exact bool
}

// faults are all that may happen.
func faults() []fault {
	return []fault{
		{name: "kill", weight: 4, do: (*chaos).kill},
		{name: "power loss", weight: 3, do: (*chaos).powerLoss, exact: true},
		{name: "restart", weight: 3, do: (*chaos).restart},
		{name: "fail a write", weight: 2, do: (*chaos).failWrite},
		{name: "pause", weight: 3, do: (*chaos).pauseBroker},
		{name: "cut off from zookeeper", weight: 3, do: (*chaos).cutZooKeeper},
		{name: "cut off from a broker", weight: 3, do: (*chaos).cutPair},
		{name: "cut off one way", weight: 2, do: (*chaos).cutOneWay},
		{name: "cut off from brokers", weight: 2, do: (*chaos).isolate},
		{name: "slow links", weight: 2, do: (*chaos).slow},
		{name: "reset connections", weight: 2, do: (*chaos).reset},
		{name: "expire a session", weight: 3, do: (*chaos).expire},
		{name: "drop zookeeper's connections", weight: 1, do: (*chaos).dropZooKeeper},
		{name: "zookeeper hangs", weight: 1, do: (*chaos).pauseZooKeeper},
	}
}

// chaos carries out faults. Each broker has one at a time, which busy marks; what concerns links may overlap.
type chaos struct {
	seed  uint64
	world *World
	ctx   context.Context
	rng   *rand.Rand // of the goroutine that schedules
	calm  bool       // one fault at a time
	busy  []bool     // by node; of the goroutine that schedules
	done  chan int   // nodes that are free again; -1 for others
	going int
}

// node picks a node that has no fault, or nil.
func (c *chaos) node() *Node {
	free := make([]*Node, 0, len(c.busy))
	for i, busy := range c.busy {
		if !busy {
			free = append(free, c.world.Nodes[i])
		}
	}
	if len(free) == 0 {
		return nil
	}
	return free[c.rng.IntN(len(free))]
}

// begin marks a node, and carries on in the background.
func (c *chaos) begin(n *Node, f func()) {
	free := -1
	if n != nil {
		free = int(n.ID) - 1
		c.busy[free] = true
	}
	c.going++
	go func() {
		f()
		c.done <- free
	}()
}

// wait lets time pass; it is cut short at the end of the run.
func (c *chaos) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-c.ctx.Done():
	}
}

func (c *chaos) kill(d time.Duration) {
	n := c.node()
	if n == nil {
		return
	}
	c.begin(n, func() {
		n.Kill()
		c.wait(d)
		n.Start()
		c.recover(n)
	})
}

func (c *chaos) powerLoss(d time.Duration) {
	n, seed := c.node(), c.rng.Uint64()
	if n == nil {
		return
	}
	c.begin(n, func() {
		n.PowerOff(seed)
		c.wait(d)
		n.Start()
		c.recover(n)
	})
}

func (c *chaos) restart(d time.Duration) {
	n := c.node()
	if n == nil {
		return
	}
	c.begin(n, func() {
		if err := n.Stop(); err != nil {
			c.world.Journal.Note("%s stopped with: %v", n.Name(), err)
		}
		c.wait(d / 4)
		n.Start()
		c.recover(n)
	})
}

// recover waits until a broker that was started is ready, starting it again when it gave up, as a supervisor does.
func (c *chaos) recover(n *Node) {
	for range 600 {
		ready, err := n.Ready()
		if ready {
			return
		}
		if err != nil {
			n.Kill()
			time.Sleep(time.Second)
			n.Start()
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.world.Journal.Note("%s is not ready after a minute", n.Name())
}

// failWrite lets a write to a segment fail half-way. The log directory fails with it, and when it is the only one the broker gives
// up; then, or after a while, it is killed and comes back.
func (c *chaos) failWrite(d time.Duration) {
	n := c.node()
	if n == nil {
		return
	}
	op := []vfs.Op{vfs.OpWrite, vfs.OpWrite, vfs.OpSync, vfs.OpRename, vfs.OpCreate}[c.rng.IntN(5)]
	bytes, after := c.rng.IntN(400), c.rng.Int64N(50)
	suffix := ".log"
	if op != vfs.OpWrite {
		suffix, after = "", c.rng.Int64N(3)
	}
	c.begin(n, func() {
		c.world.Journal.Note("%s: a %s will fail", n.Name(), op)
		var seen atomic.Int64
		n.life.faults.plan(func(now vfs.Op, path string) error {
			if now != op || !strings.HasSuffix(path, suffix) || seen.Add(1) <= after {
				return nil
			}
			return &vfs.Partial{Bytes: bytes, Err: syscall.EIO}
		})
		for end := time.Now().Add(d + 5*time.Second); n.Failed() == nil && time.Now().Before(end) && c.ctx.Err() == nil; {
			c.wait(50 * time.Millisecond)
		}
		n.Kill()
		c.wait(d / 4)
		n.Start()
		c.recover(n)
	})
}

// others are the hosts that a broker talks to, its clients included.
func (c *chaos) others(n *Node) []string {
	return c.world.Net.Names(n.Name())
}

// cut stalls the ways between hosts, and lets them go after d.
func (c *chaos) cut(n *Node, what string, d time.Duration, ways [][2]string) {
	c.begin(n, func() {
		c.world.Journal.Note("%s: %s for %s", n.Name(), what, d)
		for _, w := range ways {
			c.world.Net.SetLink(w[0], w[1], memnet.Link{Delay: c.world.options.Link.Delay, Stalled: true})
		}
		c.wait(d)
		for _, w := range ways {
			c.world.Net.SetLink(w[0], w[1], c.world.options.Link)
		}
		c.world.Journal.Note("%s: %s is over", n.Name(), what)
	})
}

func both(a string, others ...string) (ways [][2]string) {
	for _, b := range others {
		ways = append(ways, [2]string{a, b}, [2]string{b, a})
	}
	return ways
}

// pauseBroker stalls all links of a broker: the nearest to SIGSTOP that there is, since its clock goes on.
func (c *chaos) pauseBroker(d time.Duration) {
	if n := c.node(); n != nil {
		c.cut(n, "paused", d, both(n.Name(), c.others(n)...))
	}
}

func (c *chaos) cutZooKeeper(d time.Duration) {
	if n := c.node(); n != nil {
		c.cut(n, "cut off from zookeeper", d, both(n.Name(), zooKeeperHost))
	}
}

func (c *chaos) brokersBut(n *Node) (names []string) {
	for _, other := range c.world.Nodes {
		if other != n {
			names = append(names, other.Name())
		}
	}
	return names
}

func (c *chaos) cutPair(d time.Duration) {
	if n := c.node(); n != nil {
		others := c.brokersBut(n)
		other := others[c.rng.IntN(len(others))]
		c.cut(n, "cut off from "+other, d, both(n.Name(), other))
	}
}

func (c *chaos) cutOneWay(d time.Duration) {
	if n := c.node(); n != nil {
		others := append(c.brokersBut(n), zooKeeperHost)
		other := others[c.rng.IntN(len(others))]
		way := [2]string{n.Name(), other}
		if c.rng.IntN(2) == 0 {
			way[0], way[1] = way[1], way[0]
		}
		c.cut(n, "nothing goes from "+way[0]+" to "+way[1], d, [][2]string{way})
	}
}

func (c *chaos) isolate(d time.Duration) {
	if n := c.node(); n != nil {
		c.cut(n, "cut off from the other brokers", d, both(n.Name(), c.brokersBut(n)...))
	}
}

func (c *chaos) slow(d time.Duration) {
	n := c.node()
	if n == nil {
		return
	}
	l := memnet.Link{Delay: time.Duration(10+c.rng.IntN(300)) * time.Millisecond, Jitter: time.Duration(c.rng.IntN(300)) * time.Millisecond}
	ways := both(n.Name(), c.others(n)...)
	c.begin(n, func() {
		c.world.Journal.Note("%s: links take %s and up to %s more, for %s", n.Name(), l.Delay, l.Jitter, d)
		for _, w := range ways {
			c.world.Net.SetLink(w[0], w[1], l)
		}
		c.wait(d)
		for _, w := range ways {
			c.world.Net.SetLink(w[0], w[1], c.world.options.Link)
		}
	})
}

func (c *chaos) reset(time.Duration) {
	hosts := c.world.Net.Names("")
	a, b := hosts[c.rng.IntN(len(hosts))], c.world.Nodes[c.rng.IntN(len(c.world.Nodes))].Name()
	c.world.Journal.Note("connections between %s and %s are reset", a, b)
	c.world.Net.Reset(a, b)
}

// expire ends the session of a broker.
func (c *chaos) expire(time.Duration) {
	ids := c.world.ZooKeeper.Sessions()
	if len(ids) == 0 {
		return
	}
	id := ids[c.rng.IntN(len(ids))]
	c.world.Journal.Note("session %d is expired", id)
	c.world.ZooKeeper.ExpireSession(id)
}

func (c *chaos) dropZooKeeper(time.Duration) {
	c.world.Journal.Note("zookeeper drops its connections")
	c.world.ZooKeeper.DropConnections()
}

func (c *chaos) pauseZooKeeper(d time.Duration) {
	c.begin(nil, func() {
		c.world.Journal.Note("zookeeper hangs for %s", d)
		resume := c.world.ZooKeeper.Pause()
		c.wait(d)
		resume()
	})
}
