package replica

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/storage"
)

const (
	// moveChunk is how many bytes of a log are copied at a time, as Kafka's replica.fetch.max.bytes.
	moveChunk = 1 << 20
	// moveNearly is how many bytes a copy may be behind when appends are made to wait for it.
	moveNearly = 256 << 10
	// moveRetry is how long a move waits that finds nothing to do, or no space.
	moveRetry = 500 * time.Millisecond
)

// moves are the partitions whose logs are on their way to another directory (Kafka: ReplicaAlterLogDirsManager). Each thread moves one
// log at a time, in the order of names, so that each is done soon.
type moves struct {
	rate rate

	mu      sync.Mutex
	pending map[storage.TopicPartition]*move
	changed chan struct{} // closed, and made anew, when pending has something to do; nil before the first wait
}

type move struct {
	p     *Partition
	moved *Partition // p as it was when a thread took the move; the thread's
	busy  bool       // a thread is at it
	again bool       // added once more meanwhile
	after time.Time  // not before
	full  bool       // it has been said that there is no space
}

// add begins a move or goes on with it; it is safe to add what is there.
func (s *moves) add(p *Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending == nil {
		s.pending = map[storage.TopicPartition]*move{}
	}
	mv := s.pending[p.name()]
	if mv == nil {
		mv = &move{}
		s.pending[p.name()] = mv
	}
	mv.p, mv.again, mv.after = p, true, time.Time{}
	s.signal()
}

// signal wakes the threads. s.mu is held.
func (s *moves) signal() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// take returns the first move by name that is due, or when to look again (zero: not before a signal).
func (s *moves) take(now time.Time) (mv *move, next time.Time, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first storage.TopicPartition
	for name, candidate := range s.pending {
		switch {
		case candidate.busy:
		case candidate.after.After(now):
			if next.IsZero() || candidate.after.Before(next) {
				next = candidate.after
			}
		case mv == nil || name.Topic < first.Topic || name.Topic == first.Topic && name.Partition < first.Partition:
			mv, first = candidate, name
		}
	}
	if mv != nil {
		mv.busy, mv.again, mv.moved = true, false, mv.p
		return mv, time.Time{}, nil
	}
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return nil, next, s.changed
}

// give returns a move that is done, or waits.
func (s *moves) give(mv *move, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mv.busy = false
	if done && !mv.again {
		delete(s.pending, mv.p.name())
		return
	}
	if !mv.again {
		mv.after = time.Now().Add(moveRetry)
	}
	s.signal()
}

// startMoving starts the threads that move logs until ctx ends; the returned function waits for them.
func (m *Manager) startMoving(ctx context.Context) (wait func()) {
	var threads sync.WaitGroup
	for range m.env.config.Broker().AlterLogDirsThreads {
		threads.Go(func() { m.moveLogs(ctx) })
	}
	return threads.Wait
}

func (m *Manager) moveLogs(ctx context.Context) {
	var buf []byte
	for ctx.Err() == nil {
		mv, next, changed := m.moves.take(time.Now())
		if mv == nil {
			buf = nil // it may be long before there is another
			var due <-chan time.Time
			if !next.IsZero() {
				due = time.After(time.Until(next))
			}
			select {
			case <-due:
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		w := &mover{m: m, p: mv.moved, buf: buf}
		done, err := w.run(ctx)
		buf = w.buf
		m.moves.give(mv, m.judge(ctx, mv, done, err))
	}
}

// judge tells whether a move is over, and says what is wrong with it.
func (m *Manager) judge(ctx context.Context, mv *move, done bool, err error) bool {
	switch {
	case err == nil || ctx.Err() != nil, errors.Is(err, storage.ErrClosed), errors.Is(err, storage.ErrNotCaughtUp):
		return done
	case errors.Is(err, storage.ErrOffline):
		return true // which has been spoken of
	case errors.Is(err, storage.ErrDiskFull):
		if !mv.full {
			mv.full = true
			m.log.Warn("move to another log directory waits for space", mv.moved.fields(zap.Error(err))...)
		}
		return false
	default:
		m.log.Error("move to another log directory failed, to be tried again when the partition changes or is told to move again",
			mv.moved.fields(zap.Error(err))...)
		return true
	}
}

// mover moves one log.
type mover struct {
	m       *Manager
	p       *Partition
	buf     []byte
	settled bool // the copy was made durable once it had nearly all
}

// run copies until the log is replaced or there is nothing to do for now.
func (w *mover) run(ctx context.Context) (done bool, err error) {
	for ctx.Err() == nil {
		log, ok := w.m.logs.Log(w.p.name())
		if !ok || w.p.offline.Load() || w.m.hosted(w.p.name()) != w.p || log.Future() == nil {
			return true, nil
		}
		c, err := w.step(log)
		if err != nil {
			return false, err
		}
		if err := w.m.moves.rate.take(ctx, c.Bytes, w.m.env.moveRate); err != nil {
			return false, err
		}
		switch {
		case c.Nearly(moveNearly) && !w.settled:
			if err := w.m.logs.SettleFuture(w.p.name()); err != nil {
				return false, err
			}
			w.settled = true
		case c.Nearly(moveNearly):
			swapped, err := w.m.swapLog(w.p, func() (storage.Copied, error) { return w.step(log) })
			if err != nil || swapped {
				return swapped, err
			}
		case c.Bytes == 0:
			return false, nil
		}
	}
	return false, context.Cause(ctx)
}

// step copies one chunk and wakes those who wait for the copy's start (DeleteRecords).
func (w *mover) step(log *storage.Log) (storage.Copied, error) {
	future := log.Future()
	if future == nil {
		return storage.Copied{}, storage.ErrClosed
	}
	start := future.LogStartOffset()
	c, buf, err := future.CopyFrom(log, moveChunk, w.buf)
	w.buf = buf
	if err == nil && future.LogStartOffset() > start {
		w.p.mu.Lock()
		w.p.wake(onAnything)
		w.p.mu.Unlock()
	}
	return c, err
}

// moveRate is replica.alter.log.dirs.io.max.bytes.per.second as it is now.
func (e *env) moveRate() int64 { return e.config.Broker().Quotas.AlterLogDirsRate }

// rate holds all threads together to a number of bytes per second, which may change at any time.
type rate struct {
	mu   sync.Mutex
	debt float64 // bytes taken and not yet paid for
	at   time.Time
}

const (
	// rateSlack is how much may be taken ahead, in seconds of the rate.
	rateSlack = 0.3
	// rateLook is how often a new rate is looked for.
	rateLook = time.Second
)

// take waits until the rate allows for what was taken.
func (r *rate) take(ctx context.Context, bytes int64, perSecond func() int64) error {
	r.mu.Lock()
	r.debt += float64(bytes)
	r.mu.Unlock()
	for {
		wait := r.wait(float64(perSecond()))
		if wait <= 0 {
			return nil
		}
		select {
		case <-time.After(min(wait, rateLook)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *rate) wait(perSecond float64) time.Duration {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.debt = max(r.debt-now.Sub(r.at).Seconds()*perSecond, 0)
	r.at = now
	over := r.debt - rateSlack*perSecond
	switch {
	case over <= 0:
		return 0
	case perSecond <= 0:
		return math.MaxInt64
	}
	return time.Duration(min(over/perSecond*float64(time.Second), math.MaxInt64/2))
}
