package controller

import (
	"context"
	"maps"
	"slices"

	"go.uber.org/zap"
)

// brokersStarted is what follows from brokers having registered; they are in
// m.brokers already (Kafka: onBrokerStartup).
func (m *machine) brokersStarted(ctx context.Context, started []int32) error {
	m.log.Info("brokers started", zap.Int32s("brokers", started))
	m.forgetFailedDirs(started)
	// Those that were here must know the new ones before they follow them.
	// The new ones must know everything.
	m.sendMetadata(without(m.brokerIDs(), started...))
	m.sendMetadata(started, m.partitionsWhere(func(p *partition) bool { return p.leadership != nil && !p.topic.queued })...)
	replicas := m.replicasOn(started...)
	if err := m.comeOnline(ctx, replicas); err != nil {
		return err
	}
	err := m.resumeReassignments(ctx, func(p *partition) bool {
		return slices.ContainsFunc(p.target(), func(id int32) bool { return slices.Contains(started, id) })
	})
	if err != nil {
		return err
	}
	queued := map[*topic]bool{}
	for _, r := range replicas {
		if r.topic.queued {
			queued[r.topic] = true
		}
	}
	return m.resumeDeletion(ctx, slices.Collect(maps.Keys(queued)))
}

// brokersFailed is what follows from brokers being gone; they are no longer in
// m.brokers (Kafka: onBrokerFailure).
func (m *machine) brokersFailed(ctx context.Context, failed []int32) error {
	m.log.Info("brokers failed", zap.Int32s("brokers", failed))
	m.forgetFailedDirs(failed)
	for _, id := range failed {
		delete(m.shuttingDown, id)
	}
	return m.replicasFailed(ctx, m.replicasOn(failed...))
}

// replicasFailed is what follows from replicas being out of reach, with their
// broker or their log directory (Kafka: onReplicasBecomeOffline).
func (m *machine) replicasFailed(ctx context.Context, failed []replica) error {
	var going, staying []replica
	for _, r := range failed {
		if r.topic.queued {
			going = append(going, r)
		} else {
			staying = append(staying, r)
		}
	}
	headless := m.partitionsWhere(func(p *partition) bool {
		return p.leadership != nil && !p.topic.queued && !m.online(p, p.leadership.Leader)
	})
	if _, err := m.movePartitions(ctx, headless, offlinePartition, electOffline); err != nil {
		return err
	}
	elected, err := m.electWhereNeeded(ctx, "")
	if err != nil {
		return err
	}
	if err := m.moveReplicas(ctx, staying, offlineReplica); err != nil {
		return err
	}
	if err := m.failDeletion(ctx, going); err != nil {
		return err
	}
	if len(staying) == 0 && !elected.anySucceeded() {
		m.sendMetadata(m.brokerIDs()) // nothing else told who is gone
	}
	return nil
}

// askForDirs makes brokers tell which of their replicas lie in failed log
// directories: they answer LeaderAndIsr with KAFKA_STORAGE_ERROR for those.
func (m *machine) askForDirs(ctx context.Context, brokers []int32) error {
	m.log.Info("log directories failed", zap.Int32s("brokers", brokers))
	return m.moveReplicas(ctx, m.replicasOn(brokers...), onlineReplica)
}

// dirsAnswered notes which replicas of a broker lie in failed log directories,
// and acts on those that it did not know of.
func (m *machine) dirsAnswered(ctx context.Context, broker int32, failed, working []*partition) error {
	for _, p := range working {
		if len(p.failed) > 0 {
			p.failed = without(p.failed, broker)
		}
	}
	var fresh []replica
	for _, p := range failed {
		if !slices.Contains(p.failed, broker) {
			p.failed = append(slices.Clone(p.failed), broker)
			fresh = append(fresh, replica{p, broker})
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	m.log.Warn("replicas are offline with their log directory",
		zap.Int32("broker", broker), zap.Int("count", len(fresh)))
	return m.replicasFailed(ctx, fresh)
}

// forgetFailedDirs: a broker that starts anew, or is gone, has no failed
// directories that we know of.
func (m *machine) forgetFailedDirs(brokers []int32) {
	for _, t := range m.topics {
		for _, p := range t.partitions {
			if len(p.failed) > 0 {
				p.failed = without(p.failed, brokers...)
			}
		}
	}
}
