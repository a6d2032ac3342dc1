package assign

import (
	"cmp"
	"slices"
)

// Range returns the assignor that divides each topic by itself into ranges, one per subscriber (Kafka's RangeAssignor).
// When all members subscribe to the same topics, and these have as many partitions, a member has the same partition
// numbers of each (co-partitioning). It looks at no earlier target: it is sticky only as far as the order of the members
// stays, which is why static members come first, by instance id.
func Range() Assignor { return rangeAssignor{} }

type rangeAssignor struct{}

func (rangeAssignor) Name() string { return "range" }

// cut is how far a topic is divided.
type cut struct {
	id          [16]byte
	partitions  int32
	subscribers int32
	next        int32 // first partition of the next subscriber's range
	served      int32 // subscribers that had their range
}

// take cuts off the range of the next subscriber. The first ones get what does not divide evenly, one partition each.
func (c *cut) take() (start, end int32) {
	size := c.partitions / c.subscribers
	if c.served < c.partitions%c.subscribers {
		size++
	}
	c.served++
	start = c.next
	c.next += size
	return start, c.next
}

func (rangeAssignor) Assign(g Group, topics Topics) (map[string]Partitions, error) {
	cuts, largest, err := newCuts(g, topics)
	if err != nil {
		return nil, err
	}
	d := divider{numbers: make([]int32, largest)}
	for i := range d.numbers {
		d.numbers[i] = int32(i)
	}

	all := make([]*cut, 0, len(cuts))
	for _, c := range cuts {
		all = append(all, c)
	}
	targets := make(map[string]Partitions, len(g.Members))
	for _, m := range byInstance(g.Members) {
		mine := all
		if !g.Homogeneous {
			mine = mine[:0:0]
			for id := range m.Subscribed {
				mine = append(mine, cuts[id])
			}
		}
		targets[m.ID] = d.target(m, mine)
	}
	return targets, nil
}

// newCuts counts the subscribers of each topic. It also tells the most partitions that a topic has.
func newCuts(g Group, topics Topics) (cuts map[[16]byte]*cut, largest int32, err error) {
	cuts = make(map[[16]byte]*cut)
	for _, m := range g.Members {
		for id := range m.Subscribed {
			c := cuts[id]
			if c == nil {
				t, err := find(topics, id)
				if err != nil {
					return nil, 0, err
				}
				c = &cut{id: id, partitions: t.Partitions}
				cuts[id] = c
				largest = max(largest, t.Partitions)
			}
			c.subscribers++
		}
		if g.Homogeneous { // the first speaks for all
			for _, c := range cuts {
				c.subscribers = int32(len(g.Members))
			}
			break
		}
	}
	return cuts, largest, nil
}

// byInstance orders members: static ones by instance id, then the others by id.
func byInstance(members []Member) []*Member {
	sorted := make([]*Member, len(members))
	for i := range members {
		sorted[i] = &members[i]
	}
	slices.SortFunc(sorted, func(a, b *Member) int {
		switch {
		case a.InstanceID != nil && b.InstanceID != nil:
			return cmp.Compare(*a.InstanceID, *b.InstanceID)
		case a.InstanceID != nil:
			return -1
		case b.InstanceID != nil:
			return 1
		default:
			return cmp.Compare(a.ID, b.ID)
		}
	})
	return sorted
}

// divider makes targets of ranges.
type divider struct {
	numbers []int32 // 0, 1, 2 and so on: every range is a slice of it
	ranges  []numbered
}

type numbered struct {
	id         [16]byte
	start, end int32
}

// target takes a member's range of each topic.
func (d *divider) target(m *Member, cuts []*cut) Partitions {
	d.ranges = d.ranges[:0]
	same := true
	for _, c := range cuts {
		start, end := c.take()
		if start == end {
			continue
		}
		d.ranges = append(d.ranges, numbered{c.id, start, end})
		// A sorted list without duplicates is the range when its ends and its length are the range's.
		had := m.Target[c.id]
		same = same && int32(len(had)) == end-start && had[0] == start && had[len(had)-1] == end-1
	}
	if same && len(d.ranges) == len(m.Target) {
		return m.Target
	}
	target := make(Partitions, len(d.ranges))
	for _, r := range d.ranges {
		target[r.id] = d.numbers[r.start:r.end:r.end]
	}
	return target
}
