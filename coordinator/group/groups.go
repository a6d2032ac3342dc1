package group

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// loadsAtOnce bounds how many partitions of __consumer_offsets are read at the same time: a broker that becomes leader
// of fifty reads its disk in order instead of seeking, and the first partitions are ready early.
const loadsAtOnce = 4

// Config is what the broker is configured to.
type Config struct {
	Classic          classic.Config // read once, by New
	Offsets          offsets.Config
	CommitTimeout    time.Duration // offsets.commit.timeout.ms
	RetentionCheck   time.Duration // offsets.retention.check.interval.ms
	ConsumerProtocol bool          // group.coordinator.rebalance.protocols has consumer
}

// Options are what Groups is made of. The functions are called from many goroutines, must not wait, and must not call Groups.
type Options struct {
	Journal journal.Journal
	// Partitions is the partition count of __consumer_offsets; 0 while the topic does not exist.
	Partitions func() int32
	Config     func() Config
	// Consumer is the settings of a consumer group: the broker's, overridden by the group's own.
	Consumer func(group string) *consumer.Config
	Image    func() consumer.Image
	// EndOffset is the high watermark of a partition that this broker leads, false for any other: metrics of lag are made of it.
	EndOffset  func(topic string, partition int32) (int64, bool)
	Registerer prometheus.Registerer // may be nil
	Logger     *zap.Logger
}

// Groups is the group coordinator of this broker: the groups whose partitions of __consumer_offsets it leads.
//
// Methods are called from many goroutines, and wait for their answer or for the end of ctx; what ctx ended goes on all the
// same, and is answered COORDINATOR_NOT_AVAILABLE. A request for a group that is not here is answered NOT_COORDINATOR, one
// whose partition is being loaded COORDINATOR_LOAD_IN_PROGRESS, but Heartbeat then succeeds blindly and Sync is told
// REBALANCE_IN_PROGRESS, so that members survive the move of their group (GroupCoordinator.validateGroupStatus). Byte
// slices of requests become the coordinator's.
type Groups struct {
	o       Options
	classic *classic.Config
	log     *zap.Logger
	metrics *metrics
	loading chan struct{}  // a token per partition that is being read
	running sync.WaitGroup // loads, and the last turns of actors

	mu     sync.RWMutex
	closed bool
	shards map[int32]*shard
	epochs map[int32]int32 // the newest leader epoch heard of, also of partitions that are led elsewhere by now
}

// New returns a coordinator of no groups: LeadershipChanged brings them.
func New(o Options) *Groups {
	config := o.Config().Classic
	g := &Groups{
		o: o, classic: &config, log: o.Logger,
		loading: make(chan struct{}, loadsAtOnce),
		shards:  make(map[int32]*shard), epochs: make(map[int32]int32),
	}
	g.metrics = newMetrics(o.Registerer, g)
	return g
}

// Close ends all groups: who waits is answered NOT_COORDINATOR, and later requests COORDINATOR_NOT_AVAILABLE. It returns
// when no group runs any more.
func (g *Groups) Close() {
	g.mu.Lock()
	g.closed = true
	shards := g.shards
	g.shards = make(map[int32]*shard)
	g.mu.Unlock()

	for _, s := range shards {
		s.end()
	}
	g.running.Wait()
	g.metrics.unregister(g.o.Registerer)
}

// LeadershipChanged says that this broker began or ceased to lead a partition of __consumer_offsets in an epoch. It
// returns at once; the calls about a partition come in order. What is older than the newest known epoch is ignored, and so is
// leadership that is known already: later epochs of the same one need not be told, and must not be as one that began in them. A negative epoch ends leadership whatever the epoch (the replica is deleted), and forgets
// the epochs: the topic may come again with lower ones.
func (g *Groups) LeadershipChanged(partition, leaderEpoch int32, leading bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || !g.noteEpoch(partition, leaderEpoch, leading) {
		return
	}
	old := g.shards[partition]
	if leading && old != nil && old.epoch == leaderEpoch && !old.failed() {
		return
	}
	if old != nil {
		delete(g.shards, partition)
		old.end()
	}
	if leading {
		g.shards[partition] = g.load(partition, leaderEpoch)
	}
}

