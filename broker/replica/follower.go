package replica

import (
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/storage"
)

// becomeFollower makes this broker a follower of the state's leader. The log stays as it is: where it has to be cut
// only the leader's answers tell. The caller holds Manager.applyMu.
func (p *Partition) becomeFollower(s *State, log *storage.Log) {
	p.gate.Lock()
	defer p.gate.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = log
	p.setAssignment(s)
	p.leave(follower)
	p.leaderID = s.Leader
	p.leaderEpoch, p.partitionEpoch = s.LeaderEpoch, s.PartitionEpoch
	// Worth an operator's look until followers fetch: this replica counts as one and holds nothing new.
	p.env.log.Warn("became follower, which does not fetch yet: the partition is not replicated here", p.fields(
		zap.Int32("leader", s.Leader), zap.Int32("leader_epoch", s.LeaderEpoch),
		zap.Int32("partition_epoch", s.PartitionEpoch), zap.Int64("log_end_offset", log.LogEndOffset()),
		zap.Int64("high_watermark", log.HighWatermark()), zap.Int32s("replicas", s.Replicas))...)
}

// awaitLeader keeps the log of a partition whose new leader this broker does not see alive. The epoch is not noted, so
// that the controller can tell it again once it told of that broker; but another leads, so this one must not.
func (p *Partition) awaitLeader(s *State, log *storage.Log) {
	p.gate.Lock()
	defer p.gate.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = log
	p.leave(none)
	p.env.log.Error("cannot follow a leader that is not among the live brokers", p.fields(
		zap.Int32("leader", s.Leader), zap.Int32("leader_epoch", s.LeaderEpoch))...)
}

// end takes the partition out of service: those who wait are woken and find it without a role.
func (p *Partition) end() {
	p.gate.Lock()
	defer p.gate.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leave(none)
}

// fail is end for a partition whose log directory failed. Only a restart of the broker brings it back.
func (p *Partition) fail() {
	p.offline.Store(true)
	p.end()
}

// leave gives up what a leader holds and wakes all who wait, to find that nobody leads here. p.mu and the gate are held.
func (p *Partition) leave(to role) {
	p.role, p.leaderID = to, metadata.NoLeader
	p.isr, p.followers = isr{}, nil
	p.wake()
}

// follower finds what is known of a follower. p.mu is held.
func (p *Partition) follower(id int32) *progress {
	for i := range p.followers {
		if p.followers[i].id == id {
			return &p.followers[i]
		}
	}
	return nil
}

// followerFetched notes a follower's fetch that this broker answered as leader of epoch, whose log ended at leaderEnd
// before the read, and moves the high watermark by it.
func (p *Partition) followerFetched(r *ReadRequest, epoch int32, leaderEnd int64) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.follower(r.ReplicaID)
	if f == nil || p.role != leader || p.leaderEpoch != epoch {
		return // deposed since: the offset says nothing about the log as it is now
	}
	moved, startMoved := r.Offset != f.end, r.LogStartOffset > f.logStart
	f.fetched(r.Offset, r.LogStartOffset, leaderEnd, now)
	// The low watermark of DeleteRecords hangs on the followers' starts, everything else on their ends.
	if advanced := moved && p.advance(); advanced || startMoved {
		p.wake()
	}
}
