package metadata

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

func topic(name string, id byte, partitions ...Partition) Topic {
	t := Topic{Name: name, Partitions: partitions}
	t.ID[0], t.ID[15] = id, id
	return t
}

func partition(index, leader int32) Partition {
	return Partition{Index: index, Leader: leader, Replicas: []int32{leader}, ISR: []int32{leader}}
}

func TestUpdateReplacesBrokersAndMergesTopics(t *testing.T) {
	c := NewCache("cluster")
	if c.Load().ControllerID != -1 || c.Load().ClusterID != "cluster" {
		t.Fatalf("new image: %+v", c.Load())
	}
	c.Apply(Update{
		ControllerID: 2,
		Brokers:      []Broker{{ID: 2}, {ID: 1, Endpoints: []Endpoint{{Listener: "INSIDE", Host: "h", Port: 9}}}},
		Topics:       []Topic{topic("a", 1, partition(1, 2), partition(0, 1))},
	})
	c.Apply(Update{
		ControllerID: 1,
		Brokers:      []Broker{{ID: 1, Endpoints: []Endpoint{{Listener: "INSIDE", Host: "h", Port: 9}}}},
		Topics:       []Topic{topic("b", 2, partition(0, 1)), topic("a", 1, partition(1, NoLeader))},
	})

	i := c.Load()
	if i.ClusterID != "cluster" || i.ControllerID != 1 {
		t.Errorf("cluster %q, controller %d", i.ClusterID, i.ControllerID)
	}
	if _, alive := i.Broker(2); alive || len(i.Brokers()) != 1 {
		t.Error("broker 2 left but is still there")
	}
	b, ok := i.Broker(1)
	if !ok {
		t.Fatal("broker 1 is missing")
	}
	if e, ok := b.Endpoint("INSIDE"); !ok || e.Port != 9 {
		t.Errorf("endpoint %+v, %v", e, ok)
	}
	if _, ok := b.Endpoint("OUTSIDE"); ok {
		t.Error("found a listener that does not exist")
	}
	a, ok := i.Topic("a")
	if !ok || len(a.Partitions) != 2 {
		t.Fatalf("topic a: %+v", a)
	}
	if p, ok := a.Partition(0); !ok || p.Leader != 1 {
		t.Errorf("a-0 was not told of again but changed: %+v", p)
	}
	if p, ok := a.Partition(1); !ok || p.Leader != NoLeader {
		t.Errorf("a-1: %+v", p)
	}
	if _, ok := a.Partition(2); ok {
		t.Error("found a partition that does not exist")
	}
	if topics, partitions := i.TopicCount(); topics != 2 || partitions != 3 {
		t.Errorf("%d topics, %d partitions", topics, partitions)
	}
}

func TestDeletedPartitionsLeaveAndTakeTheirTopicWithThem(t *testing.T) {
	c := NewCache("")
	c.Apply(Update{Topics: []Topic{topic("a", 1, partition(0, 1), partition(1, 1), partition(2, 1))}})

	deleted := c.Apply(Update{Topics: []Topic{topic("a", 1, partition(1, LeaderDeleting))}})
	if want := map[string][]int32{"a": {1}}; !reflect.DeepEqual(deleted, want) {
		t.Errorf("deleted %v, want %v", deleted, want)
	}
	a, _ := c.Load().Topic("a")
	if _, ok := a.Partition(1); ok {
		t.Error("a-1 is still there")
	}
	if p, ok := a.Partition(2); !ok || p.Index != 2 {
		t.Error("a-2 cannot be found beside the gap")
	}

	c.Apply(Update{Topics: []Topic{topic("a", 1, partition(0, LeaderDeleting), partition(2, LeaderDeleting))}})
	if _, ok := c.Load().Topic("a"); ok {
		t.Error("topic a is still there")
	}
	if _, ok := c.Load().TopicByID(a.ID); ok {
		t.Error("the id of topic a still leads somewhere")
	}
	if topics, partitions := c.Load().TopicCount(); topics != 0 || partitions != 0 {
		t.Errorf("%d topics, %d partitions", topics, partitions)
	}
}

