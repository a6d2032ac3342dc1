package offsets

import (
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// Delete removes offsets (OffsetDelete, topics that are gone) and what is pending of these partitions. It replies when
// that is stored or failed, with the code that a commit would have; at once if there is nothing to remove, which is no
// error.
func (g *Group) Delete(x *journal.Turn, partitions []Partition, reply func(*kerr.Error)) {
	var entries []*entry
	for _, p := range partitions {
		if e := g.find(p); e != nil {
			entries = append(entries, e)
		}
	}
	if len(entries) == 0 {
		reply(nil)
		return
	}
	g.remove(x, entries, func(err error) { reply(codeOf(err)) })
}

// DeleteAll removes all offsets and all that is pending, at once, and returns the tombstones for the caller's batch. It is
// for the end of a group, also of one whose Len is 0: the log may hold offsets whose commit failed. Commits that are
// being stored are answered still, but their offsets do not come back.
func (g *Group) DeleteAll() []journal.Record {
	var tombstones []journal.Record
	for _, t := range g.sorted() {
		for _, e := range t.entries {
			tombstones = append(tombstones, journal.OffsetTombstone(g.key(e.partition())))
			e.Offset, e.exists, e.txns = Offset{}, false, 0
			e.order = math.MaxInt64 // what comes later is older
		}
	}
	clear(g.topics)
	clear(g.txns)
	clear(g.unsure)
	g.count = 0
	return tombstones
}

// remove writes tombstones. Removing from the end of a topic is quickest, so that is where it begins when entries are sorted.
func (g *Group) remove(x *journal.Turn, entries []*entry, done func(error)) {
	records := make([]journal.Record, len(entries))
	for i, e := range entries {
		records[i] = journal.OffsetTombstone(g.key(e.partition()))
	}
	var order int64
	x.Append(journal.Write{
		Records: records,
		Applied: func(*journal.Turn) {
			g.last++
			order = g.last
			for _, e := range slices.Backward(entries) {
				g.unset(e, order)
			}
		},
		Done: func(_ *journal.Turn, err error) {
			if err == nil {
				g.settle(order)
			}
			done(err)
		},
	})
}
