package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/storage"
)

// Options are what a Manager is made of.
type Options struct {
	BrokerID int32
	Logs     *storage.Manager
	Config   *config.Store
	Metadata *metadata.Cache
	// TopicOverrides reads a topic's configuration from ZooKeeper when its log is created. It is called for many topics
	// at once.
	TopicOverrides func(ctx context.Context, topic string) (map[string]string, error)
	// LeadershipChanged tells the coordinators about internal topics, in order, after a change is applied. Of a partition that
	// is led here the epoch is the one in which that began: as in Kafka (Partition.makeLeader), a leader that stays is news to nobody,
	// though its epoch grows whenever a replica goes. It must not wait for anything that needs another change to be applied. May
	// be nil.
	LeadershipChanged func(topic string, partition int32, leaderEpoch int32, leading bool)
	Fetchers          Fetchers              // may be nil: nothing is followed
	ProposeISR        ProposeISR            // may be nil: the in-sync replicas stay as the controller tells
	Registerer        prometheus.Registerer // may be nil
	Logger            *zap.Logger
}

// Manager owns the hosted partitions. Safe for concurrent use.
type Manager struct {
	env               *env
	logs              *storage.Manager
	topicOverrides    func(ctx context.Context, topic string) (map[string]string, error)
	leadershipChanged func(topic string, partition int32, leaderEpoch int32, leading bool)
	fetchers          Fetchers // nil: nothing is followed
	registerer        prometheus.Registerer
	log               *zap.Logger
	brokerEpoch       atomic.Int64
	checkpointErrors  atomic.Uint64
	moves             moves

	// applyMu lets one change of roles happen at a time; it is held across disk work.
	applyMu    sync.Mutex
	closed     bool            // guarded by applyMu
	failedDirs map[string]bool // guarded by applyMu

	// configMu orders changes of configuration, so that a log never keeps an older one than its topic.
	configMu sync.Mutex
	defaults *config.Topic // of topics without overrides; guarded by configMu, nil until needed

	mu              sync.RWMutex
	partitions      map[storage.TopicPartition]*Partition
	topics          map[string]*topic
	controllerEpoch int32
}

// New makes a Manager that hosts nothing until the controller says what; the high watermarks of all logs are restored
// from the checkpoint at once, so that the next checkpoint forgets none.
func New(o Options) *Manager {
	logger := o.Logger.Named("replica")
	selector := o.Config.Broker().ReplicaSelector
	m := &Manager{
		env: &env{
			brokerID: o.BrokerID, config: o.Config, metadata: o.Metadata, log: logger,
			quota:     NewLeaderQuota(o.Config),
			rackAware: selector != nil && *selector == config.RackAwareReplicaSelector,
			isr:       isrChanges{propose: o.ProposeISR, arrived: make(chan struct{}, 1)},
		},
		logs:              o.Logs,
		topicOverrides:    o.TopicOverrides,
		leadershipChanged: o.LeadershipChanged,
		fetchers:          o.Fetchers,
		registerer:        o.Registerer,
		log:               logger,
		failedDirs:        make(map[string]bool),
		partitions:        make(map[storage.TopicPartition]*Partition),
		topics:            make(map[string]*topic),
		controllerEpoch:   -1,
	}
	m.brokerEpoch.Store(-1)
	for _, log := range m.logs.Logs() {
		log.SetHighWatermark(m.logs.CheckpointedHighWatermark(log.TopicPartition()))
	}
	if m.registerer != nil {
		if err := m.registerer.Register((*collector)(m)); err != nil {
			logger.Error("metrics of partitions cannot be registered", zap.Error(err))
		}
	}
	return m
}

// Run checkpoints high watermarks, and watches log directories and in-sync replicas, until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	// Apart, since a disk that is slow to take the checkpoint must not keep a follower in sync.
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() { m.watchISRs(ctx) })
	defer m.startMoving(ctx)()
	for {
		// Read anew every time: it may be changed.
		wait := time.NewTimer(m.env.config.Broker().HighWatermarkCheckpointInterval)
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		m.checkDirs()
		m.checkpoint()
	}
}

