package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// ISRProposal is the state that the leader of a partition asks for (KIP-497).
type ISRProposal struct {
	Topic          string
	ByID           bool // TopicID names the topic, and Topic is not looked at
	TopicID        [16]byte
	Partition      int32
	LeaderEpoch    int32
	ISR            []int32
	Recovering     bool
	PartitionEpoch int32 // of the state that the proposal replaces
}

// ISROutcome is what became of an ISRProposal: the state that now is written, or why it was not taken.
type ISROutcome struct {
	State zkmeta.PartitionState
	Err   error
}

// AlterPartition changes in-sync replicas as the leaders on one broker, registered with brokerEpoch, propose. The
// outcomes are in the order of the proposals, which must be of different partitions. The error is about the
// whole: ErrNotController, or ErrStaleBrokerEpoch when the broker is not registered so.
func (c *Controller) AlterPartition(ctx context.Context, brokerID int32, brokerEpoch int64, proposals []ISRProposal) ([]ISROutcome, error) {
	type result struct {
		outcomes []ISROutcome
		err      error
	}
	if !c.Active() {
		return nil, ErrNotController
	}
	r, err := call(ctx, c, "alter_partition", func(ctx context.Context) (result, error) {
		if c.term == nil {
			return result{err: ErrNotController}, nil
		}
		if b, ok := c.term.brokers[brokerID]; !ok || b.Epoch != brokerEpoch {
			c.term.log.Info("proposal of in-sync replicas from a broker that is not registered so",
				zap.Int32("broker", brokerID), zap.Int64("broker_epoch", brokerEpoch))
			return result{err: ErrStaleBrokerEpoch}, nil
		}
		outcomes, err := c.term.alterPartitions(ctx, brokerID, proposals)
		if err != nil {
			return result{err: forCaller(err)}, err
		}
		return result{outcomes: outcomes}, nil
	})
	if err != nil {
		return nil, err
	}
	return r.outcomes, r.err
}

// alterPartitions is machine.alterPartitions, and sees afterwards, when the leader has its answer, to the
// reassignments that its proposals may have brought to their end.
func (t *term) alterPartitions(ctx context.Context, broker int32, proposals []ISRProposal) ([]ISROutcome, error) {
	outcomes, changed, err := t.machine.alterPartitions(ctx, broker, proposals)
	if err != nil {
		return nil, err
	}
	for _, p := range changed {
		if p.reassigning() {
			t.advanced = append(t.advanced, p.key())
			t.c.change(mark{kind: "partition_reassignment"}, (*term).reassignmentsAdvanced)
		}
	}
	return outcomes, nil
}

// reassignmentsAdvanced goes on with reassignments whose partitions' in-sync replicas changed.
func (t *term) reassignmentsAdvanced(ctx context.Context) error {
	advanced := t.advanced
	t.advanced = nil
	var partitions []*partition
	for _, tp := range advanced {
		if p := t.partition(tp); p != nil {
			partitions = append(partitions, p)
		}
	}
	return t.reassignmentsChanged(ctx, partitions)
}

// alterPartitions writes what can be taken of the proposals, in one go, and tells all brokers
// (Kafka: KafkaController.tryProcessAlterPartition). changed are the partitions whose proposal stands now.
func (m *machine) alterPartitions(ctx context.Context, broker int32, proposals []ISRProposal) (outcomes []ISROutcome, changed []*partition, err error) {
	outcomes = make([]ISROutcome, len(proposals))
	partitions := make([]*partition, len(proposals))
	next := make(map[zkmeta.TopicPartition]zkmeta.PartitionState, len(proposals))
	var about []*partition
	for i := range proposals {
		p, err := m.proposed(&proposals[i])
		if err != nil {
			outcomes[i].Err = err
			continue
		}
		partitions[i] = p
		about = append(about, p)
		state, done, err := m.judge(broker, p, &proposals[i])
		switch {
		case err != nil || done:
			outcomes[i] = ISROutcome{State: state, Err: err}
		default:
			next[p.key()] = state
		}
	}
	written, err := m.write(ctx, next)
	if err != nil {
		return nil, nil, fmt.Errorf("write in-sync replicas of %d partitions: %w", len(next), err)
	}
	for i, p := range partitions {
		if p == nil {
			continue
		}
		if o, ok := written[p.key()]; ok {
			outcomes[i] = m.altered(p, o)
		}
		if outcomes[i].Err == nil {
			changed = append(changed, p)
		}
	}
	if len(about) > 0 {
		// Those that were not taken, too: it is how a broker that missed something catches up.
		m.sendMetadata(m.brokerIDs(), about...)
	}
	return outcomes, changed, nil
}

