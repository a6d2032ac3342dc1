package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
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

	legacy   map[zkmeta.TopicPartition][]int32 // /admin/reassign_partitions; nil: not there
	vanished map[string]bool                   // topics whose znode somebody deleted
	written  func(line string)                 // is told of writes; nil: nobody is
}

func newBookkeeping(epoch int32) *bookkeeping {
	return &bookkeeping{
		epoch:    epoch,
		states:   map[zkmeta.TopicPartition]zkmeta.PartitionState{},
		between:  map[zkmeta.TopicPartition]zkmeta.PartitionState{},
		vanished: map[string]bool{},
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
	for _, tp := range slices.SortedFunc(maps.Keys(states), compareKeys) {
		s := states[tp]
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
			b.note("%s-%d leader=%d epoch=%d isr=%s version=%d by=%d", tp.Topic, tp.Partition,
				s.Leader, s.LeaderEpoch, ids(s.ISR), s.PartitionEpoch, s.ControllerEpoch)
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

// note tells of a write.
func (b *bookkeeping) note(format string, args ...any) {
	if b.written != nil {
		b.written(fmt.Sprintf(format, args...))
	}
}

func (b *bookkeeping) SetAssignment(_ context.Context, l zkmeta.Lease, a zkmeta.TopicAssignment) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fence(l); err != nil {
		return err
	}
	if b.vanished[a.Topic] {
		return zkmeta.ErrNoNode
	}
	for _, index := range slices.Sorted(maps.Keys(a.Partitions)) {
		b.note("%s-%d replicas=%s adding=%s removing=%s", a.Topic, index,
			ids(a.Partitions[index]), ids(a.Adding[index]), ids(a.Removing[index]))
	}
	return nil
}

func (b *bookkeeping) LegacyReassignment(_ context.Context, _ zkmeta.Notify) (map[zkmeta.TopicPartition][]int32, int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.legacy == nil {
		return nil, 0, nil
	}
	return maps.Clone(b.legacy), 1, nil
}

func (b *bookkeeping) SetLegacyReassignment(_ context.Context, l zkmeta.Lease, replicas map[zkmeta.TopicPartition][]int32) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fence(l); err != nil {
		return err
	}
	b.legacy = replicas
	if len(replicas) == 0 {
		b.legacy = nil
		b.note("/admin/reassign_partitions removed")
		return nil
	}
	var moves []string
	for _, tp := range slices.SortedFunc(maps.Keys(replicas), compareKeys) {
		moves = append(moves, fmt.Sprintf("%s-%d: %s", tp.Topic, tp.Partition, ids(replicas[tp])))
	}
	b.note("/admin/reassign_partitions %s", strings.Join(moves, " "))
	return nil
}

func (b *bookkeeping) RemovePreferredElection(_ context.Context, l zkmeta.Lease) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note("/admin/preferred_replica_election removed")
	return b.fence(l)
}
