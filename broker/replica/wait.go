package replica

import (
	"context"
	"errors"
	"fmt"
)

// waiter is woken when what it waits for may have come. Register, look, then wait: a change between looking and waiting
// leaves its mark in c.
type waiter struct {
	c  chan struct{} // capacity 1, sent without blocking
	on happening
}

func (w *waiter) wake() {
	select {
	case w.c <- struct{}{}:
	default: // it has been told and has not looked yet
	}
}

func (p *Partition) register(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiters = append(p.waiters, w)
}

func (p *Partition) unregister(w *waiter) {
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

// AwaitHighWatermark returns once the high watermark is above what was appended, or with the reason it never will:
// ErrNotLeader, ErrNotEnoughReplicasAfterAppend, ErrStorage, or ErrTimedOut when ctx's deadline passes. Where the high
// watermark is there already, as with one replica, it returns at once, whatever ctx. This broker must have led all the
// time since the append, though in whatever epochs: one that leads again, sooner than anybody looked, may have cut it.
func (p *Partition) AwaitHighWatermark(ctx context.Context, a Appended) error {
	return p.AwaitHighWatermarkUntil(ctx, nil, a)
}

// AwaitHighWatermarkUntil is AwaitHighWatermark that ends with ErrNotLeader when stopping is closed: followers cannot
// fetch from a broker that stops, so nothing more can be acknowledged here, and the producer finds the next leader.
func (p *Partition) AwaitHighWatermarkUntil(ctx context.Context, stopping <-chan struct{}, a Appended) error {
	return p.awaitUntil(ctx, stopping, onHighWatermark|onRole, func() (bool, error) {
		ok, err := p.reached(a.LastOffset+1, anyEpoch)
		if err == nil && p.tenure != a.tenure {
			return false, ErrNotLeader
		}
		return ok, err
	})
}

// reached looks whether the in-sync replicas have everything below offset, which was appended by who has led since an epoch (or
// anyEpoch). p.mu is held.
func (p *Partition) reached(offset int64, since int32) (bool, error) {
	v, err := p.lookSince(since)
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

// await waits until done says so, which is asked upon what happens. It is called with p.mu held.
func (p *Partition) await(ctx context.Context, on happening, done func() (bool, error)) error {
	return p.awaitUntil(ctx, nil, on, done)
}

// awaitUntil is await that ends with ErrNotLeader when stopping is closed.
func (p *Partition) awaitUntil(ctx context.Context, stopping <-chan struct{}, on happening, done func() (bool, error)) error {
	p.mu.Lock()
	ok, err := done()
	p.mu.Unlock()
	if ok || err != nil {
		return err
	}

	w := &waiter{c: make(chan struct{}, 1), on: on}
	p.register(w)
	defer p.unregister(w)
	for {
		// Look again only after registering, so that an advance between the two still wakes us.
		p.mu.Lock()
		ok, err := done()
		p.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-w.c:
		case <-stopping:
			return ErrNotLeader
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return ErrTimedOut
			}
			return fmt.Errorf("wait for replicas: %w", context.Cause(ctx))
		}
	}
}
