package exact

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func deleteRecords(offset int64) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrDeleteRecordsRequest()
		r.TimeoutMillis = 10_000
		for _, topic := range []string{"one", "compacted", "unknown", "a b"} {
			t := kmsg.NewDeleteRecordsRequestTopic()
			t.Topic = topic
			for _, partition := range []int32{0, 9} {
				p := kmsg.NewDeleteRecordsRequestTopicPartition()
				p.Partition, p.Offset = partition, offset
				t.Partitions = append(t.Partitions, p)
			}
			r.Topics = append(r.Topics, t)
		}
		return r
	}
}

// leaderEpochs asks for the end of an epoch, knowing that the leader has another.
func leaderEpochs(replica, current, epoch int32) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrOffsetForLeaderEpochRequest()
		r.ReplicaID = replica
		for _, topic := range []string{"one", "two", "unknown"} {
			t := kmsg.NewOffsetForLeaderEpochRequestTopic()
			t.Topic = topic
			for _, partition := range []int32{0, 9} {
				p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
				p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = partition, current, epoch
				t.Partitions = append(t.Partitions, p)
			}
			r.Topics = append(r.Topics, t)
		}
		return r
	}
}

func askRecords() []question {
	var questions []question
	for _, replica := range []int32{-1, -2} {
		for _, current := range []int32{-1, 0, 5} {
			for _, epoch := range []int32{-1, 0, 5} {
				questions = append(questions, question{
					fmt.Sprintf("OffsetForLeaderEpoch %d of %d for %d", epoch, current, replica), 0, 4, leaderEpochs(replica, current, epoch),
				})
			}
		}
	}
	producers := func(*side) kmsg.Request {
		r := kmsg.NewPtrDescribeProducersRequest()
		for _, topic := range []string{"one", "unknown", "a b"} {
			t := kmsg.NewDescribeProducersRequestTopic()
			t.Topic, t.Partitions = topic, []int32{0, 1, 9}
			r.Topics = append(r.Topics, t)
		}
		return r
	}
	return append(questions,
		question{"DescribeProducers", 0, 0, producers},
		question{"DeleteRecords beyond the end", 0, 2, deleteRecords(1_000_000)},
		question{"DeleteRecords at -7", 0, 2, deleteRecords(-7)},
		question{"DeleteRecords at 0", 0, 2, deleteRecords(0)},
		question{"DeleteRecords at 4", 0, 2, deleteRecords(4)},
		question{"DeleteRecords at 2, behind that", 0, 2, deleteRecords(2)},
		question{"Fetch of what is deleted", 4, 17, fetched(0, []string{"one"})},
		question{"ListOffsets after it", 0, 9, listed(-2)},
		question{"DeleteRecords of all", 0, 2, deleteRecords(-1)},
		question{"ListOffsets of an empty log", 0, 9, listed(-2)},
		question{"ListOffsets of no timestamp", 7, 9, listed(-3)},
		question{"OffsetForLeaderEpoch of an empty log", 0, 4, leaderEpochs(-1, -1, 0)},
	)
}

func askCluster() []question {
	cluster := func(kind int8) func(*side) kmsg.Request {
		return func(*side) kmsg.Request {
			r := kmsg.NewPtrDescribeClusterRequest()
			r.IncludeClusterAuthorizedOperations, r.EndpointType = true, kind
			return r
		}
	}
	dirs := func(topics ...string) func(*side) kmsg.Request {
		return func(*side) kmsg.Request {
			r := kmsg.NewPtrDescribeLogDirsRequest()
			if topics == nil {
				return r
			}
			r.Topics = []kmsg.DescribeLogDirsRequestTopic{}
			for _, topic := range topics {
				if topic == "" {
					continue
				}
				t := kmsg.NewDescribeLogDirsRequestTopic()
				t.Topic, t.Partitions = topic, []int32{0, 9}
				r.Topics = append(r.Topics, t)
			}
			return r
		}
	}
	move := func(*side) kmsg.Request {
		r := kmsg.NewPtrAlterReplicaLogDirsRequest()
		for _, dir := range []string{"/nowhere", "relative"} {
			d := kmsg.NewAlterReplicaLogDirsRequestDir()
			d.Dir = dir
			d.Topics = []kmsg.AlterReplicaLogDirsRequestDirTopic{
				{Topic: "one", Partitions: []int32{0, 9}},
				{Topic: "unknown " + dir, Partitions: []int32{0}},
				{Topic: strings.Repeat("t", 214) + dir[:1], Partitions: []int32{0}},
			}
			r.Dirs = append(r.Dirs, d)
		}
		return r
	}
	return []question{
		{"AlterReplicaLogDirs to nowhere", 0, 2, move},
		{"DescribeCluster", 0, 1, cluster(1)},
		{"DescribeCluster of controllers", 1, 1, cluster(2)},
		{"DescribeCluster of an unknown kind", 1, 1, cluster(9)},
		{"DescribeLogDirs", 0, 4, dirs()},
		{"DescribeLogDirs of some", 0, 4, dirs("one", "unknown")},
		{"DescribeLogDirs of none", 0, 4, dirs("")},
	}
}
