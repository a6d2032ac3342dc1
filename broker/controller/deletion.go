package controller

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// Deleting a topic (Kafka: TopicDeletionManager.scala) needs all brokers that
// hold replicas of it, and time. A topic is queued; as soon as nothing is in the way its deletion starts:
// brokers forget it, its replicas stop (offline), then delete their logs (deletion
// started); when all have, the znodes go. A replica that fails, or whose broker is gone, is ineligible and
// makes the topic so; a broker's start, or the answers of the other replicas, let it be tried again.

// removers is how many topics are removed from the ledger at the same time.
const removers = 8

// queueDeletion marks topics for deletion and goes on with all that are. A reassignment under way does not hold it up, as it
// does not in Kafka 3.9, where the check for one comes before the topic is queued and thus does nothing.
func (m *machine) queueDeletion(ctx context.Context, topics []*topic) error {
	for _, t := range topics {
		if !t.queued {
			m.changeTopic(t, func() { t.queued = true })
			m.log.Info("topic is to be deleted", zap.String("topic", t.name))
		}
	}
	return m.goOnDeleting(ctx)
}

// resumeDeletion lets topics be tried again.
func (m *machine) resumeDeletion(ctx context.Context, topics []*topic) error {
	if len(topics) == 0 {
		return nil
	}
	for _, t := range topics {
		t.ineligible = false
	}
	return m.goOnDeleting(ctx)
}

// failDeletion notes that replicas could not be deleted.
func (m *machine) failDeletion(ctx context.Context, replicas []replica) error {
	replicas = slices.DeleteFunc(slices.Clone(replicas), func(r replica) bool { return !r.topic.queued })
	if len(replicas) == 0 {
		return nil
	}
	if err := m.moveReplicas(ctx, replicas, replicaDeletionIneligible); err != nil {
		return err
	}
	for _, r := range replicas {
		m.haltDeletion(r.topic, "a replica was not deleted")
	}
	return m.goOnDeleting(ctx)
}

// completeDeletion notes that replicas were deleted.
func (m *machine) completeDeletion(ctx context.Context, replicas []replica) error {
	replicas = slices.DeleteFunc(slices.Clone(replicas), func(r replica) bool { return !r.topic.queued })
	if err := m.moveReplicas(ctx, replicas, replicaDeletionSuccessful); err != nil {
		return err
	}
	return m.goOnDeleting(ctx)
}

func (m *machine) haltDeletion(t *topic, reason string) {
	if t.queued && !t.ineligible {
		t.ineligible = true
		m.log.Info("deletion of topic is halted", zap.String("topic", t.name), zap.String("reason", reason))
	}
}

// goOnDeleting does the next step for every queued topic.
func (m *machine) goOnDeleting(ctx context.Context) error {
	if !m.deletion {
		return nil
	}
	var done, start []*topic
	var retry []replica
	for _, t := range m.sortedTopics() {
		if !t.queued {
			continue
		}
		deleted, deleting, ineligible := progress(t)
		switch {
		case deleted:
			done = append(done, t)
			continue
		case !deleting:
			// Back to offline, from where deletion can start again.
			retry = append(retry, ineligible...)
		}
		if !deleting && !t.ineligible {
			start = append(start, t)
		}
	}
	if err := m.removeTopics(ctx, done); err != nil {
		return err
	}
	if err := m.moveReplicas(ctx, retry, offlineReplica); err != nil {
		return err
	}
	return m.startDeletion(ctx, start)
}

// progress sums up the states of a topic's replicas.
func progress(t *topic) (deleted, deleting bool, ineligible []replica) {
	deleted = true
	for _, r := range replicasOf(t.partitions) {
		state := r.replicaState(r.broker)
		deleted = deleted && state == replicaDeletionSuccessful
		deleting = deleting || state == replicaDeletionStarted
		if state == replicaDeletionIneligible {
			ineligible = append(ineligible, r)
		}
	}
	return deleted, deleting, ineligible
}

// startDeletion starts, or starts again, the deletion of topics.
func (m *machine) startDeletion(ctx context.Context, topics []*topic) error {
	if len(topics) == 0 {
		return nil
	}
	var all []*partition
	for _, t := range topics {
		m.log.Info("deletion of topic starts", zap.String("topic", t.name))
		all = append(all, t.partitions...)
		if t.started {
			continue
		}
		for _, to := range []partitionState{offlinePartition, nonExistentPartition} {
			if _, err := m.movePartitions(ctx, t.partitions, to, electOffline); err != nil {
				return err
			}
		}
		m.changeTopic(t, func() { t.started = true })
	}
	m.sendMetadata(m.brokerIDs(), all...) // brokers stop serving it
	return m.deleteReplicas(ctx, all)
}

// deleteReplicas makes every reachable replica that is left delete its log.
func (m *machine) deleteReplicas(ctx context.Context, partitions []*partition) error {
	var reachable, dead []replica
	for _, r := range replicasOf(partitions) {
		switch {
		case !m.online(r.partition, r.broker):
			dead = append(dead, r)
		case r.replicaState(r.broker) != replicaDeletionSuccessful:
			reachable = append(reachable, r)
		}
	}
	if err := m.moveReplicas(ctx, dead, replicaDeletionIneligible); err != nil {
		return err
	}
	if err := m.moveReplicas(ctx, reachable, offlineReplica); err != nil {
		return err
	}
	if err := m.moveReplicas(ctx, reachable, replicaDeletionStarted); err != nil {
		return err
	}
	for _, r := range dead {
		m.haltDeletion(r.topic, "a replica is offline")
	}
	return nil
}

// removeTopics takes away what is written of topics whose replicas are gone,
// several at a time.
func (m *machine) removeTopics(ctx context.Context, topics []*topic) error {
	errs := make([]error, len(topics))
	var wait sync.WaitGroup
	slots := make(chan struct{}, removers)
	for i, t := range topics {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			errs[i] = m.ledger.RemoveTopic(ctx, m.origin.lease, t.name)
		})
	}
	wait.Wait()
	for i, t := range topics {
		if errs[i] != nil {
			return fmt.Errorf("remove topic %s: %w", t.name, errs[i])
		}
		if err := m.moveReplicas(ctx, replicasOf(t.partitions), nonExistentReplica); err != nil {
			return err
		}
		m.removeTopic(t)
		m.log.Info("topic is deleted", zap.String("topic", t.name))
	}
	return nil
}

// ineligibleAtStart tells for which topics deletion must wait when a term
// begins: those with a replica offline or being reassigned. One that lost its leader to a deletion that was under way will never
// reach its target (for Kafka, too, which waits nevertheless).
func (m *machine) ineligibleAtStart(t *topic) bool {
	return slices.ContainsFunc(t.partitions, func(p *partition) bool {
		return p.moving() || slices.ContainsFunc(p.replicas, func(id int32) bool { return !m.online(p, id) })
	})
}

var _ ledger = (*zkmeta.Client)(nil)
