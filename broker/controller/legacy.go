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

// Two znodes by which tools asked the controller before there were APIs for it. Only their creation means something;
// the controller deletes them when it has done what they say.

// legacyReassignment takes up what /admin/reassign_partitions asks for (Kafka: processZkPartitionReassignment), once: the
// controller itself rewrites the znode as partitions reach their targets.
func (t *term) legacyReassignment(ctx context.Context) error {
	_, err := t.takeLegacyReassignment(ctx)
	return err
}

func (t *term) takeLegacyReassignment(ctx context.Context) (started map[*partition]bool, err error) {
	moves, created, err := t.c.zk.LegacyReassignment(ctx, t.watch("legacy_reassignment", (*term).legacyReassignment))
	if err != nil {
		return nil, fmt.Errorf("read reassignments of old tools: %w", err)
	}
	if created == 0 || created == t.legacy {
		return nil, nil
	}
	t.legacy = created
	return t.reassignLegacy(ctx, moves)
}

// legacyElection elects preferred leaders for /admin/preferred_replica_election (Kafka: processReplicaLeaderElection).
func (t *term) legacyElection(ctx context.Context) error {
	tps, ok, err := t.c.zk.PreferredElection(ctx, t.watch("legacy_election", (*term).legacyElection))
	if err != nil {
		return fmt.Errorf("read elections of old tools: %w", err)
	}
	if !ok {
		return nil
	}
	return t.electLegacy(ctx, tps)
}

// watchReassigned watches the state of a partition under reassignment. AlterPartition tells of its changes, too; but a
// leader may also have written it by itself, without a word, as those before Kafka 2.7 do.
func (t *term) watchReassigned(tp zkmeta.TopicPartition) zkmeta.Notify {
	c := t.c
	return func() {
		c.change(mark{kind: "reassignment_isr_change", topic: tp.Topic, number: tp.Partition}, func(t *term, ctx context.Context) error {
			p := t.partition(tp)
			if p == nil {
				return nil
			}
			return t.reassignmentsChanged(ctx, []*partition{p})
		})
	}
}

// resumeReassigning goes on with what a former controller was asked for. Old tools' wishes come first, and go before those of the
// API (Kafka: initializePartitionReassignments).
func (t *term) resumeReassigning(ctx context.Context) error {
	started, err := t.takeLegacyReassignment(ctx)
	if err != nil {
		return err
	}
	return t.resumeReassignments(ctx, func(p *partition) bool { return !started[p] })
}

// reassignLegacy starts moves, and takes those that cannot be out of the znode. A target may be a
// broker that is not there yet. Kafka looks at nothing else either, and would delete the partition for an empty target;
// we do not.
func (m *machine) reassignLegacy(ctx context.Context, moves map[zkmeta.TopicPartition][]int32) (started map[*partition]bool, err error) {
	started = map[*partition]bool{}
	failed := map[zkmeta.TopicPartition]bool{}
	for _, tp := range slices.SortedFunc(maps.Keys(moves), compareKeys) {
		err := checkTarget(moves[tp])
		p := m.partition(tp)
		if err == nil {
			err = m.trigger(ctx, p, moves[tp])
		}
		var refused *Refusal
		switch {
		case err == nil:
			started[p] = true
		case errors.As(err, &refused) || concernsOne(err):
			m.log.Warn("reassignment of an old tool failed", zap.String("topic", tp.Topic), zap.Int32("partition", tp.Partition),
				zap.Int32s("replicas", moves[tp]), zap.Error(err))
			failed[tp] = true
		default:
			return nil, err
		}
	}
	if len(failed) == 0 {
		return started, nil
	}
	return started, m.dropLegacy(ctx, func(tp zkmeta.TopicPartition, _ []int32) bool { return failed[tp] })
}

// dropLegacy takes reassignments out of the znode, if there is one, and the znode away when nothing is left in it.
func (m *machine) dropLegacy(ctx context.Context, which func(tp zkmeta.TopicPartition, replicas []int32) bool) error {
	moves, created, err := m.ledger.LegacyReassignment(ctx, nil)
	if err != nil {
		return fmt.Errorf("read reassignments of old tools: %w", err)
	}
	if created == 0 {
		return nil
	}
	left := maps.Clone(moves)
	maps.DeleteFunc(left, which)
	if len(left) == len(moves) && len(left) > 0 {
		return nil
	}
	if err := m.ledger.SetLegacyReassignment(ctx, m.origin.lease, left); err != nil {
		return fmt.Errorf("rewrite reassignments of old tools: %w", err)
	}
	return nil
}

// electLegacy elects the first replicas of partitions that others lead.
func (m *machine) electLegacy(ctx context.Context, tps []zkmeta.TopicPartition) error {
	var elect []*partition
	for _, tp := range tps {
		p := m.partition(tp)
		if p == nil || p.topic.queued || p.leadership == nil || len(p.replicas) == 0 {
			m.log.Info("no preferred leader is elected for a partition that does not exist, is going or never had a leader",
				zap.String("topic", tp.Topic), zap.Int32("partition", tp.Partition))
			continue
		}
		if p.leadership.Leader != p.replicas[0] && !slices.Contains(elect, p) {
			elect = append(elect, p)
		}
	}
	if _, err := m.movePartitions(ctx, elect, onlinePartition, electPreferred); err != nil {
		return err
	}
	if err := m.ledger.RemovePreferredElection(ctx, m.origin.lease); err != nil {
		return fmt.Errorf("end elections of old tools: %w", err)
	}
	return nil
}
