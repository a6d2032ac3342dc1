package group

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// pending is a write that is in the local log, and whose end somebody awaits.
type pending struct {
	actor *actor
	done  func(x *journal.Turn, err error)
	err   error // valid once state is settled
	state atomic.Int32
}

// States of a pending write. The journal may settle it while it is still being asked to: then the turn that asks goes on with
// it, else a turn of its own does.
const (
	asking int32 = iota
	awaited
	settled
)

// turn runs f as one turn of the group.
func (a *actor) turn(f func(x *journal.Turn)) {
	x := &journal.Turn{Now: time.Now()}
	f(x)
	a.finish(x)
}

// heartbeat is the turn of a heartbeat, if the group is a classic one: such a turn asks for a tick at most and changes nothing
// that metrics tell of, so that there is nothing to finish.
func (a *actor) heartbeat(r classic.HeartbeatRequest) (err *kerr.Error, ok bool) {
	if a.gone || a.classic == nil {
		return nil, false
	}
	x := journal.Turn{Now: time.Now()}
	err = a.classic.Heartbeat(&x, r)
	a.rearm(&x)
	return err, true
}

// finish does what a turn asks for.
func (a *actor) finish(x *journal.Turn) {
	written := a.writeFrom(x, 0)
	if !a.gone && a.consumer != nil && a.downgrade(x) {
		a.writeFrom(x, written)
	}
	if !a.gone {
		a.tellRebalances(x)
		a.rearm(x)
		a.dropUnstored()
	}
	a.changed.Store(true)
}

// writeFrom writes what was asked for since next, and what the callbacks ask for.
func (a *actor) writeFrom(x *journal.Turn, next int) int {
	for ; next < len(x.Writes); next++ {
		a.write(x, x.Writes[next])
	}
	return next
}

// write appends a batch, and runs its callbacks. A batch without records is only a place in the order of the turn, unless it
// awaits what was written before.
func (a *actor) write(x *journal.Turn, w journal.Write) {
	if a.gone {
		done(x, w, kerr.NotLeaderForPartition)
		return
	}
	s := a.shard
	if len(w.Records) > 0 {
		end, err := s.groups.o.Journal.Append(s.partition, s.epoch, w.Records, w.Producer, x.Now)
		if err != nil {
			a.refused(err)
			done(x, w, err)
			return
		}
		a.written = end
	}
	applied(x, w)
	if len(w.Records) == 0 && (!w.Awaits || a.written == 0) {
		done(x, w, nil)
		return
	}
	if w.Done == nil {
		return
	}
	p := &pending{actor: a, done: w.Done}
	a.pending = append(a.pending, p)
	s.groups.o.Journal.Committed(s.partition, s.epoch, a.written, s.groups.o.Config().CommitTimeout, p.settle)
	if !p.state.CompareAndSwap(asking, awaited) {
		a.settle(x)
	}
}

func applied(x *journal.Turn, w journal.Write) {
	if w.Applied != nil {
		w.Applied(x)
	}
}

func done(x *journal.Turn, w journal.Write, err error) {
	if w.Done != nil {
		w.Done(x, err)
	}
}

// settle says how a write ended. It is called on any goroutine.
func (p *pending) settle(err error) {
	p.err = err
	if p.state.Swap(settled) == awaited {
		p.actor.box.Post(func() { p.actor.turn(p.actor.settle) })
	}
}

// settle tells of the writes that ended. It keeps the order of the log, so that a machine need not be ready for any other:
// who waits for a later write also waits for the earlier ones, which costs nothing, as the high watermark passes them first.
func (a *actor) settle(x *journal.Turn) {
	for len(a.pending) > 0 && a.pending[0].state.Load() == settled {
		p := a.pending[0]
		a.pending[0] = nil
		a.pending = a.pending[1:]
		p.done(x, p.err)
	}
}

// refused logs what the journal did not take: of the error itself, clients see a code only.
func (a *actor) refused(err error) {
	a.shard.groups.metrics.refused.Inc()
	log := a.shard.log.Warn
	if errors.Is(err, kerr.NotLeaderForPartition) {
		log = a.shard.log.Debug // the group is moving
	}
	log("could not store a change of a group", zap.String("group", a.id), zap.Error(err))
}

func (a *actor) tellRebalances(x *journal.Turn) {
	for _, r := range x.Rebalances {
		a.shard.groups.metrics.rebalances.WithLabelValues(string(r.Kind)).Inc()
		a.shard.log.Info("group rebalance began", zap.String("group", a.id), zap.String("type", a.kind().String()),
			zap.String("kind", string(r.Kind)), zap.String("reason", r.Reason), zap.Int32("generation", r.Generation))
	}
}

// rearm sees to it that the timer rings in time. A timer that rings earlier than is asked for is left alone: that tick
// finds nothing due and asks anew, so heartbeats, each of which moves a deadline, do not touch the timer.
func (a *actor) rearm(x *journal.Turn) {
	wake := x.Wake()
	if wake.IsZero() || !a.wake.IsZero() && !wake.Before(a.wake) {
		return
	}
	a.wake = wake
	in := max(wake.Sub(x.Now), 0)
	if a.timer == nil {
		a.timer = time.AfterFunc(in, func() { a.box.Post(a.tick) })
		return
	}
	a.timer.Reset(in)
}

func (a *actor) stopTimer() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
