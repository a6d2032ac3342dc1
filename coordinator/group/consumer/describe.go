package consumer

import (
	"slices"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
)

// Description is what ConsumerGroupDescribe tells.
type Description struct {
	State                  string
	Epoch, AssignmentEpoch int32
	Assignor               string
	Members                []Member // by id
}

// Member is a member as operators see it. Its lists and maps are shared and must not be changed.
type Member struct {
	ID         string
	InstanceID *string
	Rack       *string
	Epoch      int32
	classic.Client
	Topics             []string
	TopicRegex         string
	Assignment, Target assign.Partitions
	Classic            bool // it speaks the classic protocol
}

// Describe tells the state of the group and its members.
func (g *Group) Describe() Description {
	d := Description{State: g.State(), Epoch: g.epoch, AssignmentEpoch: g.targetEpoch, Assignor: g.config.assignor(g.votedAssignor()).Name()}
	for _, s := range g.order {
		d.Members = append(d.Members, Member{
			ID: s.id, InstanceID: s.instance, Rack: s.rack, Epoch: s.epoch, Client: s.client,
			Topics: slices.Clone(s.sub.topics), TopicRegex: s.sub.regex,
			Assignment: s.assigned.partitions(), Target: g.targets[s.id], Classic: s.classic != nil,
		})
	}
	return d
}
