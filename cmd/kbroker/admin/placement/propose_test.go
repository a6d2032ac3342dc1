package placement

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// rounds is how many random clusters each property is tried on.
const rounds = 200

// cluster is a random one: some brokers in some racks, partitions anywhere on them.
type cluster struct {
	brokers    []Broker
	partitions []Partition
	replicas   int
}

func randomCluster(r *rand.Rand, racks int) cluster {
	var c cluster
	n := 2 + r.IntN(7)
	for i := range n {
		b := Broker{ID: int32(i + 1)}
		if racks > 0 {
			b.Rack = fmt.Sprint("r", i%racks)
		}
		c.brokers = append(c.brokers, b)
	}
	c.replicas = 1 + r.IntN(min(n, 4))
	for t := range 1 + r.IntN(3) {
		for p := range 1 + r.IntN(12) {
			part := Partition{Topic: fmt.Sprint("t", t), Partition: int32(p)}
			for _, at := range r.Perm(n)[:c.replicas] {
				part.Replicas = append(part.Replicas, int32(at+1))
			}
			c.partitions = append(c.partitions, part)
		}
	}
	return c
}

// each tries a property on random clusters, with as many racks as said, or a random number if that is negative.
func each(t *testing.T, racks int, try func(t *testing.T, r *rand.Rand, c cluster)) {
	t.Helper()
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := racks
		if n < 0 {
			n = 1 + r.IntN(4)
		}
		c := randomCluster(r, n)
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) { try(t, r, c) })
		if t.Failed() {
			return
		}
	}
}

func propose(t *testing.T, c cluster, w Wish) []Partition {
	t.Helper()
	before := fmt.Sprint(c.partitions)
	after, err := Propose(c.partitions, w)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(c.partitions) != before {
		t.Error("what was given was changed")
	}
	if again, err := Propose(c.partitions, w); err != nil || fmt.Sprint(again) != fmt.Sprint(after) {
		t.Error("asked twice, it proposes two things")
	}
	return after
}

// checkLegal is rules 1 and 2 of the package's comment.
func checkLegal(t *testing.T, after []Partition, brokers []Broker, replicas int) {
	t.Helper()
	size, rack := map[string]int{}, map[int32]string{}
	for _, b := range brokers {
		size[b.Rack]++
		rack[b.ID] = b.Rack
	}
	for _, p := range after {
		if err := p.check(); err != nil || len(p.Replicas) != replicas {
			t.Fatalf("%s has %v, wanted %d: %v", p.Name(), p.Replicas, replicas, err)
		}
		counts := map[string]int{}
		for _, r := range p.Replicas {
			if _, ok := rack[r]; !ok {
				t.Fatalf("%s is on broker %d, which it may not use", p.Name(), r)
			}
			counts[rack[r]]++
		}
		for a := range size {
			for b, room := range size {
				if counts[a] > counts[b]+1 && counts[b] < room {
					t.Fatalf("%s has %d replicas in rack %s and %d in %s: %v", p.Name(), counts[a], a, counts[b], b, p.Replicas)
				}
			}
		}
	}
}

// copied counts replicas where there was none.
func copied(before, after []Partition) int {
	n := 0
	for i := range before {
		n += len(without(after[i].Replicas, before[i].Replicas))
	}
	return n
}

func loads(partitions []Partition, brokers []Broker) map[int32]int {
	counts := map[int32]int{}
	for _, b := range brokers {
		counts[b.ID] = 0
	}
	for _, p := range partitions {
		for _, r := range p.Replicas {
			counts[r]++
		}
	}
	return counts
}

func spreadOf(counts map[int32]int) int {
	least, most := -1, 0
	for _, n := range counts {
		most = max(most, n)
		if least < 0 || n < least {
			least = n
		}
	}
	return most - least
}

