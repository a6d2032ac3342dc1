package replica

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
)

// acksAll is acks=-1: the producer wants every in-sync replica to have its records.
const acksAll int16 = -1

// becomeLeader makes this broker the leader of the state's epoch, over log. The caller holds Manager.applyMu.
func (p *Partition) becomeLeader(s *State, log *storage.Log) error {
	// Appends in flight carry the old epoch and must be in the log before the new one starts.
	p.gate.Lock()
	defer p.gate.Unlock()

	start := log.LogEndOffset()
	// Noted even if nothing is ever appended: followers that hold records of an epoch that this log never saw learn
	// from it where to cut (KIP-101).
	if err := log.AssignEpoch(s.LeaderEpoch, start); err != nil {
		return translate(err)
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	newLeader, now := p.role != leader, time.Now()
	p.log = log
	p.setAssignment(s)
	p.isr = isr{committed: slices.Clone(s.ISR)}
	p.setFollowers(s.Replicas)
	for i := range p.followers {
		f := &p.followers[i]
		f.reset(start, newLeader, slices.Contains(s.ISR, f.id), now)
	}
	if newLeader {
		p.ledSince = s.LeaderEpoch
	}
	p.role, p.leaderID, p.epochStart = leader, p.env.brokerID, start
	p.leaderEpoch, p.partitionEpoch = s.LeaderEpoch, s.PartitionEpoch
	p.advance()
	// Fetches that wait here asked for another epoch or another role.
	p.wake(onAnything)
	p.env.log.Info("became leader", p.fields(
		zap.Int32("leader_epoch", s.LeaderEpoch), zap.Int32("partition_epoch", s.PartitionEpoch),
		zap.Int64("log_end_offset", start), zap.Int64("high_watermark", log.HighWatermark()),
		zap.Int32s("isr", s.ISR), zap.Int32s("replicas", s.Replicas))...)
	return nil
}

// setFollowers keeps what is known of the followers that stay. p.mu is held.
func (p *Partition) setFollowers(replicas []int32) {
	var next []progress
	for _, id := range replicas {
		if id == p.env.brokerID {
			continue
		}
		f := progress{id: id, end: -1, logStart: -1}
		if known := p.follower(id); known != nil {
			f = *known
		}
		next = append(next, f)
	}
	p.followers = next
}

// setAssignment copies what every role takes from a state. p.mu is held.
func (p *Partition) setAssignment(s *State) {
	p.controllerEpoch = s.ControllerEpoch
	p.replicas = slices.Clone(s.Replicas)
	p.adding, p.removing = slices.Clone(s.Adding), slices.Clone(s.Removing)
}

// Appended tells where an append went, and under whose leadership.
type Appended struct {
	storage.Appended
	tenure uint32
}

// AppendAsLeader appends one checked batch. With acks -1 it refuses with ErrNotEnoughReplicas when too few replicas are
// in sync. It does not wait for followers: AwaitHighWatermark does.
func (p *Partition) AppendAsLeader(b record.Checked, acks int16, origin storage.Origin) (Appended, error) {
	return p.append(b, acks, origin, anyEpoch)
}

// append is AppendAsLeader for who knows since which epoch this broker must lead; ErrNotLeader when it does not.
func (p *Partition) append(b record.Checked, acks int16, origin storage.Origin, since int32) (Appended, error) {
	nowhere := Appended{Appended: storage.Appended{BaseOffset: -1, LastOffset: -1, AppendTime: record.NoTimestamp, LogStartOffset: -1}}
	p.gate.RLock()
	defer p.gate.RUnlock()

	log, epoch, tenure, err := p.mayAppend(acks, since)
	if err != nil {
		return nowhere, err
	}
	size := len(b.Batch)
	appended, err := log.AppendAsLeader(b, epoch, origin)
	if err != nil {
		return nowhere, translate(err)
	}
	if !appended.Duplicate {
		p.topic.bytesIn.Add(uint64(size))
	}
	p.appended()
	return Appended{appended, tenure}, nil
}

func (p *Partition) mayAppend(acks int16, since int32) (log *storage.Log, epoch int32, tenure uint32, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.offline.Load():
		return nil, 0, 0, ErrStorage
	case p.role != leader, since != anyEpoch && !p.leadsSince(since):
		return nil, 0, 0, ErrNotLeader
	case acks == acksAll && len(p.isr.committed) < p.minInSync():
		return nil, 0, 0, ErrNotEnoughReplicas
	default:
		return p.log, p.leaderEpoch, p.tenure, nil
	}
}

// appended moves the high watermark after an append, and wakes who waits for either end.
func (p *Partition) appended() {
	p.mu.Lock()
	defer p.mu.Unlock()
	happened := onAppend
	if p.role == leader && p.advance() {
		happened |= onHighWatermark
	}
	p.wake(happened)
}

// advance moves the high watermark as far as the replicas allow, and tells whether it moved. p.mu is held, this broker
// leads.
func (p *Partition) advance() bool {
	if len(p.isr.committed) < p.minInSync() {
		return false
	}
	to := p.highWatermarkOf(p.log)
	if to <= p.log.HighWatermark() {
		return false
	}
	p.log.SetHighWatermark(to)
	return true
}
