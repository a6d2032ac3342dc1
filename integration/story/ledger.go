package story

import (
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ledger keeps what was produced, delivered, owned and committed, and what was wrong with it.
type ledger struct {
	mu        sync.Mutex
	values    map[place]string // acknowledged
	delivered map[place]delivery
	owners    map[ownership]string // worker
	offsets   []int64              // committed, by partition; -1 when none was seen
	restarts  bool                 // committed offsets may move back
	faults    []string
}

type place struct {
	partition int32
	offset    int64
}

// delivery is how often a record was shown, and its value as it was last.
type delivery struct {
	times int
	value string
}

type ownership struct{ generation, partition int32 }

func newLedger(partitions int) *ledger {
	l := &ledger{values: map[place]string{}, delivered: map[place]delivery{}, owners: map[ownership]string{}, offsets: make([]int64, partitions)}
	for p := range l.offsets {
		l.offsets[p] = -1
	}
	return l
}

// wrong notes a fault.
func (l *ledger) wrong(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

// sent notes a record's acknowledgement.
func (l *ledger) sent(r *kgo.Record, err error) {
	if err != nil {
		l.wrong("produce %s to partition %d: %v", r.Value, r.Partition, err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.values[place{r.Partition, r.Offset}] = string(r.Value)
}

// hear notes an event of a worker.
func (l *ledger) hear(w *worker, e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Event {
	case "record":
		at := place{e.Partition, e.Offset}
		l.delivered[at] = delivery{l.delivered[at].times + 1, e.Value}
	case "owns":
		if e.Generation < 0 {
			return
		}
		for _, p := range e.Partitions {
			o := ownership{e.Generation, p}
			if other, taken := l.owners[o]; taken && other != w.name {
				l.faults = append(l.faults, fmt.Sprintf("partition %d is owned by %s and %s in generation %d", p, other, w.name, e.Generation))
			}
			l.owners[o] = w.name
		}
	}
}

// committed notes a committed offset.
func (l *ledger) committed(partition int32, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before := l.offsets[partition]; offset < before && (!l.restarts || offset < 0) {
		l.faults = append(l.faults, fmt.Sprintf("the committed offset of partition %d moves back from %d to %d", partition, before, offset))
	}
	l.offsets[partition] = offset
}

// forgive says whether committed offsets may move back from now on.
func (l *ledger) forgive(restarts bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restarts = restarts
}

func (l *ledger) committedOffset(partition int32) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.offsets[partition]
}

func (l *ledger) produced() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.values)
}

// undelivered says which records no worker has shown, if there are more than those dropped.
func (l *ledger) undelivered(dropped int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	missing, one := 0, place{}
	for at := range l.values {
		if l.delivered[at].times == 0 {
			missing++
			one = at
		}
	}
	if missing > dropped {
		return fmt.Errorf("%d of %d records are not delivered, one of them %+v", missing, len(l.values), one)
	}
	return nil
}

// report fails the test for each fault.
func (l *ledger) report(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 10
	for _, fault := range l.faults[:min(most, len(l.faults))] {
		t.Error(fault)
	}
	if more := len(l.faults) - most; more > 0 {
		t.Errorf("and %d more faults", more)
	}
	twice := 0
	for at, d := range l.delivered {
		if want := l.values[at]; want != d.value {
			t.Errorf("a worker shows %q at %v, produced was %q", d.value, at, want)
		}
		if d.times > 1 {
			twice++
		}
	}
	generations := map[int32]bool{}
	for o := range l.owners {
		generations[o.generation] = true
	}
	t.Logf("%d records, %d of them delivered more than once; %d generations", len(l.values), twice, len(generations))
}
