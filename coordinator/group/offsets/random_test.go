package offsets

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// TestReplayIsTheLiveGroup does what comes to hand, with refused appends and failures and answers out of order, and compares
// whenever no write is under way: a replay of the log, of a compacted one and of a twice compacted one all come to the live group,
// which at times goes on as one of them. At every step it checks that nothing is seen that is not committed.
func TestReplayIsTheLiveGroup(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := &hand{world: newWorld(t), r: rand.New(rand.NewPCG(seed, 7)), open: map[int64]bool{}, ending: map[int64]bool{}, record: map[int64]int{}}
			for range 300 {
				h.step()
				h.checkSeen()
				if h.kept(); h.compared > 40 || t.Failed() {
					break
				}
			}
			if h.compared < 5 {
				t.Errorf("compared only %d times", h.compared)
			}
		})
	}
}

// hand does random things.
type hand struct {
	*world
	r        *rand.Rand
	next     int64          // offsets are committed once each, so that they tell their record
	open     map[int64]bool // producers with a transaction
	ending   map[int64]bool // and those whose marker is not committed
	scanned  int            // so much of the log is in record
	record   map[int64]int  // where the record of a committed offset is
	compared int
}

func (h *hand) step() {
	if h.r.IntN(12) == 0 {
		h.refuse = kerr.NotLeaderForPartition
	}
	switch h.r.IntN(14) {
	case 0, 1, 2:
		h.commit(nil)
	case 3, 4:
		if p := h.producer(); !h.ending[p.ID] {
			h.open[p.ID] = true
			h.commit(p)
		}
	case 5:
		if p := h.producer(); h.open[p.ID] && !h.ending[p.ID] {
			h.ending[p.ID] = true
			h.end(p.ID, h.r.IntN(3) > 0)
		}
	case 6:
		h.turn(func(x *journal.Turn) { h.g.Delete(x, []Partition{h.partition(), h.partition()}, func(*kerr.Error) {}) })
	case 7:
		h.turn(func(x *journal.Turn) { h.g.Expire(x, Config{Retention: 30 * time.Millisecond}, Rule{}) })
	case 8:
		if h.r.IntN(10) == 0 {
			h.refuse = nil // nothing of such a group is left to be compared
			h.turn(func(x *journal.Turn) {
				if tombstones := h.g.DeleteAll(); len(tombstones) > 0 {
					x.Append(journal.Write{Records: tombstones, Done: func(*journal.Turn, error) {}})
				}
			})
		}
	case 9:
		h.now = h.now.Add(time.Duration(h.r.IntN(20)) * time.Millisecond)
	case 10:
		h.quiet()
	default:
		if len(h.inFlight) > 0 {
			h.finishOne(h.r.IntN(len(h.inFlight)))
		}
	}
	h.refuse = nil
}

func (h *hand) commit(p *journal.Producer) {
	var commits []Commit
	for range 1 + h.r.IntN(3) {
		h.next++
		o := Offset{Offset: h.next, LeaderEpoch: int32(h.r.IntN(3)) - 1, CommitTime: -1, ExpireTime: -1}
		if h.r.IntN(3) == 0 {
			o.Metadata = fmt.Sprint("m", h.r.IntN(3))
		}
		if h.r.IntN(6) == 0 {
			o.ExpireTime = h.now.UnixMilli() + int64(h.r.IntN(50))
		}
		commits = append(commits, Commit{Partition: h.partition(), Offset: o})
	}
	h.turn(func(x *journal.Turn) { h.g.Commit(x, storyConfig, commits, p, func([]Commit) {}) })
}

func (h *hand) partition() Partition {
	return Partition{string(rune('t' + h.r.IntN(2))), int32(h.r.IntN(3))}
}

func (h *hand) producer() *journal.Producer { return &journal.Producer{ID: int64(h.r.IntN(3))} }

