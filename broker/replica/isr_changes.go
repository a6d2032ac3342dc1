package replica

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// isrRetryAfter is how long a change of in-sync replicas rests that could not be answered (Kafka:
// DefaultAlterPartitionManager): the controller may be gone, and its successor not elected yet.
const isrRetryAfter = 50 * time.Millisecond

// isrChanges are the changes of in-sync replicas that leaders here ask for.
type isrChanges struct {
	propose                    ProposeISR // nil: there are none
	shrinks, expands, failures atomic.Uint64

	mu      sync.Mutex
	failed  []failedChange
	arrived chan struct{} // capacity 1, sent without blocking: failed has something
}

type failedChange struct {
	partition *Partition
	change    *ISRChange
}

func (i *isrChanges) retryLater(p *Partition, c *ISRChange) {
	i.mu.Lock()
	i.failed = append(i.failed, failedChange{p, c})
	i.mu.Unlock()
	select {
	case i.arrived <- struct{}{}:
	default:
	}
}

func (i *isrChanges) takeFailed() []failedChange {
	i.mu.Lock()
	defer i.mu.Unlock()
	failed := i.failed
	i.failed = nil
	return failed
}

// watchISRs looks for followers that lag, every half of replica.lag.time.max.ms as Kafka does, and asks again for
// changes that failed, until ctx ends.
func (m *Manager) watchISRs(ctx context.Context) {
	var retry <-chan time.Time
	lagCheck := time.NewTimer(lagCheckAfter(m.env.config.Broker().ReplicaLagTimeMax))
	defer lagCheck.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.env.isr.arrived:
			if retry == nil {
				retry = time.After(isrRetryAfter)
			}
		case <-retry:
			retry = nil
			for _, f := range m.env.isr.takeFailed() {
				f.partition.resubmit(f.change)
			}
		case <-lagCheck.C:
			lagMax := m.env.config.Broker().ReplicaLagTimeMax // anew every time: it may be changed
			lagCheck.Reset(lagCheckAfter(lagMax))
			for _, p := range m.Partitions() {
				p.submit(p.maybeShrink(lagMax))
			}
		}
	}
}

// lagCheckAfter is the time between two looks; a setting of next to nothing must not keep a core busy.
func lagCheckAfter(lagMax time.Duration) time.Duration { return max(lagMax/2, 10*time.Millisecond) }

// maybeShrink proposes an ISR without the followers that lag, if there are any (Kafka: Partition.maybeShrinkIsr). They
// count until the controller agrees.
func (p *Partition) maybeShrink(lagMax time.Duration) *ISRChange {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.role != leader || p.isr.pending != nil || len(p.isr.committed) < 2 || p.env.isr.propose == nil {
		return nil
	}
	var late laggards
	var rest []int32
	end, now := p.log.LogEndOffset(), time.Now()
	for _, id := range p.isr.committed {
		f := p.follower(id)
		if id == p.env.brokerID || f != nil && f.caughtUp(end, now, lagMax) {
			rest = append(rest, id)
			continue
		}
		if f == nil {
			f = &progress{id: id, end: -1}
		}
		late = append(late, laggard{id: id, end: f.end, behind: end - f.end, caughtUpAt: f.caughtUpAt, now: now})
	}
	if len(late) == 0 {
		return nil
	}
	p.env.log.Info("shrinking isr", p.fields(zap.Int32s("from", p.isr.committed), zap.Int32s("to", rest),
		zap.Int64("high_watermark", p.log.HighWatermark()), zap.Int64("log_end_offset", end),
		zap.Array("out_of_sync", late))...)
	return p.prepare(rest)
}

// maybeExpand proposes an ISR with a follower that may join it (Kafka: Partition.maybeExpandIsr): one that has all that
// is committed, and has got as far as this leader's epoch, since what a former leader committed may lie above the high
// watermark as it is known here. From now on it counts. p.mu is held, this broker leads.
func (p *Partition) maybeExpand(f *progress) *ISRChange {
	if p.env.isr.propose == nil || p.isr.pending != nil || slices.Contains(p.isr.committed, f.id) ||
		f.end < p.log.HighWatermark() || f.end < p.epochStart || !p.env.alive(f.id) {
		return nil
	}
	to := append(slices.Clone(p.isr.committed), f.id)
	p.env.log.Info("expanding isr", p.fields(zap.Int32s("from", p.isr.committed), zap.Int32s("to", to),
		zap.Int64("high_watermark", p.log.HighWatermark()), zap.Int64("end_offset", f.end))...)
	c := p.prepare(to)
	p.isr.joining = []int32{f.id}
	return c
}

// laggard is a follower that leaves the in-sync replicas, and why.
type laggard struct {
	id              int32
	end, behind     int64 // end is -1 when it never fetched
	caughtUpAt, now time.Time
}

type laggards []laggard

// MarshalLogArray implements zapcore.ArrayMarshaler.
func (l laggards) MarshalLogArray(to zapcore.ArrayEncoder) error {
	for i := range l {
		if err := to.AppendObject(&l[i]); err != nil {
			return err
		}
	}
	return nil
}

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (l *laggard) MarshalLogObject(to zapcore.ObjectEncoder) error {
	to.AddInt32("broker", l.id)
	to.AddInt64("end_offset", l.end)
	to.AddInt64("behind", l.behind)
	if !l.caughtUpAt.IsZero() { // else it was out of sync when this broker became leader
		to.AddTime("caught_up_at", l.caughtUpAt)
		to.AddDuration("lag", l.now.Sub(l.caughtUpAt))
	}
	return nil
}
