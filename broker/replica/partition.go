package replica

import (
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/storage"
)

// role is what this broker is to a partition.
type role int8

const (
	none role = iota
	leader
	follower
)

// noEpoch is the leader epoch before the first state: any epoch that a controller tells is newer.
const noEpoch int32 = -1

// Partition is one hosted partition. Partition.mu guards epoch, role, ISR, followers' ends and waiters; it is taken
// before Log.mu. There are tens of thousands of these: what partitions share lies in env and topic.
type Partition struct {
	env   *env
	topic *topic
	index int32
	place int // in topic.partitions; guarded by Manager.mu

	// gate keeps the role still during an append: appends hold it shared, a change of role alone.
	gate sync.RWMutex

	// offline is set for good when the log directory failed.
	offline atomic.Bool

	mu sync.Mutex
	// All below is guarded by mu.
	log  *storage.Log // nil until the first state was applied
	role role
	// leaderID is a broker, or metadata.NoLeader.
	leaderID        int32
	leaderEpoch     int32
	partitionEpoch  int32 // dataVersion of the state znode
	controllerEpoch int32
	// epochStart is the log end at which this broker became leader of leaderEpoch; of meaning only to a leader.
	epochStart int64
	// ledSince is the leader epoch in which this broker became leader; it has led since, in whatever epochs. Of meaning only
	// to a leader.
	ledSince int32
	// tenure counts how often this broker ceased to lead or to follow. What was appended before it did may have been cut
	// since, and another record be where it was.
	tenure    uint32
	replicas  []int32 // assignment, with those being added and removed
	adding    []int32
	removing  []int32
	isr       isr        // a leader's
	followers []progress // a leader's: all replicas but this one
	// leaderHigh is the leader's high watermark, as a follower was last told.
	leaderHigh int64
	waiters    []*waiter
	watches    []*Watch
}

// env is what all partitions of a Manager share.
type env struct {
	brokerID int32
	config   *config.Store
	metadata *metadata.Cache
	isr      isrChanges
	quota    *Quota // a leader's
	// rackAware: consumers are sent to replicas of their own rack (KIP-392).
	rackAware bool
	log       *zap.Logger
}

func newPartition(e *env, t *topic, index int32) *Partition {
	return &Partition{env: e, topic: t, index: index, leaderID: metadata.NoLeader, leaderEpoch: noEpoch, partitionEpoch: -1}
}

// Topic returns the topic's name.
func (p *Partition) Topic() string { return p.topic.name }

// Index returns the partition's number in its topic.
func (p *Partition) Index() int32 { return p.index }

// TopicID returns the id that the log carries; zero when unknown.
func (p *Partition) TopicID() [16]byte {
	p.mu.Lock()
	log := p.log
	p.mu.Unlock()
	if log == nil {
		return [16]byte{}
	}
	return log.TopicID()
}

// Leader returns the leader's id (metadata.NoLeader when there is none) and epoch (-1 before the first state) as this
// partition knows them.
func (p *Partition) Leader() (id, epoch int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leaderID, p.leaderEpoch
}

// TopicConfig is the effective configuration of the topic: the rules for Validate are in it. It is immutable; take it
// anew for every request.
func (p *Partition) TopicConfig() *config.Topic { return p.topic.config.Load() }

// HighWatermark is what consumers may read up to; 0 before there is a log.
func (p *Partition) HighWatermark() int64 {
	p.mu.Lock()
	log := p.log
	p.mu.Unlock()
	if log == nil {
		return 0
	}
	return log.HighWatermark()
}

// LogStartOffset is the first offset that there is, or -1 before there is a log.
func (p *Partition) LogStartOffset() int64 {
	p.mu.Lock()
	log := p.log
	p.mu.Unlock()
	if log == nil {
		return -1
	}
	return log.LogStartOffset()
}

func (p *Partition) name() storage.TopicPartition {
	return storage.TopicPartition{Topic: p.topic.name, Partition: p.index}
}

// fields name the partition in a log entry. Made at the call: a logger for each of tens of thousands of partitions
// would weigh more than the partitions.
func (p *Partition) fields(more ...zap.Field) []zap.Field {
	return append([]zap.Field{zap.String("topic", p.topic.name), zap.Int32("partition", p.index)}, more...)
}

// view is a consistent look at what a request needs to know of a partition.
type view struct {
	log         *storage.Log
	leading     bool
	leaderEpoch int32
	epochStart  int64
	preferred   int32 // replica for a consumer to read from instead, or noReplica
}

// look checks a client's idea of the leader epoch (-1: it has none) and returns the log. ErrNotLeader is also the
// answer of a partition without a log.
func (p *Partition) look(currentEpoch int32, leaderOnly bool) (view, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lookLocked(currentEpoch, leaderOnly)
}

// lookSince is lookLocked for who leads, and has led without a break since an epoch (or anyEpoch).
func (p *Partition) lookSince(since int32) (view, error) {
	if p.leadsSince(since) {
		since = anyEpoch
	}
	return p.lookLocked(since, true)
}

// leadingSince is the epoch in which this broker became the leader that it is.
func (p *Partition) leadingSince() int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ledSince
}

// leadsSince tells whether this broker led in an epoch, and has led without a break since. p.mu is held.
func (p *Partition) leadsSince(epoch int32) bool {
	return p.role == leader && epoch >= p.ledSince && epoch <= p.leaderEpoch
}

func (p *Partition) lookLocked(currentEpoch int32, leaderOnly bool) (view, error) {
	v := view{log: p.log, leading: p.role == leader, leaderEpoch: p.leaderEpoch, epochStart: p.epochStart, preferred: noReplica}
	switch {
	case p.offline.Load():
		return v, ErrStorage
	case currentEpoch >= 0 && currentEpoch < p.leaderEpoch:
		return v, ErrFencedLeaderEpoch
	case currentEpoch > p.leaderEpoch:
		return v, ErrUnknownLeaderEpoch
	case p.log == nil, leaderOnly && p.role != leader:
		return v, ErrNotLeader
	default:
		return v, nil
	}
}
