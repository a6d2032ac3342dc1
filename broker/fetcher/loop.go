package fetcher

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/replica"
)

const (
	// firstBackoff is the first pause after a failure.
	firstBackoff = 20 * time.Millisecond
	// asideAfter is how long partitions that became ready wait for the main lane, which is back at once while records
	// flow, before the side lane takes them.
	asideAfter = 5 * time.Millisecond
	// complainEvery keeps the log readable while a leader is out of reach: the first failure, and then some in a minute.
	complainEvery = 30
)

// loop fetches from one leader. Its goroutine owns all below mu.
type loop struct {
	*Fetchers
	key      loopKey
	clientID string
	cancel   context.CancelFunc // nil before it runs; guarded by Fetchers.mu
	wake     chan struct{}      // capacity 1
	log      *zap.Logger

	count int // of partitions that are the loop's; guarded by Fetchers.mu

	inbox struct {
		sync.Mutex
		changes []change
	}

	members     []*member
	byPartition map[*replica.Partition]*member
	byID        map[idKey]*member
	byName      map[nameKey]*member
	nameless    int // members whose topic has no id
	ready       int // members of that standing
	delays      delays
	dirty       []*member // of which the next fetch has to say something
	repairs     []*member // that wait for the leader's offsets

	session  session
	main     lane
	side     lane
	aside    []*member // in the side lane's fetch
	first    int       // member that a fetch of all names first
	maxBytes int32     // of a partition in the fetch that is being made
	// pendingSince is when a member became dirty that the main lane's fetch, which is under way, knows nothing of.
	pendingSince time.Time
	now          time.Time // of the event
}

// change is a partition that comes, or one that goes where followed is nil.
type change struct {
	partition *replica.Partition
	followed  *followed
}

func newLoop(f *Fetchers, key loopKey) *loop {
	l := &loop{
		Fetchers:    f,
		key:         key,
		clientID:    fmt.Sprintf("broker-%d-fetcher-%d", f.options.BrokerID, key.fetcher),
		wake:        make(chan struct{}, 1),
		log:         f.log.With(zap.Int32("from", key.leader), zap.Int32("fetcher", key.fetcher)),
		byPartition: make(map[*replica.Partition]*member),
		byID:        make(map[idKey]*member),
		byName:      make(map[nameKey]*member),
	}
	l.main, l.side = l.newLane(), l.newLane()
	return l
}

// queue tells the loop of a change; wakeUp has it look.
func (l *loop) queue(c change) {
	l.inbox.Lock()
	defer l.inbox.Unlock()
	l.inbox.changes = append(l.inbox.changes, c)
}

func (l *loop) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default: // it has been told and has not looked yet
	}
}

// stop ends the loop without waiting for it. Fetchers.mu is held.
func (l *loop) stop() {
	if l.cancel != nil {
		l.cancel()
	}
}

// run fetches until ctx ends.
func (l *loop) run(ctx context.Context) {
	var lanes sync.WaitGroup
	lanes.Go(func() { l.main.run(ctx) })
	lanes.Go(func() { l.side.run(ctx) })
	defer func() {
		l.main.connection.Close()
		l.side.connection.Close()
		lanes.Wait()
	}()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		l.applyChanges()
		l.now = time.Now()
		l.expire()
		l.startMain()
		l.startSide()
		timer.Reset(l.untilNext())
		select {
		case <-l.wake:
		case <-l.main.done:
			l.mainAnswered(ctx)
		case <-l.side.done:
			l.sideAnswered(ctx)
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// applyChanges does what Follow and Unfollow asked for.
func (l *loop) applyChanges() {
	l.inbox.Lock()
	changes := l.inbox.changes
	l.inbox.changes = nil
	l.inbox.Unlock()
	for _, c := range changes {
		if c.followed != nil {
			l.join(c.followed)
		} else if m := l.byPartition[c.partition]; m != nil {
			l.leave(m)
		}
	}
	if len(changes) > 0 {
		// Whoever was told of this leader is told that it lives.
		l.main.worked()
		l.side.worked()
	}
}

// expire asks again for members that are due.
func (l *loop) expire() {
	for len(l.delays) > 0 && !l.delays[0].due.After(l.now) {
		m := l.delays[0]
		l.unschedule(m)
		l.activate(m)
	}
}

// startMain sends the session's next fetch when the main lane is free.
func (l *loop) startMain() {
	if l.main.busy || l.ready == 0 || l.main.retryAt.After(l.now) {
		return
	}
	l.buildMain()
	l.pendingSince = time.Time{}
	l.main.begin()
}

// startSide serves those who cannot wait for the main lane.
func (l *loop) startSide() {
	if l.side.busy || l.side.retryAt.After(l.now) {
		return
	}
	if len(l.repairs) > 0 {
		l.side.repair = l.newRepair()
		l.side.begin()
		return
	}
	if !l.main.busy || l.pendingSince.IsZero() || l.now.Before(l.pendingSince.Add(asideAfter)) {
		return
	}
	if !l.buildAside() {
		l.pendingSince = time.Time{} // nobody is ready who was
		return
	}
	l.side.begin()
}

// untilNext is how long nothing is to be done unless something happens.
func (l *loop) untilNext() time.Duration {
	next := l.now.Add(time.Hour)
	sooner := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	if len(l.delays) > 0 {
		sooner(l.delays[0].due)
	}
	if !l.main.busy && l.ready > 0 {
		sooner(l.main.retryAt)
	}
	if !l.side.busy {
		if len(l.repairs) > 0 {
			sooner(l.side.retryAt)
		} else if l.main.busy && !l.pendingSince.IsZero() {
			aside := l.pendingSince.Add(asideAfter)
			if aside.Before(l.side.retryAt) {
				aside = l.side.retryAt
			}
			sooner(aside)
		}
	}
	return max(time.Until(next), 0)
}

// backoff is the pause after so many failures in a row.
func (l *loop) backoff(failures int) time.Duration {
	longest := l.options.Config.Broker().ReplicaFetchBackoff
	if failures > 10 {
		return longest
	}
	return min(firstBackoff<<(failures-1), longest)
}

// laneFailed has a lane wait after a failure that says nothing of any partition.
func (l *loop) laneFailed(a *lane, err error) {
	a.failures++
	a.failed(l.backoff(a.failures))
	l.metrics.errors.Inc()
	if a.failures%complainEvery == 1 {
		l.log.Warn("fetch from the leader failed, will be repeated", zap.Int("failures", a.failures),
			zap.Int("partitions", len(l.members)), zap.Error(err))
	}
}
