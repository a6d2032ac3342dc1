package controller

import (
	"context"
	"slices"
	"sync"

	"github.com/kbroker/kbroker/zkmeta"
)

// bookkeeping is a ledger in memory that behaves as ZooKeeper does: versions
// count, and a write on condition of another version fails.
type bookkeeping struct {
	mu      sync.Mutex
	epoch   int32 // of the elected controller
	states  map[zkmeta.TopicPartition]zkmeta.PartitionState
	between map[zkmeta.TopicPartition]zkmeta.PartitionState // written by a leader right before our next write
	removed []string
}

func newBookkeeping(epoch int32) *bookkeeping {
	return &bookkeeping{
		epoch:   epoch,
		states:  map[zkmeta.TopicPartition]zkmeta.PartitionState{},
		between: map[zkmeta.TopicPartition]zkmeta.PartitionState{},
	}
}

func (b *bookkeeping) fence(l zkmeta.Lease) error {
	if l.Epoch != b.epoch {
		return zkmeta.ErrControllerMoved
	}
	return nil
}

func (b *bookkeeping) PartitionStates(_ context.Context, tps []zkmeta.TopicPartition, _ func(zkmeta.TopicPartition) zkmeta.Notify) (map[zkmeta.TopicPartition]zkmeta.PartitionState, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := map[zkmeta.TopicPartition]zkmeta.PartitionState{}
	for _, tp := range tps {
		if s, ok := b.states[tp]; ok {
			s.ISR = slices.Clone(s.ISR)
			found[tp] = s
		}
	}
	return found, nil
}

func (b *bookkeeping) CreatePartitionStates(_ context.Context, l zkmeta.Lease, states map[zkmeta.TopicPartition]zkmeta.PartitionState) (map[zkmeta.TopicPartition]zkmeta.Outcome, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fence(l); err != nil {
		return nil, err
	}
	outcomes := map[zkmeta.TopicPartition]zkmeta.Outcome{}
	for tp, s := range states {
		if _, ok := b.states[tp]; ok {
			outcomes[tp] = zkmeta.Outcome{Err: zkmeta.ErrNodeExists}
			continue
		}
		s.PartitionEpoch = 0
		b.states[tp] = s
		outcomes[tp] = zkmeta.Outcome{State: s}
	}
	return outcomes, nil
}

func (b *bookkeeping) UpdatePartitionStates(_ context.Context, l zkmeta.Lease, states map[zkmeta.TopicPartition]zkmeta.PartitionState) (map[zkmeta.TopicPartition]zkmeta.Outcome, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fence(l); err != nil {
		return nil, err
	}
	outcomes := map[zkmeta.TopicPartition]zkmeta.Outcome{}
	for tp, s := range states {
		if other, ok := b.between[tp]; ok {
			delete(b.between, tp)
			other.PartitionEpoch = b.states[tp].PartitionEpoch + 1
			b.states[tp] = other
		}
		old, ok := b.states[tp]
		switch {
		case !ok:
			outcomes[tp] = zkmeta.Outcome{Err: zkmeta.ErrNoNode}
		case old.PartitionEpoch != s.PartitionEpoch:
			outcomes[tp] = zkmeta.Outcome{Err: zkmeta.ErrBadVersion}
		default:
			s.PartitionEpoch++
			b.states[tp] = s
			outcomes[tp] = zkmeta.Outcome{State: s}
		}
	}
	return outcomes, nil
}

func (b *bookkeeping) RemoveTopic(_ context.Context, l zkmeta.Lease, topic string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fence(l); err != nil {
		return err
	}
	for tp := range b.states {
		if tp.Topic == topic {
			delete(b.states, tp)
		}
	}
	b.removed = append(b.removed, topic)
	return nil
}
