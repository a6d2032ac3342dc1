package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// elections is what became of partitions that were to get a leader; nil for
// success. Partitions that had none before are not in it.
type elections map[*partition]error

func (e elections) anySucceeded() bool {
	for _, err := range e {
		if err == nil {
			return true
		}
	}
	return false
}

// Reasons why single partitions do not move.
var (
	errNotWritten   = errors.New("no partition state is written")
	errNewerWritten = errors.New("partition state was written by a newer controller")
	errNobody       = errors.New("no replica can be elected")
)

// movePartitions moves partitions to a state (Kafka: PartitionStateMachine).
// Those that may not go there from where they are are left out, with an error in the log.
//
//	NonExistent                  → New          nothing but the state
//	New                          → Online       first online replica leads, all online are in sync; LeaderAndIsr(new)
//	Online, Offline              → Online       an election with s; LeaderAndIsr
//	New, Online, Offline         → Offline      nothing but the state
//	Offline                      → NonExistent  nothing but the state
func (m *machine) movePartitions(ctx context.Context, partitions []*partition, to partitionState, s strategy) (elections, error) {
	b := m.newBatch()
	results, err := m.movePartitionsIn(ctx, b, partitions, to, s)
	if err != nil {
		return nil, err
	}
	m.send(b)
	return results, nil
}

// movePartitionsIn is movePartitions that leaves the requests in b.
func (m *machine) movePartitionsIn(ctx context.Context, b *batch, partitions []*partition, to partitionState, s strategy) (elections, error) {
	var create, elect []*partition
	for _, p := range partitions {
		switch {
		case !to.follows(p.state):
			m.log.Error("partition may not change to this state",
				zap.String("topic", p.topic.name), zap.Int32("partition", p.index),
				zap.Stringer("from", p.state), zap.Stringer("to", to))
		case to != onlinePartition:
			m.setState(p, to)
		case p.state == newPartition:
			create = append(create, p)
		default:
			elect = append(elect, p)
		}
	}
	if to != onlinePartition {
		return nil, nil
	}
	if err := m.initialise(ctx, b, create); err != nil {
		return nil, fmt.Errorf("bring %d new partitions online: %w", len(create), err)
	}
	results, err := m.elect(ctx, b, elect, s)
	if err != nil {
		return nil, fmt.Errorf("elect leaders of %d partitions: %w", len(elect), err)
	}
	return results, nil
}

// initialise writes the first state of partitions.
func (m *machine) initialise(ctx context.Context, b *batch, partitions []*partition) error {
	states := make(map[zkmeta.TopicPartition]zkmeta.PartitionState, len(partitions))
	for _, p := range partitions {
		online := m.onlineOf(p, p.replicas)
		if len(online) == 0 {
			m.failed(p, onlinePartition, errNobody)
			continue
		}
		states[p.key()] = zkmeta.PartitionState{Leader: online[0], ISR: online, ControllerEpoch: m.origin.lease.Epoch}
	}
	if len(states) == 0 {
		return nil
	}
	outcomes, err := m.ledger.CreatePartitionStates(ctx, m.origin.lease, states)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		o, ok := outcomes[p.key()]
		switch {
		case !ok:
		case o.Err != nil:
			m.failed(p, onlinePartition, o.Err)
		default:
			m.setLeadership(p, o.State)
			m.setState(p, onlinePartition)
			b.leaderAndISR(o.State.ISR, p, true)
		}
	}
	return nil
}

// elect elects leaders until every partition has one or a reason why not. What is known is taken for what is written, as a
// rule it is; a partition whose state somebody else wrote meanwhile is read, and elected for again.
func (m *machine) elect(ctx context.Context, b *batch, partitions []*partition, s strategy) (elections, error) {
	results := make(elections, len(partitions))
	look := m.known
	for remaining := partitions; len(remaining) > 0; look = m.read {
		written, err := look(ctx, remaining, results)
		if err != nil {
			return nil, err
		}
		if remaining, err = m.electOnce(ctx, b, remaining, written, s, results); err != nil {
			return nil, err
		}
	}
	for _, p := range partitions {
		if err := results[p]; err != nil {
			m.failed(p, onlinePartition, err)
		}
	}
	return results, nil
}

