package fetcher

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf16"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/peer"
	"github.com/kbroker/kbroker/broker/replica"
)

// Options are what Fetchers are made of.
type Options struct {
	BrokerID int32
	// BrokerEpoch is the czxid of this broker's registration now.
	BrokerEpoch func() int64
	Config      *config.Store
	Metadata    *metadata.Cache // where leaders listen
	Dial        peer.Dial
	Registerer  prometheus.Registerer // may be nil
	Logger      *zap.Logger
}

// Fetchers run one loop per leader broker and fetcher id. Safe for concurrent use. Nothing here waits for a loop, but Close.
type Fetchers struct {
	options Options
	quota   *replica.Quota
	metrics metrics
	log     *zap.Logger
	group   sync.WaitGroup // of the loops

	mu struct {
		sync.Mutex
		closed   bool
		count    int32 // of loops per leader
		followed map[*replica.Partition]*followed
		loops    map[loopKey]*loop
	}
}

// loopKey names a loop.
type loopKey struct{ leader, fetcher int32 }

// followed is a partition as it was told by Follow.
type followed struct {
	replica.Followed
	topicID [16]byte // zero: the leader is asked by the topic's name
	loop    *loop    // guarded by Fetchers.mu

	// Written by the loop.
	failed atomic.Bool // it is not fetched until the next Follow
	lag    atomic.Int64
}

var _ replica.Fetchers = (*Fetchers)(nil)

// New makes Fetchers that fetch nothing yet.
func New(o Options) *Fetchers {
	f := &Fetchers{
		options: o,
		quota:   replica.NewFollowerQuota(o.Config),
		metrics: newMetrics(o.Registerer),
		log:     o.Logger.Named("fetcher"),
	}
	f.mu.count = o.Config.Broker().ReplicaFetchers
	f.mu.followed = make(map[*replica.Partition]*followed)
	f.mu.loops = make(map[loopKey]*loop)
	if o.Registerer != nil {
		if err := o.Registerer.Register((*collector)(f)); err != nil {
			f.log.Error("metrics of replication cannot be registered", zap.Error(err))
		}
	}
	o.Config.OnChange(func(changed []string) {
		if slices.Contains(changed, "num.replica.fetchers") {
			f.resize(o.Config.Broker().ReplicaFetchers)
		}
	})
	return f
}

// Follow implements replica.Fetchers. A partition that is followed from the same leader in the same epoch goes on as it
// does, unless it failed.
func (f *Fetchers) Follow(partitions []replica.Followed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.closed {
		return
	}
	woken := make(map[*loop]struct{})
	for _, p := range partitions {
		next := &followed{Followed: p, topicID: p.Partition.TopicID()}
		old := f.mu.followed[p.Partition]
		if old != nil && old.Followed == p && old.topicID == next.topicID && !old.failed.Load() {
			continue
		}
		f.place(next, old, woken)
	}
	f.settle(woken)
}

// Unfollow implements replica.Fetchers.
func (f *Fetchers) Unfollow(partitions []*replica.Partition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	woken := make(map[*loop]struct{})
	for _, p := range partitions {
		old := f.mu.followed[p]
		if old == nil {
			continue
		}
		delete(f.mu.followed, p)
		old.loop.count--
		old.loop.queue(change{partition: p})
		woken[old.loop] = struct{}{}
	}
	f.settle(woken)
}

// Close ends all loops and waits for them.
func (f *Fetchers) Close() {
	f.mu.Lock()
	f.mu.closed = true
	for key, l := range f.mu.loops {
		delete(f.mu.loops, key)
		l.stop()
	}
	clear(f.mu.followed)
	f.mu.Unlock()
	f.group.Wait()
	if r := f.options.Registerer; r != nil {
		r.Unregister((*collector)(f))
		f.metrics.unregister(r)
	}
}

// resize spreads the partitions over another number of loops per leader (Kafka: resizeThreadPool).
func (f *Fetchers) resize(count int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.closed || count == f.mu.count {
		return
	}
	f.log.Info("number of fetchers per leader changed", zap.Int32("fetchers", count))
	f.mu.count = count
	woken := make(map[*loop]struct{})
	for _, old := range f.mu.followed {
		if old.loop.key == f.keyOf(old.Followed) || old.failed.Load() {
			continue
		}
		f.place(&followed{Followed: old.Followed, topicID: old.topicID}, old, woken)
	}
	f.settle(woken)
}

// place gives a partition to the loop that it belongs to, and takes it from where it was. f.mu is held.
func (f *Fetchers) place(next, old *followed, woken map[*loop]struct{}) {
	key := f.keyOf(next.Followed)
	l := f.mu.loops[key]
	if l == nil {
		l = newLoop(f, key)
		f.mu.loops[key] = l
	}
	if old != nil {
		next.lag.Store(old.lag.Load())
		old.loop.count--
		if old.loop != l {
			old.loop.queue(change{partition: next.Partition})
		}
		woken[old.loop] = struct{}{}
	}
	next.loop = l
	f.mu.followed[next.Partition] = next
	l.count++
	l.queue(change{partition: next.Partition, followed: next})
	woken[l] = struct{}{}
}

// settle starts or wakes loops after all their changes are queued, so that the first fetch names them all, and stops
// those that have nothing left to fetch. f.mu is held.
func (f *Fetchers) settle(woken map[*loop]struct{}) {
	for l := range woken {
		switch {
		case l.count == 0:
			delete(f.mu.loops, l.key)
			l.stop()
		case l.cancel == nil:
			ctx, cancel := context.WithCancel(context.Background())
			l.cancel = cancel
			f.group.Go(func() { l.run(ctx) })
		default:
			l.wakeUp()
		}
	}
}

// keyOf says which loop fetches a partition. f.mu is held.
func (f *Fetchers) keyOf(p replica.Followed) loopKey {
	return loopKey{p.LeaderID, fetcherID(p.Partition.Topic(), p.Partition.Index(), f.mu.count)}
}

// fetcherID spreads partitions over loops as Kafka does (AbstractFetcherManager.getFetcherId), though nobody else could
// tell: what an operator knows of the spread holds here too.
func fetcherID(topic string, partition, count int32) int32 {
	hash := int32(0) // Java's String.hashCode
	for _, unit := range utf16.Encode([]rune(topic)) {
		hash = 31*hash + int32(unit)
	}
	hash = 31*hash + partition
	if hash < 0 {
		hash = max(-hash, 0) // the least number has no opposite
	}
	return hash % max(count, 1)
}
