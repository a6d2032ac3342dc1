package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func franzCooperative(ctx context.Context, s seat) error {
	return franz(ctx, s, kgo.Balancers(kgo.CooperativeStickyBalancer()))
}

func franzEager(ctx context.Context, s seat) error {
	return franz(ctx, s, kgo.Balancers(kgo.RangeBalancer(), kgo.RoundRobinBalancer()))
}

func franzConsumer(ctx context.Context, s seat) error {
	return franz(ctx, s, kgo.Balancers(kgo.RangeBalancer()), kgo.ServerSideBalancer())
}

func franz(ctx context.Context, s seat, options ...kgo.Opt) error {
	var t teller
	generation := func(c *kgo.Client) int32 {
		_, g := c.GroupMetadata()
		return g
	}
	gone := func(_ context.Context, c *kgo.Client, partitions map[string][]int32) {
		t.change(generation(c), nil, partitions[s.topic])
	}
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(s.address, ",")...), kgo.MetadataMinAge(250 * time.Millisecond), kgo.ConsumerGroup(s.group), kgo.ConsumeTopics(s.topic), kgo.ClientID(s.name),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(sessionTimeout), kgo.HeartbeatInterval(heartbeatInterval),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(heartbeatInterval),
		// By its default the library asks a coordinator that is gone for committed offsets for 30 s before it looks for the next.
		kgo.RetryTimeout(sessionTimeout),
		kgo.OnPartitionsAssigned(func(_ context.Context, c *kgo.Client, partitions map[string][]int32) {
			t.change(generation(c), partitions[s.topic], nil)
		}),
		kgo.OnPartitionsRevoked(gone), kgo.OnPartitionsLost(gone),
	}, options...)...)
	if err != nil {
		return fmt.Errorf("new client: %w", err)
	}
	defer c.CloseAllowingRebalance() // leaves
	for {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		fetches.EachError(func(topic string, partition int32, err error) {
			fmt.Fprintf(os.Stderr, "fetch %s-%d: %v\n", topic, partition, err)
		})
		records := fetches.Records()
		for _, r := range records {
			t.record(r.Partition, r.Offset, r.Value)
		}
		if len(records) > 0 {
			// A commit that fails is made good by a later one, or by who reads the records again.
			if err := c.CommitRecords(ctx, records...); err != nil {
				fmt.Fprintln(os.Stderr, "commit:", err)
			} else {
				for _, r := range records {
					t.committed(r.Partition, r.Offset+1)
				}
			}
		}
		c.AllowRebalance()
	}
}
