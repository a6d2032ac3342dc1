package placement

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Broker is one that may hold replicas. Rack is empty if it has none; either all have one or none.
type Broker struct {
	ID   int32
	Rack string
}

// Wish says what should become of partitions.
type Wish struct {
	Brokers           []Broker // that replicas may be on
	ReplicationFactor int      // 0: as each partition has now
	Balance           bool     // even out brokers and leaders; else only what must move does
}

// Propose returns the partitions with the replicas they should have, in the order given. See the package's comment for what it
// promises. The given partitions are not changed.
func Propose(partitions []Partition, wish Wish) ([]Partition, error) {
	p, err := newProposal(partitions, wish)
	if err != nil {
		return nil, err
	}
	var work []int // partitions that have to change, or may
	for i := range p.partitions {
		if wish.Balance || len(p.partitions[i].Replicas) != p.wanted[i] {
			work = append(work, i)
		}
	}
	for _, i := range work {
		p.shrink(i)
	}
	for _, i := range work {
		p.spread(i)
	}
	for _, i := range work {
		p.fill(i)
	}
	if wish.Balance {
		p.balance()
	}
	p.order(wish.Balance)
	return p.partitions, nil
}

// proposal is the work in progress.
type proposal struct {
	brokers    []Broker // sorted by id
	rack       map[int32]string
	rackSize   map[string]int
	before     []Partition
	partitions []Partition // as they become
	wanted     []int       // replicas of each
	load       map[int32]int
	led        map[int32]int            // preferred leaders; kept by order alone
	holds      map[int32]map[int]bool   // partitions by broker
	perTopic   map[int32]map[string]int // replicas by broker and topic
}

func newProposal(partitions []Partition, wish Wish) (*proposal, error) {
	p := &proposal{
		brokers: slices.Clone(wish.Brokers), rack: map[int32]string{}, rackSize: map[string]int{},
		load: map[int32]int{}, led: map[int32]int{}, holds: map[int32]map[int]bool{}, perTopic: map[int32]map[string]int{},
	}
	slices.SortFunc(p.brokers, func(a, b Broker) int { return cmp.Compare(a.ID, b.ID) })
	if len(p.brokers) == 0 {
		return nil, errors.New("no broker is left to hold replicas")
	}
	racked := 0
	for _, b := range p.brokers {
		if _, twice := p.rack[b.ID]; twice {
			return nil, fmt.Errorf("broker %d is given twice", b.ID)
		}
		p.rack[b.ID] = b.Rack
		p.rackSize[b.Rack]++
		p.holds[b.ID], p.perTopic[b.ID] = map[int]bool{}, map[string]int{}
		if b.Rack != "" {
			racked++
		}
	}
	if racked != 0 && racked != len(p.brokers) {
		return nil, errors.New("some brokers have a rack, and some have none")
	}
	for i, from := range partitions {
		if err := from.check(); err != nil {
			return nil, err
		}
		wanted := len(from.Replicas)
		if wish.ReplicationFactor > 0 {
			wanted = wish.ReplicationFactor
		}
		if wanted > len(p.brokers) {
			return nil, fmt.Errorf("%s needs %d replicas, and there are %d brokers to hold them", from.Name(), wanted, len(p.brokers))
		}
		from.LogDirs = nil
		p.before = append(p.before, from)
		p.wanted = append(p.wanted, wanted)
		from.Replicas = nil
		p.partitions = append(p.partitions, from)
		for _, r := range p.before[i].Replicas {
			if _, ok := p.rack[r]; ok {
				p.add(i, r)
			}
		}
	}
	return p, nil
}

func (p *proposal) add(i int, broker int32) {
	p.partitions[i].Replicas = append(p.partitions[i].Replicas, broker)
	p.count(i, broker, 1)
}

func (p *proposal) remove(i int, broker int32) {
	at := slices.Index(p.partitions[i].Replicas, broker)
	p.partitions[i].Replicas = slices.Delete(p.partitions[i].Replicas, at, at+1)
	p.count(i, broker, -1)
}

// replace puts a replica elsewhere, at the same place of the order.
func (p *proposal) replace(i int, from, to int32) {
	p.partitions[i].Replicas[slices.Index(p.partitions[i].Replicas, from)] = to
	p.count(i, from, -1)
	p.count(i, to, 1)
}

func (p *proposal) count(i int, broker int32, by int) {
	p.load[broker] += by
	p.perTopic[broker][p.partitions[i].Topic] += by
	if by > 0 {
		p.holds[broker][i] = true
	} else {
		delete(p.holds[broker], i)
	}
}

// racks counts the replicas of a partition by rack, racks without any included.
func (p *proposal) racks(i int) map[string]int {
	counts := map[string]int{}
	for rack := range p.rackSize {
		counts[rack] = 0
	}
	for _, r := range p.partitions[i].Replicas {
		counts[p.rack[r]]++
	}
	return counts
}

// fair says whether no rack has two replicas more than another that has room.
func (p *proposal) fair(counts map[string]int) bool {
	most := slices.Max(slices.Collect(maps.Values(counts)))
	for rack, n := range counts {
		if n < p.rackSize[rack] && most > n+1 {
			return false
		}
	}
	return true
}

// shrink drops replicas that are too many: from the racks that have most, of the brokers that hold most, the preferred leader last.
func (p *proposal) shrink(i int) {
	for len(p.partitions[i].Replicas) > p.wanted[i] {
		counts := p.racks(i)
		replicas := p.partitions[i].Replicas
		worst := slices.MaxFunc(replicas, func(a, b int32) int {
			return cmp.Or(
				cmp.Compare(counts[p.rack[a]], counts[p.rack[b]]),
				cmp.Compare(min(slices.Index(replicas, a), 1), min(slices.Index(replicas, b), 1)),
				cmp.Compare(p.load[a], p.load[b]),
				cmp.Compare(slices.Index(replicas, a), slices.Index(replicas, b)),
			)
		})
		p.remove(i, worst)
	}
}

// spread moves replicas from the racks that have too many of a partition to those that have too few.
func (p *proposal) spread(i int) {
	for counts := p.racks(i); !p.fair(counts); counts = p.racks(i) {
		replicas := p.partitions[i].Replicas
		from := slices.MaxFunc(replicas, func(a, b int32) int {
			return cmp.Or(
				cmp.Compare(counts[p.rack[a]], counts[p.rack[b]]), cmp.Compare(p.load[a], p.load[b]),
				cmp.Compare(slices.Index(replicas, a), slices.Index(replicas, b)),
			)
		})
		p.replace(i, from, p.choose(i, counts))
	}
}

// fill adds the replicas that are missing.
func (p *proposal) fill(i int) {
	for len(p.partitions[i].Replicas) < p.wanted[i] {
		p.add(i, p.choose(i, p.racks(i)))
	}
}

// choose finds the broker for one more replica: of the racks that have fewest and room, the one that holds least.
func (p *proposal) choose(i int, counts map[string]int) int32 {
	var free []Broker
	for _, b := range p.brokers {
		if !p.holds[b.ID][i] {
			free = append(free, b)
		}
	}
	topic := p.partitions[i].Topic
	return slices.MinFunc(free, func(a, b Broker) int {
		return cmp.Or(
			cmp.Compare(counts[a.Rack], counts[b.Rack]), cmp.Compare(p.load[a.ID], p.load[b.ID]),
			cmp.Compare(p.perTopic[a.ID][topic], p.perTopic[b.ID][topic]), cmp.Compare(a.ID, b.ID),
		)
	}).ID
}
