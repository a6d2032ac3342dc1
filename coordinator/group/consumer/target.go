package consumer

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/assign"
)

// retarget computes the target of the group epoch unless that was done, and finds the member's part of it
// (Kafka: TargetAssignmentBuilder).
func (p *plan) retarget() *refusal {
	g := p.g
	p.targetEpoch, p.target = g.targetEpoch, g.targets[p.m.id]
	if p.replaced != nil {
		p.target = g.targets[p.replaced.id]
	}
	if p.epoch <= g.targetEpoch {
		return nil
	}
	members := p.assignable()
	result, err := g.config.assignor(p.preferredAssignor()).Assign(assign.Group{
		Members:     members,
		Homogeneous: len(g.subscriptions(p.without(), p.m)) <= 1,
	}, g.image)
	if err != nil {
		return refuse(kerr.UnknownServerError, "no target assignment could be computed: "+err.Error())
	}
	for i := range members {
		before := members[i].Target
		after := result[members[i].ID]
		if before == nil || !before.Equal(after) {
			if after == nil {
				after = assign.Partitions{}
			}
			p.do(targetSet{members[i].ID, after})
		}
	}
	clear(members)
	p.targetEpoch, p.target = p.epoch, result[p.m.id]
	p.do(targetEpochSet{p.epoch, p.now.UnixMilli()})
	return nil
}

// assignable returns the members as they are once the plan is applied, by id. The list is the group's, for one use.
func (p *plan) assignable() []assign.Member {
	g := p.g
	members := g.scratch[:0]
	for _, s := range g.order {
		if s.id != p.m.id && s.member != p.replaced {
			members = append(members, g.describeFor(s.member, g.targets[s.id]))
		}
	}
	i, _ := slices.BinarySearchFunc(members, p.m.id, func(m assign.Member, id string) int { return cmp.Compare(m.ID, id) })
	members = slices.Insert(members, i, g.describeFor(p.m, p.target))
	g.scratch = members
	return members
}

func (g *Group) describeFor(m *member, target assign.Partitions) assign.Member {
	return assign.Member{ID: m.id, InstanceID: m.instance, Rack: m.rack, Subscribed: g.subscribedIDs(m.sub), Target: target}
}

// preferredAssignor is the one that most members ask for. Of two, the one that is configured first.
func (p *plan) preferredAssignor() string {
	best, most := "", 0
	for _, a := range p.g.config.Assignors {
		votes := p.g.assignors[a.Name()]
		for _, m := range p.without() {
			if m.assignor == a.Name() {
				votes--
			}
		}
		if p.m.assignor == a.Name() {
			votes++
		}
		if votes > most {
			best, most = a.Name(), votes
		}
	}
	return best
}

// votedAssignor is preferredAssignor of the group as it is.
func (g *Group) votedAssignor() string {
	best, most := "", 0
	for _, a := range g.config.Assignors {
		if votes := g.assignors[a.Name()]; votes > most {
			best, most = a.Name(), votes
		}
	}
	return best
}
