package replica

import (
	"sync"
	"time"
)

// happening is what wakes those who wait, as a set of bits.
type happening uint8

const (
	onAppend        happening = 1 << iota // to a leader's log
	onHighWatermark                       // it moved
	onLogStart                            // a follower's
	onRole                                // who leads, in which epoch, with which in-sync replicas; and all the rest

	onAnything = onAppend | onHighWatermark | onLogStart | onRole
)

// Watchlist learns which of any number of partitions changed: for a fetch that waits, or for a fetch session, whose
// rounds so cost what changed and not what there is. Register, look, then wait: a change between looking and waiting
// leaves its mark in C, and one after a look is in the next Take. Safe for concurrent use.
type Watchlist struct {
	C chan struct{} // capacity 1, sent without blocking: there is something to look at now

	// Leaf lock: nothing is locked and nothing is awaited while it is held.
	mu       sync.Mutex
	changed  []*Watch
	lookedAt time.Time // when it was last taken from
}

// NewWatchlist makes an empty list.
func NewWatchlist() *Watchlist { return &Watchlist{C: make(chan struct{}, 1)} }

// Watch is one's interest in one partition. The exported fields are set before it is used.
type Watch struct {
	// Owner and Slot are for whoever takes the watch: what it belongs to.
	Owner any
	Slot  int32
	// ReplicaID is that of a read: of a follower, or ConsumerID.
	ReplicaID int32

	partition *Partition // nil: not registered; of who owns the watch
	list      *Watchlist

	// Guarded by list.mu.
	queued bool // it is in list.changed
	quiet  bool // it was looked at, and there was nothing to be done until the partition changes
}

// Watch has w queued in l at every change of the partition, until w.Unwatch. Followers are signalled upon
// appends and consumers upon moves of the high watermark; what else they are told they hear of at their next look.
func (p *Partition) Watch(l *Watchlist, w *Watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.partition, w.list = p, l
	p.watches = append(p.watches, w)
}

// Unwatch ends what Watch began, if it did.
func (w *Watch) Unwatch() {
	p := w.partition
	if p == nil {
		return
	}
	w.partition = nil
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.watches {
		if other != w {
			continue
		}
		last := len(p.watches) - 1
		p.watches[i], p.watches[last] = p.watches[last], nil
		p.watches = p.watches[:last]
		return
	}
}

// Partition is what is watched, or nil.
func (w *Watch) Partition() *Partition { return w.partition }

// Queue has w be in the next Take, without a signal.
func (l *Watchlist) Queue(w *Watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue(w)
}

func (l *Watchlist) queue(w *Watch) {
	w.quiet = false
	if !w.queued {
		w.queued = true
		l.changed = append(l.changed, w)
	}
}

// Take appends what changed to dst, in the order in which it did. What is taken has to be looked at. A follower that
// takes is in touch with all that is quiet.
func (l *Watchlist) Take(dst []*Watch) []*Watch {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lookedAt = now
	for _, w := range l.changed {
		w.queued = false
	}
	dst = append(dst, l.changed...)
	clear(l.changed)
	l.changed = l.changed[:0]
	return dst
}

// Rest notes that a look at w's partition after the last Take found it settled (ReadResult.Settled): it need not be
// looked at until it changes.
func (l *Watchlist) Rest(w *Watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.quiet = !w.queued
}

// note queues w. It returns the time at which the follower last was in touch, when w was quiet until now.
func (l *Watchlist) note(w *Watch) (inTouch time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.quiet {
		inTouch = l.lookedAt
	}
	l.queue(w)
	return inTouch
}

// Pass gives a signal on that was meant for another one who waits.
func (l *Watchlist) Pass() { l.signal() }

func (l *Watchlist) signal() {
	select {
	case l.C <- struct{}{}:
	default: // it has been told and has not looked yet
	}
}

// wake tells all who wait of what happened, without blocking. p.mu is held.
func (p *Partition) wake(h happening) {
	for _, w := range p.waiters {
		if w.on&h != 0 {
			w.wake()
		}
	}
	for _, w := range p.watches {
		of := onHighWatermark | onRole
		if w.ReplicaID != ConsumerID {
			of = onAppend | onRole
		} else if h == onAppend {
			continue // nothing that a consumer can see
		}
		// A follower that had nothing to fetch was not read for, but it was there.
		inTouch := w.list.note(w)
		if h&onRole == 0 && w.ReplicaID >= 0 && !inTouch.IsZero() {
			if f := p.follower(w.ReplicaID); f != nil {
				f.caughtUpAt, f.fetchedAt = later(f.caughtUpAt, inTouch), later(f.fetchedAt, inTouch)
			}
		}
		if of&h != 0 {
			w.list.signal()
		}
	}
}
