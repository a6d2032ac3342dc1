package assign

import "slices"

// spreadHomogeneous divides the partitions among members that all subscribe to all topics (Kafka's
// UniformHomogeneousAssignmentBuilder): sizes differ by one at most, and no fewer partitions could move.
func (b *board) spreadHomogeneous() {
	if len(b.members) == 0 {
		return
	}
	b.keep()
	free := b.free()

	// Every member gets quota, and some get one more. Who holds more than quota keeps one of it as long as there are such
	// places; others only get one if there are as many places as members left.
	count := int32(len(b.members))
	quota, larger := int32(len(b.owner))/count, int32(len(b.owner))%count
	room := make([]int32, count)
	for i := range b.members {
		limit := quota
		left := count - int32(i)
		if larger > 0 && (b.size[i] > quota || left <= larger) {
			limit++
			larger--
		}
		free = b.shrink(int32(i), limit, free)
		room[i] = limit - b.size[i]
	}

	for i, n := range room {
		for _, slot := range free[:n] {
			b.give(slot, int32(i))
		}
		free = free[n:]
	}
}

// free returns the slots that nobody owns.
func (b *board) free() []int32 {
	var free []int32
	for slot, owner := range b.owner {
		if owner == nobody {
			free = append(free, int32(slot))
		}
	}
	return free
}

// shrink takes from a member what it has beyond a limit, the last slots first, and adds them to free.
func (b *board) shrink(member, limit int32, free []int32) []int32 {
	if b.size[member] <= limit {
		return free
	}
	had := make([]int32, 0, b.size[member])
	for id, partitions := range b.members[member].Target {
		number, known := b.number[id]
		if !known {
			continue
		}
		t := b.topics[number]
		for _, p := range partitions {
			if p >= 0 && p < t.partitions && b.owner[t.base+p] == member {
				had = append(had, t.base+p)
			}
		}
	}
	slices.Sort(had)
	for _, slot := range had[limit:] {
		b.owner[slot] = nobody
	}
	b.size[member] = limit
	b.changed[member] = true
	return append(free, had[limit:]...)
}
