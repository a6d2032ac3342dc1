package offsets

import (
	"time"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// Rule tells what protects the offsets of a group from expiry (KIP-211, GroupMetadata.removeExpiredOffsets). The owner
// chooses it by the group's state:
//
//	classic, Empty, with a protocol type      Since when it became so; zero if the stored group does not say
//	classic, Stable, of the consumer protocol Subscribed
//	classic, without a protocol type          the zero Rule: the group only stores offsets
//	any other classic group                   Never
//	consumer group                            Subscribed
type Rule struct {
	// Since is when the group became empty: retention counts from then, for all offsets, whenever they were committed.
	// Zero: it counts from each offset's CommitTime.
	Since time.Time
	// Subscribed tells which topics never expire. Nil: none.
	Subscribed func(topic string) bool
	// Never: nothing expires.
	Never bool
}

// Expire removes what is past its retention and tells how many offsets that are. An offset with an ExpireTime goes by that
// alone. Partitions with a commit under way stay, be it in a transaction (which Kafka's classic coordinator forgets, and
// its newer one does not). Offsets go when the tombstones are in the log, as of Delete; if that fails they are found
// expired again next time.
func (g *Group) Expire(x *journal.Turn, c Config, r Rule) (expired int) {
	if r.Never || g.count == 0 {
		return 0
	}
	now := x.Now.UnixMilli()
	var entries []*entry
	for _, t := range g.sorted() {
		if r.Subscribed != nil && r.Subscribed(t.name) {
			continue
		}
		for _, e := range t.entries {
			if e.exists && !e.unstable() && e.expired(now, c.Retention, r.Since) {
				entries = append(entries, e)
			}
		}
	}
	if len(entries) > 0 {
		g.remove(x, entries, func(error) {})
	}
	return len(entries)
}

func (e *entry) expired(now int64, retention time.Duration, since time.Time) bool {
	if e.ExpireTime != -1 {
		return now >= e.ExpireTime
	}
	from := e.CommitTime
	if !since.IsZero() {
		from = since.UnixMilli()
	}
	return now-from >= retention.Milliseconds()
}
