package consumer

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// ErrCustomAssignor is the error of Convert for a group whose assignor hands data of its own to members, which no server
// side assignor would. Kafka answers GROUP_ID_NOT_FOUND to it, as to every other error of Convert.
var ErrCustomAssignor = errors.New("the group has an assignor that gives members data of its own")

// MayConvert tells whether a classic group may become a consumer group for a member that joins with the new protocol: an
// empty one always, a live one by policy, if its members speak the consumer protocol and are not too many
// (Kafka: validateOnlineUpgrade).
func MayConvert(s classic.Snapshot, c *Config) *kerr.Error {
	if len(s.Members) == 0 {
		return nil
	}
	if !c.Upgrade || s.ProtocolType != consumerProtocol || len(s.Members) > int(c.MaxSize) {
		return kerr.GroupIDNotFound
	}
	return nil
}

// Convert makes a consumer group of a classic one (upgrade). The records are the batch that stores it: the classic
// group's tombstone, then all that the new one consists of. The caller puts the group in place of the classic one when
// they are applied, and calls Converted, before it goes on with the heartbeat that asked for it. All members are taken
// for stable in what they were last assigned; the member that joins causes the rebalance that sorts out the rest.
func Convert(id string, s classic.Snapshot, c *Config, image Image) (*Group, []journal.Record, error) {
	g := New(id, c)
	g.converted = true
	g.use(image)
	var records []journal.Record
	if s.Generation > 0 || len(s.Members) > 0 {
		records = append(records, journal.GroupTombstone(id))
	}
	if len(s.Members) == 0 {
		return g, records, nil
	}
	var members, targets, currents []change
	for i := range s.Members {
		m, err := g.convertMember(&s.Members[i], s.Generation)
		if err != nil {
			return nil, nil, fmt.Errorf("convert member %s of group %s: %w", s.Members[i].ID, id, err)
		}
		members = append(members, memberSet{m})
		targets = append(targets, targetSet{m.id, m.assigned.partitions()})
		currents = append(currents, currentSet{m})
	}
	changes := members
	for _, c := range members {
		c.apply(g)
	}
	changes = append(changes, epochSet{s.Generation, g.hashOf(g.subscriptions(nil, nil), nil)})
	changes = append(changes, targets...)
	changes = append(changes, targetEpochSet{epoch: s.Generation})
	changes = append(changes, currents...)
	for _, c := range changes[len(members):] {
		c.apply(g)
	}
	return g, append(records, g.encode(changes)...), nil
}

func (g *Group) convertMember(sm *classic.SnapshotMember, generation int32) (*member, error) {
	metadata := sm.Metadata
	if len(metadata) == 0 && len(sm.Protocols) > 0 {
		metadata = sm.Protocols[0].Metadata // no protocol was chosen yet
	}
	subscription, err := parseSubscription(metadata)
	if err != nil {
		return nil, fmt.Errorf("parse subscription: %w", err)
	}
	m := newMember(sm.ID)
	m = g.classicMember(m, &classic.JoinRequest{
		Client: sm.Client, InstanceID: sm.InstanceID, Protocols: sm.Protocols,
		SessionTimeout: sm.SessionTimeout, RebalanceTimeout: sm.RebalanceTimeout,
	}, &subscription)
	m.epoch, m.previousEpoch = generation, generation
	m.assigned = holding{}
	if len(sm.Assignment) == 0 {
		return m, nil
	}
	var a kmsg.ConsumerMemberAssignment
	if err := a.ReadFrom(sm.Assignment); err != nil {
		return nil, fmt.Errorf("parse assignment: %w", err)
	}
	if len(a.UserData) > 0 {
		return nil, ErrCustomAssignor
	}
	for _, t := range a.Topics {
		if topic, ok := g.image.TopicByName(t.Topic); ok && len(t.Partitions) > 0 {
			m.assigned[topic.ID] = heldSince(sortedUnique(t.Partitions), generation)
		}
	}
	return m, nil
}

// Downgrade tells whether the last member of the new protocol has left a group that still has members of the classic
// one, and gives what becomes of it, with the records: the tombstones of all that is stored of the consumer group, then
// the classic group's. ok is false when there is nothing to do. The caller looks after every Tick, Heartbeat, Leave and
// ClassicJoin, with no write in flight of which Applied has not run, and lets the classic group rebalance: members may not
// know of their assignment yet.
func (g *Group) Downgrade(now time.Time) (s classic.Snapshot, records []journal.Record, ok bool) {
	if !g.config.Downgrade || len(g.members) == 0 || g.classics != len(g.members) {
		return classic.Snapshot{}, nil, false
	}
	s = classic.Snapshot{Generation: g.epoch, ProtocolType: consumerProtocol, Protocol: g.electProtocol(), Leader: g.order[0].id}
	v := kmsg.NewGroupMetadataValue()
	v.ProtocolType, v.Generation, v.Protocol, v.Leader = s.ProtocolType, s.Generation, &s.Protocol, &s.Leader
	v.CurrentStateTimestamp = now.UnixMilli()
	for _, seat := range g.order {
		m := g.snapshot(seat.member, g.targets[seat.id], s.Protocol)
		s.Members = append(s.Members, m)
		v.Members = append(v.Members, kmsg.GroupMetadataValueMember{
			MemberID: m.ID, InstanceID: m.InstanceID, ClientID: m.Client.ID, ClientHost: m.Host,
			RebalanceTimeoutMillis: millis(m.RebalanceTimeout), SessionTimeoutMillis: millis(m.SessionTimeout),
			Subscription: m.Metadata, Assignment: m.Assignment,
		})
	}
	return s, append(g.Delete(), journal.GroupRecord(g.id, v)), true
}

func (g *Group) snapshot(m *member, target assign.Partitions, protocol string) classic.SnapshotMember {
	sm := classic.SnapshotMember{
		Member: classic.Member{
			ID: m.id, InstanceID: m.instance, Client: m.client,
			Assignment: g.serialize(m, target),
		},
		SessionTimeout: m.classic.sessionTimeout, RebalanceTimeout: m.rebalanceTimeout,
		ProtocolType: consumerProtocol, Protocols: m.classic.protocols,
	}
	for _, p := range m.classic.protocols {
		if p.Name == protocol {
			sm.Metadata = p.Metadata
		}
	}
	return sm
}

// electProtocol is the protocol that most members like best among those that all support, as a classic group votes.
func (g *Group) electProtocol() string {
	votes := map[string]int{}
	for _, s := range g.order {
		for _, p := range s.classic.protocols {
			if g.classicProtocols[p.Name] == g.classics {
				votes[p.Name]++
				break
			}
		}
	}
	best := ""
	for _, name := range sortedKeys(votes) {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}
