package faults

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/protocol/record"
)

// TestBrokerLife tells, on one cluster, what docs/operations.md says of a broker's life with ZooKeeper and its peers.
func TestBrokerLife(t *testing.T) {
	e := harness.StartEnsemble(t, 3)
	c := cluster.New(t, e, cluster.Options{Peers: "../peers", Config: map[string]string{"auto.leader.rebalance.enable": "false"}})
	startsLate(t, c)
	for _, n := range c.Nodes[1:] {
		n.Restart(t)
	}
	createLedger(t, c)
	for _, chapter := range []struct {
		name string
		tell func(*testing.T, *cluster.Cluster)
	}{
		{"paused for longer than its session", losesSession(pausedUntilDeposed)},
		{"cut off from ZooKeeper for longer than its session", losesSession(cutUntilDeposed)},
		{"started before its old session has ended", startsOverOldSession},
		{"ensemble away for longer than the session", ensembleLost},
		{"controlled shutdown", stopsControlled},
	} {
		t.Log(chapter.name)
		chapter.tell(t, c) // no subtest: a process ends with the test that started it
	}
}

// startsLate starts a broker while ZooKeeper is away: it says so, waits, and starts.
func startsLate(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	n := c.Node(1)
	c.FromZooKeeper(n, refused)
	n.Launch(t)
	if n.Kind == cluster.KBroker {
		harness.Eventually(t, failover, func() error {
			if !strings.Contains(n.Output(), "zookeeper is not reachable, waiting") {
				return fmt.Errorf("broker %d does not say that it waits", n.ID)
			}
			return nil
		})
	}
	if n.Dead() {
		t.Fatalf("broker %d ended without ZooKeeper", n.ID)
	}
	c.FromZooKeeper(n, whole)
	c.AwaitRegistered(t, n)
}

// pausedUntilDeposed and cutUntilDeposed take a broker's session away; what they return gives it back.
func pausedUntilDeposed(t *testing.T, c *cluster.Cluster, n *cluster.Node) (heal func()) {
	n.Pause()
	c.AwaitUnregistered(t, n)
	return n.Resume
}

func cutUntilDeposed(t *testing.T, c *cluster.Cluster, n *cluster.Node) (heal func()) {
	c.FromZooKeeper(n, stalled)
	c.AwaitUnregistered(t, n)
	return func() { c.FromZooKeeper(n, whole) }
}

// awaitTold waits until the brokers but one have heard who leads partition 0 now: until then they follow the leader before, which
// may rightly acknowledge what they have.
func awaitTold(t *testing.T, c *cluster.Cluster, deposed *cluster.Node) {
	t.Helper()
	want := c.State(t, topic, 0)
	for _, n := range c.Others(deposed) {
		client := harness.NewClient(t, n.Address())
		harness.Eventually(t, failover, func() error {
			q := kmsg.NewPtrMetadataRequest()
			mt := kmsg.NewMetadataRequestTopic()
			mt.Topic = kmsg.StringPtr(topic)
			q.Topics = append(q.Topics, mt)
			r, err := q.RequestWith(harness.Context(t), client.Broker(int(n.ID)))
			if err != nil {
				return err
			}
			for _, p := range r.Topics[0].Partitions {
				if p.Partition == 0 && p.LeaderEpoch < want.LeaderEpoch {
					return fmt.Errorf("broker %d knows of leader epoch %d, not of %d", n.ID, p.LeaderEpoch, want.LeaderEpoch)
				}
			}
			return nil
		})
	}
}