// TestBalancedWithFewestMoves: without racks, brokers end within one replica of each other, and no plan that does so copies less.
func TestBalancedWithFewestMoves(t *testing.T) {
	each(t, 0, func(t *testing.T, _ *rand.Rand, c cluster) {
		after := propose(t, c, Wish{Brokers: c.brokers, Balance: true})
		checkLegal(t, after, c.brokers, c.replicas)
		if s := spreadOf(loads(after, c.brokers)); s > 1 {
			t.Errorf("brokers differ by %d", s)
		}
		// What is above the mean has to leave, what is below has to come; the mean is between floor and ceiling.
		now, total := loads(c.partitions, c.brokers), len(c.partitions)*c.replicas
		floor, over, under := total/len(c.brokers), 0, 0
		ceiling := (total + len(c.brokers) - 1) / len(c.brokers)
		for _, n := range now {
			over, under = over+max(0, n-ceiling), under+max(0, floor-n)
		}
		if n := copied(c.partitions, after); n != max(over, under) {
			t.Errorf("%d replicas are copied, %d suffice", n, max(over, under))
		}
	})
}

// TestBalancedInRacks: with racks, brokers of one rack end within one replica of each other, whatever the racks' sizes, and so do
// all where racks are of one size.
func TestBalancedInRacks(t *testing.T) {
	each(t, -1, func(t *testing.T, _ *rand.Rand, c cluster) {
		after := propose(t, c, Wish{Brokers: c.brokers, Balance: true})
		checkLegal(t, after, c.brokers, c.replicas)
		racks := map[string]map[int32]int{}
		for id, n := range loads(after, c.brokers) {
			rack := c.brokers[id-1].Rack
			if racks[rack] == nil {
				racks[rack] = map[int32]int{}
			}
			racks[rack][id] = n
		}
		sizes := map[int]bool{}
		for rack, counts := range racks {
			if s := spreadOf(counts); s > 1 {
				t.Errorf("brokers of rack %s differ by %d: %v", rack, s, counts)
			}
			sizes[len(counts)] = true
		}
		if s := spreadOf(loads(after, c.brokers)); len(sizes) == 1 && s > 1 {
			t.Errorf("racks are of one size, and brokers differ by %d: %v", s, racks)
		}
	})
}

// TestLeadersBalanced: the preferred leaders are as even as any order of the replicas could make them.
func TestLeadersBalanced(t *testing.T) {
	each(t, 0, func(t *testing.T, _ *rand.Rand, c cluster) {
		after := propose(t, c, Wish{Brokers: c.brokers, Balance: true})
		led := map[int32]int{}
		for _, p := range after {
			led[p.Replicas[0]]++
		}
		if most, fewest := mostLed(led), fewestPossible(after); most != fewest {
			t.Errorf("a broker leads %d partitions, %d is possible", most, fewest)
		}
	})
}

func mostLed(led map[int32]int) int {
	most := 0
	for _, n := range led {
		most = max(most, n)
	}
	return most
}

// fewestPossible finds the least k with which every partition can have a leader and no broker leads more than k, by matching.
func fewestPossible(partitions []Partition) int {
	for k := 1; ; k++ {
		led := map[int32][]int{}
		var place func(i int, seen map[int32]bool) bool
		place = func(i int, seen map[int32]bool) bool {
			for _, b := range partitions[i].Replicas {
				if seen[b] {
					continue
				}
				seen[b] = true
				if len(led[b]) < k {
					led[b] = append(led[b], i)
					return true
				}
				for at, other := range led[b] {
					if place(other, seen) {
						led[b][at] = i
						return true
					}
				}
			}
			return false
		}
		all := true
		for i := range partitions {
			all = all && place(i, map[int32]bool{})
		}
		if all {
			return k
		}
	}
}

