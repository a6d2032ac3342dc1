package consumer

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// ClassicSync answers with what the member holds, once that is stored. Assignments of a leader are not looked at.
func (g *Group) ClassicSync(x *journal.Turn, image Image, r classic.SyncRequest, reply func(classic.SyncResponse)) {
	g.use(image)
	defer g.askWake(x)
	s, code := g.classicCaller(r.MemberID, r.InstanceID, r.Generation)
	if code == nil && (r.ProtocolType != nil && *r.ProtocolType != consumerProtocol || r.Protocol != nil && *r.Protocol != s.protocol()) {
		code = kerr.InconsistentGroupProtocol
	}
	// A member that has partitions to give up has rejoined already: it finishes that first.
	if code == nil && g.epoch > s.epoch && s.state != unrevoked {
		g.mustRejoin(x, s)
		code = kerr.RebalanceInProgress
	}
	if code != nil {
		reply(classic.SyncResponse{Err: code})
		return
	}
	s.syncBy = time.Time{}
	g.extend(s, x.Now, s.classic.sessionTimeout)
	resp := classic.SyncResponse{ProtocolType: r.ProtocolType, Protocol: r.Protocol, Assignment: g.serialize(s.member, s.assigned.partitions())}
	g.afterWrites(x, func(_ time.Time, err *kerr.Error) {
		if err != nil {
			resp = classic.SyncResponse{Err: err}
		}
		reply(resp)
	})
}

// ClassicHeartbeat keeps a member, and tells it to rejoin when the group epoch has moved on, when it has partitions to
// give up, or when those that it waits for have become free.
func (g *Group) ClassicHeartbeat(x *journal.Turn, r classic.HeartbeatRequest) *kerr.Error {
	defer g.askWake(x)
	s, code := g.classicCaller(r.MemberID, r.InstanceID, r.Generation)
	if code != nil {
		return code
	}
	g.extend(s, x.Now, s.classic.sessionTimeout)
	if s.epoch < g.epoch || s.state == unrevoked || s.state == unreleased && !g.waits(s.member) {
		g.mustRejoin(x, s)
		return kerr.RebalanceInProgress
	}
	return nil
}

// classicCaller finds the member of the classic protocol that asks.
func (g *Group) classicCaller(id string, instance *string, generation int32) (*seat, *kerr.Error) {
	s := g.members[id]
	if instance != nil {
		m := g.static(*instance)
		switch {
		case m == nil:
			return nil, kerr.UnknownMemberID
		case m.id != id:
			return nil, kerr.FencedInstanceID
		}
	}
	switch {
	case s == nil || s.classic == nil:
		return nil, kerr.UnknownMemberID
	case s.epoch != generation:
		return nil, kerr.IllegalGeneration
	}
	return s, nil
}

// mustRejoin starts the time in which a member must rejoin, unless it runs already.
func (g *Group) mustRejoin(x *journal.Turn, s *seat) {
	if s.joinBy.IsZero() {
		s.joinBy = x.Now.Add(s.rebalanceTimeout)
		g.watch(s)
	}
}

// waits tells whether somebody else still holds partitions that the member waits for.
func (g *Group) waits(m *member) bool {
	for topic, partitions := range g.targets[m.id] {
		for _, p := range partitions {
			if _, held := m.assigned.find(topic, p); held {
				continue
			}
			if _, owned := g.owners[ownedPartition{topic, p}]; owned {
				return true
			}
		}
	}
	return false
}

// protocol is the name that a join was answered with: the member's first.
func (m *member) protocol() string {
	if len(m.classic.protocols) == 0 {
		return ""
	}
	return m.classic.protocols[0].Name
}

// serialize is partitions in the assignment format of the classic protocol, of the version of the member's own metadata.
// Topics that are gone are left out.
func (g *Group) serialize(m *member, partitions assign.Partitions) []byte {
	a := kmsg.NewConsumerMemberAssignment()
	if len(m.classic.protocols) > 0 {
		if s, err := parseSubscription(m.classic.protocols[0].Metadata); err == nil {
			a.Version = min(max(s.Version, 0), 3)
		}
	}
	for topic, list := range partitions {
		if g.image == nil {
			break
		}
		if name, ok := g.image.Name(topic); ok {
			a.Topics = append(a.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: name, Partitions: list})
		}
	}
	slices.SortFunc(a.Topics, func(a, b kmsg.ConsumerMemberAssignmentTopic) int { return cmp.Compare(a.Topic, b.Topic) })
	return a.AppendTo(nil)
}
