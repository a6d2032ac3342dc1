package consumer

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/kbroker/kbroker/coordinator/group/classic"
)

// memberState is how far a member is on its way to the target, as records store it (Kafka: MemberState).
type memberState int8

const (
	stable     memberState = 0 // it holds what the target of its epoch gives it
	unrevoked  memberState = 1 // it still has to give up partitions; until then it stays in its epoch
	unreleased memberState = 2 // it waits for partitions that others still hold
)

func (s memberState) known() bool { return s >= stable && s <= unreleased }

func (s memberState) String() string {
	switch s {
	case stable:
		return "stable"
	case unrevoked:
		return "unrevoked"
	case unreleased:
		return "unreleased"
	default:
		return "unknown"
	}
}

// Epochs with a meaning of their own in heartbeats and records.
const (
	joinEpoch        int32 = 0
	leaveEpoch       int32 = -1
	staticLeaveEpoch int32 = -2
)

// member is the stored state of a member: what it asked for and what it holds. It is never changed once made.
type member struct {
	id               string
	instance, rack   *string
	client           classic.Client
	sub              *subscription
	rebalanceTimeout time.Duration // in whole milliseconds; -1 ms when it was not said
	assignor         string        // that it asks for; "" when it leaves the choice to others
	classic          *classicMember

	epoch, previousEpoch int32
	state                memberState
	assigned, revoking   holding
}

// classicMember is what a member of the classic protocol joined with.
type classicMember struct {
	sessionTimeout time.Duration
	protocols      []classic.Protocol
}

// newMember is a member that nothing is stored of.
func newMember(id string) *member {
	return &member{id: id, sub: noTopics(), rebalanceTimeout: -time.Millisecond, previousEpoch: -1}
}

func (m *member) clone() *member {
	c := *m
	return &c
}

// moveTo moves to an epoch; the one before stays valid until the member has heard of it.
func (m *member) moveTo(epoch int32) { m.previousEpoch, m.epoch = m.epoch, epoch }

func (m *member) reconciledTo(epoch int32) bool { return m.state == stable && m.epoch == epoch }

// asksTheSame tells whether two states of a member have the same subscription part, which is one record.
func (m *member) asksTheSame(o *member) bool {
	return equalPtr(m.instance, o.instance) && equalPtr(m.rack, o.rack) && m.client == o.client &&
		m.sub.equal(o.sub) && m.rebalanceTimeout == o.rebalanceTimeout && m.assignor == o.assignor &&
		m.classic.equal(o.classic)
}

// holdsTheSame tells whether two states of a member have the same assignment part, which is another record.
func (m *member) holdsTheSame(o *member) bool {
	return m.epoch == o.epoch && m.previousEpoch == o.previousEpoch && m.state == o.state &&
		equalHolding(m.assigned, o.assigned) && equalHolding(m.revoking, o.revoking)
}

func (c *classicMember) equal(o *classicMember) bool {
	if c == nil || o == nil {
		return c == o
	}
	return c.sessionTimeout == o.sessionTimeout && slices.EqualFunc(c.protocols, o.protocols, func(a, b classic.Protocol) bool {
		return a.Name == b.Name && string(a.Metadata) == string(b.Metadata)
	})
}

// subscription is topics by name and by regular expression. Members that subscribe to the same share one.
type subscription struct {
	topics  []string // sorted, each once
	regex   string   // "" for none
	members int      // how many members of the group have it, once it is in Group.subs
}

func noTopics() *subscription { return &subscription{} }

func (s *subscription) equal(o *subscription) bool {
	return s == o || s.regex == o.regex && slices.Equal(s.topics, o.topics)
}

// key tells subscriptions apart; topic names have no zero byte.
func (s *subscription) key() string { return strings.Join(s.topics, "\x00") + "\x00\x00" + s.regex }

