package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// errLeads refuses to make a new replica of the leader.
var errLeads = errors.New("replica is the leader")

// moveReplicas moves replicas to a state (Kafka: ReplicaStateMachine). Those
// that may not go there from where they are are left out, with an error in the log.
//
//	NonExistent                                → New                 LeaderAndIsr(new), if there is a leader
//	New                                        → Online              nothing but the state
//	Online, Offline, DeletionIneligible        → Online              LeaderAndIsr, if there is a leader
//	New, Online, Offline, DeletionIneligible   → Offline             StopReplica; out of the ISR; LeaderAndIsr to the others
//	Offline                                    → DeletionStarted     StopReplica(delete)
//	DeletionStarted                            → DeletionSuccessful  nothing but the state
//	Offline, DeletionStarted                   → DeletionIneligible  nothing but the state
//	DeletionSuccessful                         → NonExistent         leaves the assignment
func (m *machine) moveReplicas(ctx context.Context, replicas []replica, to replicaState) error {
	if len(replicas) == 0 {
		return nil
	}
	b := m.newBatch()
	if err := m.moveReplicasIn(ctx, b, replicas, to); err != nil {
		return err
	}
	m.send(b)
	return nil
}

// moveReplicasIn is moveReplicas that leaves the requests in b.
func (m *machine) moveReplicasIn(ctx context.Context, b *batch, replicas []replica, to replicaState) error {
	byBroker := map[int32][]*partition{}
	for _, r := range replicas {
		from := r.replicaState(r.broker)
		if !to.follows(from) {
			m.log.Error("replica may not change to this state",
				zap.String("topic", r.topic.name), zap.Int32("partition", r.index), zap.Int32("broker", r.broker),
				zap.Stringer("from", from), zap.Stringer("to", to))
			continue
		}
		byBroker[r.broker] = append(byBroker[r.broker], r.partition)
	}
	for _, id := range slices.Sorted(maps.Keys(byBroker)) {
		if to == offlineReplica {
			if err := m.takeOffline(ctx, b, id, byBroker[id]); err != nil {
				return fmt.Errorf("take %d replicas of broker %d offline: %w", len(byBroker[id]), id, err)
			}
			continue
		}
		for _, p := range byBroker[id] {
			m.moveReplica(b, p, id, to)
		}
	}
	return nil
}

func (m *machine) moveReplica(b *batch, p *partition, broker int32, to replicaState) {
	from := p.replicaState(broker)
	switch to {
	case newReplica:
		if p.leadership != nil {
			if p.leadership.Leader == broker {
				m.replicaFailed(p, broker, to, errLeads)
				return
			}
			b.leaderAndISR([]int32{broker}, p, true)
		}
	case onlineReplica:
		switch {
		case from == newReplica && !slices.Contains(p.replicas, broker):
			a := p.assignment
			a.replicas = append(slices.Clone(a.replicas), broker)
			m.setAssignment(p, a)
		case from != newReplica && p.leadership != nil:
			b.leaderAndISR([]int32{broker}, p, false)
		}
	case replicaDeletionStarted:
		b.stopReplica(broker, p, true)
	case nonExistentReplica:
		m.setAssignment(p, p.remove(broker))
	}
	p.setReplicaState(broker, to)
}

// takeOffline moves replicas of one broker to offline.
func (m *machine) takeOffline(ctx context.Context, b *batch, broker int32, partitions []*partition) error {
	var led []*partition
	for _, p := range partitions {
		b.stopReplica(broker, p, false)
		if p.leadership != nil {
			led = append(led, p)
		} else {
			b.metadataToAll(p)
			p.setReplicaState(broker, offlineReplica)
		}
	}
	before := make(map[*partition]*zkmeta.PartitionState, len(led))
	for _, p := range led {
		before[p] = p.leadership
	}
	results, err := m.leaveISR(ctx, broker, led)
	if err != nil {
		return err
	}
	for _, p := range led {
		if err := results[p]; err != nil {
			m.replicaFailed(p, broker, offlineReplica, err)
			continue
		}
		switch {
		case p.topic.queued:
		case p.leadership != before[p]:
			b.leaderAndISR(without(p.replicas, broker), p, false)
		default:
			// Kafka sends LeaderAndIsr here, too, which brokers ignore for its leader epoch.
			b.metadataToAll(p)
		}
		p.setReplicaState(broker, offlineReplica)
	}
	return nil
}

// leaveISR takes a broker out of the in-sync replicas of partitions, and out
// of their lead. The last in-sync replica stays one, so that only it, or an unclean
// election, can bring the partition back. A partition that it is not in sync with is not written.
func (m *machine) leaveISR(ctx context.Context, broker int32, partitions []*partition) (map[*partition]error, error) {
	results := make(map[*partition]error, len(partitions))
	look := m.known
	for remaining := partitions; len(remaining) > 0; look = m.read {
		written, err := look(ctx, remaining, results)
		if err != nil {
			return nil, err
		}
		next := map[zkmeta.TopicPartition]zkmeta.PartitionState{}
		for p, now := range written {
			if !slices.Contains(now.ISR, broker) {
				if now.PartitionEpoch != p.leadership.PartitionEpoch {
					m.setLeadership(p, now) // somebody else wrote it
				}
				continue
			}
			now.ControllerEpoch = m.origin.lease.Epoch
			if now.Leader == broker {
				now.Leader = noLeader
			}
			if len(now.ISR) > 1 {
				now.ISR = without(now.ISR, broker)
			}
			now.LeaderEpoch++
			next[p.key()] = now
		}
		outcomes, err := m.write(ctx, next)
		if err != nil {
			return nil, err
		}
		var retry []*partition
		for _, p := range remaining {
			o, ok := outcomes[p.key()]
			switch {
			case errors.Is(o.Err, zkmeta.ErrBadVersion):
				retry = append(retry, p)
			case errors.Is(o.Err, zkmeta.ErrNoNode) || errors.Is(results[p], errNotWritten):
				if results[p] = errNotWritten; p.topic.queued {
					results[p] = nil // it is going anyway
				}
			case !ok:
			case o.Err != nil:
				results[p] = o.Err
			default:
				m.setLeadership(p, o.State)
			}
		}
		remaining = retry
	}
	return results, nil
}

func (m *machine) replicaFailed(p *partition, broker int32, to replicaState, err error) {
	m.log.Error("replica did not change its state",
		zap.String("topic", p.topic.name), zap.Int32("partition", p.index), zap.Int32("broker", broker),
		zap.Stringer("from", p.replicaState(broker)), zap.Stringer("to", to), zap.Error(err))
}
