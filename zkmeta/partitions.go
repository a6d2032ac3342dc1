package zkmeta

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
	"go.uber.org/zap"
)

// PartitionStates reads states, pipelined; absent ones are left out, and so are (logged) those that cannot be
// understood, as in Kafka. n may be nil; it is called from several goroutines and its Notify watches states that exist.
func (c *Client) PartitionStates(ctx context.Context, tps []TopicPartition, n func(TopicPartition) Notify) (map[TopicPartition]PartitionState, error) {
	s, err := c.bind()
	if err != nil {
		return nil, err
	}
	found := make([]*PartitionState, len(tps))
	read := func(i int, data []byte, stat zk.Stat) {
		z, err := decodePartitionState(data)
		if err != nil {
			c.log.Error("partition state not understood", zap.String("path", tps[i].statePath()), zap.Error(err))
			return
		}
		z.PartitionEpoch, z.ModifiedAt = stat.Version, stat.Mzxid
		found[i] = (*PartitionState)(&z)
	}
	if n == nil {
		paths := make([]string, len(tps))
		for i, tp := range tps {
			paths[i] = tp.statePath()
		}
		err = s.getEach(ctx, paths, read)
	} else {
		err = s.each(ctx, len(tps), func(ctx context.Context, i int) error {
			data, stat, err := s.get(ctx, tps[i].statePath(), n(tps[i]))
			if err == nil {
				read(i, data, stat)
			}
			if errors.Is(err, ErrNoNode) {
				return nil
			}
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	states := make(map[TopicPartition]PartitionState, len(tps))
	for i, state := range found {
		if state != nil {
			states[tps[i]] = *state
		}
	}
	return states, nil
}

// Outcome is what became of one write of a batch: the new state or the error (ErrBadVersion, ErrNoNode, ErrNodeExists).
type Outcome struct {
	State PartitionState
	Err   error
}

// stateTask is one partition of a batch of writes.
type stateTask struct {
	task
	tp    TopicPartition
	state PartitionState // PartitionEpoch: what it will be
	data  []byte
}

// CreatePartitionStates creates .../partitions, .../<p> and .../state, pipelined; large batches share multis.
// The error is for the batch as a whole (ErrControllerMoved, ErrSessionExpired).
func (c *Client) CreatePartitionStates(ctx context.Context, l Lease, states map[TopicPartition]PartitionState) (map[TopicPartition]Outcome, error) {
	s, err := c.bind()
	if err != nil {
		return nil, err
	}
	gone, err := s.createPartitionParents(ctx, &l, states)
	if err != nil {
		return nil, err
	}
	var batch []*stateTask
	outcomes := make(map[TopicPartition]Outcome, len(states))
	for tp, state := range states {
		if err := gone[tp.Topic]; err != nil {
			outcomes[tp] = Outcome{Err: err}
			continue
		}
		state.PartitionEpoch = 0
		t := &stateTask{tp: tp, state: state, data: partitionStateZNode(state).encode()}
		create := s.create(tp.statePath(), t.data, 0)
		t.ops = []any{s.create(tp.path(), nil, 0), create}
		t.refused = func(ctx context.Context, _ *task, op int, err error, unsure bool) error {
			switch onState := op == len(t.ops)-1; {
			case !onState && errors.Is(err, ErrNodeExists):
				t.ops = []any{create} // the parent is there
				return nil
			case onState && unsure && errors.Is(err, ErrNodeExists):
				return t.compare(ctx, s, 0, ErrNodeExists)
			}
			return err
		}
		t.settle = func(ctx context.Context, _ *task) error { return t.applied(ctx, s, 0) }
		batch = append(batch, t)
	}
	return outcomes, s.runStates(ctx, l, batch, outcomes)
}

// createPartitionParents creates .../partitions of every topic; gone are the topics that do not exist, with the error.
func (s *session) createPartitionParents(ctx context.Context, l *Lease, states map[TopicPartition]PartitionState) (gone map[string]error, err error) {
	parents := make(map[string]*task)
	var tasks []*task
	for tp := range states {
		if parents[tp.Topic] != nil {
			continue
		}
		t := &task{
			ops: []any{s.create(partitionsPath(tp.Topic), nil, 0)},
			refused: func(_ context.Context, t *task, _ int, err error, _ bool) error {
				if errors.Is(err, ErrNodeExists) {
					t.done()
					return nil
				}
				return err
			},
		}
		parents[tp.Topic] = t
		tasks = append(tasks, t)
	}
	if err := s.run(ctx, l, tasks); err != nil {
		return nil, err
	}
	gone = make(map[string]error)
	for topic, t := range parents {
		if t.err != nil {
			gone[topic] = t.err
		}
	}
	return gone, nil
}

// UpdatePartitionStates writes states on condition of their PartitionEpoch. The states of the outcomes have the new
// one.
func (c *Client) UpdatePartitionStates(ctx context.Context, l Lease, states map[TopicPartition]PartitionState) (map[TopicPartition]Outcome, error) {
	s, err := c.bind()
	if err != nil {
		return nil, err
	}
	var batch []*stateTask
	outcomes := make(map[TopicPartition]Outcome, len(states))
	for tp, state := range states {
		expected := state.PartitionEpoch
		if expected < 0 { // -1 would match any version
			outcomes[tp] = Outcome{Err: fmt.Errorf("update the state of %s-%d from partition epoch %d: %w", tp.Topic, tp.Partition, expected, ErrBadVersion)}
			continue
		}
		state.PartitionEpoch = expected + 1
		t := &stateTask{tp: tp, state: state, data: partitionStateZNode(state).encode()}
		t.ops = []any{s.set(tp.statePath(), t.data, expected)}
		t.refused = func(ctx context.Context, _ *task, _ int, err error, unsure bool) error {
			if unsure && errors.Is(err, ErrBadVersion) {
				return t.compare(ctx, s, expected+1, ErrBadVersion)
			}
			return err
		}
		t.settle = func(ctx context.Context, _ *task) error { return t.applied(ctx, s, expected+1) }
		batch = append(batch, t)
	}
	return outcomes, s.runStates(ctx, l, batch, outcomes)
}

// runStates carries out a batch and fills in the outcomes of what was tried.
func (s *session) runStates(ctx context.Context, l Lease, batch []*stateTask, outcomes map[TopicPartition]Outcome) error {
	tasks := make([]*task, len(batch))
	for i, t := range batch {
		tasks[i] = &t.task
	}
	if err := s.run(ctx, &l, tasks); err != nil {
		return err
	}
	for _, t := range batch {
		if t.err != nil {
			outcomes[t.tp] = Outcome{Err: t.err}
			continue
		}
		outcomes[t.tp] = Outcome{State: t.state}
	}
	return nil
}

// applied looks, after a lost answer, whether the write took effect: the data is ours and the version the one that
// our write gives. Then nothing is left to do.
func (t *stateTask) applied(ctx context.Context, s *session, version int32) error {
	data, stat, ok, err := s.lookup(ctx, t.tp.statePath(), nil)
	if err == nil && ok && stat.Version == version && bytes.Equal(data, t.data) {
		t.done()
	}
	return err
}

// compare is the last word on a write that was refused after a lost answer.
func (t *stateTask) compare(ctx context.Context, s *session, version int32, otherwise error) error {
	if err := t.applied(ctx, s, version); err != nil {
		return err
	}
	if len(t.ops) > 0 {
		return fmt.Errorf("write %s: %w", t.tp.statePath(), otherwise)
	}
	return nil
}
