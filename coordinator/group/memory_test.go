package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// memoryJournal is a Journal in memory, with one leader and as many failures as a test wants.
type memoryJournal struct {
	mu     sync.Mutex
	logs   map[int32]*memoryLog
	refuse func(records []journal.Record) error // nil: every append is taken
	delay  time.Duration                        // until a write is committed; 0: at once
	fails  error                                // how the wait for replicas ends
	gate   chan struct{}                        // if set, a load waits until it is closed
	unsafe chan struct{}                        // if set, what was read may be lost until it is closed
	reads  int                                  // entries that loads visited
}

type memoryLog struct {
	epoch   int32
	next    int64
	entries []entry
}

// entry knows its group, so that a test may replay one group of many; markers have none.
type entry struct {
	journal.Entry
	group string
}

func newMemoryJournal() *memoryJournal { return &memoryJournal{logs: make(map[int32]*memoryLog)} }

// lead lets epoch lead the partition.
func (j *memoryJournal) lead(partition, epoch int32) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.log(partition).epoch = epoch
}

func (j *memoryJournal) log(partition int32) *memoryLog {
	l := j.logs[partition]
	if l == nil {
		l = &memoryLog{}
		j.logs[partition] = l
	}
	return l
}

func (j *memoryJournal) Append(partition, leaderEpoch int32, records []journal.Record, producer *journal.Producer, now time.Time) (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(records) == 0 {
		return 0, errors.New("a batch without records")
	}
	l := j.log(partition)
	if l.epoch != leaderEpoch {
		return 0, fmt.Errorf("append in epoch %d of %d: %w", leaderEpoch, l.epoch, kerr.NotLeaderForPartition)
	}
	if j.refuse != nil {
		if err := j.refuse(records); err != nil {
			return 0, fmt.Errorf("append: %w", err)
		}
	}
	for _, r := range records {
		l.add(entry{journal.Entry{Key: r.Key, Value: r.Value, Producer: producer}, groupOf(r.Key)})
	}
	return l.next, nil
}

func (l *memoryLog) add(e entry) {
	e.Offset = l.next
	l.next++
	l.entries = append(l.entries, e)
}

func (j *memoryJournal) Committed(partition, leaderEpoch int32, end int64, timeout time.Duration, done func(error)) {
	j.mu.Lock()
	delay, err := j.delay, j.fails
	j.mu.Unlock()
	if delay == 0 {
		done(err)
		return
	}
	time.AfterFunc(delay, func() { done(err) })
}

func (j *memoryJournal) Load(ctx context.Context, partition, leaderEpoch int32, visit func(journal.Entry) error) error {
	j.mu.Lock()
	gate := j.gate
	j.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	j.mu.Lock()
	entries := j.log(partition).entries
	entries = entries[:len(entries):len(entries)]
	j.reads += len(entries)
	j.mu.Unlock()

	var key, value []byte
	for _, e := range entries {
		// The bytes are valid until visit returns, and not longer.
		key = append(key[:0], e.Key...)
		e.Key = key
		if e.Value != nil {
			value = append(value[:0], e.Value...)
			e.Value = value
		}
		if err := visit(e.Entry); err != nil {
			return err
		}
		scribble(key)
		scribble(value)
	}
	return nil
}

func scribble(b []byte) {
	for i := range b {
		b[i] = 0xff
	}
}

// mark ends a transaction.
func (j *memoryJournal) mark(partition int32, producer journal.Producer, marker journal.Marker) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.log(partition).add(entry{Entry: journal.Entry{Producer: &producer, Marker: marker}})
}

// compact keeps what a log cleaner keeps at least: of every key the newest record that counts, without the tombstones
// if drop says so; what is in open transactions; the markers of transactions that records are left of. It returns new
// entries, and changes none.
func compact(entries []entry, drop bool) []entry {
	// An outcome belongs to the records between it and the marker before it.
	outcome := make([]journal.Marker, len(entries))
	open := make(map[int64][]int)
	for i, e := range entries {
		switch {
		case e.Marker != journal.NoMarker:
			for _, r := range open[e.Producer.ID] {
				outcome[r] = e.Marker
			}
			delete(open, e.Producer.ID)
		case e.Producer != nil:
			open[e.Producer.ID] = append(open[e.Producer.ID], i)
		default:
			outcome[i] = journal.Commit
		}
	}
	firstOpen := len(entries)
	for _, records := range open {
		firstOpen = min(firstOpen, records[0])
	}
	newest := make(map[string]int)
	for i, e := range entries[:firstOpen] {
		if e.Marker == journal.NoMarker && outcome[i] == journal.Commit {
			newest[string(e.Key)] = i
		}
	}
	var kept []entry
	left := make(map[int64]bool)
	for i, e := range entries {
		switch {
		case i >= firstOpen: // a cleaner stops at the last stable offset
		case e.Marker != journal.NoMarker:
			if !left[e.Producer.ID] {
				continue
			}
			delete(left, e.Producer.ID)
		case outcome[i] == journal.Abort || newest[string(e.Key)] != i || drop && e.Value == nil:
			continue
		case e.Producer != nil:
			left[e.Producer.ID] = true
		}
		kept = append(kept, e)
	}
	return kept
}

func groupOf(key []byte) string {
	k, err := journal.ParseKey(key)
	if err != nil {
		return ""
	}
	switch k := k.(type) {
	case *kmsg.OffsetCommitKey:
		return k.Group
	case *kmsg.GroupMetadataKey:
		return k.Group
	case journal.ConsumerKey:
		return k.Group()
	}
	return ""
}

// snapshot is the entries of a partition now.
func (j *memoryJournal) snapshot(partition int32) []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.log(partition).entries)
}

// replace has a cleaner replace the log by what it kept.
func (j *memoryJournal) replace(partition int32, entries []entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.log(partition).entries = entries
}

// forgetful is a journal that costs next to nothing, for benchmarks.
type forgetful struct{ *memoryJournal }

func (forgetful) Append(_, _ int32, records []journal.Record, _ *journal.Producer, _ time.Time) (int64, error) {
	return int64(len(records)), nil
}

func (j *memoryJournal) Settled(ctx context.Context, partition, leaderEpoch int32, end int64) error {
	j.mu.Lock()
	unsafe := j.unsafe
	j.mu.Unlock()
	if unsafe == nil {
		return nil
	}
	select {
	case <-unsafe:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
