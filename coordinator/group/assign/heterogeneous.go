package assign

import (
	"cmp"
	"slices"
)

// maxRounds bounds how often all topics are levelled. Where the subscribers of each topic subscribe to the same topics, one
// round does it; overlapping subscriptions take more, each of which about halves what is left (the bound is Kafka's).
const maxRounds = 16

// spreadHeterogeneous divides the partitions among members with different subscriptions (Kafka's
// UniformHeterogeneousAssignmentBuilder). The subscribers of each topic end within one partition of each other as far as
// moving that topic's partitions can achieve it; moves along chains of topics are not tried.
func (b *board) spreadHeterogeneous() {
	if len(b.topics) == 0 {
		for i, m := range b.members {
			b.changed[i] = len(m.Target) > 0
		}
		return
	}
	b.keep()

	subscribers := make([][]int32, len(b.topics)) // in the order of their numbers
	for i, m := range b.members {
		for id := range m.Subscribed {
			t := b.number[id]
			subscribers[t] = append(subscribers[t], int32(i))
		}
	}
	s := &spreader{board: b, subscribers: subscribers, levels: levels{size: b.size}, held: make([]span, len(b.members))}
	order := s.order()
	for _, t := range order {
		s.assignFree(t)
	}
	s.balance(slices.DeleteFunc(order, func(t int32) bool { return len(subscribers[t]) < 2 }))
}

// spreader works topic by topic.
type spreader struct {
	*board
	subscribers [][]int32 // by topic
	levels      levels

	// Memory of balanceTopic.
	byOwner []int32 // slots of the topic, those of one owner together
	held    []span  // by member: where its slots are in byOwner; empty between calls
}

type span struct{ start, end int32 }

// order sorts topics: those that weigh most on their subscribers first, then those with the fewest subscribers.
func (s *spreader) order() []int32 {
	order := make([]int32, len(s.topics))
	for i := range order {
		order[i] = int32(i)
	}
	weight := func(t int32) float64 { return float64(s.topics[t].partitions) / float64(len(s.subscribers[t])) }
	slices.SortFunc(order, func(x, y int32) int {
		return cmp.Or(
			cmp.Compare(weight(y), weight(x)),
			cmp.Compare(len(s.subscribers[x]), len(s.subscribers[y])),
			cmp.Compare(x, y), // by id
		)
	})
	return order
}

// assignFree gives the free partitions of a topic to its least loaded subscribers.
func (s *spreader) assignFree(t int32) {
	started := false
	base := s.topics[t].base
	for slot := base; slot < base+s.topics[t].partitions; slot++ {
		if s.owner[slot] != nobody {
			continue
		}
		if !started {
			s.levels.reset(s.subscribers[t])
			started = true
		}
		s.give(slot, s.levels.low())
	}
}

// balance levels one topic after the other, round and round, until no partition of any has moved since the last that did.
func (s *spreader) balance(order []int32) {
	last := -1
	for range maxRounds {
		for i, t := range order {
			if i == last {
				return
			}
			if s.balanceTopic(t) || last == -1 {
				last = i
			}
		}
	}
}

// balanceTopic moves partitions of a topic from its most loaded to its least loaded subscribers, and tells whether any did.
func (s *spreader) balanceTopic(t int32) (moved bool) {
	l := &s.levels
	if l.spread(s.subscribers[t]) <= 1 {
		return false
	}
	l.reset(s.subscribers[t])
	s.group(t)
	for {
		from := l.high()
		for from != nobody && s.held[from].start == s.held[from].end {
			l.nothing()
			from = l.high()
		}
		if from == nobody {
			break
		}
		s.held[from].end--
		slot := s.byOwner[s.held[from].end]
		to := l.low()
		if l.level() {
			break
		}
		s.give(slot, to)
		moved = true
	}
	for _, m := range s.subscribers[t] {
		s.held[m] = span{}
	}
	return moved
}

// group fills byOwner and held. By now every partition has an owner.
func (s *spreader) group(t int32) {
	base, end := s.topics[t].base, s.topics[t].base+s.topics[t].partitions
	for _, owner := range s.owner[base:end] {
		s.held[owner].end++
	}
	var start int32
	for _, m := range s.subscribers[t] {
		count := s.held[m].end
		s.held[m] = span{start, start}
		start += count
	}
	s.byOwner = slices.Grow(s.byOwner[:0], int(end-base))[:end-base]
	for slot := base; slot < end; slot++ {
		h := &s.held[s.owner[slot]]
		s.byOwner[h.end] = slot
		h.end++
	}
}