// losesSession lets a leader lose its session and asks it, as a client that has not heard, to write with acks=all: it must not
// acknowledge. When it is back it has a new epoch, refuses its old one and the controller's, and is in sync again.
func losesSession(lose func(t *testing.T, c *cluster.Cluster, n *cluster.Node) func()) func(*testing.T, *cluster.Cluster) {
	return func(t *testing.T, c *cluster.Cluster) {
		n := c.Leader(t, topic, 0)
		before, controllers := c.BrokerEpoch(t, n.ID), c.ControllerEpoch(t)
		heal := lose(t, c, n)
		harness.Eventually(t, failover, func() error {
			if s := c.State(t, topic, 0); s.Leader < 0 || s.Leader == n.ID || slices.Contains(s.ISR, n.ID) {
				return fmt.Errorf("leader %d, in sync %v", s.Leader, s.ISR)
			}
			return nil
		})
		awaitTold(t, c, n)
		answered := make(chan *kmsg.ProduceResponse, 1)
		conn := dial(t, n)
		go func() { answered <- writeAll(t, conn, "written to the deposed leader") }()
		time.Sleep(cluster.Lag / 2) // a paused broker finds the request when it goes on
		if c.Registered(t, n.ID) {
			t.Errorf("broker %d is registered too early", n.ID)
		}
		heal()
		select {
		case r := <-answered:
			p := r.Topics[0].Partitions[0]
			if p.ErrorCode == 0 {
				t.Errorf("broker %d, which is deposed, acknowledged offset %d", n.ID, p.BaseOffset)
			}
			t.Logf("broker %d answered %v", n.ID, kerr.ErrorForCode(p.ErrorCode))
		case <-time.After(failover):
			t.Fatalf("broker %d does not answer", n.ID)
		}
		c.AwaitRegistered(t, n)
		c.AwaitInSync(t, topic, partitions, inSync)
		after := c.BrokerEpoch(t, n.ID)
		if after <= before {
			t.Errorf("broker %d has epoch %d again after %d", n.ID, after, before)
		}
		if code := stopNothing(t, n, c.ControllerEpoch(t), before); code != kerr.StaleBrokerEpoch.Code {
			t.Errorf("a request for the broker's life before is answered %v", kerr.ErrorForCode(code))
		}
		if code := stopNothing(t, n, controllers-1, after); code != kerr.StaleControllerEpoch.Code {
			t.Errorf("a request of a former controller is answered %v", kerr.ErrorForCode(code))
		}
		for _, r := range harness.Consume(t, strings.Join(c.Bootstrap(), ","), topic, int(ends(t, c))) {
			if string(r.Value) == "written to the deposed leader" {
				t.Errorf("what was not acknowledged stands at %d", r.Offset)
			}
		}
	}
}

// startsOverOldSession kills a broker and starts it at once: it waits for its old session to end, and takes its place again.
func startsOverOldSession(t *testing.T, c *cluster.Cluster) {
	n := c.Leader(t, topic, 0)
	before := c.BrokerEpoch(t, n.ID)
	n.Kill()
	if n.Kind == cluster.Kafka {
		c.AwaitUnregistered(t, n) // Apache Kafka would end
	}
	n.Restart(t)
	if after := c.BrokerEpoch(t, n.ID); after <= before {
		t.Errorf("broker %d is ready with the epoch %d of its life before, %d", n.ID, after, before)
	}
	c.AwaitInSync(t, topic, partitions, inSync)
}

// ensembleLost takes all ZooKeeper servers away for longer than the session: what needs no change is served all the while.
func ensembleLost(t *testing.T, c *cluster.Cluster) {
	one := harness.NewClient(t, strings.Join(c.Bootstrap(), ","), kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()))
	all := harness.NewClient(t, strings.Join(c.Bootstrap(), ","), kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.AllISRAcks()))
	write := func() {
		t.Helper()
		began := time.Now()
		harness.Produce(t, one, &kgo.Record{Topic: topic, Value: []byte("one")})
		harness.Produce(t, all, &kgo.Record{Topic: topic, Value: []byte("all")})
		if took := time.Since(began); took > cluster.Session {
			t.Errorf("two records took %s", took)
		}
	}
	write()
	start := ends(t, c)
	for _, m := range c.Ensemble.Members {
		m.Pause()
	}
	written := 1
	for until := time.Now().Add(2 * cluster.Session); time.Now().Before(until); written++ {
		write()
	}
	t.Logf("%d records written without ZooKeeper", 2*written)
	if got := ends(t, c); got < start+int64(written) {
		t.Errorf("consumers see %d records, of %d before and %d since", got, start, 2*written)
	}
	harness.Consume(t, strings.Join(c.Bootstrap(), ","), topic, int(ends(t, c)))
	if err := createTopic(t, c, "while-away", time.Second); err == nil {
		t.Error("a topic was created without ZooKeeper")
	}
	for _, m := range c.Ensemble.Members {
		m.Resume()
	}
	for _, m := range c.Ensemble.Members {
		m.AwaitServing(t)
	}
	write()
	for _, n := range c.Nodes {
		c.AwaitRegistered(t, n)
	}
	harness.Eventually(t, failover, func() error {
		err := createTopic(t, c, "afterwards", 5*time.Second)
		if errors.Is(err, kerr.TopicAlreadyExists) {
			err = nil
		}
		return err
	})
	c.AwaitInSync(t, topic, partitions, inSync)
}

