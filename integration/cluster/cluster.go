package cluster

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/kbroker/kbroker/integration/harness"
)

// Session is zookeeper.session.timeout.ms of the brokers, and Lag replica.lag.time.max.ms.
const (
	Session = 2500 * time.Millisecond
	Lag     = 2 * time.Second
)

// Variable is the environment variable that says what the brokers are: "kbroker,kafka,kbroker". Empty: kbroker, or
// Apache Kafka where harness.SubjectVariable is 3.9.2.
const Variable = "KBROKER_CLUSTER"

// Options choose what a cluster is; the zero value is three brokers as the environment says.
type Options struct {
	Kinds  []Kind
	Config map[string]string
	Peers  string             // integration/peers, relative to the test; needed for Apache Kafka
	Wrap   map[int32][]string // by broker id: a command that runs kbroker, in the same process
	Dirs   map[int32]string   // by broker id: log.dirs, which have to be called log
}

// Cluster is a set of brokers. Its methods that fail do so through the test.
type Cluster struct {
	Nodes    []*Node
	Ensemble *harness.Ensemble
	Network  *Network

	chroot string
	conn   *zk.Conn // to the ensemble itself, not through the network

	mu    sync.Mutex
	names map[int]string // by process id
}

// Kinds are three brokers as the environment says.
func Kinds() []Kind {
	if value := os.Getenv(Variable); value != "" {
		var kinds []Kind
		for name := range strings.SplitSeq(value, ",") {
			kinds = append(kinds, Kind(name))
		}
		return kinds
	}
	kind := KBroker
	if strings.HasPrefix(harness.Release(), "3.") {
		kind = Kafka
	}
	return []Kind{kind, kind, kind}
}

// Start starts a cluster in a chroot of its own on the ensemble and returns when all brokers are ready.
func Start(t testing.TB, e *harness.Ensemble, o Options) *Cluster {
	t.Helper()
	c := New(t, e, o)
	for _, n := range c.Nodes {
		n.Launch(t)
	}
	for _, n := range c.Nodes {
		n.process.AwaitReady(t)
	}
	return c
}

// New prepares a cluster whose brokers Launch or Restart start.
func New(t testing.TB, e *harness.Ensemble, o Options) *Cluster {
	t.Helper()
	c := &Cluster{
		Ensemble: e, Network: newNetwork(), names: map[int]string{},
		chroot: "/" + strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()),
	}
	var err error
	if c.conn, _, err = zk.Connect(e.Addresses(), 10*time.Second, zk.WithLogInfo(false), zk.WithLogger(quiet{})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.conn.Close)
	var doors []string
	for _, m := range e.Members {
		d := openDoor(t, c.Network, ServerName(m), m.Address(), c.source)
		doors = append(doors, d.address())
	}
	zookeeper := strings.Join(doors, ",") + c.chroot
	kinds := o.Kinds
	if kinds == nil {
		kinds = Kinds()
	}
	for i, kind := range kinds {
		c.Nodes = append(c.Nodes, c.newNode(t, int32(i+1), kind, zookeeper, o))
	}
	return c
}

// quiet drops what the ZooKeeper client logs: the ensemble is being killed.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// ServerName is a ZooKeeper server's in links.
func ServerName(m *harness.Member) string { return fmt.Sprintf("zookeeper %d", m.ID) }

// base is the configuration of every broker: Kafka's defaults, but for times that tests wait for.
func base() map[string]string {
	return map[string]string{
		"zookeeper.session.timeout.ms":             fmt.Sprint(Session.Milliseconds()),
		"zookeeper.connection.timeout.ms":          "60000",
		"replica.lag.time.max.ms":                  fmt.Sprint(Lag.Milliseconds()),
		"replica.fetch.wait.max.ms":                "200",
		"replica.socket.timeout.ms":                "2000",
		"replica.fetch.backoff.ms":                 "200",
		"controller.socket.timeout.ms":             "2000",
		"request.timeout.ms":                       "2000",
		"controlled.shutdown.retry.backoff.ms":     "300",
		"default.replication.factor":               "3",
		"min.insync.replicas":                      "2",
		"offsets.topic.replication.factor":         "3",
		"offsets.topic.num.partitions":             "3",
		"transaction.state.log.replication.factor": "3",
		"transaction.state.log.min.isr":            "2",
		"auto.create.topics.enable":                "false",
		"group.initial.rebalance.delay.ms":         "0",
		"group.min.session.timeout.ms":             "1000",
		"log.segment.bytes":                        "1048576",
		"inter.broker.listener.name":               "INTERNAL",
		"listener.security.protocol.map":           "INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT",
	}
}

