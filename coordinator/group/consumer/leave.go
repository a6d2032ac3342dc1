package consumer

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// leave is the last heartbeat of a member, or of a static one that will be back.
func (g *Group) leave(x *journal.Turn, r *HeartbeatRequest, reply func(HeartbeatResponse)) *refusal {
	if !g.Stored() {
		return refuse(kerr.GroupIDNotFound, "there is no such group")
	}
	var m *member
	if r.InstanceID == nil {
		s := g.members[r.MemberID]
		if s == nil {
			return g.unknownMember(r.MemberID)
		}
		m = s.member
	} else if m = g.static(*r.InstanceID); m == nil {
		return refuse(kerr.UnknownMemberID, "Instance id "+*r.InstanceID+" is unknown.")
	} else if m.id != r.MemberID {
		return fencedInstance(r.MemberID, *r.InstanceID, m.id)
	}
	resp := HeartbeatResponse{MemberID: r.MemberID, MemberEpoch: r.MemberEpoch}
	if r.MemberEpoch == staticLeaveEpoch {
		// Its place is kept until its session ends; what it had to revoke, it has.
		away := m.clone()
		away.epoch, away.revoking = staticLeaveEpoch, nil
		g.answer(x, []change{currentSet{away}}, nil, resp, reply)
		return nil
	}
	changes, applied := g.fence([]*member{m}, journal.MemberLeft)
	g.answer(x, changes, applied, resp, reply)
	return nil
}

// fence plans to remove members: their tombstones, and a higher group epoch. The next heartbeat of who is left computes
// the target of it.
func (g *Group) fence(members []*member, kind journal.RebalanceKind) (changes []change, applied func(*journal.Turn)) {
	if len(members) == 0 {
		return nil, nil
	}
	left := map[string]int{}
	for _, m := range members {
		changes = append(changes, currentGone{m.id}, targetGone{m.id}, memberGone{m.id})
		if m.sub.regex != "" {
			left[m.sub.regex]++
		}
	}
	for _, regex := range sortedKeys(left) {
		if g.regexSubscribers(regex) == left[regex] {
			changes = append(changes, regexGone{regex})
		}
	}
	epoch, hash := g.epoch+1, g.hash
	if g.image != nil {
		hash = g.hashOf(g.subscriptions(members, nil), g.regexes)
	}
	changes = append(changes, epochSet{epoch, hash})
	reason := because(kind, members[0].id)
	if len(members) > 1 {
		reason += " and others"
	}
	return changes, func(x *journal.Turn) { x.Rebalanced(kind, epoch, reason) }
}

// because tells people why the group epoch rose.
func because(kind journal.RebalanceKind, member string) string {
	switch kind {
	case journal.MemberJoined:
		return "member " + member + " joined"
	case journal.MemberLeft:
		return "member " + member + " left"
	case journal.MemberExpired:
		return "member " + member + " sent no heartbeat in its session timeout, or kept partitions beyond its rebalance timeout"
	case journal.SubscriptionChanged:
		return "member " + member + " changed its subscription"
	case journal.TopicsChanged:
		return "topics that the group subscribes to changed"
	default:
		return string(kind) + " by member " + member
	}
}