// stopsControlled stops the leader with SIGTERM: when it has ended others lead, and a producer has seen no error.
func stopsControlled(t *testing.T, c *cluster.Cluster) {
	client := harness.NewClient(t, strings.Join(c.Bootstrap(), ","))
	harness.Produce(t, client, &kgo.Record{Topic: topic, Value: []byte("before")})
	n := c.Leader(t, topic, 0)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		n.Stop(t)
	}()
	for count := 0; ; count++ {
		harness.Produce(t, client, &kgo.Record{Topic: topic, Value: []byte("meanwhile")})
		select {
		case <-stopped:
		default:
			continue
		}
		t.Logf("%d records were written while broker %d stopped", count, n.ID)
		break
	}
	for p := range int32(partitions) {
		if s := c.State(t, topic, p); s.Leader < 0 || s.Leader == n.ID || slices.Contains(s.ISR, n.ID) {
			t.Errorf("partition %d after the stop of broker %d: leader %d, in sync %v", p, n.ID, s.Leader, s.ISR)
		}
	}
	harness.Produce(t, client, &kgo.Record{Topic: topic, Value: []byte("after")})
	n.Restart(t)
	c.AwaitInSync(t, topic, partitions, inSync)
}

func dial(t *testing.T, n *cluster.Node) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", n.Address())
	if err != nil {
		t.Fatalf("connect to broker %d: %v", n.ID, err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// writeAll writes a record to partition 0 with acks=all, whoever leads it.
func writeAll(t *testing.T, conn net.Conn, value string) *kmsg.ProduceResponse {
	q := kmsg.NewPtrProduceRequest()
	q.Version, q.Acks, q.TimeoutMillis = 9, -1, 1500
	p := kmsg.NewProduceRequestTopicPartition()
	b := record.NewBuilder(record.BatchOptions{})
	b.Append(time.Now().UnixMilli(), nil, []byte(value))
	records, err := b.Build()
	if err != nil {
		t.Errorf("build a batch: %v", err)
	}
	p.Records = records
	q.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{p}}}
	return harness.RoundTrip(t, conn, q).(*kmsg.ProduceResponse)
}

// stopNothing sends a StopReplica without partitions, as a controller of an epoch to a life of the broker.
func stopNothing(t *testing.T, n *cluster.Node, controllerEpoch int32, brokerEpoch int64) int16 {
	t.Helper()
	q := kmsg.NewPtrStopReplicaRequest()
	q.Version, q.ControllerID, q.ControllerEpoch, q.BrokerEpoch = 3, 1, controllerEpoch, brokerEpoch
	return harness.RoundTrip(t, dial(t, n), q).(*kmsg.StopReplicaResponse).ErrorCode
}

// ends are the records that consumers see, in all partitions.
func ends(t *testing.T, c *cluster.Cluster) (sum int64) {
	t.Helper()
	client := harness.NewClient(t, strings.Join(c.Bootstrap(), ","))
	defer client.Close()
	for p := range int32(partitions) {
		sum += harness.EndOffset(t, client, topic, p)
	}
	return sum
}

func createTopic(t *testing.T, c *cluster.Cluster, name string, within time.Duration) error {
	t.Helper()
	client := harness.NewClient(t, strings.Join(c.Bootstrap(), ","), kgo.RetryTimeout(within))
	defer client.Close()
	admin := kadm.NewClient(client)
	admin.SetTimeoutMillis(int32(within.Milliseconds()))
	_, err := admin.CreateTopic(harness.Context(t), 1, 3, nil, name)
	return err
}