// finishOne ends a write; markers never fail.
func (h *hand) finishOne(i int) {
	a := h.inFlight[i]
	marker := h.log[a.end-1]
	if marker.Marker != journal.NoMarker {
		h.finish(i, nil)
		h.open[marker.Producer.ID], h.ending[marker.Producer.ID] = false, false
		return
	}
	if h.r.IntN(4) == 0 {
		h.finish(i, kerr.RequestTimedOut)
	} else {
		h.finish(i, nil)
	}
}

// quiet ends all writes and compares. While something is unsure the replay knows more than the group.
func (h *hand) quiet() {
	for len(h.inFlight) > 0 {
		h.finishOne(h.r.IntN(len(h.inFlight)))
	}
	if h.r.IntN(2) == 0 {
		h.turn(func(x *journal.Turn) {
			h.next++
			h.g.Commit(x, storyConfig, []Commit{{Partition: Partition{"last", 0}, Offset: Offset{h.next, -1, "", -1, -1}}}, nil, func([]Commit) {})
		})
		for len(h.inFlight) > 0 {
			h.finish(0, nil)
		}
	}
	if len(h.g.unsure) > 0 {
		return
	}
	h.compared++
	live := dump(h.g)
	once := h.compact(h.log)
	for name, log := range map[string][]journal.Entry{"whole": h.log, "compacted": once, "twice compacted": h.compact(once)} {
		if replayed := dump(h.replay(log)); replayed != live {
			h.t.Fatalf("the group is\n%sa replay of the %s log\n%s", live, name, replayed)
		}
	}
	if h.r.IntN(4) == 0 {
		h.g = h.replay(once) // and goes on from there
	}
}

// compact is what the log cleaner leaves: below the first open transaction, no aborted records and of each key the newest,
// which may go as well if it is a tombstone.
func (h *hand) compact(log []journal.Entry) []journal.Entry {
	aborted, undecided := map[int64]bool{}, map[int64][]int64{}
	for _, e := range log {
		switch {
		case e.Marker != journal.NoMarker:
			for _, offset := range undecided[e.Producer.ID] {
				aborted[offset] = e.Marker == journal.Abort
			}
			delete(undecided, e.Producer.ID)
		case e.Producer != nil:
			undecided[e.Producer.ID] = append(undecided[e.Producer.ID], e.Offset)
		}
	}
	end := int64(len(h.log))
	for _, offsets := range undecided {
		end = min(end, offsets[0])
	}
	newest := map[string]int64{}
	for _, e := range log {
		if e.Offset < end && e.Marker == journal.NoMarker && !aborted[e.Offset] {
			newest[string(e.Key)] = e.Offset
		}
	}
	return slices.DeleteFunc(slices.Clone(log), func(e journal.Entry) bool {
		if e.Offset >= end || e.Marker != journal.NoMarker {
			return false
		}
		return aborted[e.Offset] || newest[string(e.Key)] != e.Offset || e.Value == nil && h.r.IntN(2) == 0
	})
}

// checkSeen looks at the record of each offset that a fetch shows.
func (h *hand) checkSeen() {
	h.t.Helper()
	for ; h.scanned < len(h.log); h.scanned++ {
		if e := h.log[h.scanned]; e.Value != nil {
			_, o := h.read(e)
			h.record[o.Offset] = h.scanned
		}
	}
	for _, f := range h.g.Fetch(nil, false) {
		e := h.log[h.record[f.Offset.Offset]]
		if p, o := h.read(e); p != f.Partition || o == nil || o.Offset != f.Offset.Offset {
			h.t.Fatalf("offset %d of %s-%d is seen, but not in the log", f.Offset.Offset, f.Topic, f.Index)
		}
		if e.Offset >= h.hw {
			h.t.Fatalf("offset %d of %s-%d is seen, whose record is at %d, with the high watermark at %d", f.Offset.Offset, f.Topic, f.Index, e.Offset, h.hw)
		}
		if e.Producer != nil && !slices.ContainsFunc(h.log[e.Offset:], func(m journal.Entry) bool {
			return m.Marker == journal.Commit && m.Producer.ID == e.Producer.ID && m.Offset < h.hw
		}) {
			h.t.Fatalf("offset %d of %s-%d is seen, whose transaction is open", f.Offset.Offset, f.Topic, f.Index)
		}
	}
}
