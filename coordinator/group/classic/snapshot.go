package classic

import (
	"bytes"
	"slices"
	"time"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// Snapshot is a group as data, for its conversion to a consumer group and back (KIP-848). Its slices belong to the
// snapshot.
type Snapshot struct {
	Generation   int32
	ProtocolType string
	Protocol     string
	Leader       string
	Members      []SnapshotMember
}

// SnapshotMember is a member in a Snapshot.
type SnapshotMember struct {
	Member
	SessionTimeout, RebalanceTimeout time.Duration
	ProtocolType                     string
	Protocols                        []Protocol
}

// Snapshot copies the group. Members are in the order of their arrival, their Metadata is that of the chosen protocol,
// Assignment the current one, whatever the state.
func (g *Group) Snapshot() Snapshot {
	s := Snapshot{
		Generation:   g.generation,
		ProtocolType: g.ProtocolType(),
		Protocol:     text(g.protocol),
		Leader:       g.leaderID(),
		Members:      make([]SnapshotMember, 0, len(g.members)),
	}
	for m := range g.all() {
		s.Members = append(s.Members, SnapshotMember{
			Member:           m.view(s.Protocol),
			SessionTimeout:   m.sessionTimeout,
			RebalanceTimeout: m.rebalanceTimeout,
			ProtocolType:     s.ProtocolType,
			Protocols:        cloneProtocols(m.protocols),
		})
	}
	return s
}

func cloneProtocols(protocols []Protocol) []Protocol {
	c := slices.Clone(protocols)
	for i := range c {
		c[i].Metadata = bytes.Clone(c[i].Metadata)
	}
	return c
}

// Restore makes a group from a snapshot (downgrade), which becomes the group's: Stable, or PreparingRebalance if
// rebalance tells why it must be. Without a Leader that is a member the first member is it, and without a Protocol the
// members choose. The sessions of the members begin.
func Restore(x *journal.Turn, id string, s Snapshot, c *Config, rebalance string) *Group {
	g := New(id, c)
	g.generation = s.Generation
	if s.ProtocolType != "" {
		g.protocolType = &s.ProtocolType
	}
	for _, m := range s.Members {
		g.enter(&member{
			id:               m.ID,
			instanceID:       m.InstanceID,
			client:           m.Client,
			sessionTimeout:   m.SessionTimeout,
			rebalanceTimeout: m.RebalanceTimeout,
			protocols:        distinct(m.Protocols),
			assignment:       m.Assignment,
		}, s.ProtocolType)
	}
	if leader := g.members[s.Leader]; leader != nil {
		g.leader = leader
	}
	if len(g.members) == 0 {
		g.become(Empty, x.Now)
		g.topics = g.subscriptions()
		return g
	}
	g.become(Stable, x.Now)
	protocol := s.Protocol
	if protocol == "" {
		protocol = g.vote()
	}
	g.protocol = &protocol
	g.topics = g.subscriptions()
	for m := range g.all() {
		g.heard(x, m)
	}
	if rebalance != "" {
		g.prepareRebalance(x, journal.ProtocolConverted, rebalance)
	}
	return g
}
