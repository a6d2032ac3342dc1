package assign

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// randomGroup makes members that subscribe to some topics, or all to the same, and claim partitions without rule: of topics
// that they left, beyond the end, and twice.
func randomGroup(r *rand.Rand, homogeneous bool) (Group, testTopics) {
	topics := testTopics{}
	for i := range 1 + r.IntN(6) {
		id := topicID(i)
		id[0], id[8] = byte(r.IntN(256)), byte(r.IntN(256))
		topics[id] = Topic{ID: id, Partitions: int32(r.IntN(20))}
	}
	ids := slices.SortedFunc(maps.Keys(topics), compareIDs)
	some := func() map[[16]byte]struct{} {
		set := map[[16]byte]struct{}{}
		for _, id := range ids {
			if r.IntN(2) == 0 {
				set[id] = struct{}{}
			}
		}
		return set
	}
	g := Group{Homogeneous: homogeneous}
	subscribed := some()
	for i := range 1 + r.IntN(12) {
		m := Member{ID: fmt.Sprintf("m%02d", i), Subscribed: subscribed, Target: Partitions{}}
		if !homogeneous {
			m.Subscribed = some()
		}
		if r.IntN(3) == 0 {
			instance := fmt.Sprintf("i%02d", r.IntN(50)+50*i)
			m.InstanceID = &instance
		}
		for range r.IntN(12) {
			id, p := ids[r.IntN(len(ids))], int32(r.IntN(21))
			if !slices.Contains(m.Target[id], p) {
				m.Target[id] = slices.Sorted(slices.Values(append(m.Target[id], p)))
			}
		}
		g.Members = append(g.Members, m)
	}
	return g, topics
}

// assigned asks and checks what holds of every answer.
func assigned(t *testing.T, a Assignor, g Group, topics testTopics) map[string]Partitions {
	t.Helper()
	before := make([]Partitions, len(g.Members))
	for i, m := range g.Members {
		before[i] = Partitions{}
		for id, list := range m.Target {
			before[i][id] = slices.Clone(list)
		}
	}
	targets, err := a.Assign(g, topics)
	if err != nil {
		t.Fatal(err)
	}
	type partition struct {
		id     [16]byte
		number int32
	}
	owner := map[partition]string{}
	for i, m := range g.Members {
		target, there := targets[m.ID]
		if !there {
			t.Fatalf("%s is not in the answer", m.ID)
		}
		if !maps.EqualFunc(m.Target, before[i], slices.Equal) {
			t.Fatalf("the earlier target of %s was changed", m.ID)
		}
		if target.Equal(m.Target) && reflect.ValueOf(target).Pointer() != reflect.ValueOf(m.Target).Pointer() {
			t.Fatalf("%s keeps its target, but not the map", m.ID)
		}
		for id, list := range target {
			if _, ok := m.Subscribed[id]; !ok {
				t.Fatalf("%s has partitions of a topic that it does not subscribe to", m.ID)
			}
			if len(list) == 0 || !slices.IsSorted(list) || list[0] < 0 || list[len(list)-1] >= topics[id].Partitions {
				t.Fatalf("%s has %v of %d partitions", m.ID, list, topics[id].Partitions)
			}
			for _, p := range list {
				if other, owned := owner[partition{id, p}]; owned {
					t.Fatalf("%s and %s both have %x-%d", other, m.ID, id, p)
				}
				owner[partition{id, p}] = m.ID
			}
		}
	}
	for id, topic := range topics {
		if !slices.ContainsFunc(g.Members, func(m Member) bool { _, ok := m.Subscribed[id]; return ok }) {
			continue
		}
		for p := range topic.Partitions {
			if _, owned := owner[partition{id, p}]; !owned {
				t.Fatalf("nobody has %x-%d", id, p)
			}
		}
	}
	if again, _ := a.Assign(g, topics); !maps.EqualFunc(again, targets, Partitions.Equal) {
		t.Fatal("the same question has another answer")
	}
	return targets
}

// sizes counts a member's partitions, of one topic or of all.
func sizes(g Group, targets map[string]Partitions, count func(m Member, p Partitions) (int, bool)) (least, most int) {
	least = 1 << 30
	for _, m := range g.Members {
		if n, counts := count(m, targets[m.ID]); counts {
			least, most = min(least, n), max(most, n)
		}
	}
	return least, most
}

func all(_ Member, p Partitions) (n int, counts bool) {
	for _, list := range p {
		n += len(list)
	}
	return n, true
}

// retain gives the members what they were assigned.
func retain(g Group, targets map[string]Partitions) Group {
	g.Members = slices.Clone(g.Members)
	for i, m := range g.Members {
		g.Members[i].Target = targets[m.ID]
	}
	return g
}

