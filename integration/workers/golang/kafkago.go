package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/segmentio/kafka-go"
)

// kafkaGoWorker takes part with kafka-go's ConsumerGroup, on which its Reader is built and which tells of generations.
func kafkaGoWorker(ctx context.Context, s seat) error {
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: s.group, Brokers: []string{s.address}, Topics: []string{s.topic},
		SessionTimeout: sessionTimeout, HeartbeatInterval: heartbeatInterval, JoinGroupBackoff: heartbeatInterval,
		StartOffset: kafka.FirstOffset, RebalanceTimeout: 10 * time.Second,
	})
	if err != nil {
		return fmt.Errorf("new group: %w", err)
	}
	var t teller
	for {
		g, err := group.Next(ctx)
		if ctx.Err() != nil {
			return group.Close() // leaves
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "next:", err)
			continue
		}
		var owned []int32
		for _, a := range g.Assignments[s.topic] {
			owned = append(owned, int32(a.ID))
		}
		t.own(g.ID, owned)
		for _, a := range g.Assignments[s.topic] {
			g.Start(func(ctx context.Context) {
				if err := kafkaGoRead(ctx, &t, g, s, a); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, kafka.ErrGenerationEnded) {
					fmt.Fprintf(os.Stderr, "partition %d: %v\n", a.ID, err)
				}
			})
		}
	}
}

// kafkaGoRead reads one partition until the generation ends.
func kafkaGoRead(ctx context.Context, t *teller, g *kafka.Generation, s seat, a kafka.PartitionAssignment) error {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{s.address}, Topic: s.topic, Partition: a.ID, MaxWait: heartbeatInterval})
	defer r.Close()
	if err := r.SetOffset(a.Offset); err != nil {
		return fmt.Errorf("set the offset: %w", err)
	}
	for {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		t.record(int32(m.Partition), m.Offset, m.Value)
		if err := g.CommitOffsets(map[string]map[int]int64{s.topic: {m.Partition: m.Offset + 1}}); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		t.committed(int32(m.Partition), m.Offset+1)
	}
}
