package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/storage"
)

// State is a partition's leader and ISR as a LeaderAndIsr request gives it.
type State struct {
	Topic            string
	TopicID          [16]byte
	Partition        int32
	ControllerEpoch  int32
	Leader           int32 // metadata.NoLeader when none
	LeaderEpoch      int32
	ISR, Replicas    []int32
	Adding, Removing []int32
	PartitionEpoch   int32
	IsNew            bool // the controller knows that the partition never had a log
	Recovering       bool // elected uncleanly (KIP-704); a leader is recovered by becoming one
}

// applyWorkers bounds how many partitions change at a time. Creating a log is a handful of file operations, some of
// which wait for the disk: more workers than cores keep it busy, and a disk gains little beyond this many.
const applyWorkers = 16

// change is a state that is to be applied.
type change struct {
	at        int // in the request
	state     *State
	topic     *topic
	partition *Partition // nil: not hosted yet
	followed  bool       // the partition was fetched before
	done      bool       // the role or the epoch changed
}

// Apply makes this broker leader or follower as the states say. It is idempotent. The result has an error per state, nil when applied:
// ErrStaleControllerEpoch (also for a leader epoch that is not newer), ErrInconsistentTopicID, ErrUnknownPartition (this
// broker is no replica), ErrStorage; anything else went wrong on the way and may be tried again.
func (m *Manager) Apply(ctx context.Context, controllerID, controllerEpoch int32, states []State) []error {
	start := time.Now()
	unread := m.readTopics(ctx, states)
	m.applyMu.Lock()
	defer m.applyMu.Unlock()
	defer m.dropEmptyTopics(states)
	errs := make([]error, len(states))
	if err := m.mayChange(controllerEpoch); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}

	changes := m.admit(states, errs)
	m.findTopics(ctx, changes, unread, errs)
	offline := m.anyDirOffline(changes)
	each(len(changes), func(i int) {
		if c := &changes[i]; errs[c.at] == nil {
			errs[c.at] = m.apply(c, offline)
		}
	})
	m.direct(changes)
	m.announce(changes)
	m.resumeMoves(changes)

	failed := 0
	for _, err := range errs {
		if err != nil {
			failed++
		}
	}
	m.log.Info("leader and isr states applied", zap.Int32("controller", controllerID), zap.Int32("controller_epoch", controllerEpoch),
		zap.Int("states", len(states)), zap.Int("refused", failed), zap.Duration("took", time.Since(start)))
	return errs
}

// mayChange fences again under applyMu: a newer controller may have come in between CheckController and now.
func (m *Manager) mayChange(controllerEpoch int32) error {
	if m.closed {
		return errClosed
	}
	return m.fence(controllerEpoch)
}

// admit sorts out what need not or must not be applied.
func (m *Manager) admit(states []State, errs []error) []change {
	changes := make([]change, 0, len(states))
	seen := make(map[storage.TopicPartition]bool, len(states))
	for i := range states {
		s := &states[i]
		name := storage.TopicPartition{Topic: s.Topic, Partition: s.Partition}
		p := m.hosted(name)
		apply, err := m.admitOne(s, name, p)
		if apply && seen[name] {
			// Of two states in one request there is no telling which is meant.
			apply, err = false, fmt.Errorf("%w: told twice in one request", ErrStaleControllerEpoch)
		}
		if errs[i] = err; apply {
			seen[name] = true
			changes = append(changes, change{at: i, state: s, partition: p, followed: p != nil && p.isFollowed()})
		}
	}
	return changes
}

