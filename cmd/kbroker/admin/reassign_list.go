package admin

import (
	"context"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/urfave/cli/v2"
)

func listReassignments(ctx context.Context, c *cli.Context, cluster *kafka) error {
	if c.Args().Present() {
		return fmt.Errorf("%s: list takes no arguments; verify tells of a file", c.Args().First())
	}
	now, err := ongoing(ctx, cluster)
	if err != nil {
		return err
	}
	topics := kadm.TopicsSet{}
	for topic := range now {
		topics.Add(topic)
	}
	details := kadm.TopicDetails{}
	if len(topics) > 0 {
		if details, err = cluster.ListTopicsWithInternal(ctx, topics.Topics()...); err != nil {
			return failure("look up topics", err)
		}
	}
	sizes := replicaSizes(ctx, cluster, now)
	rows := []partitionProgress{}
	for _, o := range now.Sorted() {
		rows = append(rows, partitionProgress{
			Topic: o.Topic, Partition: o.Partition, State: stateMoving, Replicas: o.Replicas,
			Target: targetOf(o), Adding: listed(o.AddingReplicas), Removing: listed(o.RemovingReplicas),
			Remaining: sizes.remaining(o, details[o.Topic].Partitions[o.Partition].Leader),
		})
	}
	return show(c, rows, func(w io.Writer) {
		fmt.Fprintln(w, "TOPIC\tPARTITION\tREPLICAS\tADDING\tREMOVING\tREMAINING")
		for _, r := range rows {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", r.Topic, r.Partition, brokers(r.Replicas), brokers(r.Adding), brokers(r.Removing), sizeText(r.Remaining))
		}
	})
}

// targetOf is where a reassignment goes. Adding replicas come first among those it has now.
func targetOf(o kadm.ListPartitionReassignmentsResponse) []int32 {
	target := []int32{}
	for _, id := range o.Replicas {
		if countMissing([]int32{id}, o.RemovingReplicas) == 1 {
			target = append(target, id)
		}
	}
	return target
}

// sizesByBroker are the log directories of brokers that told of them.
type sizesByBroker kadm.DescribedAllLogDirs

// replicaSizes asks brokers for the sizes of the partitions being reassigned. Brokers that do not answer are left out.
func replicaSizes(ctx context.Context, cluster *kafka, now kadm.ListPartitionReassignmentsResponses) sizesByBroker {
	set := kadm.TopicsSet{}
	now.Each(func(o kadm.ListPartitionReassignmentsResponse) { set.Add(o.Topic, o.Partition) })
	if len(set) == 0 {
		return nil
	}
	dirs, _ := cluster.DescribeAllLogDirs(ctx, set)
	return sizesByBroker(dirs)
}

// remaining is what adding replicas lack of the leader's bytes, or nil if one of them or the leader does not tell. Compaction may
// make a follower's log a little larger or smaller than the leader's.
func (s sizesByBroker) remaining(o kadm.ListPartitionReassignmentsResponse, leader int32) *int64 {
	whole, ok := s.size(leader, o)
	if !ok {
		return nil
	}
	left := int64(0)
	for _, id := range o.AddingReplicas {
		if s[id] == nil {
			return nil
		}
		has, _ := s.size(id, o) // it may have nothing yet
		left += max(0, whole-has)
	}
	return &left
}

func (s sizesByBroker) size(broker int32, o kadm.ListPartitionReassignmentsResponse) (size int64, found bool) {
	s[broker].EachPartition(func(p kadm.DescribedLogDirPartition) {
		if p.Topic == o.Topic && p.Partition == o.Partition && !p.IsFuture {
			size, found = p.Size, true
		}
	})
	return size, found
}