// TestDecommissionMovesOnlyWhatMust: what is not on the broker that goes stays, with its order, where racks are respected already.
func TestDecommissionMovesOnlyWhatMust(t *testing.T) {
	each(t, 0, func(t *testing.T, r *rand.Rand, c cluster) {
		gone := int32(1 + r.IntN(len(c.brokers)))
		left := slices.DeleteFunc(slices.Clone(c.brokers), func(b Broker) bool { return b.ID == gone })
		if c.replicas > len(left) {
			if _, err := Propose(c.partitions, Wish{Brokers: left}); err == nil {
				t.Error("more replicas than brokers are proposed")
			}
			return
		}
		after := propose(t, c, Wish{Brokers: left})
		checkLegal(t, after, left, c.replicas)
		if n, must := copied(c.partitions, after), loads(c.partitions, c.brokers)[gone]; n != must {
			t.Errorf("%d replicas are copied, %d were on broker %d", n, must, gone)
		}
		for i, p := range c.partitions {
			if !slices.Contains(p.Replicas, gone) && !slices.Equal(p.Replicas, after[i].Replicas) {
				t.Errorf("%s was %v and becomes %v without need", p.Name(), p.Replicas, after[i].Replicas)
			}
		}
	})
}

// TestReplicationFactorChanges: more replicas leave those there are in place; fewer copy nothing and keep the leader, where racks
// are respected already.
func TestReplicationFactorChanges(t *testing.T) {
	each(t, 0, func(t *testing.T, r *rand.Rand, c cluster) {
		wanted := 1 + r.IntN(len(c.brokers))
		after := propose(t, c, Wish{Brokers: c.brokers, ReplicationFactor: wanted})
		checkLegal(t, after, c.brokers, wanted)
		if n := copied(c.partitions, after); n != len(c.partitions)*max(0, wanted-c.replicas) {
			t.Errorf("from %d to %d replicas copies %d", c.replicas, wanted, n)
		}
		for i, p := range c.partitions {
			if p.Replicas[0] != after[i].Replicas[0] {
				t.Errorf("%s was led by %d, and is by %d", p.Name(), p.Replicas[0], after[i].Replicas[0])
			}
		}
	})
}

// TestRacksAreMended: with balance, partitions that break the rack rule are mended, and what keeps all rules is not moved.
func TestRacksAreMended(t *testing.T) {
	each(t, -1, func(t *testing.T, _ *rand.Rand, c cluster) {
		once := propose(t, c, Wish{Brokers: c.brokers, Balance: true})
		checkLegal(t, once, c.brokers, c.replicas)
		c.partitions = once
		if twice := propose(t, c, Wish{Brokers: c.brokers, Balance: true}); copied(once, twice) != 0 {
			t.Errorf("%v\nkeeps the rules and becomes\n%v", once, twice)
		}
		if same := propose(t, c, Wish{Brokers: c.brokers}); fmt.Sprint(same) != fmt.Sprint(once) {
			t.Error("without a reason something changes")
		}
	})
}

// TestDecommissionInRacks: the partitions that must change keep the rack rule afterwards, the others stay.
func TestDecommissionInRacks(t *testing.T) {
	each(t, -1, func(t *testing.T, r *rand.Rand, c cluster) {
		gone := int32(1 + r.IntN(len(c.brokers)))
		left := slices.DeleteFunc(slices.Clone(c.brokers), func(b Broker) bool { return b.ID == gone })
		if c.replicas > len(left) {
			return
		}
		after := propose(t, c, Wish{Brokers: left})
		var touched []Partition
		for i, p := range c.partitions {
			if slices.Contains(p.Replicas, gone) {
				touched = append(touched, after[i])
			} else if !slices.Equal(p.Replicas, after[i].Replicas) {
				t.Errorf("%s was %v and becomes %v without need", p.Name(), p.Replicas, after[i].Replicas)
			}
		}
		checkLegal(t, touched, left, c.replicas)
	})
}

func TestRefusedWishes(t *testing.T) {
	part := []Partition{{Topic: "t", Replicas: []int32{1, 2}}}
	for name, w := range map[string]Wish{
		"no brokers":        {},
		"too few":           {Brokers: []Broker{{ID: 1}}},
		"too many replicas": {Brokers: []Broker{{ID: 1}, {ID: 2}}, ReplicationFactor: 3},
		"twice":             {Brokers: []Broker{{ID: 1}, {ID: 1}}},
		"some racks":        {Brokers: []Broker{{ID: 1, Rack: "a"}, {ID: 2}}},
	} {
		if after, err := Propose(part, w); err == nil {
			t.Errorf("%s: proposes %v", name, after)
		}
	}
}
