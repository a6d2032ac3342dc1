package consumer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// consumerProtocol is the protocol type of consumers in the classic protocol.
const consumerProtocol = "consumer"

// Members of the classic protocol in a group of the new one (online upgrade, KIP-848). To them the group looks like one
// whose leader is always somebody else: a join is answered at once with the member's epoch as generation, a sync with
// what the member holds, and heartbeats tell it to rejoin whenever there is a step towards its target.

// ClassicJoin joins or rejoins. It answers when what changed is stored. Session timeouts are for the caller to check.
func (g *Group) ClassicJoin(x *journal.Turn, image Image, r classic.JoinRequest, reply func(classic.JoinResponse)) {
	g.use(image)
	defer g.askWake(x)
	refuse := func(code *kerr.Error, id string) {
		reply(classic.JoinResponse{Err: code, Generation: -1, MemberID: id})
	}
	id, unknown := r.MemberID, r.MemberID == ""
	if unknown {
		id = g.config.NewID()
	}
	if refused := g.refuseWhenFull(id); refused != nil {
		refuse(refused.code, r.MemberID)
		return
	}
	if !g.supports(r.ProtocolType, r.Protocols) {
		refuse(kerr.InconsistentGroupProtocol, r.MemberID)
		return
	}
	if unknown && r.InstanceID == nil && r.RequireKnownID {
		refuse(kerr.MemberIDRequired, id)
		return
	}
	if code := g.classicJoin(x, r, id, unknown, reply); code != nil {
		refuse(code, r.MemberID)
	}
}

func (g *Group) classicJoin(x *journal.Turn, r classic.JoinRequest, id string, unknown bool, reply func(classic.JoinResponse)) *kerr.Error {
	subscription, err := parseSubscription(r.Protocols[0].Metadata)
	if err != nil {
		return kerr.UnknownServerError
	}
	p := &plan{g: g, now: x.Now, epoch: g.epoch, hash: g.hash}
	joins := unknown || r.InstanceID == nil // a static member with an id of its own must be a member
	if refused := p.find(caller{id, -1, r.InstanceID, nil, joins, true}); refused != nil {
		return refused.code
	}
	p.m = g.classicMember(p.base, &r, &subscription)
	topicsChanged := p.storeMember()
	regex, refused := p.updateRegex()
	if refused != nil {
		return refused.code
	}
	subscriptionChanged := topicsChanged || regex != regexUnchanged
	p.raise(p.epoch == 0 || subscriptionChanged)
	if refused := p.retarget(); refused != nil {
		return refused.code
	}
	if refused := p.reconcile(subscriptionChanged, g.owned(&subscription)); refused != nil {
		return refused.code
	}

	protocol, kind := r.Protocols[0].Name, consumerProtocol
	resp := classic.JoinResponse{Generation: p.m.epoch, ProtocolType: &kind, Protocol: &protocol, MemberID: p.m.id}
	g.store(x, p.changes, func(x *journal.Turn) {
		p.applied(x)
		s := g.members[p.m.id]
		s.session, s.syncBy = x.Now.Add(r.SessionTimeout), x.Now.Add(r.RebalanceTimeout)
		s.joinBy, s.revokeBy = time.Time{}, time.Time{}
		g.watch(s)
	}, func(_ time.Time, err *kerr.Error) {
		if err != nil {
			resp = classic.JoinResponse{Err: err, Generation: -1, MemberID: r.MemberID}
		}
		reply(resp)
	})
	return nil
}

// classicMember returns the member with what a join says of it.
func (g *Group) classicMember(base *member, r *classic.JoinRequest, s *kmsg.ConsumerMemberMetadata) *member {
	m := base.clone()
	m.client = r.Client
	m.rebalanceTimeout = r.RebalanceTimeout.Truncate(time.Millisecond)
	if r.InstanceID != nil {
		m.instance = r.InstanceID
	}
	if s.Rack != nil && *s.Rack != "" {
		m.rack = s.Rack
	}
	m.classic = &classicMember{r.SessionTimeout.Truncate(time.Millisecond), r.Protocols}
	if sub := (&subscription{topics: sortedNames(s.Topics)}); !sub.equal(base.sub) {
		m.sub = g.shared(sub)
	}
	return m
}

// supports tells whether one of the protocols is supported by all members of the classic protocol.
func (g *Group) supports(protocolType string, protocols []classic.Protocol) bool {
	if protocolType != consumerProtocol || len(protocols) == 0 {
		return false
	}
	for _, p := range protocols {
		if len(g.members) == 0 || g.classicProtocols[p.Name] == g.classics {
			return true
		}
	}
	return false
}

// owned is what a client of the classic protocol says that it owns: with protocols before version 1, nothing.
func (g *Group) owned(s *kmsg.ConsumerMemberMetadata) assign.Partitions {
	owned := assign.Partitions{}
	for _, t := range s.OwnedPartitions {
		if topic, ok := g.image.TopicByName(t.Topic); ok && len(t.Partitions) > 0 {
			owned[topic.ID] = append(owned[topic.ID], t.Partitions...)
		}
	}
	return owned
}

func parseSubscription(metadata []byte) (kmsg.ConsumerMemberMetadata, error) {
	var s kmsg.ConsumerMemberMetadata
	err := s.ReadFrom(metadata)
	return s, err
}