// admitOne compares a state with what this broker holds (Kafka: ReplicaManager.becomeLeaderOrFollower).
func (m *Manager) admitOne(s *State, name storage.TopicPartition, p *Partition) (apply bool, err error) {
	if p != nil && p.offline.Load() {
		return false, ErrStorage
	}
	log, hasLog := m.logs.Log(name)
	var logID [16]byte
	if hasLog {
		logID = log.TopicID()
	}
	unset := [16]byte{}
	if s.TopicID != unset && logID != unset && s.TopicID != logID {
		return false, fmt.Errorf("%w: log of %s-%d has %x, controller %x", ErrInconsistentTopicID, s.Topic, s.Partition, logID, s.TopicID)
	}
	current := noEpoch
	if p != nil {
		_, current = p.Leader()
	}
	switch {
	case s.LeaderEpoch > current && !slices.Contains(s.Replicas, m.env.brokerID):
		return false, fmt.Errorf("%w: broker %d is not among its replicas", ErrUnknownPartition, m.env.brokerID)
	case s.LeaderEpoch > current:
		return true, nil
	case s.LeaderEpoch == current && hasLog && logID == unset && s.TopicID != unset:
		// A controller that learns topic ids tells them without a new epoch.
		if err := log.SetTopicID(s.TopicID); err != nil {
			return false, translate(err)
		}
		return false, nil
	default:
		return false, fmt.Errorf("%w: leader epoch %d, current %d", ErrStaleControllerEpoch, s.LeaderEpoch, current)
	}
}

// apply makes one change. A partition whose log cannot be had for a failed directory is hosted as offline.
func (m *Manager) apply(c *change, offline bool) error {
	s, p := c.state, c.partition
	if p != nil && p.knowsNewer(s.PartitionEpoch) {
		return nil
	}
	if p == nil {
		p = newPartition(m.env, c.topic, s.Partition)
	}
	log, err := m.openLog(p, s, offline)
	if err == nil {
		m.host(p)
		err = m.changeRole(p, s, log)
	}
	if err != nil {
		if errors.Is(err, ErrStorage) && !errors.Is(err, storage.ErrDiskFull) {
			m.host(p)
			p.fail()
			// Logged here, since to the caller it is a code like others.
			m.log.Error("partition is offline", p.fields(zap.Int32("leader_epoch", s.LeaderEpoch), zap.Error(err))...)
		}
		return err
	}
	// The configuration may have changed after the log took it and before the partition could be found.
	if config := c.topic.config.Load().Log; log.Config() != config {
		log.SetConfig(config)
	}
	c.partition, c.done = p, true
	return nil
}

func (m *Manager) changeRole(p *Partition, s *State, log *storage.Log) error {
	switch {
	case s.Leader == m.env.brokerID:
		return p.becomeLeader(s, log)
	case s.Leader == metadata.NoLeader || m.env.alive(s.Leader):
		return p.becomeFollower(s, log)
	default:
		p.awaitLeader(s, log)
	}
	return nil
}

// knowsNewer reports whether the state znode was seen in a later version than the state's.
func (p *Partition) knowsNewer(partitionEpoch int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return partitionEpoch < p.partitionEpoch
}

// openLog finds or creates the partition's log.
func (m *Manager) openLog(p *Partition, s *State, offline bool) (*storage.Log, error) {
	name := p.name()
	log, ok := m.logs.Log(name)
	config := p.topic.config.Load().Log
	if !ok {
		if offline && !s.IsNew {
			// The log may lie in the directory that failed: an empty one beside it would lose it.
			return nil, fmt.Errorf("%w: the log of %s-%d may be on it", ErrStorage, s.Topic, s.Partition)
		}
		created, err := m.logs.Create(name, s.TopicID, config)
		if err != nil {
			return nil, translate(err)
		}
		log = created
	}
	if log.Config() != config {
		log.SetConfig(config)
	}
	if log.TopicID() == ([16]byte{}) && s.TopicID != ([16]byte{}) {
		if err := log.SetTopicID(s.TopicID); err != nil {
			return nil, translate(err)
		}
	}
	return log, nil
}

// announce tells the coordinators what became of the internal topics' partitions, in the order of the request.
func (m *Manager) announce(changes []change) {
	if m.leadershipChanged == nil {
		return
	}
	for i := range changes {
		c := &changes[i]
		if !c.done || !isInternal(c.state.Topic) {
			continue
		}
		epoch, leading := c.state.LeaderEpoch, c.state.Leader == m.env.brokerID
		if leading {
			epoch = c.partition.leadingSince()
		}
		m.leadershipChanged(c.state.Topic, c.state.Partition, epoch, leading)
	}
}

func isInternal(topic string) bool {
	return topic == "__consumer_offsets" || topic == "__transaction_state"
}

// each calls f for 0..count-1 from up to applyWorkers goroutines and returns when all are done.
func each(count int, f func(i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(count, applyWorkers) {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= count {
					return
				}
				f(i)
			}
		})
	}
	wait.Wait()
}