func (m *machine) electOnce(ctx context.Context, b *batch, partitions []*partition, written map[*partition]zkmeta.PartitionState, s strategy, results elections) (retry []*partition, err error) {
	unclean := m.uncleanAllowed(ctx, s, partitions, written)
	choices := make(map[zkmeta.TopicPartition]choice, len(written))
	next := make(map[zkmeta.TopicPartition]zkmeta.PartitionState, len(written))
	for _, p := range partitions {
		now, ok := written[p]
		if !ok {
			continue
		}
		c, ok := m.choose(s, p, now, unclean[p.topic.name])
		if !ok {
			results[p] = errNobody
			continue
		}
		c.next.ControllerEpoch = m.origin.lease.Epoch
		choices[p.key()], next[p.key()] = c, c.next
	}
	outcomes, err := m.write(ctx, next)
	if err != nil {
		return nil, err
	}
	for _, p := range partitions {
		o, ok := outcomes[p.key()]
		switch {
		case !ok:
		case errors.Is(o.Err, zkmeta.ErrBadVersion):
			retry = append(retry, p)
		case errors.Is(o.Err, zkmeta.ErrNoNode):
			results[p] = errNotWritten
		case o.Err != nil:
			results[p] = o.Err
		default:
			m.setLeadership(p, o.State)
			m.setState(p, onlinePartition)
			b.leaderAndISR(choices[p.key()].recipients, p, false)
			results[p] = nil
		}
	}
	return retry, nil
}

// known takes the states from the picture, which is what this controller wrote or read last, and reads those that are not in it.
// Partitions whose state must not be touched are absent, with the reason in results.
func (m *machine) known(ctx context.Context, partitions []*partition, results map[*partition]error) (map[*partition]zkmeta.PartitionState, error) {
	written := make(map[*partition]zkmeta.PartitionState, len(partitions))
	var unknown []*partition
	for _, p := range partitions {
		switch {
		case p.leadership == nil:
			unknown = append(unknown, p)
		case p.leadership.ControllerEpoch > m.origin.lease.Epoch:
			results[p] = errNewerWritten
		default:
			written[p] = *p.leadership
		}
	}
	if len(unknown) == 0 {
		return written, nil
	}
	read, err := m.read(ctx, unknown, results)
	maps.Copy(written, read)
	return written, err
}

// read reads the written states. Partitions whose state must not be touched
// are absent, with the reason in results.
func (m *machine) read(ctx context.Context, partitions []*partition, results map[*partition]error) (map[*partition]zkmeta.PartitionState, error) {
	keys := make([]zkmeta.TopicPartition, len(partitions))
	for i, p := range partitions {
		keys[i] = p.key()
	}
	states, err := m.ledger.PartitionStates(ctx, keys, nil)
	if err != nil {
		return nil, err
	}
	written := make(map[*partition]zkmeta.PartitionState, len(states))
	for i, p := range partitions {
		state, ok := states[keys[i]]
		switch {
		case !ok:
			results[p] = errNotWritten
		case state.ControllerEpoch > m.origin.lease.Epoch:
			results[p] = errNewerWritten
		default:
			written[p] = state
		}
	}
	return written, nil
}

func (m *machine) write(ctx context.Context, next map[zkmeta.TopicPartition]zkmeta.PartitionState) (map[zkmeta.TopicPartition]zkmeta.Outcome, error) {
	if len(next) == 0 {
		return nil, nil
	}
	return m.ledger.UpdatePartitionStates(ctx, m.origin.lease, next)
}

// uncleanAllowed asks only about topics for which the answer matters: where no
// in-sync replica is online.
func (m *machine) uncleanAllowed(ctx context.Context, s strategy, partitions []*partition, written map[*partition]zkmeta.PartitionState) map[string]bool {
	if s != electOffline && s != electUnclean {
		return nil
	}
	var topics []string
	for _, p := range partitions {
		now, ok := written[p]
		if ok && len(m.onlineOf(p, now.ISR)) == 0 && (len(topics) == 0 || topics[len(topics)-1] != p.topic.name) {
			topics = append(topics, p.topic.name)
		}
	}
	if len(topics) == 0 {
		return nil
	}
	if s == electOffline {
		return m.unclean(ctx, topics)
	}
	all := make(map[string]bool, len(topics))
	for _, name := range topics {
		all[name] = true
	}
	return all
}

func (m *machine) failed(p *partition, to partitionState, err error) {
	m.log.Error("partition did not change its state",
		zap.String("topic", p.topic.name), zap.Int32("partition", p.index), zap.Int32s("replicas", p.replicas),
		zap.Stringer("from", p.state), zap.Stringer("to", to), zap.Error(err))
}