func (c *Cluster) newNode(t testing.TB, id int32, kind Kind, zookeeper string, o Options) *Node {
	t.Helper()
	n := &Node{ID: id, Kind: kind, cluster: c, dir: o.Dirs[id]}
	if n.dir == "" {
		n.dir = filepath.Join(t.TempDir(), "log")
	}
	inside, outside := harness.FreePort(t), harness.FreePort(t)
	n.internal = openDoor(t, c.Network, n.Name(), fmt.Sprintf("127.0.0.1:%d", inside), c.source)
	n.external = openDoor(t, c.Network, n.Name(), fmt.Sprintf("127.0.0.1:%d", outside), func(net.Conn) string { return Clients })
	listeners := fmt.Sprintf("INTERNAL://127.0.0.1:%d,EXTERNAL://127.0.0.1:%d", inside, outside)
	config := base()
	config["advertised.listeners"] = fmt.Sprintf("INTERNAL://%s,EXTERNAL://%s", n.internal.address(), n.external.address())
	maps.Copy(config, o.Config)
	switch kind {
	case KBroker:
		b := harness.NewBroker(t, harness.Options{
			ZooKeeper: zookeeper, Dir: n.dir, Plain: true, Config: config, ID: id, Listeners: listeners, Wrap: o.Wrap[id],
		})
		n.process, n.begin = b, b.Launch
	case Kafka:
		config["listeners"] = listeners
		k := harness.NewKafka(t, o.Peers, zookeeper, n.dir, outside, config)
		k.ID, k.Heap = id, "-Xmx400m -XX:TieredStopAtLevel=1"
		n.process, n.begin = k, k.Begin
	default:
		t.Fatalf("%s names a broker %q, which is neither %s nor %s", Variable, kind, KBroker, Kafka)
	}
	return n
}

// know lets links recognize a broker's process.
func (c *Cluster) know(n *Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names[n.PID()] = n.Name()
}

// source returns which broker has connected.
func (c *Cluster) source(accepted net.Conn) string {
	// A process is known a moment after it was started. One that cannot be found has died.
	for range 20 {
		c.mu.Lock()
		names := maps.Clone(c.names)
		c.mu.Unlock()
		if name := ownerOf(accepted, names); name != "" {
			return name
		}
		time.Sleep(20 * time.Millisecond)
	}
	return ""
}

// Node returns a broker by its id.
func (c *Cluster) Node(id int32) *Node { return c.Nodes[id-1] }

// Others returns all brokers but one.
func (c *Cluster) Others(n *Node) []*Node {
	var others []*Node
	for _, o := range c.Nodes {
		if o != n {
			others = append(others, o)
		}
	}
	return others
}

// Bootstrap are the addresses of all brokers for clients.
func (c *Cluster) Bootstrap() []string {
	var all []string
	for _, n := range c.Nodes {
		all = append(all, n.Address())
	}
	return all
}

// FromZooKeeper gives a condition to a broker's links to the ensemble.
func (c *Cluster) FromZooKeeper(n *Node, condition Condition) {
	for _, m := range c.Ensemble.Members {
		c.Network.Set(n.Name(), ServerName(m), condition)
	}
}

// FromPeers gives a condition to a broker's links with the other brokers, in both directions.
func (c *Cluster) FromPeers(n *Node, condition Condition) {
	for _, o := range c.Others(n) {
		c.Network.Set(n.Name(), o.Name(), condition)
		c.Network.Set(o.Name(), n.Name(), condition)
	}
}

// FromClients gives a condition to the link from clients to a broker.
func (c *Cluster) FromClients(n *Node, condition Condition) {
	c.Network.Set(Clients, n.Name(), condition)
}

// DropAll resets a broker's connections, with everybody.
func (c *Cluster) DropAll(n *Node) {
	c.Network.Drop(Clients, n.Name())
	for _, o := range c.Others(n) {
		c.Network.Drop(n.Name(), o.Name())
		c.Network.Drop(o.Name(), n.Name())
	}
	for _, m := range c.Ensemble.Members {
		c.Network.Drop(n.Name(), ServerName(m))
	}
}
