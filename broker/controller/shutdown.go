package controller

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// unknownBrokerEpoch is what brokers send that do not know their epoch (KIP-380).
const unknownBrokerEpoch = -1

// ControlledShutdown takes a broker out of service before it stops: others lead what it leads, and it is no longer in
// sync with what it follows. It returns the partitions that the broker leads still, because nobody else can; a broker
// may ask again. ErrNotController, ErrStaleBrokerEpoch when it is asked for an earlier registration of the
// broker, ErrBrokerNotAvailable when there is none.
func (c *Controller) ControlledShutdown(ctx context.Context, brokerID int32, brokerEpoch int64) ([]zkmeta.TopicPartition, error) {
	type result struct {
		remaining []zkmeta.TopicPartition
		err       error
	}
	if !c.Active() {
		return nil, ErrNotController
	}
	r, err := call(ctx, c, "controlled_shutdown", func(ctx context.Context) (result, error) {
		if c.term == nil {
			return result{err: ErrNotController}, nil
		}
		switch b, ok := c.term.brokers[brokerID]; {
		case !ok:
			return result{err: ErrBrokerNotAvailable}, nil
		case brokerEpoch != unknownBrokerEpoch && brokerEpoch < b.Epoch:
			// A later one is this broker: it registered again, and we have not heard of it yet.
			return result{err: ErrStaleBrokerEpoch}, nil
		}
		remaining, err := c.term.shutDown(ctx, brokerID)
		if err != nil {
			return result{err: forCaller(err)}, err
		}
		return result{remaining: remaining}, nil
	})
	if err != nil {
		return nil, err
	}
	return r.remaining, r.err
}

// shutDown moves everything away from a broker (Kafka: KafkaController.doControlledShutdown).
func (m *machine) shutDown(ctx context.Context, broker int32) ([]zkmeta.TopicPartition, error) {
	m.shuttingDown[broker] = true
	var leads []*partition
	var follows []replica
	for _, r := range m.replicasOn(broker) {
		switch {
		case len(r.replicas) < 2 || r.leadership == nil || r.topic.queued:
		case r.leadership.Leader == broker:
			leads = append(leads, r.partition)
		default:
			follows = append(follows, r)
		}
	}
	m.log.Info("broker shuts down", zap.Int32("broker", broker), zap.Int("leads", len(leads)), zap.Int("follows", len(follows)))
	if _, err := m.movePartitions(ctx, leads, onlinePartition, electControlledShutdown); err != nil {
		return nil, fmt.Errorf("move leaders away from broker %d: %w", broker, err)
	}
	// It stops fetching first, so that its leaders do not take it back.
	b := m.newBatch()
	for _, r := range follows {
		b.stopReplica(broker, r.partition, false)
	}
	m.send(b)
	if err := m.moveReplicas(ctx, follows, offlineReplica); err != nil {
		return nil, fmt.Errorf("take followers of broker %d out of sync: %w", broker, err)
	}
	var remaining []zkmeta.TopicPartition
	for _, p := range leads {
		if p.leadership.Leader == broker {
			remaining = append(remaining, p.key())
		}
	}
	return remaining, nil
}
