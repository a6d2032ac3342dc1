package history

import (
	"slices"
	"sync"
	"time"
)

// Recorder fills a History. It is safe for concurrent use.
type Recorder struct {
	start time.Time

	mu sync.Mutex
	h  History
	// acked is how many records each partition had acknowledged, for Progress.
	acked map[int32]int
}

// NewRecorder begins a history now.
func NewRecorder() *Recorder {
	return &Recorder{
		start: time.Now(),
		h:     History{Producers: map[string]Guarantee{}, Final: map[int32][]Read{}},
		acked: map[int32]int{},
	}
}

// Now is the time since the history began.
func (r *Recorder) Now() time.Duration { return time.Since(r.start) }

// Note adds to the history.
func (r *Recorder) Note(add func(h *History)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	add(&r.h)
}

// Ack adds an acknowledgement.
func (r *Recorder) Ack(a Ack) {
	a.At = r.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Acks = append(r.h.Acks, a)
	r.acked[a.Partition]++
}

// Acked returns how many records of each partition are acknowledged.
func (r *Recorder) Acked(partitions int) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := make([]int, partitions)
	for p := range counts {
		counts[p] = r.acked[int32(p)]
	}
	return counts
}

// History returns a copy of what was recorded, whose records are shared: it is for the end, or for a look.
func (r *Recorder) History() *History {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.h
	h.Acks = slices.Clone(h.Acks)
	return &h
}

// LongestSilence returns, over all partitions, the longest time between two acknowledgements with acks=all that ended after a time.
func (h *History) LongestSilence(since time.Duration) (longest time.Duration, partition int32) {
	last := map[int32]time.Duration{}
	for _, a := range h.Acks {
		if !h.Producers[a.Producer].Durable {
			continue
		}
		if before, seen := last[a.Partition]; seen && a.At > since && a.At-before > longest {
			longest, partition = a.At-before, a.Partition
		}
		last[a.Partition] = a.At
	}
	return longest, partition
}
