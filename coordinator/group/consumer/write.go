package consumer

import (
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// pendingWrite is a write that is not committed yet, and who waits for it.
type pendingWrite struct{ waiters []waiter }

// waiter is told how the writes that an answer waits for ended, and when; nil: they are committed.
type waiter func(at time.Time, err *kerr.Error)

// store asks for the changes to be stored. applied runs when they are part of the state, and is where soft state
// follows. answer runs when they are committed; with an error when they were refused, in which case nothing has changed,
// or when it is not known whether they are committed. An answer that needs no write still waits for the writes before it:
// what it tells must not be lost with them.
func (g *Group) store(x *journal.Turn, changes []change, applied func(x *journal.Turn), answer waiter) {
	if len(changes) == 0 {
		if applied != nil {
			applied(x)
		}
		g.afterWrites(x, answer)
		return
	}
	p := g.await(x, journal.Write{
		Records: g.encode(changes),
		Applied: func(x *journal.Turn) {
			for _, c := range changes {
				c.apply(g)
			}
			if applied != nil {
				applied(x)
			}
			g.askWake(x)
		},
	})
	if answer != nil {
		p.waiters = append(p.waiters, answer)
	}
}

// await asks for a write, and answers who waits for it in the end.
func (g *Group) await(x *journal.Turn, w journal.Write) *pendingWrite {
	p := &pendingWrite{}
	g.pending = append(g.pending, p)
	w.Done = func(x *journal.Turn, err error) {
		if i := slices.Index(g.pending, p); i >= 0 {
			g.pending = slices.Delete(g.pending, i, i+1)
		}
		g.inDoubt = errors.Is(err, kerr.RequestTimedOut) || g.inDoubt && err != nil
		waiters := p.waiters
		p.waiters = nil
		code := CodeOf(err)
		for _, answer := range waiters {
			answer(x.Now, code)
		}
		g.askWake(x)
	}
	x.Append(w)
	return p
}

// afterWrites answers once all writes that were asked for are done. Those that were given up may still come to be committed,
// or be lost with this coordinator: until they are, nobody is told of what they changed (Kafka: DeferredEventQueue).
func (g *Group) afterWrites(x *journal.Turn, answer waiter) {
	if answer == nil {
		return
	}
	if len(g.pending) == 0 && !g.inDoubt {
		answer(x.Now, nil)
		return
	}
	if len(g.pending) == 0 {
		g.await(x, journal.Write{Awaits: true})
	}
	last := g.pending[len(g.pending)-1]
	last.waiters = append(last.waiters, answer)
}

// CodeOf is the code that a client gets when a write about a whole group failed; nil for nil
// (CoordinatorOperationExceptionHelper.handleOperationException).
func CodeOf(err error) *kerr.Error {
	if err == nil {
		return nil
	}
	var code *kerr.Error
	if !errors.As(err, &code) {
		return kerr.UnknownServerError
	}
	switch code {
	case kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut:
		return kerr.CoordinatorNotAvailable
	case kerr.NotLeaderForPartition, kerr.KafkaStorageError:
		return kerr.NotCoordinator
	case kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidFetchSize:
		return kerr.UnknownServerError
	default:
		return code
	}
}

// extend lets a member's session begin anew. With another timeout it may even end sooner.
func (g *Group) extend(s *seat, now time.Time, timeout time.Duration) {
	s.session = now.Add(timeout)
	g.watch(s)
}

// watch makes sure of a Tick at the member's next timeout.
func (g *Group) watch(s *seat) { g.watchAt(s.deadline()) }

func (g *Group) watchAt(t time.Time) {
	if !t.IsZero() && (g.wake.IsZero() || t.Before(g.wake)) {
		g.wake = t
	}
}

// askWake passes the earliest timeout on. It may lie before all that are left, as timeouts move on with every heartbeat:
// the Tick that it brings then looks for the next.
func (g *Group) askWake(x *journal.Turn) {
	if !g.wake.IsZero() {
		x.WakeAt(g.wake)
	}
}
