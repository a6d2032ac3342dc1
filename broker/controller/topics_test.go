package controller

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/zkmeta"
)

func TestCreatedTopicIsWrittenAndTold(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		n.taken()
		other.taken()
		created := n.create(NewTopic{
			Name: "t", Partitions: 2, ReplicationFactor: 2,
			Config: map[string]*string{"retention.ms": text("60000")},
		})[0]
		if created.Partitions != 2 || created.ReplicationFactor != 2 || created.Config["retention.ms"] != "60000" {
			w.Errorf("created %+v", created)
		}
		const told = `
-> %[1]d LeaderAndIsr v7 controller=1/1 leaders=1@b1:9092,2@b2:9092
     t-0 leader=1 epoch=0 isr=1,2 version=0 replicas=1,2 controller_epoch=1 new
     t-1 leader=2 epoch=0 isr=2,1 version=0 replicas=2,1 controller_epoch=1 new
-> %[1]d UpdateMetadata v8 controller=1/1 brokers=1,2
     t-0 leader=1 epoch=0 isr=1,2 version=0 replicas=1,2
     t-1 leader=2 epoch=0 isr=2,1 version=0 replicas=2,1`
		n.wantTold(fmt.Sprintf(told, 1))
		other.wantTold(fmt.Sprintf(told, 2))
		w.wantState(n.zk, "t", 1, "leader=2 epoch=0 isr=2,1 version=0 by=1")
		written, err := n.zk.Assignments(w.Context(), []string{"t"}, nil)
		if err != nil || written["t"].ID != created.ID || !slices.Equal(written["t"].Partitions[1], []int32{2, 1}) {
			w.Errorf("written %+v, %v", written, err)
		}
		if c, err := n.zk.Config(w.Context(), zkmeta.Entity{Type: "topics", Name: "t"}); c["retention.ms"] != "60000" || err != nil {
			w.Errorf("config %v, %v", c, err)
		}
		if got := n.metric("partitions"); got != 2 {
			w.Errorf("%v partitions", got)
		}
	})
}

func TestCreateTopicsRefusals(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.broker(2)
		n.create(placed("a.b", []int32{1}))
		n.taken()
		topics := []NewTopic{
			{Name: "a_b", Partitions: 1, ReplicationFactor: 1},
			{Name: "a.b", Partitions: 1, ReplicationFactor: 1},
			{Name: "x", Partitions: 1, ReplicationFactor: 3},
			{Name: "y", Partitions: 1, ReplicationFactor: 1, Config: map[string]*string{"nonsense": text("1")}},
			{Name: "z.1", Partitions: -1, ReplicationFactor: -1},
		}
		want := []error{ErrInvalidTopic, ErrTopicExists, ErrInvalidReplicationFactor, ErrInvalidConfig, nil}
		for i, c := range n.controller.CreateTopics(w.Context(), topics, true) {
			if !errors.Is(c.Err, want[i]) || (want[i] == nil && c.Err != nil) {
				w.Errorf("%s: %v", topics[i].Name, c.Err)
			}
			if c.Err == nil && (c.Partitions != 1 || c.ReplicationFactor != 1 || c.ID != [16]byte{}) {
				w.Errorf("%s: %+v", topics[i].Name, c)
			}
		}
		if names, err := n.zk.Topics(w.Context(), nil); len(names) != 1 || err != nil {
			w.Errorf("validating created topics: %v, %v", names, err)
		}
		for _, c := range other.controller.CreateTopics(w.Context(), topics[4:], false) {
			if !errors.Is(c.Err, ErrNotController) {
				w.Errorf("another broker: %v", c.Err)
			}
		}
		// Two names of one call collide.
		both := n.controller.CreateTopics(w.Context(), []NewTopic{placed("p.q", []int32{1}), placed("p_q", []int32{1})}, false)
		if both[0].Err != nil || !errors.Is(both[1].Err, ErrInvalidTopic) {
			w.Errorf("colliding: %v, %v", both[0].Err, both[1].Err)
		}
		if told := n.told(); told == "" {
			w.Error("the created topic was not told")
		}
	})
}

