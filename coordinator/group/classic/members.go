package classic

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// Client is who asks, as it is shown to operators.
type Client struct{ ID, Host string } // Host in Java's form, /10.0.0.7

// Protocol is a protocol that a member supports: an assignor's name and the member's metadata.
type Protocol struct {
	Name     string
	Metadata []byte
}

// member is a member of a group (Kafka: MemberMetadata).
type member struct {
	id               string
	instanceID       *string // nil: dynamic
	client           Client  // of the first join; a static member that returns keeps it
	sessionTimeout   time.Duration
	rebalanceTimeout time.Duration
	protocols        []Protocol // by preference, no name twice
	assignment       []byte

	join func(JoinResponse) // a parked join
	sync func(SyncResponse) // a parked sync
	// fresh is a member whose first join is not answered yet. Unlike others it expires while its join is
	// parked: whoever gave up waiting left a member behind that nobody knows the id of.
	fresh    bool
	owesSync bool
	// deadline is when the member is removed unless it is heard of; zero while a parked request proves that it lives.
	deadline time.Time

	prev, next *member
}

// newMemberTimeout is how long a join of a new member is parked at most; it is expected to ask again.
const newMemberTimeout = 5 * time.Minute

func (m *member) parked() bool { return m.join != nil || m.sync != nil }

// metadata is the member's metadata of a protocol.
func (m *member) metadata(protocol string) []byte {
	for _, p := range m.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

// enter makes m a member.
func (g *Group) enter(m *member, protocolType string) {
	if len(g.members) == 0 {
		g.protocolType = &protocolType
		g.leader = m
	}
	g.members[m.id] = m
	if m.instanceID != nil {
		g.instances[*m.instanceID] = m
	}
	m.prev = g.last
	if g.last == nil {
		g.first = m
	} else {
		g.last.next = m
	}
	g.last = m
	g.count(m.protocols, 1)
	delete(g.pending, m.id)
}

// remove forgets a member or a pending id. What the member has parked is answered: nothing else would do it.
func (g *Group) remove(id string) {
	delete(g.pending, id)
	m := g.members[id]
	if m == nil {
		return
	}
	answerJoin(g, m, joinError("", kerr.UnknownMemberID))
	answerSync(m, SyncResponse{Err: kerr.UnknownMemberID})
	g.synced(m)
	delete(g.members, id)
	if m.instanceID != nil {
		delete(g.instances, *m.instanceID)
	}
	if m.prev == nil {
		g.first = m.next
	} else {
		m.prev.next = m.next
	}
	if m.next == nil {
		g.last = m.prev
	} else {
		m.next.prev = m.prev
	}
	g.count(m.protocols, -1)
	if g.leader == m {
		g.leader = g.first
	}
}

// rename gives a static member the id of the process that took its place. The old process is fenced at once.
func (g *Group) rename(m *member, id string) {
	answerJoin(g, m, joinError(m.id, kerr.FencedInstanceID))
	answerSync(m, SyncResponse{Err: kerr.FencedInstanceID})
	delete(g.members, m.id)
	m.id = id
	g.members[id] = m
}

// update takes over what a member says when it joins again, and parks the join.
func (g *Group) update(m *member, r JoinRequest, reply func(JoinResponse)) {
	g.count(m.protocols, -1)
	m.protocols = r.Protocols
	g.count(m.protocols, 1)
	m.rebalanceTimeout, m.sessionTimeout = r.RebalanceTimeout, r.SessionTimeout
	g.park(m, reply)
}

// park keeps a join until the rebalance is complete. A join of the same member that is parked already was given up by
// the client, whose connection is gone; its answer only ends the wait.
func (g *Group) park(m *member, reply func(JoinResponse)) {
	answerJoin(g, m, joinError(m.id, kerr.RebalanceInProgress))
	m.join = reply
	g.joining++
}

// answerJoin answers the parked join, if there is one.
func answerJoin(g *Group, m *member, r JoinResponse) {
	if reply := m.join; reply != nil {
		m.join = nil
		g.joining--
		reply(r)
	}
}

// answerSync answers the parked sync, and tells whether there was one.
func answerSync(m *member, r SyncResponse) bool {
	reply := m.sync
	if reply == nil {
		return false
	}
	m.sync = nil
	reply(r)
	return true
}

// synced notes that the member owes no sync any more.
func (g *Group) synced(m *member) {
	if !m.owesSync {
		return
	}
	m.owesSync = false
	if g.owing--; g.owing == 0 {
		g.syncBy = time.Time{}
	}
}

// heard starts the session timeout of a member anew.
func (g *Group) heard(x *journal.Turn, m *member) { g.expireAfter(x, m, m.sessionTimeout) }

func (g *Group) expireAfter(x *journal.Turn, m *member, timeout time.Duration) {
	if m.parked() && !m.fresh {
		m.deadline = time.Time{}
		return
	}
	m.deadline = x.Now.Add(timeout)
	g.wakeAt(x, m.deadline)
}

// count adds n to the supporters of each protocol.
func (g *Group) count(protocols []Protocol, n int) {
	for _, p := range protocols {
		if g.supporters[p.Name] += n; g.supporters[p.Name] == 0 {
			delete(g.supporters, p.Name)
		}
	}
}
