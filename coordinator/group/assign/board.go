package assign

import "slices"

// nobody owns a partition that is free.
const nobody = -1

// board is who owns each partition of the subscribed topics. Topics are numbered by id, members as in the group, and
// partitions through all topics: a partition's slot is its number plus the base of its topic.
type board struct {
	members []Member
	topics  []topic
	number  map[[16]byte]int32 // of a topic
	owner   []int32            // by slot: a member or nobody
	size    []int32            // by member: how many slots it owns
	changed []bool             // by member: it does not own exactly its Target any more
}

type topic struct {
	id         [16]byte
	base       int32
	partitions int32
}

func newBoard(g Group, topics Topics) (*board, error) {
	b := &board{
		members: g.Members,
		number:  make(map[[16]byte]int32),
		size:    make([]int32, len(g.Members)),
		changed: make([]bool, len(g.Members)),
	}
	for _, m := range g.Members {
		for id := range m.Subscribed {
			if _, known := b.number[id]; known {
				continue
			}
			t, err := find(topics, id)
			if err != nil {
				return nil, err
			}
			b.number[id] = 0 // until they are sorted
			b.topics = append(b.topics, topic{id: id, partitions: t.Partitions})
		}
		if g.Homogeneous { // the first speaks for all
			break
		}
	}
	slices.SortFunc(b.topics, func(x, y topic) int { return compareIDs(x.id, y.id) })
	var slots int32
	for i := range b.topics {
		b.number[b.topics[i].id] = int32(i)
		b.topics[i].base = slots
		slots += b.topics[i].partitions
	}
	b.owner = make([]int32, slots)
	for i := range b.owner {
		b.owner[i] = nobody
	}
	return b, nil
}

// keep gives every member what it had, as far as it still subscribes to it.
func (b *board) keep() {
	for i, m := range b.members {
		member := int32(i)
		for id, partitions := range m.Target {
			number, known := b.number[id]
			if _, subscribed := m.Subscribed[id]; !subscribed || !known {
				b.changed[i] = true
				continue
			}
			t := b.topics[number]
			for _, p := range partitions {
				if p < 0 || p >= t.partitions || b.owner[t.base+p] != nobody {
					b.changed[i] = true
					continue
				}
				b.owner[t.base+p] = member
				b.size[i]++
			}
		}
	}
}

// give makes a member the owner of a slot, which may have had another.
func (b *board) give(slot, member int32) {
	if was := b.owner[slot]; was != nobody {
		b.size[was]--
		b.changed[was] = true
	}
	b.owner[slot] = member
	b.size[member]++
	b.changed[member] = true
}

// targets reads the board.
func (b *board) targets() map[string]Partitions {
	// Going through the slots in order leaves each member's sorted. The slots of all who changed lie in one array.
	next := make([]int32, len(b.members))
	var count int32
	for i := range b.members {
		if b.changed[i] {
			next[i] = count
			count += b.size[i]
		}
	}
	slots := make([]int32, count)
	for slot, member := range b.owner {
		if b.changed[member] {
			slots[next[member]] = int32(slot)
			next[member]++
		}
	}

	targets := make(map[string]Partitions, len(b.members))
	for i, m := range b.members {
		targets[m.ID] = m.Target
		if !b.changed[i] {
			continue
		}
		target := b.partitions(slots[next[i]-b.size[i] : next[i] : next[i]])
		if !target.Equal(m.Target) { // partitions may have gone and come back
			targets[m.ID] = target
		}
	}
	return targets
}

// partitions makes partitions of sorted slots, in place.
func (b *board) partitions(slots []int32) Partitions {
	p := make(Partitions)
	for len(slots) > 0 {
		after, _ := slices.BinarySearchFunc(b.topics, slots[0], func(t topic, slot int32) int {
			if t.base <= slot {
				return -1
			}
			return 1
		})
		// Of topics with the same base all but the last are empty, and the search stops behind that one.
		t := b.topics[after-1]
		n, _ := slices.BinarySearch(slots, t.base+t.partitions)
		for i := range slots[:n] {
			slots[i] -= t.base
		}
		p[t.id] = slots[:n:n]
		slots = slots[n:]
	}
	return p
}
