package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/alterisr"
	"github.com/kbroker/kbroker/broker/api"
	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/fetcher"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/peer"
	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group"
	"github.com/kbroker/kbroker/coordinator/txn"
	"github.com/kbroker/kbroker/storage"
	"github.com/kbroker/kbroker/storage/vfs"
	"github.com/kbroker/kbroker/zkmeta"
)

// Options are what a Broker is made of. The seams (FS, Listen, Dial, DialZooKeeper) let a
// whole cluster run in one process; nil means the real thing.
type Options struct {
	Config        *config.Store
	FS            vfs.FS
	Listen        func(network, address string) (net.Listener, error)
	Dial          peer.Dial
	DialZooKeeper func(network, address string, timeout time.Duration) (net.Conn, error)
	// Memory is how many bytes the process may use, a quarter of which requests may take when queued.max.request.bytes
	// sets no bound; 0: they may take any amount.
	Memory   int64
	Registry *prometheus.Registry
	Health   *Health
	Logger   *zap.Logger
}

// Broker is a running broker.
type Broker struct {
	id         int32
	clusterID  string
	advertised []config.Endpoint
	config     *config.Store
	log        *zap.Logger

	zk       *zkmeta.Client
	logs     *storage.Manager
	metadata *metadata.Cache
	replicas *replica.Manager
	ids      *txn.ProducerIDs
	journal  *replica.Journal // of __consumer_offsets
	groups   *group.Groups
	settings *groupSettings
	topics   topicsView
	control  *controller.Controller
	server   *server.Server

	limits     derived[config.Broker, server.Limits]
	partitions derived[metadata.Image, int32] // of __consumer_offsets

	fetchers          *fetcher.Fetchers
	isr               *alterisr.Proposals
	isrChannel        *peer.ToController
	controllerChannel *peer.ToController

	cancel   context.CancelFunc // ends the background work
	group    sync.WaitGroup     // what cancel ends
	failures chan error         // the first reason to stop that is not the operator's

	health *Health
	built  atomic.Bool   // the rooms are there; before, no directory has a replica that could go offline
	ready  chan struct{} // closed when clients are served
}

