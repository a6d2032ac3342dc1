package consumer

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// HeartbeatRequest is a ConsumerGroupHeartbeat. What a member does not say has not changed.
type HeartbeatRequest struct {
	classic.Client
	MemberID         string
	MemberEpoch      int32 // 0 joins, -1 leaves, -2 leaves for a while (static members)
	InstanceID       *string
	Rack             *string
	RebalanceTimeout time.Duration     // negative: not said
	Topics           []string          // nil: not said
	TopicRegex       *string           // nil: not said (v1)
	ServerAssignor   *string           // nil: not said
	Owned            assign.Partitions // nil: not said
	Version          int16
	Arrived          time.Time // zero: now
}

// HeartbeatResponse is the answer. Its assignment is shared and must not be changed.
type HeartbeatResponse struct {
	Err               *kerr.Error
	Message           string // empty: none
	MemberID          string
	MemberEpoch       int32
	HeartbeatInterval time.Duration
	Assignment        assign.Partitions // nil: unchanged
}

// Heartbeat joins, keeps, changes or ends a membership (ConsumerGroupHeartbeat). It answers when what changed, and what
// was changed before it, is stored.
func (g *Group) Heartbeat(x *journal.Turn, image Image, r HeartbeatRequest, reply func(HeartbeatResponse)) {
	g.use(image)
	defer g.askWake(x)
	if g.idle(x.Now, &r) {
		s := g.members[r.MemberID]
		g.extend(s, x.Now, g.config.SessionTimeout)
		resp := g.keep(s.member)
		if len(g.pending) == 0 && !g.inDoubt {
			reply(resp)
			return
		}
		g.answer(x, nil, nil, resp, reply)
		return
	}
	refused := g.config.validate(&r)
	if refused == nil {
		if r.MemberEpoch == leaveEpoch || r.MemberEpoch == staticLeaveEpoch {
			refused = g.leave(x, &r, reply)
		} else {
			refused = g.stay(x, &r, reply)
		}
	}
	if refused != nil {
		reply(HeartbeatResponse{Err: refused.code, Message: refused.message})
	}
}

// idle tells whether a heartbeat changes nothing: a fully reconciled member that says nothing new, and has been told all.
func (g *Group) idle(now time.Time, r *HeartbeatRequest) bool {
	s := g.members[r.MemberID]
	return s != nil && r.MemberEpoch > 0 && s.reconciledTo(r.MemberEpoch) && g.epoch == r.MemberEpoch &&
		g.targetEpoch == g.epoch && s.unheard == 0 && s.classic == nil && s.client == r.Client &&
		(r.InstanceID == nil || equalPtr(r.InstanceID, s.instance)) && (r.Rack == nil || equalPtr(r.Rack, s.rack)) &&
		r.RebalanceTimeout < 0 && r.Topics == nil && r.TopicRegex == nil && r.ServerAssignor == nil &&
		g.looked == look{true, g.image.Version()} && (g.regexMembers == 0 || !g.resolveDue(now))
}

func (g *Group) keep(m *member) HeartbeatResponse {
	return HeartbeatResponse{MemberID: m.id, MemberEpoch: m.epoch, HeartbeatInterval: g.config.HeartbeatInterval}
}

func (g *Group) answer(x *journal.Turn, changes []change, applied func(*journal.Turn), resp HeartbeatResponse, reply func(HeartbeatResponse)) {
	g.store(x, changes, applied, func(_ time.Time, err *kerr.Error) {
		if err != nil {
			resp = HeartbeatResponse{Err: err}
		}
		reply(resp)
	})
}

