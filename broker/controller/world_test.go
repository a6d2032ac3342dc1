package controller

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/peer"
	"github.com/kbroker/kbroker/zkmeta"
	"github.com/kbroker/kbroker/zkmeta/zkserver"
	"github.com/kbroker/kbroker/zkmeta/zkserver/zktest"
)

// world is a ZooKeeper server and brokers that speak to it and to each other
// over a network in memory, inside one synctest bubble: when nothing moves any more,
// everything has been said.
type world struct {
	testing.TB
	inBubble bool // of synctest
	network  *zktest.Network
	server   *zkserver.Server
	log      *zap.Logger

	mu        sync.Mutex
	intercept func(zkserver.Request) zkserver.Verdict
	nodes     map[string]*node // by address
}

// inWorld runs a test in a world.
func inWorld(t *testing.T, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{TB: t, inBubble: true, network: zktest.NewNetwork(), nodes: map[string]*node{}, log: zap.NewNop()}
		if testing.Verbose() {
			w.log = zaptest.NewLogger(t)
		}
		server, err := zkserver.New(zkserver.Options{Listener: w.network, Logger: w.log, Intercept: w.intercepted})
		if err != nil {
			t.Fatal(err)
		}
		w.server = server
		defer server.Close()
		defer func() {
			for _, n := range w.nodes {
				n.stop()
			}
		}()
		test(w)
	})
}

func (w *world) intercepted(r zkserver.Request) zkserver.Verdict {
	w.mu.Lock()
	f := w.intercept
	w.mu.Unlock()
	if f == nil {
		return zkserver.Verdict{}
	}
	return f(r)
}

func (w *world) interceptWith(f func(zkserver.Request) zkserver.Verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.intercept = f
}