// Start builds and starts a broker and returns when it is registered and serves. A ctx that
// ends before that undoes everything. The caller ends the broker with Stop.
func Start(ctx context.Context, o Options) (_ *Broker, err error) {
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
	if o.Health == nil {
		o.Health = NewHealth()
	}
	b := &Broker{config: o.Config, log: o.Logger, failures: make(chan error, 1), health: o.Health, ready: make(chan struct{})}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b.cancel = cancel
	defer func() {
		if err != nil {
			// Requests that came already wait for a broker that will never be ready: nobody waits for them.
			ended, end := context.WithCancel(ctx)
			end()
			b.teardown(ended)
		}
	}()

	overrides, err := b.connect(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := b.openLogs(background, o, overrides); err != nil {
		return nil, err
	}
	listeners, err := listen(o.Config.Broker(), o.Listen)
	if err != nil {
		return nil, err
	}
	if b.advertised, err = advertised(o.Config.Broker(), listeners); err != nil {
		closeAll(listeners)
		return nil, err
	}
	b.build(o, listeners)
	if err := b.join(ctx, background); err != nil {
		return nil, err
	}
	return b, nil
}

// connect opens the ZooKeeper session and settles what has to be known before the logs are opened. It returns the overrides
// of every topic.
func (b *Broker) connect(ctx context.Context, o Options) (map[string]map[string]string, error) {
	c := b.config.Broker()
	observe := newZooKeeperMetrics(o.Registry)
	zk, err := zkmeta.Connect(ctx, zkmeta.Options{
		Connect:           c.ZooKeeperConnect,
		SessionTimeout:    c.ZooKeeperSession,
		ConnectionTimeout: c.ZooKeeperConnection,
		MaxInFlight:       int(c.ZooKeeperMaxInFlight),
		Dial:              o.DialZooKeeper,
		Logger:            o.Logger,
		Observe:           observe.request,
	})
	if err != nil {
		return nil, err
	}
	b.zk = zk
	b.health.set(partZooKeeper, true, "") // before events may say otherwise
	zk.Subscribe(func(s zkmeta.SessionState) {
		observe.session(s)
		b.health.set(partZooKeeper, s == zkmeta.Connected, "zookeeper session is not connected")
	})
	var overrides map[string]map[string]string
	err = acrossSessions(ctx, func() (err error) {
		overrides, err = b.settle(ctx, o.FS)
		return err
	})
	return overrides, err
}

// acrossSessions repeats what a session of ZooKeeper's ended in the middle of: the next one can do it as well.
func acrossSessions(ctx context.Context, do func() error) error {
	for {
		if err := do(); ctx.Err() != nil || !errors.Is(err, zkmeta.ErrSessionExpired) {
			return err
		}
	}
}

// settle makes the roots, settles cluster id and broker id, and reads the dynamic configuration. It returns the overrides of
// every topic. It may be repeated.
func (b *Broker) settle(ctx context.Context, fs vfs.FS) (overrides map[string]map[string]string, err error) {
	if err := b.zk.EnsureRoots(ctx); err != nil {
		return nil, fmt.Errorf("create the roots in zookeeper: %w", err)
	}
	if b.clusterID, err = b.zk.ClusterID(ctx); err != nil {
		return nil, fmt.Errorf("read the cluster id from zookeeper: %w", err)
	}
	if b.id, err = b.settleID(ctx, fs); err != nil {
		return nil, err
	}
	if err := b.readDynamicConfig(ctx); err != nil {
		return nil, err
	}
	if overrides, err = b.zk.Configs(ctx, "topics"); err != nil {
		return nil, fmt.Errorf("read topic configs from zookeeper: %w", err)
	}
	return overrides, nil
}

// settleID reconciles broker.id with meta.properties and generates one where neither has it,
// as KafkaServer.getOrGenerateBrokerId does.
func (b *Broker) settleID(ctx context.Context, fs vfs.FS) (int32, error) {
	c := b.config.Broker()
	stored, storedCluster, err := storage.ReadMeta(fs, c.LogDirs)
	if err != nil {
		return 0, err
	}
	if storedCluster != "" && storedCluster != b.clusterID {
		return 0, fmt.Errorf("cluster id %s in meta.properties of log.dirs differs from %s in zookeeper: "+
			"zookeeper.connect names another cluster, or the log directories belong to one", storedCluster, b.clusterID)
	}
	id := c.BrokerID
	switch {
	case id >= 0 && stored >= 0 && id != stored:
		return 0, fmt.Errorf("broker.id=%d differs from broker.id=%d in meta.properties of log.dirs: "+
			"set broker.id=%d, or use other log directories", id, stored, stored)
	case id >= 0:
	case stored >= 0:
		id = stored
	default:
		if id, err = b.zk.GenerateBrokerID(ctx, c.ReservedBrokerMaxID); err != nil {
			return 0, fmt.Errorf("generate a broker id: %w", err)
		}
	}
	b.config.SetBrokerID(id)
	return id, nil
}

// openLogs locks and loads the log directories. The failure of one is reported until background ends.
func (b *Broker) openLogs(background context.Context, o Options, overrides map[string]map[string]string) error {
	c := b.config.Broker()
	logs, err := storage.Open(storage.Options{
		FS:                            o.FS,
		Dirs:                          c.LogDirs,
		BrokerID:                      b.id,
		ClusterID:                     b.clusterID,
		ConfigFor:                     func(topic string) *storage.Config { return b.config.Topic(overrides[topic]).Log },
		RecoveryThreads:               int(c.RecoveryThreads),
		RetentionInterval:             c.RetentionCheckInterval,
		FlushInterval:                 c.FlushSchedulerInterval,
		CheckpointInterval:            c.FlushOffsetCheckpointInterval,
		StartOffsetCheckpointInterval: c.FlushStartOffsetCheckpointInterval,
		Cleaner:                       cleanerSettings(b.config),
		MaxOpenFiles:                  maxOpenSegments(),
		Logger:                        o.Logger,
		DirFailed:                     func(dir string, err error) { b.dirFailed(background, dir, err) },
	})
	if err != nil {
		return err
	}
	b.logs = logs
	o.Registry.MustRegister(newCleanerMetrics(logs.CleanerStats))
	return nil
}

// dirFailed tells the controller, through ZooKeeper, that replicas here went offline; with the
// last directory the broker ends, as Kafka does.
//
// One that is found while logs are loaded is nothing to tell: the controller learns of it from the answers to its LeaderAndIsr.
func (b *Broker) dirFailed(ctx context.Context, dir string, err error) {
	if !b.built.Load() {
		return
	}
	b.replicas.DirFailed(dir, err)
	if !b.anyDirOnline() {
		b.fail(fmt.Errorf("no log directory is left online, the last was %s: %w", dir, err))
		return
	}
	if err := b.zk.ReportLogDirFailure(ctx, b.id); err != nil && ctx.Err() == nil {
		b.log.Error("log directory failure could not be reported to the controller",
			zap.String("dir", dir), zap.Error(err))
	}
}

func (b *Broker) anyDirOnline() bool {
	return slices.ContainsFunc(b.logs.Dirs(), func(d storage.Dir) bool { return d.Err == nil })
}

// build makes the rooms that stand on ZooKeeper and the logs.
func (b *Broker) build(o Options, listeners []server.Listener) {
	b.metadata = metadata.NewCache(b.clusterID)
	b.buildPeers(o)
	b.replicas = replica.New(replica.Options{
		BrokerID: b.id,
		Logs:     b.logs,
		Config:   b.config,
		Metadata: b.metadata,
		TopicOverrides: func(ctx context.Context, topic string) (map[string]string, error) {
			return b.zk.Config(ctx, zkmeta.Entity{Type: "topics", Name: topic})
		},
		LeadershipChanged: b.leadershipChanged,
		Fetchers:          b.fetchers,
		ProposeISR:        b.isr.Propose,
		Registerer:        o.Registry,
		Logger:            o.Logger,
	})
	b.control = controller.New(controller.Options{
		BrokerID:   b.id,
		ZooKeeper:  b.zk,
		Register:   b.register,
		Config:     b.config,
		Metadata:   b.metadata,
		Dial:       o.Dial,
		Registerer: o.Registry,
		Logger:     o.Logger,
	})
	b.ids = txn.NewProducerIDs(b.producerIDBlock)
	b.buildGroups(o)
	handlers := api.New(api.Options{
		BrokerID:        b.id,
		Config:          b.config,
		Metadata:        b.metadata,
		Replicas:        b.replicas,
		Controller:      b.control,
		ZooKeeper:       b.zk,
		ProducerIDs:     b.ids,
		Groups:          b.groups,
		MetadataChanged: b.metadataChanged,
		Ready:           b.ready,
		Registerer:      o.Registry,
		Logger:          o.Logger,
	})
	limits := func(c *config.Broker) server.Limits { return limitsOf(c, o.Memory) }
	b.server = server.New(server.Options{
		Listeners:  listeners,
		Handler:    handlers,
		Limits:     func() *server.Limits { return b.limits.of(b.config.Broker(), limits) },
		Registerer: o.Registry,
		Logger:     o.Logger,
	})
	b.health.watchDirs(b.replicas.Dirs)
	b.config.OnChange(func([]string) { b.replicas.BrokerConfigChanged() })
	b.built.Store(true)
}

// join registers the broker, follows the configuration, and serves.
func (b *Broker) join(ctx, background context.Context) error {
	if !b.anyDirOnline() { // the last one may have failed before anybody was told
		return errors.New("no log directory is left online")
	}
	registered := make(chan struct{})
	b.spawn("controller", func() error { return b.control.Run(background, registered) })
	select {
	case <-registered:
	case err := <-b.failures:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := acrossSessions(ctx, func() error { return b.zk.WatchConfigs(background, b.configChanged(background)) }); err != nil {
		return fmt.Errorf("follow config changes in zookeeper: %w", err)
	}
	// Read again what may have changed between the first read and the watch.
	err := acrossSessions(ctx, func() error {
		if err := b.readDynamicConfig(ctx); err != nil {
			return err
		}
		return b.readGroupConfigs(ctx)
	})
	if err != nil {
		return err
	}
	b.spawn("isr", func() error { b.isr.Run(background); return nil })
	b.spawn("groups", func() error { b.groups.Run(background); return nil })
	b.spawn("storage", func() error { b.logs.Run(background); return nil })
	b.spawn("replica", func() error { b.replicas.Run(background); return nil })
	b.spawn("server", b.server.Serve)
	if err := b.awaitMetadata(ctx); err != nil {
		return err
	}
	close(b.ready)
	b.health.set(partServing, true, "")
	return nil
}

// leadWithin bounds the wait for the controller to give this broker its replicas back. In a cluster
// whose controller is busy or absent, serving what is there is better than waiting on.
const leadWithin = 15 * time.Second

// awaitMetadata returns once the controller, this broker or another, has told of this broker and
// of the partitions whose logs are here: from then on clients get full answers.
func (b *Broker) awaitMetadata(ctx context.Context) error {
	var expected []storage.TopicPartition
	err := acrossSessions(ctx, func() (err error) {
		expected, err = b.hostedLogs(ctx)
		return err
	})
	if err != nil {
		return err
	}
	late := time.NewTimer(leadWithin)
	defer late.Stop()
	for {
		changed := b.metadata.Changed()
		image := b.metadata.Load()
		_, known := image.Broker(b.id)
		expected = slices.DeleteFunc(expected, func(tp storage.TopicPartition) bool {
			t, ok := image.Topic(tp.Topic)
			if ok {
				_, ok = t.Partition(tp.Partition)
			}
			return ok
		})
		if known && len(expected) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-late.C:
			if known {
				b.log.Warn("the controller has not yet told of all partitions whose logs are here, serving all the same",
					zap.Int("partitions", len(expected)))
				return nil
			}
		case err := <-b.failures:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// hostedLogs lists the partitions whose logs are here, of topics that exist and are not being deleted.
func (b *Broker) hostedLogs(ctx context.Context) ([]storage.TopicPartition, error) {
	logs := b.logs.Logs()
	if len(logs) == 0 {
		return nil, nil
	}
	topics, err := b.zk.Topics(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("read the topics from zookeeper: %w", err)
	}
	deleting, err := b.zk.DeletionMarkers(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("read the topics being deleted from zookeeper: %w", err)
	}
	exists := map[string]bool{}
	for _, t := range topics {
		exists[t] = true
	}
	for _, t := range deleting {
		delete(exists, t)
	}
	var hosted []storage.TopicPartition
	for _, l := range logs {
		if tp := l.TopicPartition(); exists[tp.Topic] {
			hosted = append(hosted, tp)
		}
	}
	return hosted, nil
}

// spawn runs a part until it returns; an error is a reason to stop the broker.
func (b *Broker) spawn(part string, run func() error) {
	b.group.Go(func() {
		if err := run(); err != nil && !errors.Is(err, context.Canceled) {
			b.fail(fmt.Errorf("%s: %w", part, err))
		}
	})
}

// fail notes the first reason to stop.
func (b *Broker) fail(err error) {
	select {
	case b.failures <- err:
	default:
	}
}

// Failed gives the reason when the broker cannot go on; the caller then calls Stop.
func (b *Broker) Failed() <-chan error { return b.failures }

// ID returns broker.id.
func (b *Broker) ID() int32 { return b.id }

// Advertised returns the endpoints that are registered for this broker.
func (b *Broker) Advertised() []config.Endpoint { return b.advertised }

// ClusterID returns the id of the cluster.
func (b *Broker) ClusterID() string { return b.clusterID }

// Stop ends the broker: what was started is answered, the logs are closed cleanly, and the
// session ends last. When ctx ends first, connections are cut, but the logs are still closed.
func (b *Broker) Stop(ctx context.Context) error {
	b.health.set(partServing, false, "shutting down")
	return b.teardown(ctx)
}

// teardown stops whatever was built, in the reverse order of Start.
func (b *Broker) teardown(ctx context.Context) error {
	var errs []error
	if b.server != nil {
		errs = append(errs, b.server.Shutdown(ctx))
	}
	b.cancel()
	if b.fetchers != nil {
		b.fetchers.Close()
		b.isrChannel.Close()
		b.controllerChannel.Close()
	}
	if b.ids != nil {
		b.ids.Close()
	}
	if b.groups != nil {
		b.groups.Close()
		b.journal.Close()
	}
	if b.replicas != nil {
		b.replicas.Close()
	}
	b.group.Wait()
	if b.logs != nil {
		errs = append(errs, b.logs.Close())
	}
	if b.zk != nil {
		b.zk.Close()
	}
	return errors.Join(errs...)
}
