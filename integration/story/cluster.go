package story

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
)

const (
	offsetsTopic = "__consumer_offsets"
	// failOver is how long a group may be without its coordinator when that is killed: its session with ZooKeeper, and what
	// clients need to find the next one, with patience for a machine that does other things too.
	failOver = cluster.Session + 8*time.Second
	// memberSession is that of the workers, as the package's comment says.
	memberSession = 3 * time.Second
)

// ClusterConfig is what the brokers of TellOnCluster are configured with.
func ClusterConfig() map[string]string {
	return map[string]string{
		"group.consumer.min.session.timeout.ms": "1000", "group.consumer.session.timeout.ms": "3000",
		"group.consumer.min.heartbeat.interval.ms": "100", "group.consumer.heartbeat.interval.ms": "300",
		"auto.leader.rebalance.enable": "false",
	}
}

// TellOnCluster tells what happens to a group when its coordinator dies in the middle of a rebalance, of commits and of
// loading, is moved by an election, waits for a replica that has died, and stops.
func TellOnCluster(t *testing.T, k *cluster.Cluster, client Client) {
	t.Helper()
	c := newConductor(t, strings.Join(k.Bootstrap(), ","), client)
	if _, err := kadm.NewClient(c.kafka).CreateTopic(harness.Context(t), partitions, 3, nil, c.topic); err != nil {
		t.Fatalf("create topic %s: %v", c.topic, err)
	}
	defer c.begin(t)()
	c.join(t, 3)
	c.settle(t, 3)
	c.chapter(t, "three workers share the topic")

	first := c.coordinator(t, k)
	c.join(t, 1)
	c.awaitRebalance(t)
	first.Kill()
	c.awaitSettled(t, 4, memberSession+failOver, "broker %d, the coordinator, was killed during a rebalance", first.ID)
	c.whole(t, k, first)

	second := c.coordinator(t, k)
	second.Kill()
	c.awaitSettled(t, 4, memberSession+failOver, "broker %d, the coordinator, was killed while offsets were committed", second.ID)
	c.whole(t, k, second)

	c.killWhileLoading(t, k)

	preferred := k.Node(k.Replicas(t, offsetsTopic, c.partition(t))[0])
	if preferred == c.coordinator(t, k) {
		t.Logf("broker %d, the preferred one, is the coordinator already", preferred.ID)
	}
	c.electPreferred(t, k, preferred)
	c.awaitSettled(t, 4, memberSession+failOver, "broker %d was elected, and is the coordinator", preferred.ID)

	c.killFollower(t, k)

	began := time.Now()
	preferred.Stop(t)
	took := time.Since(began)
	c.awaitSettled(t, 5, memberSession+failOver, "broker %d, the coordinator, stopped in %.1f s", preferred.ID, took.Seconds())
	c.whole(t, k, preferred)
	c.conclude(t)
}

// killWhileLoading kills the coordinator, and the next one as soon as it is that.
func (c *conductor) killWhileLoading(t *testing.T, k *cluster.Cluster) {
	t.Helper()
	// What a coordinator has loaded and tells need not be on the others yet, in Kafka too, and here it dies with it.
	c.ledger.forgive(true)
	former := c.coordinator(t, k)
	former.Kill()
	var next *cluster.Node
	harness.Eventually(t, failOver, func() error {
		if next = c.coordinator(t, k); next == former {
			return fmt.Errorf("broker %d still leads", former.ID)
		}
		return nil
	})
	next.Kill()
	former.Launch(t)
	next.Launch(t)
	c.awaitSettled(t, 4, memberSession+2*failOver, "broker %d, and broker %d as it loaded, were killed", former.ID, next.ID)
	c.ledger.forgive(c.client.Restarts)
	c.inSync(t, k)
}

// killFollower kills another broker than the coordinator during a rebalance, whose answers then wait until its replica is out of the
// ISR, longer than some clients do.
func (c *conductor) killFollower(t *testing.T, k *cluster.Cluster) {
	t.Helper()
	follower := k.Others(c.coordinator(t, k))[0]
	c.join(t, 1)
	c.awaitRebalance(t)
	follower.Kill()
	c.awaitSettled(t, 5, memberSession+failOver, "broker %d, not the coordinator, was killed during a rebalance", follower.ID)
	c.whole(t, k, follower)
}

// awaitSettled is settle within a time, and logs how long that took.
func (c *conductor) awaitSettled(t *testing.T, members int, within time.Duration, format string, args ...any) {
	t.Helper()
	began := time.Now()
	c.settle(t, members)
	took := time.Since(began)
	if took > within {
		t.Errorf("the group was away for %s, more than %s: %s", took, within, fmt.Sprintf(format, args...))
	}
	c.chapter(t, "%s; all workers went on after %.1f s", fmt.Sprintf(format, args...), took.Seconds())
}

// partition is the partition of __consumer_offsets that has the group.
func (c *conductor) partition(t *testing.T) int32 {
	t.Helper()
	topics, err := c.admin.ListTopicsWithInternal(t.Context(), offsetsTopic)
	if err != nil {
		t.Fatalf("list topics: %v", err)
	}
	// As String.hashCode in Java, without its sign.
	var hash int32
	for _, r := range c.group {
		hash = 31*hash + r
	}
	return max(hash, -hash) % int32(len(topics[offsetsTopic].Partitions))
}

// coordinator is the broker that leads the group's partition.
func (c *conductor) coordinator(t *testing.T, k *cluster.Cluster) *cluster.Node {
	t.Helper()
	return k.Leader(t, offsetsTopic, c.partition(t))
}

// whole starts a broker again and waits until all replicas are in sync.
func (c *conductor) whole(t *testing.T, k *cluster.Cluster, n *cluster.Node) {
	t.Helper()
	n.Restart(t)
	c.inSync(t, k)
}

func (c *conductor) inSync(t *testing.T, k *cluster.Cluster) {
	t.Helper()
	k.AwaitInSync(t, offsetsTopic, 3, patience)
	k.AwaitInSync(t, c.topic, partitions, patience)
}

// electPreferred makes the preferred replica of the group's partition its leader.
func (c *conductor) electPreferred(t *testing.T, k *cluster.Cluster, want *cluster.Node) {
	t.Helper()
	var set kadm.TopicsSet
	set.Add(offsetsTopic, c.partition(t))
	harness.Eventually(t, patience, func() error {
		if _, err := c.admin.ElectLeaders(t.Context(), kadm.ElectPreferredReplica, set); err != nil {
			return err
		}
		if n := c.coordinator(t, k); n != want {
			return fmt.Errorf("broker %d is the coordinator, not %d", n.ID, want.ID)
		}
		return nil
	})
}