// stay is a heartbeat of who joins or is a member.
func (g *Group) stay(x *journal.Turn, r *HeartbeatRequest, reply func(HeartbeatResponse)) *refusal {
	joins := r.MemberEpoch == joinEpoch
	if !joins && !g.Stored() {
		return refuse(kerr.GroupIDNotFound, "there is no such group")
	}
	if refused := g.refuseWhenFull(r.MemberID); refused != nil {
		return refused
	}
	if r.MemberID == "" {
		r.MemberID = g.config.NewID()
	}
	p := &plan{g: g, now: x.Now, epoch: g.epoch, hash: g.hash}
	if refused := p.find(caller{r.MemberID, r.MemberEpoch, r.InstanceID, r.Owned, joins, false}); refused != nil {
		return refused
	}
	p.m = r.update(g, p.base)
	topicsChanged := p.storeMember()
	regex, refused := p.updateRegex()
	if refused != nil {
		return refused
	}
	subscriptionChanged := topicsChanged || regex != regexUnchanged
	// A regular expression that is still to be resolved raises the epoch when it is.
	p.raise(p.epoch == 0 || topicsChanged || regex == regexResolved)
	if refused := p.retarget(); refused != nil {
		return refused
	}
	if refused := p.reconcile(subscriptionChanged, r.Owned); refused != nil {
		return refused
	}

	if s := g.members[p.m.id]; s != nil && p.replaced == nil {
		g.extend(s, x.Now, g.config.SessionTimeout)
	}
	g.answerStay(x, r, p, reply)
	return nil
}

// answerStay stores what a heartbeat changes and answers it, with the assignment if the member has to be told that.
func (g *Group) answerStay(x *journal.Turn, r *HeartbeatRequest, p *plan, reply func(HeartbeatResponse)) {
	resp := g.keep(p.m)
	full := r.RebalanceTimeout >= 0 && (r.Topics != nil || r.TopicRegex != nil) && r.Owned != nil
	missed := g.mayHaveMissed(p.m.id, r.Owned)
	tells := r.MemberEpoch == joinEpoch || full || missed || !samePartitions(p.base.assigned, p.m.assigned)
	if tells {
		resp.Assignment = p.m.assigned.partitions()
	}
	var telling uint64
	patience := g.config.HeartbeatInterval / 2
	arrived := r.Arrived
	if arrived.IsZero() {
		arrived = x.Now
	}
	g.store(x, p.changes, func(x *journal.Turn) {
		p.applied(x)
		s := g.members[p.m.id]
		s.joinBy, s.syncBy = time.Time{}, time.Time{}
		g.extend(s, x.Now, g.config.SessionTimeout)
		if tells {
			telling = g.tell(s)
		}
	}, func(at time.Time, err *kerr.Error) {
		if err != nil {
			resp = HeartbeatResponse{Err: err}
		} else if tells && at.Sub(arrived) < patience {
			g.heard(p.m.id, telling)
		}
		reply(resp)
	})
}

// update returns the member with what a heartbeat says of it.
func (r *HeartbeatRequest) update(g *Group, base *member) *member {
	m := base.clone()
	m.client, m.classic = r.Client, nil
	if r.InstanceID != nil {
		m.instance = r.InstanceID
	}
	if r.Rack != nil {
		m.rack = r.Rack
	}
	if r.RebalanceTimeout >= 0 {
		m.rebalanceTimeout = r.RebalanceTimeout.Truncate(time.Millisecond)
	}
	if r.ServerAssignor != nil {
		m.assignor = *r.ServerAssignor
	}
	if r.Topics == nil && r.TopicRegex == nil {
		return m
	}
	sub := &subscription{topics: base.sub.topics, regex: base.sub.regex}
	if r.Topics != nil && !slices.Equal(r.Topics, sub.topics) {
		sub.topics = sortedNames(r.Topics)
	}
	if r.TopicRegex != nil {
		sub.regex = *r.TopicRegex
	}
	if !sub.equal(base.sub) {
		m.sub = g.shared(sub)
	}
	return m
}

// refuseWhenFull refuses who is not a member of a group that has as many as it may.
func (g *Group) refuseWhenFull(id string) *refusal {
	if len(g.members) < int(g.config.MaxSize) || g.members[id] != nil {
		return nil
	}
	return refuse(kerr.GroupMaxSizeReached, "the group has as many members as it may")
}
