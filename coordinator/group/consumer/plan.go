package consumer

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// plan is what a request of one member changes. It is made without touching the group: when its changes are refused,
// nothing happened.
type plan struct {
	g       *Group
	now     time.Time
	changes []change

	base     *member // the member before; a new one when it was none
	isNew    bool
	replaced *member // the static member whose place it takes, under its own or another id
	m        *member // the member after

	epoch, targetEpoch int32 // of the group, after
	hash               uint64
	target             assign.Partitions // of the member
	raised             *journal.Rebalance
	looked             bool // topics were compared with the hash
	resolve            bool // regular expressions are to be resolved once this is applied
	heldAnother        bool // the assignment part has changed
}

func (p *plan) do(c change) { p.changes = append(p.changes, c) }

// without is the members of the group that are not in it as they were once the plan is applied.
func (p *plan) without() []*member {
	if p.replaced != nil {
		return []*member{p.replaced}
	}
	if p.isNew {
		return nil
	}
	return []*member{p.g.members[p.m.id].member}
}

// storeMember records the subscription part, and tells whether the topics by name are other ones.
func (p *plan) storeMember() bool {
	if !p.isNew && p.m.asksTheSame(p.base) {
		return false
	}
	p.do(memberSet{p.m})
	return !slices.Equal(p.m.sub.topics, p.base.sub.topics)
}

// raise looks at the topics if it must, and raises the group epoch if it is told to or the topics have changed.
func (p *plan) raise(must bool) {
	g := p.g
	if !must && g.looked == (look{true, g.image.Version()}) {
		return
	}
	p.looked = true
	hash := g.hashOf(g.subscriptions(p.without(), p.m), g.regexes)
	kind := journal.TopicsChanged
	switch {
	case !must && hash == g.hash:
		return
	case p.isNew:
		kind = journal.MemberJoined
	case must:
		kind = journal.SubscriptionChanged
	}
	p.epoch, p.hash = p.epoch+1, hash
	p.do(epochSet{p.epoch, p.hash})
	if g.hasPartitionMetadata {
		p.do(partitionMetadataGone{})
	}
	p.raised = &journal.Rebalance{Kind: kind, Generation: p.epoch, Reason: because(kind, p.m.id)}
}

// reconcile takes the member one step towards its target. A member in a state that only a later version knows must begin
// anew, without partitions.
func (p *plan) reconcile(subscriptionChanged bool, owned assign.Partitions) *refusal {
	if !subscriptionChanged && p.m.reconciledTo(p.targetEpoch) {
		return nil
	}
	if !p.m.state.known() && (owned == nil || len(owned) > 0) {
		return refuse(kerr.FencedMemberEpoch, "the state of member "+p.m.id+" is not known: it must give up its partitions and join again")
	}
	step := reconciliation{
		m: p.m, targetEpoch: p.targetEpoch, target: p.target, owned: owned,
		enforceSubscription: subscriptionChanged,
		subscribed:          func(topic [16]byte) bool { return p.g.subscribesID(p.m.sub, topic) },
		free:                p.g.freeFor(p.m),
	}
	if next := step.next(); !next.holdsTheSame(p.m) {
		p.m, p.heldAnother = next, true
		p.do(currentSet{next})
	}
	return nil
}

// freeFor tells of partitions whether a member may be given them: nobody holds them, or the member itself does, which
// is giving them up.
func (g *Group) freeFor(m *member) func(topic [16]byte, partition int32) bool {
	return func(topic [16]byte, partition int32) bool {
		owner, owned := g.owners[ownedPartition{topic, partition}]
		if !owned || owner == m.id {
			return true
		}
		_, mine := m.revoking.find(topic, partition) // under the id that it had before
		return mine
	}
}

// applied lets soft state follow.
func (p *plan) applied(x *journal.Turn) {
	g := p.g
	if p.looked {
		g.looked = look{true, g.image.Version()}
	}
	if p.raised != nil {
		x.Rebalanced(p.raised.Kind, p.raised.Generation, p.raised.Reason)
	}
	if s := g.members[p.m.id]; p.heldAnother && s.classic == nil {
		s.revokeBy = time.Time{}
		if s.state == unrevoked {
			s.revokeBy, s.revokeEpoch = x.Now.Add(s.rebalanceTimeout), s.epoch
		}
	}
	if p.resolve {
		g.resolveRegexes(x)
	}
}