func TestManyPartitionsTravelInOneRequest(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		for name, topics := range map[string][]NewTopic{
			"one topic":   {{Name: "big", Partitions: 10_000, ReplicationFactor: 2}},
			"many topics": many("small-%d", 300),
		} {
			n.taken()
			other.taken()
			n.create(topics...)
			for _, b := range []*node{n, other} {
				kinds := map[string]int{}
				for _, r := range b.taken() {
					kinds[kmsg.NameForKey(r.Key())]++
				}
				if kinds["LeaderAndISR"] != 1 || kinds["UpdateMetadata"] != 1 || len(kinds) != 2 {
					w.Errorf("%s: broker %d got %v", name, b.id, kinds)
				}
			}
		}
	})
}

func many(format string, count int) []NewTopic {
	topics := make([]NewTopic, count)
	for i := range topics {
		topics[i] = NewTopic{Name: fmt.Sprintf(format, i), Partitions: 2, ReplicationFactor: 1}
	}
	return topics
}

func TestTopicCreatedByAnotherBrokerIsTakenUp(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.broker(2)
		n.taken()
		created := other.controller.CreateDirectly(w.Context(), NewTopic{Name: "auto", Partitions: 1, ReplicationFactor: 1})
		if created.Err != nil {
			w.Fatal(created.Err)
		}
		n.wantTold(`
-> 1 LeaderAndIsr v7 controller=1/1 leaders=1@b1:9092
     auto-0 leader=1 epoch=0 isr=1 version=0 replicas=1 controller_epoch=1 new
-> 1 UpdateMetadata v8 controller=1/1 brokers=1,2
     auto-0 leader=1 epoch=0 isr=1 version=0 replicas=1`)
		again := other.controller.CreateDirectly(w.Context(), NewTopic{Name: "auto", Partitions: 1, ReplicationFactor: 1})
		if !errors.Is(again.Err, ErrTopicExists) {
			w.Errorf("created twice: %v", again.Err)
		}
		few := other.controller.CreateDirectly(w.Context(), NewTopic{Name: "three", Partitions: 1, ReplicationFactor: 3})
		if few.Err == nil || few.Err.Error() != "Replication factor: 3 larger than available brokers: 2." {
			w.Errorf("too few brokers: %v", few.Err)
		}
	})
}

func TestDeletedTopicIsGoneAndCanBeCreatedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		first := n.create(placed("t", []int32{1, 2}))[0]
		n.taken()
		other.taken()
		if errs := n.controller.DeleteTopics(w.Context(), []string{"t", "unknown"}); errs[0] != nil || !errors.Is(errs[1], ErrUnknownTopic) {
			w.Fatalf("delete: %v", errs)
		}
		other.wantTold(`
-> 2 UpdateMetadata v8 controller=1/1 brokers=1,2
     t-0 leader=-2 epoch=0 isr=1,2 version=0 replicas=1,2
-> 2 StopReplica v4 controller=1/1
     t-0 epoch=-2 delete=false
-> 2 StopReplica v4 controller=1/1
     t-0 epoch=-2 delete=true`)
		w.wantGone(n, "t")
		n.taken()
		second := n.create(placed("t", []int32{2}))[0]
		if first.ID == second.ID {
			w.Error("same id again")
		}
		other.wantTold(`
-> 2 LeaderAndIsr v7 controller=1/1 leaders=2@b2:9092
     t-0 leader=2 epoch=0 isr=2 version=0 replicas=2 controller_epoch=1 new
-> 2 UpdateMetadata v8 controller=1/1 brokers=1,2
     t-0 leader=2 epoch=0 isr=2 version=0 replicas=2`)
		// The watches of the first life do not disturb the second: it can grow.
		if errs := n.controller.CreatePartitions(w.Context(), []MorePartitions{{Topic: "t", Count: 2}}, false); errs[0] != nil {
			w.Fatal(errs[0])
		}
		w.settle()
		w.wantState(n.zk, "t", 1, "leader=1 epoch=0 isr=1 version=0 by=1")
	})
}

