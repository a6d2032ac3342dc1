package exact

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// move is a wish of AlterPartitionReassignments; without replicas it cancels.
type move struct {
	topic     string
	partition int32
	replicas  []int32
}

func reassign(moves ...move) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		for _, m := range moves {
			p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
			p.Partition, p.Replicas = m.partition, m.replicas
			t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
			t.Topic, t.Partitions = m.topic, append(t.Partitions, p)
			r.Topics = append(r.Topics, t)
		}
		return r
	}
}

func askReassignments() []question {
	all := func(*side) kmsg.Request { return kmsg.NewPtrListPartitionReassignmentsRequest() }
	some := func(names ...string) func(*side) kmsg.Request {
		return func(*side) kmsg.Request {
			r := kmsg.NewPtrListPartitionReassignmentsRequest()
			r.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{}
			for _, name := range names {
				t := kmsg.NewListPartitionReassignmentsRequestTopic()
				t.Topic, t.Partitions = name, []int32{0, 1, 7, -1}
				r.Topics = append(r.Topics, t)
			}
			return r
		}
	}
	return []question{
		{"AlterPartitionReassignments, no brokers", 0, 0, reassign(move{"one", 0, []int32{}})},
		{"AlterPartitionReassignments, a broker twice", 0, 0, reassign(move{"one", 0, []int32{1, 1}})},
		{"AlterPartitionReassignments, negative", 0, 0, reassign(move{"one", 0, []int32{1, -1}}, move{"one", 1, []int32{-1}})},
		{"AlterPartitionReassignments, unknown brokers", 0, 0, reassign(move{"one", 0, []int32{9, 1, 8}}, move{"unknown", 0, []int32{9}})},
		{"AlterPartitionReassignments, unknown partitions", 0, 0, reassign(move{"unknown", 0, []int32{1}}, move{"one", 7, []int32{1}},
			move{"one", -1, []int32{1}}, move{"", 0, []int32{1}})},
		{"AlterPartitionReassignments, nothing to cancel", 0, 0, reassign(move{"one", 0, nil}, move{"unknown", 0, nil}, move{"one", 7, nil})},
		{"AlterPartitionReassignments, twice in one request", 0, 0, reassign(move{"one", 0, []int32{}}, move{"one", 0, nil})},
		{"AlterPartitionReassignments, nothing", 0, 0, reassign()},
		{"AlterPartitionReassignments, as it is", 0, 0, reassign(move{"one", 0, []int32{1}}, move{"one", 1, []int32{1}})},
		{"AlterPartitionReassignments, some good", 0, 0, reassign(move{"one", 0, []int32{1}}, move{"one", 1, []int32{2}})},
		{"AlterPartitionReassignments, too new", 1, 1, reassign()},
		{"ListPartitionReassignments", 0, 0, all},
		{"ListPartitionReassignments of none", 0, 0, some()},
		{"ListPartitionReassignments of some", 0, 0, some("one", "unknown", "")},
		{"ListPartitionReassignments, too new", 1, 1, all},

		// Under way, towards a broker that will never be in sync.
		{"AlterPartitionReassignments, adding", 0, 0, first((*side).appear, reassign(move{"one", 0, []int32{2, 1}}))},
		{"ListPartitionReassignments of what is added", 0, 0, all},
		{"CreatePartitions while a partition moves", 0, 3, createPartitions(false, grown("one", 5))},
		{"AlterPartitionReassignments, another target", 0, 0, reassign(move{"one", 0, []int32{2}}, move{"one", 1, []int32{2}})},
		{"ListPartitionReassignments of what moves", 0, 0, some("one", "two")},
		{"AlterPartitionReassignments, cancelled", 0, 0, reassign(move{"one", 0, nil}, move{"one", 1, nil}, move{"two", 0, nil})},
		{"ListPartitionReassignments after it", 0, 0, first((*side).vanish, all)},
	}
}

// first does something before it asks.
func first(do func(*side) error, ask func(*side) kmsg.Request) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		if err := do(s); err != nil {
			panic(err) // ends the test, as a question cannot
		}
		return ask(s)
	}
}

// appear registers a broker 2 that is not there.
func (s *side) appear() error {
	server, chroot, _ := strings.Cut(s.zookeeper, "/")
	c, _, err := zk.Connect([]string{server}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		return err
	}
	s.ghost = c
	brokers := "/" + chroot + "/brokers/ids/"
	data, _, err := c.Get(brokers + "1")
	if err != nil {
		return err
	}
	_, port, _ := strings.Cut(s.address, ":")
	registration := strings.ReplaceAll(string(data), port, "1")
	if _, err := c.Create(brokers+"2", []byte(registration), zk.FlagEphemeral, zk.WorldACL(zk.PermAll)); err != nil {
		return err
	}
	return s.awaitBrokers(2)
}

// vanish takes broker 2 away.
func (s *side) vanish() error {
	s.ghost.Close()
	s.ghost = nil
	return s.awaitBrokers(1)
}

// awaitBrokers waits until the side's metadata tells of n brokers.
func (s *side) awaitBrokers(n int) error {
	for late := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) { // a poll with a deadline, against another process
		r := kmsg.NewPtrMetadataRequest()
		r.SetVersion(12)
		response, err := s.ask(r)
		if err != nil {
			return err
		}
		got := len(response.(*kmsg.MetadataResponse).Brokers)
		if got == n {
			return nil
		}
		if time.Now().After(late) {
			return fmt.Errorf("%s knows %d brokers, not %d", s.address, got, n)
		}
	}
}