func TestATopicMadeAgainHasOnlyItsNewID(t *testing.T) {
	c := NewCache("")
	first, second, none := topic("a", 1, partition(0, 1)), topic("a", 2, partition(0, 1)), topic("a", 0, partition(0, 1))
	c.Apply(Update{Topics: []Topic{first}})
	c.Apply(Update{Topics: []Topic{second}})
	if _, ok := c.Load().TopicByID(first.ID); ok {
		t.Error("the old id still leads to the topic")
	}
	if found, ok := c.Load().TopicByID(second.ID); !ok || found.Name != "a" {
		t.Error("the new id does not lead to the topic")
	}
	c.Apply(Update{Topics: []Topic{none}})
	if _, ok := c.Load().TopicByID(second.ID); ok {
		t.Error("the zero id did not take the id away")
	}
	if _, ok := c.Load().TopicByID([16]byte{}); ok {
		t.Error("the zero id found a topic")
	}
}

// TestImagesAreNeverWrittenAgain applies random updates, checks each image against a plain model, and at the end
// checks that the images taken on the way still show what they showed.
func TestImagesAreNeverWrittenAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := NewCache("")
	model := map[string]map[int32]int32{}
	type moment struct {
		image *Image
		text  string
	}
	var moments []moment
	for range 300 {
		var u Update
		for range 1 + r.IntN(5) {
			name := fmt.Sprintf("topic-%02d", r.IntN(40))
			var told []Partition
			for range 1 + r.IntN(4) {
				p := partition(r.Int32N(6), r.Int32N(5)-2)
				told = append(told, p)
			}
			u.Topics = append(u.Topics, topic(name, name[len(name)-1], told...))
			if model[name] == nil {
				model[name] = map[int32]int32{}
			}
			last := map[int32]int32{}
			for _, p := range told {
				last[p.Index] = p.Leader
			}
			for index, leader := range last {
				if leader == LeaderDeleting {
					delete(model[name], index)
				} else {
					model[name][index] = leader
				}
			}
			if len(model[name]) == 0 {
				delete(model, name)
			}
		}
		c.Apply(u)
		if got, want := show(c.Load()), showModel(model); got != want {
			t.Fatalf("image\n%s\nwant\n%s", got, want)
		}
		if names := c.Load().Topics(); len(names) != len(model) || !slices.IsSortedFunc(names, byName) {
			t.Fatalf("%d topics in the list, want %d in the order of names", len(names), len(model))
		}
		moments = append(moments, moment{c.Load(), showModel(model)})
	}
	for i, m := range moments {
		if got := show(m.image); got != m.text {
			t.Fatalf("image %d changed after it was published", i)
		}
	}
}

// show looks topics up by name, not in the sorted list, which an image keeps once it is made.
func show(i *Image) string {
	var text string
	partitions, topics := 0, 0
	for n := range 40 {
		t, ok := i.Topic(fmt.Sprintf("topic-%02d", n))
		if !ok {
			continue
		}
		topics++
		leaders := map[int32]int32{}
		for _, p := range t.Partitions {
			leaders[p.Index] = p.Leader
		}
		partitions += len(t.Partitions)
		text += fmt.Sprintln(t.Name, leaders)
	}
	if counted, count := i.TopicCount(); topics != counted || count != partitions {
		return fmt.Sprintf("counted %d, %d", counted, count)
	}
	return text
}

func byName(a, b *Topic) int { return cmp.Compare(a.Name, b.Name) }

func showModel(model map[string]map[int32]int32) string {
	var text string
	for _, name := range slices.Sorted(maps.Keys(model)) {
		text += fmt.Sprintln(name, model[name])
	}
	return text
}

func TestChangedWakesOnlyAfterTheImageIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCache("")
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for {
					changed := c.Changed()
					if _, ok := c.Load().Topic("a"); ok {
						return
					}
					<-changed
				}
			})
		}
		synctest.Wait()
		c.Apply(Update{Topics: []Topic{topic("b", 2, partition(0, 1))}})
		synctest.Wait()
		c.Apply(Update{Topics: []Topic{topic("a", 1, partition(0, 1))}})
		wait.Wait()
	})
}