// proposed finds the partition of a proposal.
func (m *machine) proposed(r *ISRProposal) (*partition, error) {
	name := r.Topic
	if r.ByID {
		var ok bool
		if name, ok = m.names[r.TopicID]; !ok {
			return nil, ErrUnknownTopicID
		}
	}
	p := m.partition(zkmeta.TopicPartition{Topic: name, Partition: r.Partition})
	if p == nil || p.leadership == nil {
		return nil, ErrUnknownTopic
	}
	return p, nil
}

// judge decides about one proposal: the state to write, or (done) the state that is the answer already, or why not.
func (m *machine) judge(broker int32, p *partition, r *ISRProposal) (state zkmeta.PartitionState, done bool, err error) {
	now := *p.leadership
	next := now
	next.ISR, next.Recovering, next.ControllerEpoch = r.ISR, r.Recovering, m.origin.lease.Epoch
	log := func(why string) {
		m.log.Info("in-sync replicas are not changed", zap.String("reason", why), zap.String("topic", p.topic.name),
			zap.Int32("partition", p.index), zap.Int32("broker", broker), zap.Int32s("isr", r.ISR))
	}
	switch {
	case r.LeaderEpoch > now.LeaderEpoch || r.PartitionEpoch > now.PartitionEpoch:
		// The leader knows more: most likely another broker is controller.
		return now, false, ErrNotController
	case r.LeaderEpoch < now.LeaderEpoch:
		return now, false, ErrFencedLeaderEpoch
	case broker != now.Leader:
		// Kafka would make it the leader. Nobody asks for that: a new leader has a new epoch.
		log("the broker does not lead the partition")
		return now, false, ErrInvalidRequest
	case slices.Equal(r.ISR, now.ISR) && r.Recovering == now.Recovering:
		return now, true, nil // whatever the partition epoch: the answer to an earlier try was lost
	case r.PartitionEpoch < now.PartitionEpoch:
		return now, false, ErrInvalidUpdateVersion
	case r.Recovering && len(r.ISR) > 1:
		log("the leader is recovering, and would not be alone")
		return now, false, ErrInvalidRequest
	case r.Recovering && !now.Recovering:
		log("the leader has recovered already")
		return now, false, ErrInvalidRequest
	case len(r.ISR) == 0:
		log("nobody would be in sync")
		return now, false, ErrInvalidRequest
	}
	for _, id := range r.ISR {
		if !m.live(id) {
			log("a replica's broker is gone or shutting down")
			return now, false, ErrIneligibleReplica
		}
	}
	return next, false, nil
}

// altered takes over what was written.
func (m *machine) altered(p *partition, o zkmeta.Outcome) ISROutcome {
	log := m.log.With(zap.String("topic", p.topic.name), zap.Int32("partition", p.index))
	switch {
	case errors.Is(o.Err, zkmeta.ErrBadVersion):
		log.Info("in-sync replicas are not changed: somebody else wrote the state")
		return ISROutcome{Err: ErrInvalidUpdateVersion}
	case o.Err != nil:
		log.Error("in-sync replicas are not changed", zap.Error(o.Err))
		return ISROutcome{Err: o.Err}
	}
	m.setLeadership(p, o.State)
	return ISROutcome{State: o.State}
}
