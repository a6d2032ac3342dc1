package classic

import (
	"bytes"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// Versions of the records, as Kafka 3.9 writes them.
const (
	keyVersion   = 2
	valueVersion = 3
)

// Record is the record that stores the group as it is now. A replay of it makes an equal group; of members that are
// in a rebalance it keeps the chosen protocol's metadata and the last assignment. The time in it is that of the
// state, so now does not matter.
func (g *Group) Record(now time.Time) journal.Record {
	return g.record(func(m *member) []byte { return m.assignment })
}

func (g *Group) record(assignment func(*member) []byte) journal.Record {
	value := kmsg.GroupMetadataValue{
		Version:               valueVersion,
		ProtocolType:          text(g.protocolType),
		Generation:            g.generation,
		Protocol:              g.protocol,
		CurrentStateTimestamp: -1,
		Members:               make([]kmsg.GroupMetadataValueMember, 0, len(g.members)),
	}
	if !g.since.IsZero() {
		value.CurrentStateTimestamp = g.since.UnixMilli()
	}
	if g.leader != nil {
		value.Leader = &g.leader.id
	}
	for m := range g.all() {
		value.Members = append(value.Members, kmsg.GroupMetadataValueMember{
			MemberID:               m.id,
			InstanceID:             m.instanceID,
			ClientID:               m.client.ID,
			ClientHost:             m.client.Host,
			RebalanceTimeoutMillis: int32(m.rebalanceTimeout.Milliseconds()),
			SessionTimeoutMillis:   int32(m.sessionTimeout.Milliseconds()),
			Subscription:           m.metadata(text(g.protocol)),
			Assignment:             assignment(m),
		})
	}
	return journal.Record{Key: recordKey(g.id), Value: value.AppendTo(nil)}
}

func recordKey(group string) []byte {
	key := kmsg.GroupMetadataKey{Version: keyVersion, Group: group}
	return key.AppendTo(nil)
}

// Load makes a group from its record (GroupMetadata), of any version. It copies what it keeps. The caller ends loading
// with Loaded. A record that no coordinator writes makes a group that can live: of members with the same id or instance
// the first counts, and a leader that is no member is replaced by the first.
func Load(id string, value *kmsg.GroupMetadataValue, c *Config) *Group {
	g := New(id, c)
	g.generation = value.Generation
	if value.ProtocolType != "" {
		g.protocolType = &value.ProtocolType
	}
	g.protocol = value.Protocol
	if value.CurrentStateTimestamp >= 0 {
		g.since = time.UnixMilli(value.CurrentStateTimestamp)
	}
	for i := range value.Members {
		g.loadMember(value, &value.Members[i])
	}
	if len(g.members) > 0 {
		g.state = Stable
	}
	if value.Leader != nil && g.members[*value.Leader] != nil {
		g.leader = g.members[*value.Leader]
	}
	g.topics = g.subscriptions()
	return g
}

func (g *Group) loadMember(value *kmsg.GroupMetadataValue, v *kmsg.GroupMetadataValueMember) {
	if g.members[v.MemberID] != nil || v.InstanceID != nil && g.instances[*v.InstanceID] != nil {
		return
	}
	rebalanceTimeout := v.RebalanceTimeoutMillis
	if value.Version == 0 {
		rebalanceTimeout = v.SessionTimeoutMillis
	}
	g.enter(&member{
		id:               v.MemberID,
		instanceID:       v.InstanceID,
		client:           Client{ID: v.ClientID, Host: v.ClientHost},
		rebalanceTimeout: time.Duration(rebalanceTimeout) * time.Millisecond,
		sessionTimeout:   time.Duration(v.SessionTimeoutMillis) * time.Millisecond,
		protocols:        []Protocol{{Name: text(value.Protocol), Metadata: bytes.Clone(v.Subscription)}},
		assignment:       bytes.Clone(v.Assignment),
	}, value.ProtocolType)
}

// Loaded starts the session timeouts of the members. A group that is larger than group.max.size rebalances, so that
// its members may commit before some have to go.
func (g *Group) Loaded(x *journal.Turn) {
	if len(g.members) > int(g.config.MaxSize) {
		g.prepareRebalance(x, OverCapacity, "the loaded group has more members than group.max.size allows")
	}
	for m := range g.all() {
		g.heard(x, m)
	}
}
