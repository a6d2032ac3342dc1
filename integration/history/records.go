package history

import (
	"cmp"
	"fmt"
	"slices"
)

type place struct {
	partition int32
	offset    int64
}

func (p place) String() string { return fmt.Sprintf("partition %d offset %d", p.partition, p.offset) }

// final returns the log at the end by place.
func (h *History) final() map[place]string {
	all := map[place]string{}
	for _, log := range h.Final {
		for _, r := range log {
			all[place{r.Partition, r.Offset}] = r.Value
		}
	}
	return all
}

// Lost finds records that were acknowledged with acks=all and are not where the acknowledgement said.
func Lost(h *History) (found []string) {
	final := h.final()
	for _, a := range h.Acks {
		if !h.Producers[a.Producer].Durable {
			continue
		}
		at := place{a.Partition, a.Offset}
		if got, there := final[at]; !there {
			found = append(found, fmt.Sprintf("%s was acknowledged %.3fs in at %s, where there is nothing", a.Value, a.At.Seconds(), at))
		} else if got != a.Value {
			found = append(found, fmt.Sprintf("%s was acknowledged %.3fs in at %s, where there is %s", a.Value, a.At.Seconds(), at, got))
		}
	}
	return found
}

// Duplicated finds records of idempotent producers that are in the log more than once.
func Duplicated(h *History) (found []string) {
	for _, log := range h.Final {
		first := map[string]int64{}
		for _, r := range log {
			if producer, _, ok := parse(r.Value); !ok || !h.Producers[producer].Idempotent {
				continue
			}
			if before, twice := first[r.Value]; twice {
				found = append(found, fmt.Sprintf("%s is at %s and at offset %d", r.Value, place{r.Partition, r.Offset}, before))
			}
			first[r.Value] = r.Offset
		}
	}
	return found
}

// Remapped finds offsets that held different records, whoever saw them whenever. What was acknowledged with acks=all counts as seen.
func Remapped(h *History) (found []string) {
	type sight struct {
		value string
		epoch int32
		by    string
	}
	seen := map[place]sight{}
	look := func(at place, now sight) {
		before, known := seen[at]
		switch {
		case !known:
			seen[at] = now
		case before.value != now.value:
			found = append(found, fmt.Sprintf("%s was %s for %s and %s for %s", at, before.value, before.by, now.value, now.by))
		case before.epoch >= 0 && now.epoch >= 0 && before.epoch != now.epoch:
			found = append(found, fmt.Sprintf("%s was of epoch %d for %s and of %d for %s", at, before.epoch, before.by, now.epoch, now.by))
		case before.epoch < 0:
			seen[at] = now
		}
	}
	for _, log := range h.Final {
		for _, r := range log {
			look(place{r.Partition, r.Offset}, sight{r.Value, r.LeaderEpoch, "the log at the end"})
		}
	}
	for _, r := range h.Reads {
		look(place{r.Partition, r.Offset}, sight{r.Value, r.LeaderEpoch, fmt.Sprintf("%s %.3fs in", r.Reader, r.At.Seconds())})
	}
	for _, a := range h.Acks {
		if h.Producers[a.Producer].Durable {
			look(place{a.Partition, a.Offset}, sight{a.Value, -1, fmt.Sprintf("its producer's acknowledgement %.3fs in", a.At.Seconds())})
		}
	}
	return found
}

// Vanished finds records that were read and are not in the log at the end: they were served before they were committed.
func Vanished(h *History) (found []string) {
	final := h.final()
	reported := map[place]bool{}
	for _, r := range h.Reads {
		at := place{r.Partition, r.Offset}
		if got, there := final[at]; (!there || got != r.Value) && !reported[at] {
			reported[at] = true
			found = append(found, fmt.Sprintf("%s was read by %s %.3fs in at %s, where at the end there is %q", r.Value, r.Reader, r.At.Seconds(), at, got))
		}
	}
	return found
}