// BenchmarkApplyOneOfTenThousand is the cost of telling one topic among 10,000.
func BenchmarkApplyOneOfTenThousand(b *testing.B) {
	c := NewCache("")
	var u Update
	for i := range 10_000 {
		u.Topics = append(u.Topics, topic(fmt.Sprintf("topic-%d", i), byte(i), partition(0, 1)))
	}
	c.Apply(u)
	b.ReportAllocs()
	for b.Loop() {
		c.Apply(Update{Topics: []Topic{topic("topic-77", 77, partition(0, 1))}})
	}
}

func TestPlacementChangesOnlyWithTopicsAndRacks(t *testing.T) {
	rack := func(s string) *string { return &s }
	c := NewCache("c")
	last := c.Load().Placement
	apply := func(what string, changes bool, u Update) {
		t.Helper()
		c.Apply(u)
		now := c.Load().Placement
		if (now != last) != changes {
			t.Errorf("%s: placement went from %d to %d", what, last, now)
		}
		last = now
	}
	topic := func(id byte, leader int32, replicas ...int32) Update {
		return Update{
			Brokers: []Broker{{ID: 1, Rack: rack("a")}, {ID: 2, Rack: rack("b")}},
			Topics:  []Topic{{Name: "t", ID: [16]byte{id}, Partitions: []Partition{{Index: 0, Leader: leader, Replicas: replicas}}}},
		}
	}
	apply("racks and a topic", true, topic(1, 1, 1, 2))
	apply("a leader", false, topic(1, 2, 1, 2))
	apply("replicas", true, topic(1, 2, 2, 3))
	apply("an id", true, topic(2, 2, 2, 3))
	apply("a broker gone", false, Update{Brokers: []Broker{{ID: 1, Rack: rack("a")}}})
	if r, ok := c.Load().Rack(2); !ok || r != "b" {
		t.Errorf("rack of the broker that is away: %q, %t", r, ok)
	}
	apply("the broker back", false, Update{Brokers: []Broker{{ID: 1, Rack: rack("a")}, {ID: 2, Rack: rack("b")}}})
	apply("another rack", true, Update{Brokers: []Broker{{ID: 1, Rack: rack("c")}}})
	apply("no rack", true, Update{Brokers: []Broker{{ID: 1}}})
	apply("a partition more", true, Update{Topics: []Topic{{Name: "t", ID: [16]byte{2}, Partitions: []Partition{{Index: 1, Replicas: []int32{2}}}}}})
	apply("deleted", true, Update{Topics: []Topic{{Name: "t", Partitions: []Partition{{Index: 0, Leader: LeaderDeleting}, {Index: 1, Leader: LeaderDeleting}}}}})
	apply("nothing of it", false, Update{Topics: []Topic{{Name: "t", Partitions: []Partition{{Index: 0, Leader: LeaderDeleting}}}}})
}

// TestWhatIsOlderIsNotHeard: a request that a controller has given up and repeated may come after the next ones.
func TestWhatIsOlderIsNotHeard(t *testing.T) {
	at := func(epoch, leader int32) Partition {
		p := partition(0, leader)
		p.PartitionEpoch = epoch
		return p
	}
	for _, test := range []struct {
		name       string
		told       Topic
		want       int32 // leader
		wantAbsent bool
	}{
		{"older", topic("a", 1, at(4, 3)), 1, false},
		{"the same", topic("a", 1, at(5, 3)), 3, false},
		{"newer", topic("a", 1, at(6, 3)), 3, false},
		{"a topic made again", topic("a", 2, at(0, 3)), 3, false},
		{"of a controller that knows no ids", Topic{Name: "a", Partitions: []Partition{at(0, 3)}}, 3, false},
		{"deleted", topic("a", 1, at(4, LeaderDeleting)), 0, true},
	} {
		c := NewCache("")
		c.Apply(Update{Topics: []Topic{topic("a", 1, at(5, 1))}})
		c.Apply(Update{Topics: []Topic{test.told}})
		a, there := c.Load().Topic("a")
		if there == test.wantAbsent {
			t.Errorf("%s: there: %t", test.name, there)
			continue
		}
		if there && a.Partitions[0].Leader != test.want {
			t.Errorf("%s: leader %d, want %d", test.name, a.Partitions[0].Leader, test.want)
		}
	}
}
