package story

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// groupState is a group as its coordinator describes it: members are the partitions of each.
type groupState struct {
	state   string
	members [][]int32
}

// describe asks the coordinator about the group.
func (c *conductor) describe(ctx context.Context) (groupState, error) {
	if c.client.Consumer {
		return c.describeConsumer(ctx)
	}
	all, err := c.admin.DescribeGroups(ctx, c.group)
	g := all[c.group]
	if err = errors.Join(err, g.Err); err != nil {
		return groupState{}, err
	}
	s := groupState{state: g.State}
	for _, m := range g.Members {
		var owned []int32
		if a, ok := m.Assigned.AsConsumer(); ok {
			for _, topic := range a.Topics {
				owned = append(owned, topic.Partitions...)
			}
		}
		s.members = append(s.members, owned)
	}
	return s, nil
}

func (c *conductor) describeConsumer(ctx context.Context) (groupState, error) {
	all, err := c.admin.DescribeConsumerGroups(ctx, c.group)
	g := all[c.group]
	if err = errors.Join(err, g.Err); err != nil {
		return groupState{}, err
	}
	s := groupState{state: g.State}
	for _, m := range g.Members {
		var owned []int32
		for _, byTopic := range m.Assignment {
			for p := range byTopic {
				owned = append(owned, p)
			}
		}
		s.members = append(s.members, owned)
	}
	return s, nil
}

// produce produces a record from time to time, to the partitions in turn, until ending is done, and returns when all are
// acknowledged.
func (c *conductor) produce(ctx, ending context.Context) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for i := 0; ; i++ {
		r := &kgo.Record{Topic: c.topic, Partition: int32(i % partitions), Value: fmt.Appendf(nil, "v%d", i)}
		c.kafka.Produce(ctx, r, func(r *kgo.Record, err error) { c.ledger.sent(r, err) })
		select {
		case <-tick.C:
		case <-ending.Done():
			if err := c.kafka.Flush(ctx); err != nil {
				c.ledger.wrong("produce: %v", err)
			}
			return
		}
	}
}

// watch looks at the committed offsets again and again, and tells when one moves back.
func (c *conductor) watch(ctx context.Context, t *testing.T) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	looked := 0
	for {
		select {
		case <-ctx.Done():
			t.Logf("looked %d times at the committed offsets", looked)
			return
		case <-tick.C:
		}
		offsets, err := c.admin.FetchOffsetsForTopics(ctx, c.group, c.topic)
		if err != nil || offsets.Error() != nil {
			continue // the broker restarts, or the group is still unknown
		}
		looked++
		for p := range int32(partitions) {
			if o, ok := offsets.Lookup(c.topic, p); ok {
				c.ledger.committed(p, o.At)
			}
		}
	}
}
