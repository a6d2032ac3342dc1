package consumer

import (
	"maps"
	"slices"

	"github.com/kbroker/kbroker/coordinator/group/assign"
)

// reconciliation is one step of a member towards its target (Kafka: CurrentAssignmentBuilder).
type reconciliation struct {
	m                   *member
	targetEpoch         int32
	target              assign.Partitions
	owned               assign.Partitions // what the client says that it owns; nil when it does not say
	enforceSubscription bool              // what is not subscribed to any more is taken at once
	subscribed          func(topic [16]byte) bool
	free                func(topic [16]byte, partition int32) bool // nobody else holds it
}

// next returns the member after the step, or the member itself when it can do none.
func (r *reconciliation) next() *member {
	switch m := r.m; m.state {
	case stable:
		if m.epoch != r.targetEpoch {
			return r.approach()
		}
		if r.enforceSubscription {
			return r.unsubscribe()
		}
		return m
	case unrevoked:
		if !r.stillOwns(m.revoking) {
			return r.approach()
		}
		if r.enforceSubscription {
			return r.unsubscribe()
		}
		return m
	default: // It waits for others, or its state is not known and it owns nothing.
		return r.approach()
	}
}

// stillOwns tells whether the client may still own some of the partitions. Silence does not clear it.
func (r *reconciliation) stillOwns(revoking holding) bool {
	return r.owned == nil || revoking.holdsAny(r.owned)
}

// unsubscribe only takes from the member what it does not subscribe to any more.
func (r *reconciliation) unsubscribe() *member {
	m := r.m
	assigned, revoking := m.assigned, m.revoking
	changed := false
	for topic, lost := range m.assigned {
		if r.subscribed(topic) {
			continue
		}
		if !changed {
			changed = true
			assigned, revoking = maps.Clone(m.assigned), maps.Clone(m.revoking)
			if revoking == nil {
				revoking = holding{}
			}
		}
		delete(assigned, topic)
		revoking[topic] = revoking[topic].union(lost)
	}
	if !changed {
		return m
	}
	next := m.clone()
	next.moveTo(m.epoch)
	next.assigned = assigned
	if r.stillOwns(revoking) {
		next.state, next.revoking = unrevoked, revoking
	}
	return next
}

// approach brings the member as near to its target as others let it. What it must give up comes first: as long as it
// owns that, its epoch stays.
func (r *reconciliation) approach() *member {
	m := r.m
	kept, lost, added, blocked := holding{}, holding{}, holding{}, false
	for topic, have := range m.assigned {
		var want []int32
		if r.subscribed(topic) {
			want = r.target[topic]
		}
		d := r.compare(topic, have, want)
		kept.add(topic, d.kept)
		lost.add(topic, d.lost)
		added.add(topic, heldSince(d.added, r.targetEpoch))
		blocked = blocked || d.blocked
	}
	for topic, want := range r.target {
		if _, done := m.assigned[topic]; done || !r.subscribed(topic) {
			continue
		}
		d := r.compare(topic, held{}, want)
		added.add(topic, heldSince(d.added, r.targetEpoch))
		blocked = blocked || d.blocked
	}

	next := m.clone()
	if len(lost) > 0 && r.stillOwns(lost) {
		next.moveTo(m.epoch)
		next.state, next.assigned, next.revoking = unrevoked, kept, lost
		return next
	}
	next.moveTo(r.targetEpoch)
	next.state = stable
	if blocked {
		next.state = unreleased
	}
	for topic, partitions := range added {
		kept[topic] = kept[topic].union(partitions)
	}
	next.assigned, next.revoking = kept, nil
	return next
}

func (h holding) add(topic [16]byte, held held) {
	if len(held.partitions) > 0 {
		h[topic] = held
	}
}

// difference is what a member has of a topic against what it shall have.
type difference struct {
	kept, lost held
	added      []int32
	blocked    bool // somebody else still holds some of it
}

func (r *reconciliation) compare(topic [16]byte, have held, want []int32) difference {
	if slices.Equal(have.partitions, want) {
		return difference{kept: have}
	}
	var d difference
	for i, p := range have.partitions {
		to := &d.lost
		if _, ok := slices.BinarySearch(want, p); ok {
			to = &d.kept
		}
		to.partitions, to.epochs = append(to.partitions, p), append(to.epochs, have.epochs[i])
	}
	for _, p := range want {
		if _, ok := have.find(p); ok {
			continue
		}
		if r.free(topic, p) {
			d.added = append(d.added, p)
		} else {
			d.blocked = true
		}
	}
	return d
}