func (m *Manager) checkpoint() {
	if err := m.logs.CheckpointHighWatermarks(); err != nil {
		m.checkpointErrors.Add(1)
		m.log.Error("high watermarks cannot be checkpointed", zap.Error(err))
	}
}

// SetBrokerEpoch is told by the registration. BrokerEpoch returns the latest; -1 before the first registration.
func (m *Manager) SetBrokerEpoch(epoch int64) { m.brokerEpoch.Store(epoch) }

// BrokerEpoch is the czxid of this broker's registration (KIP-380).
func (m *Manager) BrokerEpoch() int64 { return m.brokerEpoch.Load() }

// CheckController applies the fencing that LeaderAndIsr, StopReplica and UpdateMetadata share (broker epoch -1 is accepted):
// ErrStaleBrokerEpoch or ErrStaleControllerEpoch; it remembers the controller epoch. A broker epoch larger than ours is
// right: the controller may see our new registration before we do (KAFKA-9839).
func (m *Manager) CheckController(controllerEpoch int32, brokerEpoch int64) error {
	if known := m.BrokerEpoch(); brokerEpoch != -1 && brokerEpoch < known {
		return fmt.Errorf("%w: %d, registered with %d", ErrStaleBrokerEpoch, brokerEpoch, known)
	}
	return m.fence(controllerEpoch)
}

// fence refuses a controller older than the newest that was heard of.
func (m *Manager) fence(controllerEpoch int32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if controllerEpoch < m.controllerEpoch {
		return fmt.Errorf("%w: controller epoch %d, latest %d", ErrStaleControllerEpoch, controllerEpoch, m.controllerEpoch)
	}
	m.controllerEpoch = controllerEpoch
	return nil
}

// UpdateMetadata fences the controller and applies the update to the metadata cache as one step, so that an old
// controller's picture never replaces a new one's.
func (m *Manager) UpdateMetadata(controllerEpoch int32, brokerEpoch int64, u metadata.Update) (deleted map[string][]int32, err error) {
	m.applyMu.Lock()
	defer m.applyMu.Unlock()
	if err := m.CheckController(controllerEpoch, brokerEpoch); err != nil {
		return nil, err
	}
	return m.env.metadata.Apply(u), nil
}

// Partition finds a hosted partition: ErrStorage (its directory failed), ErrNotLeader (others host it: the client has
// to look for them anew), ErrUnknownPartition.
func (m *Manager) Partition(topic string, index int32) (*Partition, error) {
	m.mu.RLock()
	p := m.partitions[storage.TopicPartition{Topic: topic, Partition: index}]
	m.mu.RUnlock()
	if p != nil {
		if p.offline.Load() {
			return nil, ErrStorage
		}
		return p, nil
	}
	if t, ok := m.env.metadata.Load().Topic(topic); ok {
		if _, ok := t.Partition(index); ok {
			return nil, ErrNotLeader
		}
	}
	return nil, ErrUnknownPartition
}

// Partitions lists the hosted partitions, those on failed directories too, in no order.
func (m *Manager) Partitions() []*Partition {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make([]*Partition, 0, len(m.partitions))
	for _, p := range m.partitions {
		all = append(all, p)
	}
	return all
}

func (m *Manager) hosted(name storage.TopicPartition) *Partition {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.partitions[name]
}

var errClosed = errors.New("replica manager is closed")

// Close checkpoints high watermarks and wakes all who wait. The storage manager is closed by its owner afterwards.
func (m *Manager) Close() {
	m.applyMu.Lock()
	defer m.applyMu.Unlock()
	if m.closed {
		return
	}
	m.closed = true
	m.endAll(m.Partitions(), (*Partition).end)
	m.checkpoint()
	if m.registerer != nil {
		m.registerer.Unregister((*collector)(m))
	}
	m.log.Info("partitions closed", zap.Int("partitions", len(m.partitions)))
}
