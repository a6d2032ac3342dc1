package placement

import (
	"cmp"
	"slices"
)

// balance moves replicas, one at a time, from the broker that holds most to one that holds at least two fewer, the one that holds
// least first. Every move makes the sum of squares of loads smaller, so it ends. Where racks do not stand in the way each move is
// needed: it takes from a broker above the mean or gives to one below it, and a broker that has received never gives.
func (p *proposal) balance() {
	for p.moveOne() {
	}
}

func (p *proposal) moveOne() bool {
	byLoad := slices.Clone(p.brokers)
	slices.SortStableFunc(byLoad, func(a, b Broker) int { return cmp.Compare(p.load[a.ID], p.load[b.ID]) })
	type pair struct{ from, to int32 }
	var pairs []pair
	for _, from := range byLoad {
		for _, to := range byLoad {
			if p.load[from.ID]-p.load[to.ID] < 2 {
				break
			}
			pairs = append(pairs, pair{from.ID, to.ID})
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		return cmp.Compare(p.load[b.from]-p.load[b.to], p.load[a.from]-p.load[a.to])
	})
	for _, m := range pairs {
		if i := p.movable(m.from, m.to); i >= 0 {
			p.replace(i, m.from, m.to)
			return true
		}
	}
	return false
}

// movable finds the partition to move from one broker to another, or -1. Best is one whose replica is only planned to be here, so
// that no more is copied; then one whose topic is thickest here and thinnest there; then one that is not led from here, since then
// no leader moves.
func (p *proposal) movable(from, to int32) int {
	best, least := -1, [4]int{}
	for i := range p.holds[from] {
		if p.holds[to][i] {
			continue
		}
		costs := p.costs(i, from, to)
		if best >= 0 && slices.Compare(costs[:], least[:]) >= 0 {
			continue
		}
		if p.staysFair(i, from, to) {
			best, least = i, costs
		}
	}
	return best
}

// staysFair says whether a move keeps the rule of racks.
func (p *proposal) staysFair(i int, from, to int32) bool {
	if p.rack[from] == p.rack[to] {
		return true
	}
	counts := p.racks(i)
	counts[p.rack[from]]--
	counts[p.rack[to]]++
	return p.fair(counts)
}

// costs of moving a replica, the weightiest first; the partition's number settles what is equal.
func (p *proposal) costs(i int, from, to int32) [4]int {
	copied, leads := 0, 0
	if slices.Contains(p.before[i].Replicas, from) {
		copied = 1
	}
	if p.partitions[i].Replicas[0] == from {
		leads = 1
	}
	topic := p.partitions[i].Topic
	return [4]int{copied, p.perTopic[to][topic] - p.perTopic[from][topic], leads, i}
}
