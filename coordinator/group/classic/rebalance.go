package classic

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// initialDelay is the wait for more members when an Empty group gets its first (Kafka: InitialDelayedJoin): their
// joins would otherwise each begin a rebalance of their own.
type initialDelay struct {
	now  time.Duration // the delay that is running
	left time.Duration // how much more there may be, so that all is within the rebalance timeout
}

// leastDelay is the pause between two looks at a group of which no member rejoins, if its rebalance timeout is shorter.
const leastDelay = 100 * time.Millisecond

// prepareRebalance makes all members rejoin. The group must not be in PreparingRebalance or Dead.
func (g *Group) prepareRebalance(x *journal.Turn, kind journal.RebalanceKind, reason string) {
	if g.state == CompletingRebalance {
		g.failSyncs(x, kerr.RebalanceInProgress)
	}
	g.forgiveSyncs()
	timeout := g.rebalanceTimeout()
	if g.state == Empty {
		delay := g.config.InitialRebalanceDelay
		g.initial = &initialDelay{now: delay, left: max(timeout-delay, 0)}
		timeout = delay
	}
	g.become(PreparingRebalance, x.Now)
	g.joinBy = x.Now.Add(timeout)
	x.Rebalanced(kind, g.generation+1, reason)
	g.tryCompleteJoin(x)
	if g.state == PreparingRebalance {
		g.wakeAt(x, g.joinBy)
	}
}

// tryCompleteJoin completes the rebalance if everybody is here.
func (g *Group) tryCompleteJoin(x *journal.Turn) {
	if g.initial == nil && g.joining == len(g.members) && len(g.pending) == 0 {
		g.completeJoin(x)
	}
}

// joinOver is what happens when the time to join is over.
func (g *Group) joinOver(x *journal.Turn) {
	if d := g.initial; d != nil {
		if g.joined && d.left != 0 {
			g.joined = false
			before := d.now
			d.now = min(g.config.InitialRebalanceDelay, d.left)
			d.left = max(d.left-before, 0)
			g.joinBy = x.Now.Add(d.now)
			g.wakeAt(x, g.joinBy)
			return
		}
		g.initial = nil
	}
	g.completeJoin(x)
}

// completeJoin begins the next generation with those who rejoined, and the static members.
func (g *Group) completeJoin(x *journal.Turn) {
	for m := range g.all() {
		if m.join == nil && m.instanceID == nil {
			g.remove(m.id)
		}
	}
	if len(g.members) > 0 && !g.electLeader() {
		// Only static members are left, and none of them rejoined. Their sessions end this.
		g.joinBy = x.Now.Add(max(g.rebalanceTimeout(), leastDelay))
		g.wakeAt(x, g.joinBy)
		return
	}
	g.joinBy = time.Time{}
	g.generation++
	g.storing = false
	if len(g.members) == 0 {
		g.protocol = nil
		g.topics = g.subscriptions()
		g.become(Empty, x.Now)
		// If this write fails, the members of the generation before are back after a failover, and time out.
		x.Append(journal.Write{Records: []journal.Record{g.Record(x.Now)}})
		return
	}
	protocol := g.vote()
	g.protocol = &protocol
	g.topics = g.subscriptions()
	g.become(CompletingRebalance, x.Now)
	g.owing = len(g.members)
	g.syncBy = x.Now.Add(g.rebalanceTimeout())
	g.wakeAt(x, g.syncBy)
	for m := range g.all() {
		m.owesSync = true
		if m.join != nil {
			answerJoin(g, m, g.current(m))
		}
		m.fresh = false
		g.heard(x, m)
	}
}

// electLeader makes sure that the leader has rejoined, and tells whether anybody has.
func (g *Group) electLeader() bool {
	if g.leader.join != nil {
		return true
	}
	for m := range g.all() {
		if m.join != nil {
			g.leader = m
			return true
		}
	}
	return false
}

// vote chooses the protocol: each member votes for the first of its protocols that all support. Of equals the one wins
// that an earlier member voted for (Kafka leaves that to chance).
func (g *Group) vote() string {
	votes := map[string]int{}
	var order []string
	for m := range g.all() {
		for _, p := range m.protocols {
			if g.supporters[p.Name] != len(g.members) {
				continue
			}
			if votes[p.Name]++; votes[p.Name] == 1 {
				order = append(order, p.Name)
			}
			break
		}
	}
	var best string
	for _, name := range order {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

// rebalanceTimeout is the longest of the members'.
func (g *Group) rebalanceTimeout() time.Duration {
	var longest time.Duration
	for m := range g.all() {
		longest = max(longest, m.rebalanceTimeout)
	}
	return longest
}

// forgiveSyncs ends the wait for syncs of the generation.
func (g *Group) forgiveSyncs() {
	if g.owing > 0 {
		for m := range g.all() {
			m.owesSync = false
		}
	}
	g.owing = 0
	g.syncBy = time.Time{}
}