// moved counts partitions that a member has and did not have.
func moved(g Group, targets map[string]Partitions) (n int) {
	for _, m := range g.Members {
		for id, list := range targets[m.ID] {
			for _, p := range list {
				if !slices.Contains(m.Target[id], p) {
					n++
				}
			}
		}
	}
	return n
}

func TestRangesAreEvenAndContiguous(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 2000 {
		g, topics := randomGroup(r, i%2 == 0)
		targets := assigned(t, Range(), g, topics)
		for id := range topics {
			least, most := sizes(g, targets, func(m Member, p Partitions) (int, bool) {
				if list := p[id]; len(list) > 0 && int(list[len(list)-1]-list[0]) != len(list)-1 {
					t.Fatalf("%v is no range", list)
				}
				_, subscribed := m.Subscribed[id]
				return len(p[id]), subscribed
			})
			if most-least > 1 && most > 0 {
				t.Fatalf("members have %d to %d partitions of a topic", least, most)
			}
		}
		for id, p := range assigned(t, Range(), retain(g, targets), topics) {
			if !p.Equal(targets[id]) {
				t.Fatalf("%s loses its ranges for no reason", id)
			}
		}
	}
}

func TestUniformIsEvenAndSticky(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for range 2000 {
		g, topics := randomGroup(r, true)
		targets := assigned(t, Uniform(), g, topics)
		if least, most := sizes(g, targets, all); most-least > 1 {
			t.Fatalf("members have %d to %d partitions", least, most)
		}

		// One leaves: only what it had moves.
		g = retain(g, targets)
		if n := moved(g, assigned(t, Uniform(), g, topics)); n > 0 {
			t.Fatalf("%d partitions move for no reason", n)
		}
		if len(g.Members) == 1 {
			continue
		}
		gone := r.IntN(len(g.Members))
		left := Group{Homogeneous: true, Members: slices.Delete(slices.Clone(g.Members), gone, gone+1)}
		had, _ := all(Member{}, g.Members[gone].Target)
		targets = assigned(t, Uniform(), left, topics)
		if n := moved(left, targets); n != had {
			t.Fatalf("%d partitions move when one leaves that had %d", n, had)
		}

		// It comes back: only what it gets moves.
		back := retain(left, targets)
		back.Members = slices.Insert(slices.Clone(back.Members), gone, Member{ID: g.Members[gone].ID, Subscribed: g.Members[gone].Subscribed})
		targets = assigned(t, Uniform(), back, topics)
		if gets, _ := all(Member{}, targets[g.Members[gone].ID]); moved(back, targets) != gets {
			t.Fatalf("%d partitions move when one joins that gets %d", moved(back, targets), gets)
		}
	}
}

func TestUniformWithDifferentSubscriptions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for range 2000 {
		g, topics := randomGroup(r, false)
		targets := assigned(t, Uniform(), g, topics)

		// No partition could move to a subscriber with two fewer: only the bound of rounds lets Kafka stop earlier, which
		// groups of this size do not reach.
		load := map[string]int{}
		for _, m := range g.Members {
			load[m.ID], _ = all(m, targets[m.ID])
		}
		for _, from := range g.Members {
			for _, to := range g.Members {
				for id := range targets[from.ID] {
					if _, subscribed := to.Subscribed[id]; subscribed && load[from.ID]-load[to.ID] > 1 {
						t.Fatalf("%s has %d partitions, some of a topic of %s, which has %d", from.ID, load[from.ID], to.ID, load[to.ID])
					}
				}
			}
		}
		g = retain(g, targets)
		if n := moved(g, assigned(t, Uniform(), g, topics)); n > 0 {
			t.Fatalf("%d partitions move for no reason", n)
		}
	}
}

func TestNobodyAndNothing(t *testing.T) {
	for _, a := range []Assignor{Range(), Uniform()} {
		for _, homogeneous := range []bool{true, false} {
			if targets, err := a.Assign(Group{Homogeneous: homogeneous}, testTopics{}); err != nil || len(targets) != 0 {
				t.Errorf("%s: %v, %v of no members", a.Name(), targets, err)
			}
			had := Partitions{topicID(1): {0}}
			lone := Group{Homogeneous: homogeneous, Members: []Member{{ID: "a", Target: had}}}
			if targets := assigned(t, a, lone, testTopics{}); len(targets["a"]) != 0 {
				t.Errorf("%s: %v of no topics", a.Name(), targets)
			}
			lone.Members[0].Subscribed = map[[16]byte]struct{}{topicID(7): {}}
			if _, err := a.Assign(lone, testTopics{}); !errors.Is(err, ErrUnknownTopic) {
				t.Errorf("%s: %v of an unknown topic", a.Name(), err)
			}
		}
	}
}
