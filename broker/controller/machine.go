package controller

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// ledger is where assignments and partition states are written down: zkmeta.Client in a
// broker, a map in the scripts that test the machine. See zkmeta.Client for
// what the methods promise.
type ledger interface {
	PartitionStates(ctx context.Context, tps []zkmeta.TopicPartition, n func(zkmeta.TopicPartition) zkmeta.Notify) (map[zkmeta.TopicPartition]zkmeta.PartitionState, error)
	CreatePartitionStates(ctx context.Context, l zkmeta.Lease, states map[zkmeta.TopicPartition]zkmeta.PartitionState) (map[zkmeta.TopicPartition]zkmeta.Outcome, error)
	UpdatePartitionStates(ctx context.Context, l zkmeta.Lease, states map[zkmeta.TopicPartition]zkmeta.PartitionState) (map[zkmeta.TopicPartition]zkmeta.Outcome, error)
	RemoveTopic(ctx context.Context, l zkmeta.Lease, topic string) error
	SetAssignment(ctx context.Context, l zkmeta.Lease, a zkmeta.TopicAssignment) error
	LegacyReassignment(ctx context.Context, n zkmeta.Notify) (replicas map[zkmeta.TopicPartition][]int32, created int64, err error)
	SetLegacyReassignment(ctx context.Context, l zkmeta.Lease, replicas map[zkmeta.TopicPartition][]int32) error
	RemovePreferredElection(ctx context.Context, l zkmeta.Lease) error
}

// machine moves partitions and replicas between states. A move changes the
// picture, the ledger and then the brokers, in this order: a broker is told only
// what is written. An error of a move means that the ledger could not be
// written or belongs to somebody else; the picture is then of no more use and the term ends.
// What goes wrong with single partitions is logged, and they stay where they were.
// Owned by Controller.Run.
type machine struct {
	*cluster
	origin  origin
	ledger  ledger
	deliver func([]outgoing) // hands requests to the senders; never waits
	// unclean tells which topics allow a leader that is not in sync.
	unclean func(ctx context.Context, topics []string) map[string]bool
	// watchState watches the states of partitions under reassignment; nil in scripts.
	watchState func(tp zkmeta.TopicPartition) zkmeta.Notify
	// deletion is delete.topic.enable.
	deletion bool
	log      *zap.Logger
}

// send delivers what a batch collected.
func (m *machine) send(b *batch) { m.deliver(b.requests(m.origin)) }

// sendMetadata sends UpdateMetadata outside of a move.
func (m *machine) sendMetadata(brokers []int32, about ...*partition) {
	b := m.newBatch()
	b.metadata(brokers, about...)
	m.send(b)
}

// start brings every partition and replica into the state that follows from
// what is written and who is alive, and acts upon it (Kafka: the startup of both machines). Unlike Kafka, which takes
// the replicas that are gone out of the in-sync ones before, it elects leaders first and tells them at once: those whom nobody leads
// wait for nothing else. All others are then told once, of what is written when the replicas that are gone are out.
func (m *machine) start(ctx context.Context) error {
	var online, offline []replica
	for _, t := range m.sortedTopics() {
		for _, p := range t.partitions {
			m.setState(p, m.stateOf(p))
			for _, id := range p.replicas {
				if m.online(p, id) {
					p.setReplicaState(id, onlineReplica)
					online = append(online, replica{p, id})
				} else {
					// Should its topic be on the way out, its deletion must wait.
					p.setReplicaState(id, replicaDeletionIneligible)
					offline = append(offline, replica{p, id})
				}
			}
		}
	}
	leaderless := m.leaderless("")
	if _, err := m.movePartitions(ctx, leaderless, onlinePartition, electOffline); err != nil {
		return err
	}
	told := make(map[*partition]bool, len(leaderless))
	for _, p := range leaderless {
		told[p] = p.state == onlinePartition
	}
	b := m.newBatch()
	others := slices.DeleteFunc(online, func(r replica) bool { return told[r.partition] })
	if err := m.moveReplicasIn(ctx, b, others, onlineReplica); err != nil {
		return err
	}
	if err := m.moveReplicasIn(ctx, b, offline, offlineReplica); err != nil {
		return err
	}
	m.send(b)
	return nil
}

func (m *machine) stateOf(p *partition) partitionState {
	switch {
	case p.leadership == nil:
		return newPartition
	case m.online(p, p.leadership.Leader):
		return onlinePartition
	default:
		return offlinePartition
	}
}

// comeOnline elects leaders where there are none, and tells replicas that came online whom to lead and to follow.
func (m *machine) comeOnline(ctx context.Context, replicas []replica) error {
	b := m.newBatch()
	if _, err := m.movePartitionsIn(ctx, b, m.leaderless(""), onlinePartition, electOffline); err != nil {
		return err
	}
	if err := m.moveReplicasIn(ctx, b, replicas, onlineReplica); err != nil {
		return err
	}
	m.send(b)
	return nil
}

// electWhereNeeded tries to bring partitions online that are new or offline,
// of one topic or (with "") of all that are not being deleted.
func (m *machine) electWhereNeeded(ctx context.Context, name string) (elections, error) {
	return m.movePartitions(ctx, m.leaderless(name), onlinePartition, electOffline)
}

func (m *machine) leaderless(name string) []*partition {
	return m.partitionsWhere(func(p *partition) bool {
		return (p.state == newPartition || p.state == offlinePartition) && !p.topic.queued &&
			(name == "" || name == p.topic.name)
	})
}

// createPartitions brings new partitions to life.
func (m *machine) createPartitions(ctx context.Context, partitions []*partition) error {
	if _, err := m.movePartitions(ctx, partitions, newPartition, electOffline); err != nil {
		return err
	}
	if err := m.moveReplicas(ctx, replicasOf(partitions), newReplica); err != nil {
		return err
	}
	if _, err := m.movePartitions(ctx, partitions, onlinePartition, electOffline); err != nil {
		return err
	}
	return m.moveReplicas(ctx, replicasOf(partitions), onlineReplica)
}
