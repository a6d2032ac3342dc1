// Package replica is the partitions that this broker hosts: roles, ISR, high watermark, and those who wait on them.
package replica

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
)

// Errors of this package; it translates the storage errors that it lets through, so that broker/api need not know storage's.
var (
	ErrUnknownPartition             = errors.New("this broker does not host the partition")
	ErrNotLeader                    = errors.New("this broker does not lead the partition")
	ErrFencedLeaderEpoch            = errors.New("leader epoch is older than the current one")
	ErrUnknownLeaderEpoch           = errors.New("leader epoch is newer than the current one")
	ErrOffsetOutOfRange             = errors.New("offset out of range")
	ErrOffsetNotAvailable           = errors.New("high watermark has not reached the start of the leader's epoch")
	ErrNotEnoughReplicas            = errors.New("fewer in-sync replicas than min.insync.replicas")
	ErrNotEnoughReplicasAfterAppend = errors.New("fewer in-sync replicas than min.insync.replicas after the append")
	ErrTimedOut                     = errors.New("timed out")
	ErrStorage                      = errors.New("log directory failed")
	ErrRecordListTooLarge           = errors.New("record batch is larger than a segment")
	ErrOutOfOrderSequence           = errors.New("out of order sequence number")
	ErrInvalidProducerEpoch         = errors.New("producer epoch is older than the last one seen")
	ErrInvalidTxnState              = errors.New("record does not fit the producer's transaction state")
	ErrCoordinatorFenced            = errors.New("transaction coordinator epoch is older than the last one seen")
	ErrPolicyViolation              = errors.New("cleanup.policy does not allow it")
	ErrStaleControllerEpoch         = errors.New("controller epoch or leader epoch is not newer")
	ErrStaleBrokerEpoch             = errors.New("broker epoch is older than this broker's")
	ErrInconsistentTopicID          = errors.New("topic id differs from the log's")
)

// State is a partition's leader and ISR as a LeaderAndIsr request gives it.
type State struct {
	Topic            string
	TopicID          [16]byte
	Partition        int32
	ControllerEpoch  int32
	Leader           int32
	LeaderEpoch      int32
	ISR, Replicas    []int32
	Adding, Removing []int32
	PartitionEpoch   int32
	IsNew            bool
	Recovering       bool
}

// Stop is one partition of a StopReplica request.
type Stop struct {
	Topic       string
	Partition   int32
	LeaderEpoch int32 // -1 and -2 are always accepted
	Delete      bool
}

// Options are what a Manager is made of.
type Options struct {
	BrokerID int32
	Logs     *storage.Manager
	Config   *config.Store
	Metadata *metadata.Cache
	// TopicOverrides reads a topic's configuration from ZooKeeper when its log is created.
	TopicOverrides func(ctx context.Context, topic string) (map[string]string, error)
	// LeadershipChanged tells the coordinators about internal topics, in order, after a change is applied. May be nil.
	LeadershipChanged func(topic string, partition int32, leaderEpoch int32, leading bool)
	Registerer        prometheus.Registerer
	Logger            *zap.Logger
}

// Manager owns the hosted partitions.
type Manager struct{}

func New(o Options) *Manager { panic("unwritten") }

// Run shrinks ISRs, checkpoints high watermarks and watches log directories until ctx ends.
func (m *Manager) Run(ctx context.Context) { panic("unwritten") }

// SetBrokerEpoch is told by the registration. BrokerEpoch returns the latest.
func (m *Manager) SetBrokerEpoch(epoch int64) { panic("unwritten") }
func (m *Manager) BrokerEpoch() int64         { panic("unwritten") }

// CheckController applies the fencing that LeaderAndIsr, StopReplica and UpdateMetadata share (broker epoch -1 is accepted):
// ErrStaleBrokerEpoch or ErrStaleControllerEpoch; it remembers the controller epoch.
func (m *Manager) CheckController(controllerEpoch int32, brokerEpoch int64) error { panic("unwritten") }

// Apply makes this broker leader or follower as the states say. It is idempotent. The result has an error per state, nil when applied.
func (m *Manager) Apply(ctx context.Context, controllerID, controllerEpoch int32, states []State) []error {
	panic("unwritten")
}

// Stop ends replicas, deleting their logs where asked.
func (m *Manager) Stop(ctx context.Context, stops []Stop) []error { panic("unwritten") }

// SetTopicOverrides is told by the config change listener.
func (m *Manager) SetTopicOverrides(topic string, overrides map[string]string) { panic("unwritten") }

// BrokerConfigChanged renews the configuration of every log after a dynamic change.
func (m *Manager) BrokerConfigChanged() { panic("unwritten") }

