package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// Reassigning a partition (KIP-455; Kafka: KafkaController.onPartitionReassignment) moves it from its origin to a
// target, which are sets of brokers that may overlap. Meanwhile it has the replicas of both, the target's first; adding
// are those of the target alone, removing those of the origin alone. All of this is written in the topic's
// znode, so that another controller can go on.
//
//	 U  the znode, then the picture; replicas that another reassignment was adding and this one does not want are
//	    stopped and deleted
//	 A  as long as the target is not in sync: the leader epoch grows, and the leader learns of the new replicas,
//	    which start to follow. Nothing more happens until the leader has taken them into the in-sync replicas
//	 B  when it is: the target becomes the assignment, in the picture. A leader that is not part of it hands over; the
//	    epoch grows in any case, and the leader will not take the others in again. Those leave the in-sync replicas, are
//	    stopped and deleted. The znode comes last: until then the origin is known, and B can be done again.
//
// Cancelling is reassigning to the origin, which is in sync as a rule, so that B follows at once.

// errTopicGone means that somebody took the topic's znode away.
var errTopicGone = errors.New("topic has no znode")

// concernsOne tells errors about a single partition, which stays as it is, from those that end the term.
func concernsOne(err error) bool {
	return errors.Is(err, errNotWritten) || errors.Is(err, errNewerWritten) || errors.Is(err, errTopicGone)
}

// origin is where a reassignment comes from; without one, the replicas.
func (a assignment) origin() []int32 { return without(a.replicas, a.adding...) }

// to is a with another target. What a running reassignment was adding is forgotten: the origin stays the one
// that it started from.
func (a assignment) to(target []int32) assignment {
	origin := a.origin()
	var both []int32
	for _, id := range slices.Concat(target, origin) {
		if !slices.Contains(both, id) {
			both = append(both, id)
		}
	}
	return assignment{both, without(both, origin...), without(both, target...)}
}

// led reports whether a partition has a leader, which may be dead.
func (p *partition) led() bool { return p.leadership != nil && p.leadership.Leader >= 0 }

// moving reports whether a partition is under a reassignment that goes on: a deletion that took its leader has made it
// pointless.
func (p *partition) moving() bool { return p.reassigning() && (p.led() || !p.topic.queued) }

func (a assignment) equal(b assignment) bool {
	return slices.Equal(a.replicas, b.replicas) && slices.Equal(a.adding, b.adding) && slices.Equal(a.removing, b.removing)
}

// reassign starts a reassignment, goes on with the one that next was read from, or ends it if its target is in
// sync.
func (m *machine) reassign(ctx context.Context, p *partition, next assignment) error {
	if !p.equal(next) {
		if err := m.changeTarget(ctx, p, next); err != nil {
			return fmt.Errorf("change the target: %w", err)
		}
	}
	reached, err := m.reached(ctx, []*partition{p})
	if err != nil {
		return err
	}
	if len(reached) == 0 {
		return m.addReplicas(ctx, p)
	}
	return m.completeReassignment(ctx, p)
}

// changeTarget is U.
func (m *machine) changeTarget(ctx context.Context, p *partition, next assignment) error {
	before := p.replicas
	if err := m.writeAssignment(ctx, p, next); err != nil {
		return err
	}
	m.setAssignment(p, next)
	m.log.Info("partition is reassigned", zap.String("topic", p.topic.name), zap.Int32("partition", p.index),
		zap.Int32s("replicas", p.replicas), zap.Int32s("adding", p.adding), zap.Int32s("removing", p.removing))
	return m.removeReplicas(ctx, p, without(before, next.replicas...))
}

// reached lists the partitions of which all replicas of the target are in sync, as written now, and takes over what somebody
// else wrote. The other partitions under reassignment are watched.
func (m *machine) reached(ctx context.Context, partitions []*partition) ([]*partition, error) {
	var keys []zkmeta.TopicPartition
	for _, p := range partitions {
		if p.reassigning() {
			keys = append(keys, p.key())
		}
	}
	var states map[zkmeta.TopicPartition]zkmeta.PartitionState
	if len(keys) > 0 {
		var err error
		if states, err = m.ledger.PartitionStates(ctx, keys, m.watchState); err != nil {
			return nil, fmt.Errorf("read in-sync replicas: %w", err)
		}
	}
	return slices.DeleteFunc(slices.Clone(partitions), func(p *partition) bool {
		state, written := states[p.key()]
		if written && p.leadership != nil && p.leadership.PartitionEpoch != state.PartitionEpoch {
			m.setLeadership(p, state)
		}
		return p.reassigning() && (!written || len(without(p.target(), state.ISR...)) > 0)
	}), nil
}

// addReplicas is A.
func (m *machine) addReplicas(ctx context.Context, p *partition) error {
	if err := m.bumpEpoch(ctx, p); err != nil {
		return err
	}
	// After a fail-over they are online, or offline, already.
	var fresh []replica
	for _, id := range p.adding {
		if p.replicaState(id) == nonExistentReplica {
			fresh = append(fresh, replica{p, id})
		}
	}
	for _, r := range fresh {
		if err := m.moveReplicas(ctx, []replica{r}, newReplica); err != nil {
			return err
		}
	}
	return nil
}

