package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// tale is one sight of something that only grows, with when it was asked for and when answered.
type tale struct {
	value        int64
	epoch        int32
	began, ended time.Duration
	who          string
}

// backwards finds tales that were asked for after a higher one had been answered.
func backwards(tales []tale, report func(before, now tale)) {
	byEnd := slices.Clone(tales)
	slices.SortStableFunc(byEnd, func(a, b tale) int { return cmp.Compare(a.ended, b.ended) })
	slices.SortStableFunc(tales, func(a, b tale) int { return cmp.Compare(a.began, b.began) })
	var highest tale
	any, i := false, 0
	for _, now := range tales {
		for ; i < len(byEnd) && byEnd[i].ended <= now.began; i++ {
			if !any || byEnd[i].value > highest.value {
				highest, any = byEnd[i], true
			}
		}
		if any && now.value < highest.value {
			report(highest, now)
		}
	}
}

// WatermarkBack finds high watermarks that moved back. A leader's, asked under its epoch, only grows; and what the leader of
// an older epoch ever told was in the log of every later leader from its start, so that no ListOffsets of that one, which
// waits until its high watermark is known (KIP-207), and no OffsetForLeaderEpoch tells less, however late the older is asked.
func WatermarkBack(h *History) (found []string) {
	type term struct {
		partition int32
		epoch     int32
		life      int // of the leader, where that counts
	}
	listed := map[term][]tale{} // by leaders, grows
	served := map[term][]tale{} // by leaders in fetch answers, grows too, but begins anew with each leader
	var floors, told []Watermark
	for _, w := range h.Watermarks {
		if w.Source == ListOffsets {
			key := term{w.Partition, w.LeaderEpoch, 0}
			listed[key] = append(listed[key], tale{w.Offset, w.LeaderEpoch, w.Began, w.Ended, "ListOffsets"})
			told = append(told, w)
		}
		floors = append(floors, w)
	}
	for _, a := range h.Answers {
		if a.Leading && !a.OutOfRange {
			key := term{a.Partition, a.LeaderEpoch, h.life(a)}
			served[key] = append(served[key], tale{a.HighWatermark, a.LeaderEpoch, a.Began, a.Ended, a.Reader})
			told = append(told, Watermark{ListOffsets, a.Partition, a.LeaderEpoch, a.HighWatermark, a.Began, a.Ended})
		}
	}
	for _, terms := range []map[term][]tale{listed, served} {
		for key, tales := range terms {
			backwards(tales, func(before, now tale) {
				found = append(found, fmt.Sprintf("partition %d epoch %d: %d (%s, %.3fs in), then %d (%s, %.3fs in)", key.partition, key.epoch,
					before.value, before.who, before.ended.Seconds(), now.value, now.who, now.ended.Seconds()))
			})
		}
	}
	return append(found, belowOlderEpochs(told, floors)...)
}

// belowOlderEpochs finds floors that are lower than what a leader of an older epoch (for an epoch's end: of that epoch or older) told.
func belowOlderEpochs(told, floors []Watermark) (found []string) {
	highest := map[int32]map[int32]Watermark{} // by partition and epoch
	for _, w := range told {
		if highest[w.Partition] == nil {
			highest[w.Partition] = map[int32]Watermark{}
		}
		if before, known := highest[w.Partition][w.LeaderEpoch]; !known || w.Offset > before.Offset {
			highest[w.Partition][w.LeaderEpoch] = w
		}
	}
	for _, w := range floors {
		for epoch, high := range highest[w.Partition] {
			older := epoch < w.LeaderEpoch || epoch == w.LeaderEpoch && w.Source == EpochEnd
			if older && high.Offset > w.Offset {
				what := "tells"
				if w.Source == EpochEnd {
					what = "is said to end at"
				}
				found = append(found, fmt.Sprintf("partition %d: epoch %d told %d (%.3fs in), epoch %d %s %d (%.3fs in)",
					w.Partition, epoch, high.Offset, high.Ended.Seconds(), w.LeaderEpoch, what, w.Offset, w.Ended.Seconds()))
			}
		}
	}
	return found
}

// EpochBack finds leader epochs that moved back: in the metadata that one broker serves, restarts included, or from one
// record of a log to the next.
func EpochBack(h *History) (found []string) {
	type view struct{ broker, partition int32 }
	last := map[view]Leader{}
	for _, l := range h.Leaders {
		key := view{l.Broker, l.Partition}
		if before, known := last[key]; known && l.Epoch < before.Epoch {
			found = append(found, fmt.Sprintf("broker %d tells epoch %d of partition %d (%.3fs in), then %d (%.3fs in)",
				l.Broker, before.Epoch, l.Partition, before.At.Seconds(), l.Epoch, l.At.Seconds()))
		}
		last[key] = l
	}
	for p, log := range h.Final {
		for i := 1; i < len(log); i++ {
			if log[i].LeaderEpoch < log[i-1].LeaderEpoch {
				found = append(found, fmt.Sprintf("the log of partition %d has epoch %d at offset %d after epoch %d", p, log[i].LeaderEpoch, log[i].Offset, log[i-1].LeaderEpoch))
			}
		}
	}
	return found
}

// TwoLeaders finds epochs that have two leaders. A broker that knows the leader to be dead tells none, under the same epoch.
func TwoLeaders(h *History) (found []string) {
	type term struct{ partition, epoch int32 }
	first := map[term]Leader{}
	for _, l := range h.Leaders {
		if l.Leader < 0 {
			continue
		}
		key := term{l.Partition, l.Epoch}
		before, known := first[key]
		if !known {
			first[key] = l
		} else if before.Leader != l.Leader {
			found = append(found, fmt.Sprintf("partition %d epoch %d is led by %d says broker %d, by %d says broker %d",
				l.Partition, l.Epoch, before.Leader, before.Broker, l.Leader, l.Broker))
		}
	}
	return found
}

// CommittedBack finds committed offsets that are lower than what was committed, or told, before they were asked for. Commits
// come from one client, in order and growing. With StaleCoordinators, what another coordinator told does not count.
func CommittedBack(h *History) (found []string) {
	type ledger struct{ coordinator, partition int32 }
	tales := map[ledger][]tale{}
	final := map[int32]tale{}
	for _, f := range h.Fetched {
		key := ledger{-1, f.Partition}
		if h.StaleCoordinators {
			key.coordinator = f.Coordinator
		}
		now := tale{f.Offset, 0, f.Began, f.Ended, fmt.Sprintf("coordinator %d", f.Coordinator)}
		tales[key] = append(tales[key], now)
		if last, known := final[f.Partition]; !known || now.began >= last.began {
			final[f.Partition] = now
		}
	}
	complain := func(partition int32) func(before, now tale) {
		return func(before, now tale) {
			found = append(found, fmt.Sprintf("partition %d: %d (%s, %.3fs in), then %d (%s, %.3fs in)", partition,
				before.value, before.who, before.ended.Seconds(), now.value, now.who, now.ended.Seconds()))
		}
	}
	commits := map[int32][]tale{}
	for _, c := range h.Commits {
		commits[c.Partition] = append(commits[c.Partition], tale{c.Offset, 0, c.Began, c.Ended, "committed"})
	}
	for key, all := range tales {
		if !h.StaleCoordinators {
			all = append(all, commits[key.partition]...)
		}
		backwards(all, complain(key.partition))
	}
	for partition, last := range final {
		backwards(append(commits[partition], last), complain(partition))
	}
	return found
}
