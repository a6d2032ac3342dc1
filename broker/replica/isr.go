package replica

import (
	"slices"
	"time"

	"github.com/kbroker/kbroker/storage"
)

// isr is a leader's in-sync replicas. The slices are never written after they were set.
type isr struct {
	committed []int32 // as the controller last told, this broker among them
	// joining are the followers whose addition was proposed and not answered yet.
	joining []int32
	// pending is the change that the controller has not answered, or not in a way that says what holds; nil: none.
	pending *ISRChange
}

// counts reports whether a replica is in the maximal ISR.
func (i *isr) counts(id int32) bool {
	return slices.Contains(i.committed, id) || slices.Contains(i.joining, id)
}

// maximal is the size of the maximal ISR.
func (i *isr) maximal() int { return len(i.committed) + len(i.joining) }

// minInSync is the effective min.insync.replicas: no more than there are replicas (Kafka: effectiveMinIsr). p.mu is held.
func (p *Partition) minInSync() int {
	return min(int(p.topic.config.Load().MinInSyncReplicas), len(p.followers)+1)
}

// progress is what a leader knows of a follower, from its fetches (Kafka: ReplicaState).
type progress struct {
	id       int32
	end      int64 // the offset it last fetched at, hence its log end; -1 unknown
	logStart int64 // -1 unknown
	// fetchedAt is when it last fetched, and leaderEnd where this log ended then.
	fetchedAt time.Time
	leaderEnd int64
	// caughtUpAt is the latest known moment at which this log held no more than the follower holds now.
	caughtUpAt time.Time
}

// fetched notes a fetch at offset end, when this log ended at leaderEnd (looked at before the read, so that appends
// during a fetch do not make a follower late).
func (f *progress) fetched(end, logStart, leaderEnd int64, now time.Time) {
	switch {
	case end >= leaderEnd:
		f.caughtUpAt = later(f.caughtUpAt, now)
	case end >= f.leaderEnd:
		// What it asks for now it had to have before: all that this log held at its previous fetch. A follower of a
		// busy leader never sees the end, yet is in sync.
		f.caughtUpAt = later(f.caughtUpAt, f.fetchedAt)
	}
	f.end, f.logStart = end, logStart
	f.leaderEnd = max(f.leaderEnd, leaderEnd)
	f.fetchedAt = now
}

// reset forgets what a former leadership knew (Kafka: resetReplicaState). A leader elected again keeps the ends: the
// followers did not change.
func (f *progress) reset(leaderEnd int64, newLeader, inSync bool, now time.Time) {
	// A follower outside the ISR must not hold the high watermark back before it fetches.
	var since time.Time
	if inSync {
		since = now
	}
	if newLeader {
		*f = progress{id: f.id, end: -1, logStart: -1, leaderEnd: -1, caughtUpAt: since}
		return
	}
	f.leaderEnd, f.fetchedAt, f.caughtUpAt = leaderEnd, since, since
}

// caughtUp reports whether the follower is in sync by the rule of replica.lag.time.max.ms.
func (f *progress) caughtUp(leaderEnd int64, now time.Time, lagMax time.Duration) bool {
	return f.end == leaderEnd || now.Sub(f.caughtUpAt) <= lagMax
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// alive reports whether the controller last told of a broker as live.
func (e *env) alive(id int32) bool {
	_, ok := e.metadata.Load().Broker(id)
	return ok
}

// highWatermarkOf is how far the high watermark may go by the ends of all who count. p.mu is held, this broker leads.
func (p *Partition) highWatermarkOf(log *storage.Log) int64 {
	end := log.LogEndOffset()
	if len(p.followers) == 0 {
		return end
	}
	now, lagMax := time.Now(), p.env.config.Broker().ReplicaLagTimeMax
	lowest := end
	for i := range p.followers {
		f := &p.followers[i]
		if f.end < lowest && (p.isr.counts(f.id) || f.caughtUp(end, now, lagMax) && p.env.alive(f.id)) {
			lowest = f.end
		}
	}
	return lowest
}