// bumpEpoch raises the leader epoch and tells all replicas, so that the leader takes over the assignment. For
// those that are being added the partition is new: they may put it into any log directory.
func (m *machine) bumpEpoch(ctx context.Context, p *partition) error {
	for {
		results := map[*partition]error{}
		written, err := m.read(ctx, []*partition{p}, results)
		if err != nil {
			return fmt.Errorf("read the leader epoch: %w", err)
		}
		next, ok := written[p]
		if !ok {
			return fmt.Errorf("raise the leader epoch: %w", results[p])
		}
		next.LeaderEpoch++
		next.ControllerEpoch = m.origin.lease.Epoch
		outcomes, err := m.write(ctx, map[zkmeta.TopicPartition]zkmeta.PartitionState{p.key(): next})
		if err != nil {
			return fmt.Errorf("raise the leader epoch: %w", err)
		}
		switch o := outcomes[p.key()]; {
		case errors.Is(o.Err, zkmeta.ErrBadVersion): // the leader changed its ISR meanwhile
		case o.Err != nil:
			return fmt.Errorf("raise the leader epoch: %w", errNotWritten)
		default:
			m.setLeadership(p, o.State)
			b := m.newBatch()
			b.leaderAndISR(p.assignment.origin(), p, false)
			b.leaderAndISR(p.adding, p, true)
			m.send(b)
			return nil
		}
	}
}

// completeReassignment is B.
func (m *machine) completeReassignment(ctx context.Context, p *partition) error {
	moving := p.assignment
	if err := m.moveReplicas(ctx, replicasAt(p, moving.adding), onlineReplica); err != nil {
		return err
	}
	m.setAssignment(p, assignment{replicas: moving.target()})
	if err := m.moveLeader(ctx, p); err != nil {
		m.setAssignment(p, moving) // to be tried again
		return fmt.Errorf("lead by the target: %w", err)
	}
	if err := m.removeReplicas(ctx, p, moving.removing); err != nil {
		return err
	}
	if err := m.writeAssignment(ctx, p, p.assignment); err != nil {
		m.setAssignment(p, moving)
		return fmt.Errorf("end the reassignment: %w", err)
	}
	m.log.Info("partition has reached its target", zap.String("topic", p.topic.name),
		zap.Int32("partition", p.index), zap.Int32s("replicas", p.replicas))
	err := m.dropLegacy(ctx, func(tp zkmeta.TopicPartition, replicas []int32) bool {
		return tp == p.key() && slices.Equal(replicas, p.replicas)
	})
	if err != nil {
		return err
	}
	m.sendMetadata(m.brokerIDs(), p)
	if !p.topic.queued {
		return nil
	}
	return m.resumeDeletion(ctx, []*topic{p.topic})
}

// moveLeader makes a live member of the new assignment the leader, or has the one that is stay under a new epoch.
func (m *machine) moveLeader(ctx context.Context, p *partition) error {
	switch {
	case p.leadership == nil:
		return errNotWritten
	case slices.Contains(p.replicas, p.leadership.Leader) && m.online(p, p.leadership.Leader):
		return m.bumpEpoch(ctx, p)
	default:
		_, err := m.movePartitions(ctx, []*partition{p}, onlinePartition, electReassign)
		return err
	}
}

// removeReplicas stops replicas and has them deleted. Nobody waits for it: a broker that is away deletes what it should not
// have when it is back.
func (m *machine) removeReplicas(ctx context.Context, p *partition, brokers []int32) error {
	gone := replicasAt(p, brokers)
	for _, to := range []replicaState{offlineReplica, replicaDeletionStarted, replicaDeletionSuccessful, nonExistentReplica} {
		if err := m.moveReplicas(ctx, gone, to); err != nil {
			return err
		}
	}
	return nil
}

func replicasAt(p *partition, brokers []int32) []replica {
	var at []replica
	for _, id := range brokers {
		at = append(at, replica{p, id})
	}
	return at
}

// writeAssignment writes a topic's znode with one partition changed.
func (m *machine) writeAssignment(ctx context.Context, p *partition, a assignment) error {
	z := p.topic.written()
	z.Partitions[p.index], z.Adding[p.index], z.Removing[p.index] = a.replicas, a.adding, a.removing
	err := m.ledger.SetAssignment(ctx, m.origin.lease, z)
	if errors.Is(err, zkmeta.ErrNoNode) {
		return errTopicGone
	}
	return err
}

// reassignmentsChanged ends the reassignments among partitions whose in-sync replicas changed, if their targets are now in
// sync. Partitions that are not being reassigned cost nothing.
func (m *machine) reassignmentsChanged(ctx context.Context, partitions []*partition) error {
	moving := slices.DeleteFunc(slices.Clone(partitions), func(p *partition) bool { return !p.moving() })
	if len(moving) == 0 {
		return nil
	}
	reached, err := m.reached(ctx, moving)
	if err != nil {
		return err
	}
	for _, p := range reached {
		if err := m.one(p, m.reassign(ctx, p, p.assignment)); err != nil {
			return err
		}
	}
	return nil
}

// resumeReassignments goes on with the reassignments that are, or some of them.
func (m *machine) resumeReassignments(ctx context.Context, which func(p *partition) bool) error {
	for _, p := range m.partitionsWhere(func(p *partition) bool { return p.moving() && which(p) }) {
		if err := m.one(p, m.reassign(ctx, p, p.assignment)); err != nil {
			return err
		}
	}
	return nil
}

// one logs an error that concerns one partition, which stays under reassignment, and returns one that does not.
func (m *machine) one(p *partition, err error) error {
	if !concernsOne(err) {
		return err
	}
	m.log.Error("reassignment of a partition does not go on", zap.String("topic", p.topic.name),
		zap.Int32("partition", p.index), zap.Error(err))
	return nil
}