// AboveWatermark finds records that a leader served although its high watermark, as its next answer to the same reader tells,
// was not above them, and readers that were told that what they have read does not exist. The high watermark of the same
// answer may be older than its records.
func AboveWatermark(h *History) (found []string) {
	type reading struct {
		reader    string
		partition int32
		epoch     int32
		life      int
	}
	next := map[reading]int64{}
	for _, a := range h.Answers {
		if !a.Leading {
			continue
		}
		if a.OutOfRange {
			found = append(found, fmt.Sprintf("%s has read partition %d up to offset %d, which the leader %d of epoch %d says is out of range, %.3fs in",
				a.Reader, a.Partition, a.Asked, a.Broker, a.LeaderEpoch, a.Ended.Seconds()))
			continue
		}
		key := reading{a.Reader, a.Partition, a.LeaderEpoch, h.life(a)}
		if served := next[key]; served > a.HighWatermark {
			found = append(found, fmt.Sprintf("broker %d served partition %d to %s up to offset %d, and later a high watermark of %d, %.3fs in",
				a.Broker, a.Partition, a.Reader, served-1, a.HighWatermark, a.Ended.Seconds()))
		}
		if a.Next > a.Asked {
			next[key] = a.Next
		}
	}
	return found
}

// Misordered finds records that a producer sent in another order than the log has them. Retries of a producer that is not
// idempotent repeat records; then the first of each counts.
func Misordered(h *History) (found []string) {
	for _, log := range h.Final {
		last := map[string]int64{} // sequence by producer
		seen := map[string]bool{}
		for _, r := range log {
			producer, sequence, ok := parse(r.Value)
			if !ok || seen[r.Value] {
				continue
			}
			seen[r.Value] = true
			if before, any := last[producer]; any && sequence < before {
				found = append(found, fmt.Sprintf("%s at %s comes after %s", r.Value, place{r.Partition, r.Offset}, Value(producer, before)))
			}
			last[producer] = max(last[producer], sequence)
		}
	}
	return found
}

// Gaps finds offsets that are missing in the log at the end, and offsets that a reader of a replica was not given between
// what it asked for and what it got. The topic is neither compacted nor transactional, so there are none.
func Gaps(h *History) (found []string) {
	for p, log := range h.Final {
		for i, r := range log {
			if r.Offset != int64(i) {
				found = append(found, fmt.Sprintf("partition %d has offset %d in place %d", p, r.Offset, i))
				break
			}
		}
	}
	type reading struct {
		reader    string
		partition int32
	}
	next := map[reading]int64{}
	for _, r := range h.Reads {
		key := reading{r.Reader, r.Partition}
		if want, going := next[key]; going && r.Offset > want {
			found = append(found, fmt.Sprintf("%s was given offset %d of partition %d after %d, %.3fs in", r.Reader, r.Offset, r.Partition, want-1, r.At.Seconds()))
		}
		next[key] = max(next[key], r.Offset+1)
	}
	return found
}

// Invented finds records that nobody sent to their partition.
func Invented(h *History) (found []string) {
	type stream struct {
		producer  string
		partition int32
	}
	sent := map[stream]int64{} // count
	for _, s := range h.Sent {
		key := stream{s.Producer, s.Partition}
		sent[key] = max(sent[key], s.Sequence+1)
	}
	for _, r := range slices.Concat(slices.Collect(values(h.Final))...) {
		if producer, sequence, ok := parse(r.Value); !ok || sequence >= sent[stream{producer, r.Partition}] {
			found = append(found, fmt.Sprintf("%q is at %s", r.Value, place{r.Partition, r.Offset}))
		}
	}
	return found
}

// values yields the logs in the order of partitions.
func values(logs map[int32][]Read) func(yield func([]Read) bool) {
	return func(yield func([]Read) bool) {
		var partitions []int32
		for p := range logs {
			partitions = append(partitions, p)
		}
		slices.SortFunc(partitions, cmp.Compare)
		for _, p := range partitions {
			if !yield(logs[p]) {
				return
			}
		}
	}
}
