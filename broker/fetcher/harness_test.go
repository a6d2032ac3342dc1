package fetcher

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/api"
	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
	"github.com/kbroker/kbroker/storage/vfs"
)

// network connects brokers. In memory, so that synctest sees them wait, or over TCP.
type network struct {
	tcp bool

	mu        sync.Mutex
	listeners map[int32]*pipes // by port
	nextPort  int32
	dials     int
}

func (n *network) listen(t testing.TB) (net.Listener, int32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.tcp {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l, int32(l.Addr().(*net.TCPAddr).Port)
	}
	if n.listeners == nil {
		n.listeners = make(map[int32]*pipes)
	}
	n.nextPort++
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[n.nextPort] = l
	return l, n.nextPort
}

func (n *network) dial(ctx context.Context, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	n.mu.Unlock()
	if n.tcp {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	l := n.listeners[int32(number)]
	n.mu.Unlock()
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// broker is the rooms that replication needs, over logs in memory, served on the network.
type broker struct {
	t        testing.TB
	id, port int32
	network  *network
	store    *config.Store
	metadata *metadata.Cache
	replicas *replica.Manager
	fetchers *Fetchers
	registry *prometheus.Registry
	handlers *api.Handlers
	server   *server.Server
	served   chan error

	mu        sync.Mutex
	overrides map[string]string // of every topic
}

func newBroker(t testing.TB, n *network, id int32, settings ...string) *broker {
	t.Helper()
	b := &broker{t: t, id: id, network: n, metadata: metadata.NewCache("test"), registry: prometheus.NewRegistry()}
	static := map[string]config.Setting{
		"broker.id": {Value: strconv.Itoa(int(id))}, "zookeeper.connect": {Value: "z:1"}, "log.dirs": {Value: "/logs"},
		"log.retention.hours": {Value: "-1"},
	}
	for i := 0; i+1 < len(settings); i += 2 {
		static[settings[i]] = config.Setting{Value: settings[i+1]}
	}
	var err error
	if b.store, _, err = config.NewStore(static); err != nil {
		t.Fatal(err)
	}
	logs, err := storage.Open(storage.Options{
		FS: vfs.NewMem(), Dirs: []string{"/logs"}, BrokerID: id, ClusterID: "test",
		ConfigFor:       func(string) *storage.Config { return b.store.Topic(nil).Log },
		RecoveryThreads: 1, MaxOpenFiles: 100, Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.fetchers = New(Options{
		BrokerID: id, BrokerEpoch: func() int64 { return 1000 + int64(id) }, Config: b.store, Metadata: b.metadata,
		Dial: n.dial, Registerer: b.registry, Logger: zap.NewNop(),
	})
	b.replicas = replica.New(replica.Options{
		BrokerID: id, Logs: logs, Config: b.store, Metadata: b.metadata, Fetchers: b.fetchers, Logger: zap.NewNop(),
		TopicOverrides: func(context.Context, string) (map[string]string, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.overrides, nil
		},
	})
	b.handlers = api.New(api.Options{
		BrokerID: id, Config: b.store, Metadata: b.metadata, Replicas: b.replicas, Logger: zap.NewNop(),
	})
	b.serve()
	t.Cleanup(func() {
		b.fetchers.Close()
		b.stop()
		b.replicas.Close()
		if err := logs.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// serve starts the server on a port of its own.
func (b *broker) serve() {
	var l net.Listener
	l, b.port = b.network.listen(b.t)
	b.server = server.New(server.Options{
		Listeners: []server.Listener{{Name: "PLAINTEXT", Listener: l}}, Handler: b.handlers,
		Limits: server.DefaultLimits, Logger: zap.NewNop(),
	})
	b.served = make(chan error, 1)
	s, served := b.server, b.served
	go func() { served <- s.Serve() }()
}

func (b *broker) stop() {
	if b.server == nil {
		return
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel() // at once: fetches would be waited for
	b.server.Shutdown(ended)
	<-b.served
	b.server = nil
}

func (b *broker) partition(topic string, index int32) *replica.Partition {
	b.t.Helper()
	p, err := b.replicas.Partition(topic, index)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// append appends a batch as leader.
func (b *broker) append(topic string, index int32, values ...string) replica.Appended {
	b.t.Helper()
	n := record.NewBuilder(record.BatchOptions{})
	for _, v := range values {
		n.Append(time.Now().UnixMilli(), []byte("k"), []byte(v))
	}
	built, err := n.Build()
	if err != nil {
		b.t.Fatal(err)
	}
	a, err := b.partition(topic, index).AppendAsLeader(record.Trust(built), 1, storage.FromClient)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// await waits until all in-sync replicas have what was appended.
func (b *broker) await(topic string, index int32, a replica.Appended) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.partition(topic, index).AwaitHighWatermark(ctx, a); err != nil {
		b.t.Fatalf("%s-%d up to %d: %v", topic, index, a.LastOffset, err)
	}
}

// log returns the values in a log, and where it starts.
func (b *broker) log(topic string, index int32) (values []string, start int64) {
	b.t.Helper()
	p := b.partition(topic, index)
	_, epoch := p.Leader()
	start = p.LogStartOffset()
	for offset := start; ; {
		r, err := p.Read(replica.ReadRequest{
			Offset: offset, MaxBytes: 1 << 20, MinOne: true, Isolation: replica.ReadLogEnd, CurrentEpoch: epoch,
			LastFetchedEpoch: -1, ReplicaID: -1, Client: true,
		})
		if err != nil {
			b.t.Fatal(err)
		}
		data := make([]byte, r.Slice.Size)
		_, err = r.Slice.ReadAt(data, 0)
		r.Slice.Release()
		if len(data) == 0 {
			return values, start
		}
		if err != nil {
			b.t.Fatal(err)
		}
		for len(data) > 0 {
			size, _, err := record.EntrySize(data)
			if err != nil {
				b.t.Fatal(err)
			}
			it, err := record.IterateEntry(data[:size])
			if err != nil {
				b.t.Fatal(err)
			}
			for it.Next() {
				values = append(values, string(it.Record().Value))
				offset = it.Record().Offset + 1
			}
			it.Close()
			data = data[size:]
		}
	}
}

func (b *broker) metric(name string) float64 {
	b.t.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	b.t.Fatalf("no metric %s: %d", name, testutil.CollectAndCount(b.registry))
	return 0
}

// cluster tells brokers what a controller would.
type cluster struct {
	t       testing.TB
	network *network
	brokers map[int32]*broker
	epoch   int32
}

func newCluster(t testing.TB, count int32, settings ...string) *cluster {
	c := &cluster{t: t, network: &network{}, brokers: make(map[int32]*broker)}
	for id := int32(1); id <= count; id++ {
		c.brokers[id] = newBroker(t, c.network, id, settings...)
	}
	return c
}

// place is where topics are. The zero Leader is the first replica.
type place struct {
	topics     []string
	partitions int32
	leader     int32
	replicas   []int32
	isr        []int32 // nil: the replicas
	noID       bool
}

func topicID(name string) (id [16]byte) {
	copy(id[:], "id of "+name)
	return id
}

// apply tells brokers, or all where none is named, that partitions have a leader in a new epoch.
func (c *cluster) apply(p place, ids ...int32) {
	c.t.Helper()
	c.epoch++
	c.tell(p, c.epoch, ids...)
}

// tell is apply in an epoch.
func (c *cluster) tell(p place, epoch int32, ids ...int32) {
	c.t.Helper()
	if p.leader == 0 {
		p.leader = p.replicas[0]
	}
	if p.isr == nil {
		p.isr = p.replicas
	}
	if len(ids) == 0 {
		ids = p.replicas
	}
	for _, id := range ids {
		b := c.brokers[id]
		update := metadata.Update{ControllerID: 1, Brokers: c.live()}
		var states []replica.State
		for _, name := range p.topics {
			t := metadata.Topic{Name: name, ID: topicID(name)}
			if p.noID {
				t.ID = [16]byte{}
			}
			for i := range max(p.partitions, 1) {
				t.Partitions = append(t.Partitions, metadata.Partition{
					Index: i, Leader: p.leader, LeaderEpoch: epoch, ISR: p.isr, Replicas: p.replicas, PartitionEpoch: epoch,
				})
				states = append(states, replica.State{
					Topic: name, TopicID: t.ID, Partition: i, ControllerEpoch: 1, Leader: p.leader,
					LeaderEpoch: epoch, ISR: p.isr, Replicas: p.replicas, PartitionEpoch: epoch, IsNew: true,
				})
			}
			update.Topics = append(update.Topics, t)
		}
		b.metadata.Apply(update)
		for _, err := range b.replicas.Apply(context.Background(), 1, 1, states) {
			if err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

func (c *cluster) live() (live []metadata.Broker) {
	for id := int32(1); id <= int32(len(c.brokers)); id++ {
		live = append(live, metadata.Broker{ID: id, Endpoints: []metadata.Endpoint{
			{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: "127.0.0.1", Port: c.brokers[id].port},
		}})
	}
	return live
}

// same checks that two brokers hold the same records.
func (c *cluster) same(topic string, index int32, want ...string) {
	c.t.Helper()
	for id, b := range c.brokers {
		if got, _ := b.log(topic, index); fmt.Sprint(got) != fmt.Sprint(want) {
			c.t.Errorf("broker %d has %q, want %q", id, got, want)
		}
	}
}