// Partition finds a hosted partition: ErrUnknownPartition (never hosted), ErrStorage (its directory failed).
func (m *Manager) Partition(topic string, index int32) (*Partition, error) { panic("unwritten") }
func (m *Manager) Partitions() []*Partition                                { panic("unwritten") }

// Dir and DirLog describe log directories (DescribeLogDirs).
type Dir struct {
	Path          string
	Err           error
	Total, Usable uint64
	Logs          []DirLog
}
type DirLog struct {
	Topic     string
	Partition int32
	Size      int64
	OffsetLag int64
	Future    bool
}

func (m *Manager) Dirs() []Dir { panic("unwritten") }

// Close checkpoints high watermarks and wakes all who wait. The storage manager is closed by its owner afterwards.
func (m *Manager) Close() { panic("unwritten") }

// Partition is one hosted partition. Partition.mu guards epoch, role, ISR, followers' ends and waiters; it is taken before Log.mu.
type Partition struct{}

func (p *Partition) Topic() string     { panic("unwritten") }
func (p *Partition) Index() int32      { panic("unwritten") }
func (p *Partition) TopicID() [16]byte { panic("unwritten") }

// Leader returns the leader's id and epoch as this partition knows them.
func (p *Partition) Leader() (id, epoch int32) { panic("unwritten") }

// TopicConfig is the effective configuration of the topic: the rules for Validate are in it.
func (p *Partition) TopicConfig() *config.Topic { panic("unwritten") }

// AppendAsLeader appends one checked batch. With acks -1 it refuses when too few replicas are in sync.
func (p *Partition) AppendAsLeader(b record.Checked, acks int16, origin storage.Origin) (storage.Appended, error) {
	panic("unwritten")
}

// AwaitHighWatermark returns once the high watermark is at least offset (the append's last offset + 1), or with the reason it never will:
// ErrNotLeader, ErrNotEnoughReplicasAfterAppend, or ErrTimedOut when ctx's deadline passes.
func (p *Partition) AwaitHighWatermark(ctx context.Context, offset int64) error { panic("unwritten") }

// HighWatermark is what consumers may read up to.
func (p *Partition) HighWatermark() int64 { panic("unwritten") }

// Isolation says up to where a reader may read.
type Isolation int8

const (
	ReadUncommitted Isolation = iota // up to the high watermark
	ReadCommitted                    // up to the last stable offset
	ReadLogEnd                       // followers
)

// ReadRequest is one partition of a fetch.
type ReadRequest struct {
	Offset           int64
	MaxBytes         int64
	MinOne           bool
	Isolation        Isolation
	CurrentEpoch     int32 // -1: not checked
	LastFetchedEpoch int32 // -1: no check for divergence
	ReplicaID        int32 // of a follower, or -1
	LogStartOffset   int64 // a follower's
	Client           bool  // client metadata present (v11+): a follower may serve
}

// ReadResult is what a read found.
type ReadResult struct {
	Slice            storage.Slice // to be released
	HighWatermark    int64
	LastStableOffset int64
	LogStartOffset   int64
	Aborted          []storage.Aborted
	DivergingEpoch   int32 // -1: none
	DivergingEnd     int64
}

// Read reads batches; on error the offsets of the result are still those to answer where known (else -1).
func (p *Partition) Read(r ReadRequest) (ReadResult, error) { panic("unwritten") }

// Waiter is woken when something that a fetch waits for may have changed in one of its partitions.
type Waiter struct{ C chan struct{} } // capacity 1, sent without blocking

func NewWaiter() *Waiter               { panic("unwritten") }
func (p *Partition) Watch(w *Waiter)   { panic("unwritten") }
func (p *Partition) Unwatch(w *Waiter) { panic("unwritten") }

// ListOffset answers ListOffsets: timestamp is Kafka's (-1 latest, -2 earliest, -3 max, -4 earliest local, ...). found is false when no
// record is that new. errors: ErrNotLeader, epoch errors, ErrOffsetNotAvailable.
func (p *Partition) ListOffset(timestamp int64, isolation Isolation, currentEpoch int32, replicaID int32) (o storage.TimestampOffset, found bool, err error) {
	panic("unwritten")
}

// EndOffsetForEpoch answers OffsetForLeaderEpoch.
func (p *Partition) EndOffsetForEpoch(currentEpoch, epoch int32) (foundEpoch int32, endOffset int64, err error) {
	panic("unwritten")
}

// DeleteRecords advances the log start offset (offset -1: the high watermark) and returns the low watermark.
func (p *Partition) DeleteRecords(ctx context.Context, offset int64) (lowWatermark int64, err error) {
	panic("unwritten")
}

// Producers lists the active producers; ErrNotLeader when another leads.
func (p *Partition) Producers() ([]storage.Producer, error) { panic("unwritten") }

var _ = time.Now
