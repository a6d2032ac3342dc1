//go:build compat

package compat

import "github.com/twmb/franz-go/pkg/kmsg"

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
	}
}
