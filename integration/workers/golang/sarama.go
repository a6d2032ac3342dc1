package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/IBM/sarama"
)

// saramaHandler is what Sarama calls for each generation.
type saramaHandler struct {
	teller
	topic string
	// cooperative: Setup and Cleanup are called once, and claims come and go between.
	cooperative bool
}

func (h *saramaHandler) Setup(s sarama.ConsumerGroupSession) error {
	if h.cooperative {
		return nil
	}
	h.own(s.GenerationID(), s.Claims()[h.topic])
	return nil
}

func (h *saramaHandler) Cleanup(s sarama.ConsumerGroupSession) error {
	h.own(s.GenerationID(), nil)
	return nil
}

func (h *saramaHandler) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	if h.cooperative {
		owned := []int32{claim.Partition()}
		h.change(s.GenerationID(), owned, nil)
		defer func() { h.change(s.GenerationID(), nil, owned) }()
	}
	for {
		select {
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			h.record(m.Partition, m.Offset, m.Value)
			s.MarkMessage(m, "")
		case <-s.Context().Done():
			return nil
		}
	}
}

func saramaEager(ctx context.Context, s seat) error {
	return saramaWorker(ctx, s, sarama.NewBalanceStrategyRange())
}

func saramaCooperative(ctx context.Context, s seat) error {
	return saramaWorker(ctx, s, sarama.NewBalanceStrategyCooperativeSticky())
}

func saramaWorker(ctx context.Context, s seat, strategy sarama.BalanceStrategy) error {
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.ClientID = s.name
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Interval = heartbeatInterval / 3
	config.Consumer.Group.Session.Timeout = sessionTimeout
	config.Consumer.Group.Heartbeat.Interval = heartbeatInterval
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	config.Consumer.MaxWaitTime = heartbeatInterval
	config.Consumer.Return.Errors = true
	group, err := sarama.NewConsumerGroup([]string{s.address}, s.group, config)
	if err != nil {
		return fmt.Errorf("new group: %w", err)
	}
	go func() {
		for err := range group.Errors() { // until it is closed
			fmt.Fprintln(os.Stderr, "sarama:", err)
		}
	}()
	h := &saramaHandler{topic: s.topic, cooperative: strategy.Name() == sarama.CooperativeStickyBalanceStrategyName}
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{s.topic}, h); err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "consume:", err)
			select { // the broker is away
			case <-ctx.Done():
			case <-time.After(heartbeatInterval):
			}
		}
	}
	return group.Close() // leaves
}