// reload loads a partition anew, in the epoch that it is led in.
func (g *Groups) reload(s *shard) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shards[s.partition] == s {
		s.end()
		g.shards[s.partition] = g.load(s.partition, s.epoch)
	}
}

// noteEpoch tells whether a change of leadership is news.
func (g *Groups) noteEpoch(partition, leaderEpoch int32, leading bool) bool {
	if leaderEpoch < 0 {
		delete(g.epochs, partition)
		return !leading
	}
	if known, ok := g.epochs[partition]; ok && leaderEpoch < known {
		g.log.Info("ignored leadership of an old epoch", zap.Int32("partition", partition),
			zap.Int32("leader_epoch", leaderEpoch), zap.Int32("known_epoch", known))
		return false
	}
	g.epochs[partition] = leaderEpoch
	return true
}

// PartitionFor is the partition of __consumer_offsets that holds a group; -1 while the topic does not exist.
func (g *Groups) PartitionFor(group string) int32 {
	partitions := g.o.Partitions()
	if partitions <= 0 {
		return -1
	}
	return journal.PartitionFor(group, partitions)
}

// TopicsChanged says that Image is a new one. The partitions of deleted are gone, and so are the offsets that were committed
// for them. It returns at once.
func (g *Groups) TopicsChanged(deleted map[string][]int32) {
	for _, s := range g.allShards() {
		s.whenLoaded(func() { s.topicsChanged(deleted) })
	}
}

// ConfigChanged says that the settings of a consumer group changed; "" for all.
func (g *Groups) ConfigChanged(group string) {
	configure := func(a *actor, x *journal.Turn) {
		if a.consumer != nil {
			a.consumer.Configure(x, g.o.Consumer(a.id))
		}
	}
	for _, s := range g.allShards() {
		if group == "" {
			s.each(configure)
			continue
		}
		if s.partition == g.PartitionFor(group) {
			s.submit(task{group: group, run: configure})
		}
	}
}

// EndTxn says that the transaction of a producer ended, with a marker that is in the local log of a partition of
// __consumer_offsets: the offsets of it that are pending count from now on, or never. It returns at once.
func (g *Groups) EndTxn(partition int32, producerID int64, commit bool) {
	g.mu.RLock()
	s := g.shards[partition]
	g.mu.RUnlock()
	if s != nil {
		s.whenLoaded(func() { s.endTxn(producerID, commit) })
	}
}

func (g *Groups) allShards() []*shard {
	g.mu.RLock()
	defer g.mu.RUnlock()
	all := make([]*shard, 0, len(g.shards))
	for _, s := range g.shards {
		all = append(all, s)
	}
	return all
}

// shardOf finds where a group is.
func (g *Groups) shardOf(group string) (*shard, *kerr.Error) {
	partition := g.PartitionFor(group)
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return nil, kerr.CoordinatorNotAvailable
	}
	s := g.shards[partition]
	if s == nil {
		return nil, kerr.NotCoordinator
	}
	return s, nil
}

// ask has f run by the actor of a group, and waits for what it replies: once, in its turn or in a later one. When the group
// cannot be asked, refuse makes the answer: of an error of validateGroupStatus, or of GROUP_ID_NOT_FOUND when there is no such group
// and create does not say to make it.
func ask[T any](ctx context.Context, g *Groups, group string, create kind,
	f func(a *actor, x *journal.Turn, reply func(T)), refuse func(*kerr.Error) T,
) T {
	s, err := g.shardOf(group)
	if err != nil {
		return refuse(err)
	}
	answer := make(chan T, 1)
	reply := func(v T) {
		// A second answer would have no reader: the actor must not wait for one.
		select {
		case answer <- v:
		default:
		}
	}
	if idle := s.hand(task{
		group: group, create: create,
		run:    func(a *actor, x *journal.Turn) { f(a, x, reply) },
		refuse: func(err *kerr.Error) { reply(refuse(err)) },
	}); idle != nil {
		idle.box.Lend()
	}
	select {
	case v := <-answer:
		return v
	case <-ctx.Done():
		return refuse(kerr.CoordinatorNotAvailable)
	}
}
