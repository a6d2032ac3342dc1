package replica

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kbroker/kbroker/broker/config"
)

// Quota holds the rate of throttled replication below a limit that may change at any time (KIP-73; Kafka:
// ReplicationQuotaManager.scala, SimpleRate.java). What is recorded may exceed the limit: those who record ask
// beforehand. Safe for concurrent use.
type Quota struct {
	limits func() (bytesPerSecond int64, samples int32, window time.Duration)

	mu      sync.Mutex
	samples []quotaSample // guarded by mu; the oldest first, at most as many as limits says
}

// quotaSample is what was recorded from a moment on, until the next sample began.
type quotaSample struct {
	since time.Time
	bytes int64
}

// NewFollowerQuota limits what throttled followers here fetch (follower.replication.throttled.rate).
func NewFollowerQuota(c *config.Store) *Quota {
	return &Quota{limits: func() (int64, int32, time.Duration) {
		q := &c.Broker().Quotas
		return q.FollowerReplicationRate, q.ReplicationSamples, q.ReplicationWindow
	}}
}

// NewLeaderQuota limits what throttled followers elsewhere are given (leader.replication.throttled.rate).
func NewLeaderQuota(c *config.Store) *Quota {
	return &Quota{limits: func() (int64, int32, time.Duration) {
		q := &c.Broker().Quotas
		return q.LeaderReplicationRate, q.ReplicationSamples, q.ReplicationWindow
	}}
}

// Record counts bytes of throttled replicas.
func (q *Quota) Record(bytes int64) {
	_, count, window := q.limits()
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire(now, count, window)
	last := len(q.samples) - 1
	if last < 0 || now.Sub(q.samples[last].since) >= window {
		q.samples = append(q.samples, quotaSample{since: now})
		last++
	}
	q.samples[last].bytes += bytes
}

// Wait tells how long nothing may be moved until the rate is at its limit again; 0 when it is not exceeded.
func (q *Quota) Wait() time.Duration {
	limit, count, window := q.limits()
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire(now, count, window)
	if len(q.samples) == 0 {
		return 0
	}
	bytes := int64(0)
	for _, s := range q.samples {
		bytes += s.bytes
	}
	elapsed := max(now.Sub(q.samples[0].since), window)
	if float64(bytes) <= float64(limit)*elapsed.Seconds() {
		return 0
	}
	all := time.Duration(count) * window
	if limit <= 0 {
		return all
	}
	// No later than when the oldest sample expires, after which all has to be looked at anew.
	due := float64(bytes)/float64(limit) - elapsed.Seconds()
	expires := q.samples[0].since.Add(all).Sub(now)
	return max(min(time.Duration(min(due, all.Seconds())*float64(time.Second)), expires), time.Millisecond)
}

// Exceeded reports whether the rate is above its limit.
func (q *Quota) Exceeded() bool { return q.Wait() > 0 }

// expire drops samples that count no more. q.mu is held.
func (q *Quota) expire(now time.Time, count int32, window time.Duration) {
	drop := 0
	for drop < len(q.samples) && now.Sub(q.samples[drop].since) >= time.Duration(count)*window {
		drop++
	}
	if drop > 0 {
		q.samples = q.samples[:copy(q.samples, q.samples[drop:])]
	}
}

// ThrottledAsFollower tells whether this broker's fetching of the partition is to be throttled
// (follower.replication.throttled.replicas).
func (p *Partition) ThrottledAsFollower() bool {
	return throttled(p.TopicConfig().FollowerThrottled, p.index, p.env.brokerID)
}

// throttledAsLeader tells whether this broker's feeding of followers is to be throttled
// (leader.replication.throttled.replicas).
func (p *Partition) throttledAsLeader() bool {
	return throttled(p.TopicConfig().LeaderThrottled, p.index, p.env.brokerID)
}

// heldBack reports whether a follower gets no records for now: it is not in sync, and what throttled followers get is
// above the quota. Its fetch counts all the same. (Kafka: ReplicaManager.shouldLeaderThrottle.)
func (p *Partition) heldBack(r *ReadRequest) bool {
	if r.ReplicaID < 0 || !p.throttledAsLeader() || !p.env.quota.Exceeded() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.Contains(p.isr.committed, r.ReplicaID)
}

// fed counts what a follower is given, in sync or not.
func (p *Partition) fed(bytes int64) {
	if bytes > 0 && p.throttledAsLeader() {
		p.env.quota.Record(bytes)
	}
}

// throttled looks for a replica in a list of partition:broker, or * for all.
func throttled(replicas []string, index, brokerID int32) bool {
	for _, r := range replicas {
		if r = strings.TrimSpace(r); r == "*" {
			return true
		}
		partition, broker, ok := strings.Cut(r, ":")
		if ok && isNumber(partition, index) && isNumber(broker, brokerID) {
			return true
		}
	}
	return false
}

func isNumber(s string, want int32) bool {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32)
	return err == nil && int32(n) == want
}
