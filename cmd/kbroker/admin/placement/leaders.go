package placement

import (
	"cmp"
	"slices"
)

// order puts the replica first that shall lead. Without balance only the partitions whose leader had to go get another: the
// replica whose broker leads least, before those that have yet to be copied. Changing the order copies nothing.
func (p *proposal) order(balance bool) {
	var orphans []int
	for i, part := range p.partitions {
		if part.Replicas[0] == p.before[i].Replicas[0] {
			p.led[part.Replicas[0]]++
		} else {
			orphans = append(orphans, i)
		}
	}
	for _, i := range orphans {
		replicas := p.partitions[i].Replicas
		p.lead(i, slices.MinFunc(replicas, func(a, b int32) int {
			return cmp.Or(
				cmp.Compare(p.led[a], p.led[b]),
				cmp.Compare(slices.Index(replicas, a), slices.Index(replicas, b)), // those that stayed come first
			)
		}))
	}
	for balance && p.shiftLead() {
	}
}

// lead puts a broker to the front of a partition's replicas.
func (p *proposal) lead(i int, broker int32) {
	replicas := p.partitions[i].Replicas
	at := slices.Index(replicas, broker)
	copy(replicas[1:at+1], replicas[:at])
	replicas[0] = broker
	p.led[broker]++
}

// shiftLead finds a broker that leads at least two partitions more than another, and passes one partition's leadership from each
// broker to the next along the shortest way between them. It returns false when there is no such way, which is when no order of
// the replicas could even out leaders further.
func (p *proposal) shiftLead() bool {
	ledBy := map[int32][]int{}
	for i, part := range p.partitions {
		ledBy[part.Replicas[0]] = append(ledBy[part.Replicas[0]], i)
	}
	most := slices.Clone(p.brokers)
	slices.SortStableFunc(most, func(a, b Broker) int { return cmp.Compare(p.led[b.ID], p.led[a.ID]) })
	for _, start := range most {
		if p.shiftFrom(start.ID, ledBy) {
			return true
		}
	}
	return false
}

// shiftFrom searches by breadth from one broker.
func (p *proposal) shiftFrom(start int32, ledBy map[int32][]int) bool {
	type step struct {
		partition int
		from      int32
	}
	came := map[int32]step{start: {partition: -1}}
	for queue := []int32{start}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if p.led[start]-p.led[at] >= 2 {
			for at != start {
				s := came[at]
				p.led[s.from]--
				p.lead(s.partition, at)
				at = s.from
			}
			return true
		}
		for _, i := range ledBy[at] {
			for _, next := range p.partitions[i].Replicas[1:] {
				if _, seen := came[next]; !seen {
					came[next] = step{i, at}
					queue = append(queue, next)
				}
			}
		}
	}
	return false
}