// settle waits until nothing moves any more.
func (w *world) settle() {
	if w.inBubble {
		synctest.Wait()
	}
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (w *world) client() *zkmeta.Client {
	w.Helper()
	c, err := zkmeta.Connect(w.Context(), zkmeta.Options{
		Connect: "127.0.0.1:2181", SessionTimeout: 18 * time.Second, ConnectionTimeout: 18 * time.Second,
		MaxInFlight: 10, Dial: w.network.Dial, Logger: w.log,
	})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// node is a broker: registered in ZooKeeper, answering the controller, and,
// unless it is a bystander, taking part in elections.
type node struct {
	w          *world
	id         int32
	address    string
	zk         *zkmeta.Client
	controller *Controller // nil: a bystander
	registry   *prometheus.Registry
	cancel     context.CancelFunc
	ended      chan struct{}

	mu       sync.Mutex
	epoch    int64
	refusing bool // connections
	received []kmsg.Request
	answer   func(kmsg.Request) kmsg.Response // nil: success
	conns    []net.Conn
}

func (w *world) node(id int32) *node {
	return &node{w: w, id: id, address: fmt.Sprintf("b%d:9092", id), zk: w.client(), cancel: func() {}, ended: make(chan struct{})}
}

// bystander starts a broker that only is there.
func (w *world) bystander(id int32) *node { return w.answering(id, nil) }

// answering starts a bystander that answers in its own way from the beginning.
func (w *world) answering(id int32, answer func(kmsg.Request) kmsg.Response) *node {
	w.Helper()
	n := w.node(id)
	n.answer = answer
	close(n.ended)
	w.mu.Lock()
	w.nodes[n.address] = n
	w.mu.Unlock()
	if _, err := n.register(w.Context()); err != nil {
		w.Fatal(err)
	}
	return n
}

// broker starts a broker that takes part in elections.
func (w *world) broker(id int32, settings ...string) *node {
	w.Helper()
	n := w.node(id)
	w.mu.Lock()
	w.nodes[n.address] = n
	w.mu.Unlock()
	if err := n.zk.EnsureRoots(w.Context()); err != nil {
		w.Fatal(err)
	}
	n.registry = prometheus.NewRegistry()
	n.controller = New(Options{
		BrokerID: id, ZooKeeper: n.zk, Register: n.register, Config: w.store(settings...),
		Metadata: metadata.NewCache("c"), Dial: w.dial, Registerer: n.registry,
		Logger: w.log.With(zap.Int32("broker", id)), Intn: func(int) int { return 0 },
	})
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	registered := make(chan struct{})
	go func() {
		defer close(n.ended)
		if err := n.controller.Run(ctx, registered); err != nil {
			w.Errorf("broker %d: %v", id, err)
		}
	}()
	<-registered
	w.settle()
	return n
}

func (w *world) store(settings ...string) *config.Store {
	w.Helper()
	static := map[string]config.Setting{}
	for _, s := range append([]string{
		"broker.id=1", "zookeeper.connect=127.0.0.1:2181", "log.dirs=/nowhere", "listeners=PLAINTEXT://127.0.0.1:9092",
	}, settings...) {
		key, value, _ := strings.Cut(s, "=")
		static[key] = config.Setting{Value: value, Origin: "test"}
	}
	store, _, err := config.NewStore(static)
	if err != nil {
		w.Fatal(err)
	}
	return store
}

func (n *node) registration() zkmeta.Broker {
	host, _, _ := strings.Cut(n.address, ":")
	return zkmeta.Broker{ID: n.id, Endpoints: []zkmeta.Endpoint{{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: host, Port: 9092}}}
}

func (n *node) register(ctx context.Context) (int64, error) {
	if err := n.zk.EnsureRoots(ctx); err != nil {
		return 0, err
	}
	epoch, err := n.zk.RegisterBroker(ctx, n.registration())
	n.mu.Lock()
	defer n.mu.Unlock()
	n.epoch = epoch
	return epoch, err
}

// stop ends the broker's session and all that it does.
func (n *node) stop() {
	n.cancel()
	<-n.ended
	n.zk.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refusing = true
	for _, c := range n.conns {
		c.Close()
	}
}

// hold keeps a broker's requests for a znode waiting until release.
func (w *world) hold(n *node, path string) (release func()) {
	mine, _ := n.zk.Session()
	over := make(chan struct{})
	w.interceptWith(func(r zkserver.Request) zkserver.Verdict {
		if r.SessionID == mine && r.Path == path {
			<-over
		}
		return zkserver.Verdict{}
	})
	return func() {
		w.interceptWith(nil)
		close(over)
	}
}

// expire ends the broker's session as ZooKeeper does with one that was not
// heard of for too long.
func (n *node) expire() {
	id, _ := n.zk.Session()
	n.w.server.ExpireSession(id)
}

func (w *world) dial(_ context.Context, address string) (net.Conn, error) {
	w.mu.Lock()
	n := w.nodes[address]
	w.mu.Unlock()
	if n == nil {
		return nil, fmt.Errorf("nobody listens on %s", address)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refusing {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	n.conns = append(n.conns, far)
	go n.serve(far)
	return near, nil
}

// serve answers the controller's requests on one connection.
func (n *node) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		key, version := int16(binary.BigEndian.Uint16(frame)), int16(binary.BigEndian.Uint16(frame[2:]))
		clientID := int(binary.BigEndian.Uint16(frame[8:]))
		body := frame[10+clientID+1:] // and no tags
		r := kmsg.RequestForKey(key)
		r.SetVersion(version)
		peer.FromKafka(key, version, body)
		if err := r.ReadFrom(body); err != nil {
			n.w.Errorf("broker %d cannot read request %d: %v", n.id, key, err)
			return
		}
		n.mu.Lock()
		n.received = append(n.received, r)
		answer := n.answer
		n.mu.Unlock()
		var response kmsg.Response
		if answer != nil {
			response = answer(r)
		}
		if response == nil {
			response = success(r)
		}
		out := append([]byte{0, 0, 0, 0}, frame[4:8]...)
		out = response.AppendTo(append(out, 0))
		binary.BigEndian.PutUint32(out, uint32(len(out)-4))
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// success answers a request as a broker does that did everything.
func success(r kmsg.Request) kmsg.Response {
	return answerWith(r, func(string, int32) int16 { return 0 })
}

// answerWith answers with a code for each partition; topics are told by id in
// LeaderAndIsr's answer.
func answerWith(r kmsg.Request, code func(topic string, partition int32) int16) kmsg.Response {
	switch r := r.(type) {
	case *kmsg.LeaderAndISRRequest:
		a := r.ResponseKind().(*kmsg.LeaderAndISRResponse)
		for _, t := range r.TopicStates {
			topic := kmsg.NewLeaderAndISRResponseTopic()
			topic.TopicID = t.TopicID
			for _, p := range t.PartitionStates {
				answer := kmsg.NewLeaderAndISRResponseTopicPartition()
				answer.Partition, answer.ErrorCode = p.Partition, code(t.Topic, p.Partition)
				topic.Partitions = append(topic.Partitions, answer)
			}
			a.Topics = append(a.Topics, topic)
		}
		return a
	case *kmsg.StopReplicaRequest:
		a := r.ResponseKind().(*kmsg.StopReplicaResponse)
		for _, t := range r.Topics {
			for _, p := range t.PartitionStates {
				answer := kmsg.NewStopReplicaResponsePartition()
				answer.Topic, answer.Partition, answer.ErrorCode = t.Topic, p.Partition, code(t.Topic, p.Partition)
				a.Partitions = append(a.Partitions, answer)
			}
		}
		return a
	default:
		return r.ResponseKind()
	}
}

// answers sets how the broker answers from now on.
func (n *node) answers(f func(kmsg.Request) kmsg.Response) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answer = f
}

func (n *node) refuse(yes bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refusing = yes
	if yes {
		for _, c := range n.conns {
			c.Close()
		}
		n.conns = nil
	}
}

// taken returns what the controller told the broker since the last call, once
// nothing moves any more.
func (n *node) taken() []kmsg.Request {
	n.w.settle()
	n.mu.Lock()
	defer n.mu.Unlock()
	taken := n.received
	n.received = nil
	return taken
}

var brokerEpoch = regexp.MustCompile(` broker_epoch=\d+`)

// told is taken in words; broker epochs and topic ids are left out.
func (n *node) told() string {
	var b strings.Builder
	for _, r := range n.taken() {
		for line := range strings.Lines(describe(n.id, r)) {
			b.WriteString(brokerEpoch.ReplaceAllString(line, ""))
		}
	}
	return b.String()
}

// wantTold compares what the controller told the broker.
func (n *node) wantTold(want string) {
	n.w.Helper()
	if got := n.told(); strings.TrimSpace(got) != strings.TrimSpace(want) {
		n.w.Errorf("broker %d was told\n%s\nwant\n%s", n.id, got, want)
	}
}

// state reads a partition's state.
func (w *world) state(zk *zkmeta.Client, topic string, partition int32) string {
	w.Helper()
	tp := zkmeta.TopicPartition{Topic: topic, Partition: partition}
	states, err := zk.PartitionStates(w.Context(), []zkmeta.TopicPartition{tp}, nil)
	if err != nil {
		w.Fatal(err)
	}
	s, ok := states[tp]
	if !ok {
		return "none"
	}
	return fmt.Sprintf("leader=%d epoch=%d isr=%s version=%d by=%d", s.Leader, s.LeaderEpoch, ids(s.ISR), s.PartitionEpoch, s.ControllerEpoch)
}

func (w *world) wantState(zk *zkmeta.Client, topic string, partition int32, want string) {
	w.Helper()
	if got := w.state(zk, topic, partition); got != want {
		w.Errorf("%s-%d: %s, want %s", topic, partition, got, want)
	}
}

// create creates topics that must be created.
func (n *node) create(topics ...NewTopic) []Created {
	n.w.Helper()
	created := n.controller.CreateTopics(n.w.Context(), topics, false)
	for i, c := range created {
		if c.Err != nil {
			n.w.Fatalf("create %s: %v", topics[i].Name, c.Err)
		}
	}
	n.w.settle()
	return created
}

// placed is a topic with chosen replicas.
func placed(name string, replicas ...[]int32) NewTopic {
	a := map[int32][]int32{}
	for i, r := range replicas {
		a[int32(i)] = r
	}
	return NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1, Assignment: a}
}

// metric reads a gauge.
func (n *node) metric(name string) float64 {
	n.w.Helper()
	families, err := n.registry.Gather()
	if err != nil {
		n.w.Fatal(err)
	}
	i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "kbroker_controller_"+name })
	if i < 0 {
		n.w.Fatalf("no metric %s", name)
	}
	return families[i].GetMetric()[0].GetGauge().GetValue()
}

// raw opens a session of a tool that writes znodes by itself.
func (w *world) raw(use func(conn *zk.Conn)) {
	w.Helper()
	conn, _, err := zk.Connect([]string{"127.0.0.1:2181"}, 18*time.Second, zk.WithDialer(w.network.Dial), zk.WithLogInfo(false))
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	use(conn)
}