// wantGone checks that nothing of a topic is left in ZooKeeper.
func (w *world) wantGone(n *node, topic string) {
	w.Helper()
	if names, err := n.zk.Topics(w.Context(), nil); slices.Contains(names, topic) || err != nil {
		w.Errorf("topics are %v, %v", names, err)
	}
	if marked, err := n.zk.DeletionMarkers(w.Context(), nil); len(marked) != 0 || err != nil {
		w.Errorf("marked are %v, %v", marked, err)
	}
	if c, err := n.zk.Config(w.Context(), zkmeta.Entity{Type: "topics", Name: topic}); c != nil || err != nil {
		w.Errorf("config is %v, %v", c, err)
	}
}

func TestManyTopicsAreDeletedTogether(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		topics := many("t-%d", 100)
		n.create(topics...)
		n.taken()
		names := make([]string, len(topics))
		for i := range topics {
			names[i] = topics[i].Name
		}
		for i, err := range n.controller.DeleteTopics(w.Context(), names) {
			if err != nil {
				w.Fatalf("%s: %v", names[i], err)
			}
		}
		if got := len(n.taken()); got != 3 {
			w.Errorf("%d requests", got)
		}
		if left, err := n.zk.Topics(w.Context(), nil); len(left) != 0 || err != nil {
			w.Errorf("left: %v, %v", left, err)
		}
	})
}

func TestDeletionWaitsForADeadBroker(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		n.create(placed("t", []int32{1, 2}))
		other.stop()
		w.settle()
		if errs := n.controller.DeleteTopics(w.Context(), []string{"t"}); errs[0] != nil {
			w.Fatal(errs[0])
		}
		w.settle()
		if c := n.controller.CreateTopics(w.Context(), []NewTopic{placed("t", []int32{1})}, false); !errors.Is(c[0].Err, ErrTopicExists) {
			w.Errorf("created while it is being deleted: %v", c[0].Err)
		}
		if errs := n.controller.CreatePartitions(w.Context(), []MorePartitions{{Topic: "t", Count: 9}}, false); !errors.Is(errs[0], ErrInvalidTopic) {
			w.Errorf("grown while it is being deleted: %v", errs[0])
		}
		// The broker comes back with a broken directory: it refuses to delete.
		back := w.answering(2, func(r kmsg.Request) kmsg.Response {
			if r.Key() != 5 {
				return nil
			}
			return answerWith(r, func(string, int32) int16 { return kafkaStorageError })
		})
		w.settle()
		if got := n.metric("topics_to_delete"); got != 1 {
			w.Errorf("%v topics to delete", got)
		}
		// Repaired, and started anew.
		back.stop()
		w.settle()
		w.bystander(2)
		w.settle()
		w.wantGone(n, "t")
	})
}

func TestDeletionDisabled(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1, "delete.topic.enable=false")
		n.create(placed("t", []int32{1}))
		if errs := n.controller.DeleteTopics(w.Context(), []string{"t"}); !errors.Is(errs[0], ErrTopicDeletionDisabled) {
			w.Errorf("delete: %v", errs[0])
		}
		// Another tool marks it.
		if err := n.zk.MarkForDeletion(w.Context(), "t"); err != nil {
			w.Fatal(err)
		}
		w.settle()
		if marked, err := n.zk.DeletionMarkers(w.Context(), nil); len(marked) != 0 || err != nil {
			w.Errorf("marked are %v, %v", marked, err)
		}
		w.wantState(n.zk, "t", 0, "leader=1 epoch=0 isr=1 version=0 by=1")
	})
}

