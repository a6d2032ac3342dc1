package group

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// Run expires offsets and removes groups that nothing is left of, until ctx ends. Every group is looked at once per RetentionCheck; the
// partitions of __consumer_offsets take turns, so that the tombstones do not come all at once.
func (g *Groups) Run(ctx context.Context) {
	last := int32(-1)
	timer := time.NewTimer(g.expiryPause())
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if s := g.shardAfter(last); s != nil {
			last = s.partition
			s.each(func(a *actor, x *journal.Turn) { a.expire(x) })
		}
		timer.Reset(g.expiryPause())
	}
}

// expiryPause is how long to wait between two partitions.
func (g *Groups) expiryPause() time.Duration {
	g.mu.RLock()
	shards := len(g.shards)
	g.mu.RUnlock()
	return max(g.o.Config().RetentionCheck/time.Duration(max(shards, 1)), time.Millisecond)
}

// shardAfter is the next partition by number, round and round; nil when there is none.
func (g *Groups) shardAfter(last int32) *shard {
	shards := g.allShards()
	slices.SortFunc(shards, func(a, b *shard) int { return int(a.partition) - int(b.partition) })
	for _, s := range shards {
		if s.partition > last {
			return s
		}
	}
	if len(shards) == 0 {
		return nil
	}
	return shards[0]
}

// expire removes offsets that are past their retention, and the group if that leaves nothing of it.
func (a *actor) expire(x *journal.Turn) {
	g := a.shard.groups
	if a.offsets.Len() > 0 {
		g.metrics.expired.Add(float64(a.offsets.Expire(x, g.o.Config().Offsets, a.expiry())))
	}
	// After the expired ones' tombstones.
	x.Append(journal.Write{Applied: a.removeIfUnused})
}

// expiry is what protects the offsets of the group (KIP-211: GroupMetadata.removeExpiredOffsets; of the new protocol,
// OffsetMetadataManager.cleanupExpiredOffsets).
func (a *actor) expiry() offsets.Rule {
	if a.consumer != nil {
		return offsets.Rule{Subscribed: a.consumer.Subscribed}
	}
	switch {
	case a.classic.ProtocolType() == "":
		return offsets.Rule{}
	case a.classic.State() == classic.Empty:
		return offsets.Rule{Since: a.classic.EmptySince()}
	case a.classic.State() == classic.Stable && a.classic.ProtocolType() == consumerProtocol:
		if _, known := a.classic.Subscribed(""); known {
			return offsets.Rule{Subscribed: func(topic string) bool {
				subscribed, _ := a.classic.Subscribed(topic)
				return subscribed
			}}
		}
	}
	return offsets.Rule{Never: true}
}

// removeIfUnused removes a group that has neither members nor offsets.
func (a *actor) removeIfUnused(x *journal.Turn) {
	if a.empty() && a.offsets.Len() == 0 && !a.offsets.Pending() {
		a.remove(x, func(*kerr.Error) {})
	}
}