func sortedNames(names []string) []string {
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// seat is a member's place in the group: its stored state, and its timeouts, which are not stored. Zero times are no
// timeouts.
type seat struct {
	*member
	session     time.Time
	revokeBy    time.Time // to give up what it must, while it stays in revokeEpoch
	revokeEpoch int32
	joinBy      time.Time // of the classic protocol: to rejoin
	syncBy      time.Time // of the classic protocol: to ask for its assignment
	unheard     uint64    // the answer with its assignment that it may not have heard; zero when it has (see telling)
}

// deadline returns the earliest of the timeouts; zero for none.
func (s *seat) deadline() time.Time { return earliest(s.session, s.revokeBy, s.joinBy, s.syncBy) }

func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// put replaces a member, or seats a new one, and keeps the indexes.
func (g *Group) put(m *member) {
	m.sub = g.intern(m.sub)
	m.sub.members++
	s := g.members[m.id]
	if s == nil {
		s = &seat{}
		i, _ := slices.BinarySearchFunc(g.order, m.id, func(s *seat, id string) int { return cmp.Compare(s.id, id) })
		g.order = slices.Insert(g.order, i, s)
		g.members[m.id] = s
	} else {
		g.unindex(s.member, m)
	}
	old := s.member
	s.member = m
	g.index(m, old)
}

// remove takes a member's seat away.
func (g *Group) remove(id string) {
	s := g.members[id]
	if s == nil {
		return
	}
	g.unindex(s.member, nil)
	delete(g.members, id)
	i, _ := slices.BinarySearchFunc(g.order, id, func(s *seat, id string) int { return cmp.Compare(s.id, id) })
	g.order = slices.Delete(g.order, i, i+1)
}

// unindex forgets a member; next is what comes in its place, or nil.
func (g *Group) unindex(m, next *member) {
	if m.sub.members--; m.sub.members == 0 {
		delete(g.subs, m.sub.key())
		delete(g.topics.ids, m.sub)
	}
	if m.sub.regex != "" {
		g.regexMembers--
	}
	if m.assignor != "" {
		count(g.assignors, m.assignor, -1)
	}
	if m.classic != nil {
		g.classics--
		for _, p := range m.classic.protocols {
			count(g.classicProtocols, p.Name, -1)
		}
	}
	if m.instance != nil && g.instances[*m.instance] == m.id && (next == nil || !equalPtr(m.instance, next.instance)) {
		delete(g.instances, *m.instance)
	}
	if next == nil || !samePartitions(m.assigned, next.assigned) || !samePartitions(m.revoking, next.revoking) {
		g.disown(m.id, m.assigned)
		g.disown(m.id, m.revoking)
	}
}

// index enters a member that is in the place of old, or of nobody; its subscription is counted already.
func (g *Group) index(m, old *member) {
	if m.sub.regex != "" {
		g.regexMembers++
	}
	if m.assignor != "" {
		count(g.assignors, m.assignor, 1)
	}
	if m.classic != nil {
		g.classics++
		for _, p := range m.classic.protocols {
			count(g.classicProtocols, p.Name, 1)
		}
	}
	if m.instance != nil && (old == nil || !equalPtr(m.instance, old.instance)) {
		g.instances[*m.instance] = m.id
	}
	if old == nil || !samePartitions(m.assigned, old.assigned) || !samePartitions(m.revoking, old.revoking) {
		g.own(m.id, m.assigned)
		g.own(m.id, m.revoking)
	}
}

// intern returns the subscription that members with the same one share.
func (g *Group) intern(s *subscription) *subscription {
	if s.members > 0 {
		return s
	}
	key := s.key()
	if shared := g.subs[key]; shared != nil {
		return shared
	}
	s = &subscription{topics: s.topics, regex: s.regex}
	g.subs[key] = s
	return s
}

// ownedPartition is a partition in the table of owners. A map, not a list by partition, as numbers come from the disk.
type ownedPartition struct {
	topic     [16]byte
	partition int32
}

func (g *Group) own(id string, h holding) {
	for topic, held := range h {
		for _, p := range held.partitions {
			g.owners[ownedPartition{topic, p}] = id
		}
	}
}

// disown forgets only what the member still owns: while an old log is replayed, another member can own a partition
// before the record that took it from this one is seen.
func (g *Group) disown(id string, h holding) {
	for topic, held := range h {
		for _, p := range held.partitions {
			if g.owners[ownedPartition{topic, p}] == id {
				delete(g.owners, ownedPartition{topic, p})
			}
		}
	}
}

func count(counts map[string]int, name string, by int) {
	if counts[name] += by; counts[name] == 0 {
		delete(counts, name)
	}
}

func equalPtr(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
