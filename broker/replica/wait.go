package replica

import (
	"context"
	"errors"
	"fmt"
)

// Waiter is woken when something that a fetch waits for may have changed in one of its partitions. Register, look, then
// wait: a change between looking and waiting leaves its mark in C.
type Waiter struct{ C chan struct{} } // capacity 1, sent without blocking

// NewWaiter makes a waiter that any number of partitions may wake.
func NewWaiter() *Waiter { return &Waiter{C: make(chan struct{}, 1)} }

// Watch has w woken at every append, advance of the high watermark, follower's progress or change of role, until Unwatch.
func (p *Partition) Watch(w *Waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiters = append(p.waiters, w)
}

// Unwatch undoes one Watch.
func (p *Partition) Unwatch(w *Waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.waiters {
		if other != w {
			continue
		}
		last := len(p.waiters) - 1
		p.waiters[i], p.waiters[last] = p.waiters[last], nil
		p.waiters = p.waiters[:last]
		return
	}
}

// wake wakes all waiters without blocking or allocating. p.mu is held.
func (p *Partition) wake() {
	for _, w := range p.waiters {
		select {
		case w.C <- struct{}{}:
		default: // it has been told and has not looked yet
		}
	}
}

// AwaitHighWatermark returns once the high watermark is above what was appended, or with the reason it never will:
// ErrNotLeader, ErrNotEnoughReplicasAfterAppend, ErrStorage, or ErrTimedOut when ctx's deadline passes. Where the high
// watermark is there already, as with one replica, it returns at once, whatever ctx. This broker must have led all the
// time since the append, though in whatever epochs: one that leads again, sooner than anybody looked, may have cut it.
func (p *Partition) AwaitHighWatermark(ctx context.Context, a Appended) error {
	return p.await(ctx, func() (bool, error) {
		ok, err := p.reached(a.LastOffset+1, anyEpoch)
		if err == nil && p.tenure != a.tenure {
			return false, ErrNotLeader
		}
		return ok, err
	})
}

// reached looks whether the in-sync replicas have everything below offset, which was appended in an epoch (or anyEpoch).
// p.mu is held.
func (p *Partition) reached(offset int64, epoch int32) (bool, error) {
	v, err := p.lookLocked(epoch, true)
	if err != nil {
		return false, err
	}
	if v.log.HighWatermark() < offset {
		return false, nil
	}
	// The ISR may have shrunk after the append was let in.
	if p.isr.maximal() < p.minInSync() {
		return false, ErrNotEnoughReplicasAfterAppend
	}
	return true, nil
}

// await waits until done says so. done is called with p.mu held.
func (p *Partition) await(ctx context.Context, done func() (bool, error)) error {
	p.mu.Lock()
	ok, err := done()
	p.mu.Unlock()
	if ok || err != nil {
		return err
	}

	w := NewWaiter()
	p.Watch(w)
	defer p.Unwatch(w)
	for {
		// Look again only after registering, so that an advance between the two still wakes us.
		p.mu.Lock()
		ok, err := done()
		p.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-w.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return ErrTimedOut
			}
			return fmt.Errorf("wait for replicas: %w", context.Cause(ctx))
		}
	}
}
