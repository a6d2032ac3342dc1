package consumer

import (
	"maps"
	"slices"

	"github.com/kbroker/kbroker/coordinator/group/assign"
)

// change is one step of the stored state, which is one record: a value of a key, or its tombstone. apply is the only
// code that changes stored state. Any order of changes must be bearable, as compaction leaves the newest of each key.
type change interface{ apply(g *Group) }

type (
	// epochSet: ConsumerGroupMetadata.
	epochSet struct {
		epoch int32
		hash  uint64
	}
	epochGone struct{}

	// memberSet: ConsumerGroupMemberMetadata. Only the subscription part of the member counts.
	memberSet  struct{ m *member }
	memberGone struct{ id string }

	// targetEpochSet: ConsumerGroupTargetAssignmentMetadata.
	targetEpochSet struct {
		epoch int32
		time  int64 // Unix milliseconds
	}
	targetEpochGone struct{}

	// targetSet: ConsumerGroupTargetAssignmentMember.
	targetSet struct {
		id         string
		partitions assign.Partitions
	}
	targetGone struct{ id string }

	// currentSet: ConsumerGroupCurrentMemberAssignment. Only the assignment part of the member counts.
	currentSet  struct{ m *member }
	currentGone struct{ id string }

	// regexSet: ConsumerGroupRegularExpression.
	regexSet struct {
		regex      string
		resolution *resolution
	}
	regexGone struct{ regex string }

	// partitionMetadataSeen and its end: ConsumerGroupPartitionMetadata, which Kafka before 4.1 wrote. The hash of
	// epochSet has its place; whoever raises the epoch removes it.
	partitionMetadataSeen struct{}
	partitionMetadataGone struct{}
)

func (c epochSet) apply(g *Group) { g.epoch, g.hash, g.epochStored = c.epoch, c.hash, true }
func (epochGone) apply(g *Group)  { g.epoch, g.hash, g.epochStored = 0, 0, false }

func (c targetEpochSet) apply(g *Group) {
	g.targetEpoch, g.targetTime, g.targetEpochStored = c.epoch, c.time, true
}

func (targetEpochGone) apply(g *Group) {
	g.targetEpoch, g.targetTime, g.targetEpochStored = 0, 0, false
}

func (c targetSet) apply(g *Group)  { g.targets[c.id] = c.partitions }
func (c targetGone) apply(g *Group) { delete(g.targets, c.id) }

func (c regexSet) apply(g *Group) {
	g.regexes[c.regex] = c.resolution
	g.forgetSubscribers(c.regex)
}

func (c regexGone) apply(g *Group) {
	delete(g.regexes, c.regex)
	g.forgetSubscribers(c.regex)
}

func (partitionMetadataSeen) apply(g *Group) { g.hasPartitionMetadata = true }
func (partitionMetadataGone) apply(g *Group) { g.hasPartitionMetadata = false }

func (c memberSet) apply(g *Group) {
	m := c.m.clone()
	if old := g.members[m.id]; old != nil {
		m.epoch, m.previousEpoch, m.state, m.assigned, m.revoking = old.epoch, old.previousEpoch, old.state, old.assigned, old.revoking
	} else {
		m.epoch, m.previousEpoch, m.state, m.assigned, m.revoking = 0, -1, stable, nil, nil
	}
	g.put(m)
}

func (c memberGone) apply(g *Group) { g.remove(c.id) }

// A current assignment can come before the member: of two records, compaction keeps the later of each key.
func (c currentSet) apply(g *Group) {
	m := newMember(c.m.id)
	if old := g.members[m.id]; old != nil {
		m = old.clone()
	}
	m.epoch, m.previousEpoch, m.state, m.assigned, m.revoking = c.m.epoch, c.m.previousEpoch, c.m.state, c.m.assigned, c.m.revoking
	g.put(m)
}

// A member without current assignment has left; its own tombstone follows.
func (c currentGone) apply(g *Group) {
	old := g.members[c.id]
	if old == nil {
		return
	}
	m := old.clone()
	m.epoch, m.previousEpoch, m.state, m.assigned, m.revoking = leaveEpoch, leaveEpoch, stable, nil, nil
	g.put(m)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
