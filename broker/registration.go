package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// takenRetry is how often a broker id that another session holds is tried again.
const takenRetry = 250 * time.Millisecond

// register puts /brokers/ids/<id> under the current session and tells the replicas the new
// broker epoch. While another session holds the id it waits and says so: after a crash the old
// registration stays until zookeeper.session.timeout.ms has passed.
func (b *Broker) register(ctx context.Context) (int64, error) {
	c := b.config.Broker()
	registration := zkmeta.Broker{ID: b.id, Rack: c.Rack}
	for _, e := range b.advertised {
		registration.Endpoints = append(registration.Endpoints,
			zkmeta.Endpoint{Listener: e.Listener, Protocol: e.Protocol, Host: e.Host, Port: e.Port})
	}
	if err := b.refuseDuplicateEndpoints(ctx, registration); err != nil {
		return 0, err
	}
	for waiting := false; ; waiting = true {
		epoch, err := b.zk.RegisterBroker(ctx, registration)
		if err == nil {
			b.replicas.SetBrokerEpoch(epoch)
			b.log.Info("registered broker", zap.Int32("broker_id", b.id), zap.Int64("broker_epoch", epoch))
			return epoch, nil
		}
		if !errors.Is(err, zkmeta.ErrBrokerIDTaken) {
			return 0, fmt.Errorf("register broker %d in zookeeper: %w", b.id, err)
		}
		if !waiting {
			b.log.Warn("broker id is registered by another session, waiting for it to end; "+
				"if another broker runs with this broker.id, give one of them another",
				zap.Int32("broker_id", b.id), zap.Duration("session_timeout", c.ZooKeeperSession))
		}
		select {
		case <-time.After(takenRetry):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// refuseDuplicateEndpoints fails when another broker id has registered one of our endpoints
// (Kafka: KafkaServer.createBrokerInfo).
func (b *Broker) refuseDuplicateEndpoints(ctx context.Context, own zkmeta.Broker) error {
	others, err := b.zk.Brokers(ctx, nil)
	if err != nil {
		return fmt.Errorf("read the registered brokers: %w", err)
	}
	for _, other := range others {
		if other.ID == own.ID {
			continue
		}
		for _, theirs := range other.Endpoints {
			for _, ours := range own.Endpoints {
				if theirs.Host == ours.Host && theirs.Port == ours.Port {
					return fmt.Errorf("advertised.listeners: %s:%d is registered by broker %d already; "+
						"give this broker another port or address", ours.Host, ours.Port, other.ID)
				}
			}
		}
	}
	return nil
}
