package replica

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/storage"
)

// becomeFollower makes this broker a follower of the state's leader. A log with leader epochs stays as it is: where it
// has to be cut only the leader's answers tell. One without (of old formats, or nothing but offsets) is shared with the
// leader as far as its high watermark, and no further as far as anybody knows (Kafka: initialFetchOffset, and
// AbstractFetcherThread.truncateToHighWatermark). The caller holds Manager.applyMu.
func (p *Partition) becomeFollower(s *State, log *storage.Log) error {
	p.gate.Lock()
	defer p.gate.Unlock()
	if s.Leader != metadata.NoLeader && log.LatestEpoch() < 0 {
		if err := p.truncateToHighWatermark(log); err != nil {
			return translate(err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = log
	p.setAssignment(s)
	p.leave(follower)
	p.leaderID, p.leaderHigh = s.Leader, log.HighWatermark()
	p.leaderEpoch, p.partitionEpoch = s.LeaderEpoch, s.PartitionEpoch
	p.env.log.Info("became follower", p.fields(
		zap.Int32("leader", s.Leader), zap.Int32("leader_epoch", s.LeaderEpoch),
		zap.Int32("partition_epoch", s.PartitionEpoch), zap.Int64("log_end_offset", log.LogEndOffset()),
		zap.Int64("high_watermark", log.HighWatermark()), zap.Int32s("replicas", s.Replicas))...)
	return nil
}

// truncateToHighWatermark drops what a leader may not have. The gate is held.
func (p *Partition) truncateToHighWatermark(log *storage.Log) error {
	// Nobody appends meanwhile: this broker does not lead, or just ceases to.
	if high := log.HighWatermark(); high < log.LogEndOffset() {
		return p.truncate(log, high)
	}
	return nil
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
	p.tenure++
	p.isr, p.followers = isr{}, nil
	p.wake(onAnything)
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
// before the read, moves the high watermark by it, and proposes the follower for the in-sync replicas when it may join.
// The high watermark in result becomes that of after, which the follower would else hear of with its next fetch.
func (p *Partition) followerFetched(r *ReadRequest, result *ReadResult, epoch int32, leaderEnd int64) {
	p.submit(p.noteFetch(r, result, epoch, leaderEnd, time.Now()))
}

// noteFetch is followerFetched, returning the change of in-sync replicas that is to be proposed, or nil.
func (p *Partition) noteFetch(r *ReadRequest, result *ReadResult, epoch int32, leaderEnd int64, now time.Time) *ISRChange {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.follower(r.ReplicaID)
	if f == nil || p.role != leader || p.leaderEpoch != epoch {
		result.Settled = false
		return nil // deposed since: the offset says nothing about the log as it is now
	}
	moved, startMoved := r.Offset != f.end, r.LogStartOffset > f.logStart
	f.fetched(r.Offset, r.LogStartOffset, leaderEnd, now)
	change := p.maybeExpand(f)
	// The low watermark of DeleteRecords hangs on the followers' starts, everything else on their ends.
	happened := happening(0)
	if moved && p.advance() {
		happened |= onHighWatermark
	}
	if startMoved {
		happened |= onLogStart
	}
	if happened != 0 {
		p.wake(happened)
	}
	// This broker led in one epoch all along, so what was read is what the high watermark is about.
	result.HighWatermark = p.log.HighWatermark()
	result.Settled = result.Settled && p.settledForLocked(f.id)
	return change
}

// settledFor reports whether a follower may be left alone while nothing changes: one that is to join the in-sync replicas has to
// be looked at until it did.
func (p *Partition) settledFor(id int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settledForLocked(id)
}

func (p *Partition) settledForLocked(id int32) bool { return slices.Contains(p.isr.committed, id) }