func TestCreatePartitions(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		w.bystander(2)
		w.bystander(3)
		w.settle()
		n.create(placed("t", []int32{2, 3}, []int32{3, 1}))
		for _, test := range []struct {
			more MorePartitions
			err  error
			text string
		}{
			{MorePartitions{Topic: "none", Count: 3}, ErrUnknownTopic, "The topic 'none' does not exist."},
			// No path of ZooKeeper's.
			{MorePartitions{Topic: "", Count: 3}, ErrUnknownTopic, "The topic '' does not exist."},
			{MorePartitions{Topic: ".", Count: 3}, ErrUnknownTopic, "The topic '.' does not exist."},
			{MorePartitions{Topic: "/", Count: 3}, ErrUnknownTopic, "The topic '/' does not exist."},
			{MorePartitions{Topic: "\x00", Count: 3}, ErrUnknownTopic, "The topic '\x00' does not exist."},
			{MorePartitions{Topic: "t", Count: 1}, ErrInvalidPartitions, "Topic currently has 2 partitions, which is higher than the requested 1."},
			{MorePartitions{Topic: "t", Count: 2}, ErrInvalidPartitions, "Topic already has 2 partitions."},
			{MorePartitions{Topic: "t", Count: 3, Assignment: [][]int32{{1, 9, 8}}}, ErrInvalidAssignment, "Unknown broker(s) in replica assignment: 8, 9."},
			{MorePartitions{Topic: "t", Count: 4, Assignment: [][]int32{{1, 2}}}, ErrInvalidAssignment, "Increasing the number of partitions by 2 but 1 assignments provided."},
			{MorePartitions{Topic: "t", Count: 3, Assignment: [][]int32{{1, 1}}}, ErrInvalidAssignment, "Duplicate brokers not allowed in replica assignment: 1, 1 for partition id 2."},
			{MorePartitions{Topic: "t", Count: 3, Assignment: [][]int32{{}}}, ErrInvalidAssignment, "Cannot have replication factor of 0 for partition id 2."},
			{MorePartitions{Topic: "t", Count: 4, Assignment: [][]int32{{1}, {1, 2, 3}}}, ErrInvalidAssignment, "Inconsistent replication factor between partitions, partition 0 has 2 while partitions [2, 3] have replication factors [1, 3], respectively."},
		} {
			err := n.controller.CreatePartitions(w.Context(), []MorePartitions{test.more}, false)[0]
			if !errors.Is(err, test.err) || err.Error() != test.text {
				w.Errorf("%+v: %v", test.more, err)
			}
		}
		n.taken()
		if errs := n.controller.CreatePartitions(w.Context(), []MorePartitions{{Topic: "t", Count: 5}}, true); errs[0] != nil {
			w.Errorf("validate: %v", errs[0])
		}
		if told := n.told(); told != "" {
			w.Errorf("validating told %s", told)
		}
		if errs := n.controller.CreatePartitions(w.Context(), []MorePartitions{{Topic: "t", Count: 4}}, false); errs[0] != nil {
			w.Fatal(errs[0])
		}
		w.settle()
		// Kafka starts at the place of partition 0's first replica: 2 + 2 → 1.
		w.wantState(n.zk, "t", 2, "leader=1 epoch=0 isr=1,3 version=0 by=1")
		w.wantState(n.zk, "t", 3, "leader=2 epoch=0 isr=2,3 version=0 by=1")
		a, err := n.zk.Assignments(w.Context(), []string{"t"}, nil)
		if err != nil || len(a["t"].Partitions) != 4 || a["t"].ID == [16]byte{} {
			w.Errorf("written %+v, %v", a, err)
		}
	})
}

func TestTopicWithoutIDGetsOne(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		if err := n.zk.CreateTopic(w.Context(), nil, zkmeta.TopicAssignment{Topic: "old", Partitions: map[int32][]int32{0: {1}}}, nil); err != nil {
			w.Fatal(err)
		}
		w.settle()
		a, err := n.zk.Assignments(w.Context(), []string{"old"}, nil)
		if err != nil || a["old"].ID == [16]byte{} {
			w.Errorf("written %+v, %v", a, err)
		}
		w.wantState(n.zk, "old", 0, "leader=1 epoch=0 isr=1 version=0 by=1")
	})
}
