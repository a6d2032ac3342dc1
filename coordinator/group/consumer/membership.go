package consumer

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/assign"
)

// caller is who asks to join or stay.
type caller struct {
	id       string
	epoch    int32
	instance *string
	owned    assign.Partitions
	joins    bool // it may become a member
	classic  bool // it speaks the classic protocol, whose epochs are checked elsewhere
}

// find finds or makes the member that the caller is, or says why it is none.
func (p *plan) find(c caller) *refusal {
	if c.instance != nil {
		return p.findStatic(c)
	}
	s := p.g.members[c.id]
	switch {
	case s == nil && !c.joins:
		return p.g.unknownMember(c.id)
	case s == nil:
		p.base, p.isNew = newMember(c.id), true
		return nil
	}
	p.base = s.member
	if c.classic {
		return nil
	}
	return checkEpoch(p.base, c.epoch, c.owned)
}

// findStatic is find for members with an instance id. Who joins with the instance id of a member takes its place.
func (p *plan) findStatic(c caller) *refusal {
	existing := p.g.static(*c.instance)
	switch {
	case c.joins && existing == nil:
		p.base, p.isNew = newMember(c.id), p.g.members[c.id] == nil
		if !p.isNew {
			p.base = p.g.members[c.id].member
		}
		return nil
	case c.joins:
		// Only a member that said it would be back gives way; one of the classic protocol cannot say so.
		if !c.classic && existing.classic == nil && existing.epoch != staticLeaveEpoch {
			return refuse(kerr.UnreleasedInstanceID, fmt.Sprintf("Static member %s with instance id %s cannot join the group because the instance id is owned by %s member.", c.id, *c.instance, existing.id))
		}
		p.replace(existing, c.id)
		return nil
	case existing == nil:
		return refuse(kerr.UnknownMemberID, "Instance id "+*c.instance+" is unknown.")
	case existing.id != c.id:
		return fencedInstance(c.id, *c.instance, existing.id)
	}
	p.base = existing
	if c.classic {
		return nil
	}
	return checkEpoch(existing, c.epoch, c.owned)
}

// replace gives a static member's place to another member id, with all that it was assigned.
func (p *plan) replace(old *member, id string) {
	m := old.clone()
	m.id, m.epoch, m.previousEpoch = id, 0, 0
	p.base, p.replaced = m, old
	target := p.g.targets[old.id]
	if target == nil {
		target = assign.Partitions{}
	}
	p.changes = append(
		p.changes,
		currentGone{old.id}, targetGone{old.id}, memberGone{old.id},
		memberSet{m}, targetSet{id, target}, currentSet{m},
	)
}

func (g *Group) static(instance string) *member {
	id, ok := g.instances[instance]
	if !ok || g.members[id] == nil {
		return nil
	}
	return g.members[id].member
}

// checkEpoch compares the epoch that a member believes to be in with its own. The epoch before is good as long as the
// member owns nothing but what it was assigned since: the answer that told it of the newer one may have been lost.
func checkEpoch(m *member, epoch int32, owned assign.Partitions) *refusal {
	switch {
	case epoch == joinEpoch || epoch == m.epoch:
		return nil
	case epoch < m.epoch && epoch == m.previousEpoch && owned != nil && m.assigned.holdsAll(owned):
		return nil
	}
	how := "greater"
	if epoch < m.epoch {
		how = "smaller"
	}
	return refuse(kerr.FencedMemberEpoch, fmt.Sprintf("The consumer group member has a %s member epoch (%d) than the one known by the group coordinator (%d). "+
		"The member must abandon all its partitions and rejoin.", how, epoch, m.epoch))
}

func (g *Group) unknownMember(id string) *refusal {
	return refuse(kerr.UnknownMemberID, "Member "+id+" is not a member of group "+g.id+".")
}

func fencedInstance(id, instance, by string) *refusal {
	return refuse(kerr.FencedInstanceID, fmt.Sprintf("Static member %s with instance id %s was fenced by member %s.", id, instance, by))
}
