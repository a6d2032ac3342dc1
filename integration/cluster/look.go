package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/kbroker/kbroker/integration/harness"
)

// PartitionState is what ZooKeeper knows of a partition.
type PartitionState struct {
	Leader      int32   `json:"leader"` // -1: none
	LeaderEpoch int32   `json:"leader_epoch"`
	ISR         []int32 `json:"isr"`
}

// lookWithin bounds a look at ZooKeeper: its servers may be dying, and elect.
const lookWithin = 30 * time.Second

// State reads a partition's state.
func (c *Cluster) State(t testing.TB, topic string, partition int32) (s PartitionState) {
	t.Helper()
	c.read(t, fmt.Sprintf("/brokers/topics/%s/partitions/%d/state", topic, partition), &s)
	return s
}

// Replicas returns the brokers that a partition is assigned to, in order of preference.
func (c *Cluster) Replicas(t testing.TB, topic string, partition int32) []int32 {
	t.Helper()
	var assignment struct {
		Partitions map[int32][]int32 `json:"partitions"`
	}
	c.read(t, "/brokers/topics/"+topic, &assignment)
	return assignment.Partitions[partition]
}

// Leader returns the broker that leads a partition; there has to be one within a time.
func (c *Cluster) Leader(t testing.TB, topic string, partition int32) *Node {
	t.Helper()
	var leader int32
	harness.Eventually(t, lookWithin, func() error {
		if leader = c.State(t, topic, partition).Leader; leader < 0 {
			return fmt.Errorf("%s-%d has no leader", topic, partition)
		}
		return nil
	})
	return c.Node(leader)
}

// Controller returns the broker that is the controller; there has to be one within a time.
func (c *Cluster) Controller(t testing.TB) *Node {
	t.Helper()
	var elected struct {
		BrokerID int32 `json:"brokerid"`
	}
	c.read(t, "/controller", &elected)
	return c.Node(elected.BrokerID)
}

// Registered returns whether ZooKeeper has a session of the broker.
func (c *Cluster) Registered(t testing.TB, id int32) bool {
	t.Helper()
	var exists bool
	harness.Eventually(t, lookWithin, func() (err error) {
		exists, _, err = c.conn.Exists(c.chroot + fmt.Sprintf("/brokers/ids/%d", id))
		return err
	})
	return exists
}

// AwaitUnregistered returns once a broker's session has ended.
func (c *Cluster) AwaitUnregistered(t testing.TB, n *Node) {
	t.Helper()
	harness.Eventually(t, lookWithin, func() error {
		if c.Registered(t, n.ID) {
			return fmt.Errorf("broker %d is registered", n.ID)
		}
		return nil
	})
}

// AwaitRegistered returns once a broker has a session.
func (c *Cluster) AwaitRegistered(t testing.TB, n *Node) {
	t.Helper()
	harness.Eventually(t, lookWithin, func() error {
		if !c.Registered(t, n.ID) {
			return fmt.Errorf("broker %d is not registered", n.ID)
		}
		return nil
	})
}

// AwaitInSync returns once all replicas of the topic's partitions are in sync.
func (c *Cluster) AwaitInSync(t testing.TB, topic string, partitions int, within time.Duration) {
	t.Helper()
	c.AwaitStates(t, topic, partitions, within, func(s PartitionState) error {
		if len(s.ISR) != len(c.Nodes) || s.Leader < 0 {
			return fmt.Errorf("leader %d, in sync %v", s.Leader, s.ISR)
		}
		return nil
	})
}

// AwaitOutOfSync returns once a broker is in no ISR of the topic.
func (c *Cluster) AwaitOutOfSync(t testing.TB, topic string, partitions int, n *Node, within time.Duration) {
	t.Helper()
	c.AwaitStates(t, topic, partitions, within, func(s PartitionState) error {
		if slices.Contains(s.ISR, n.ID) {
			return fmt.Errorf("leader %d, in sync %v", s.Leader, s.ISR)
		}
		return nil
	})
}

// AwaitStates returns once a condition holds for all partitions of a topic.
func (c *Cluster) AwaitStates(t testing.TB, topic string, partitions int, within time.Duration, holds func(PartitionState) error) {
	t.Helper()
	harness.Eventually(t, within, func() error {
		for p := range int32(partitions) {
			if err := holds(c.State(t, topic, p)); err != nil {
				return fmt.Errorf("%s-%d: %w", topic, p, err)
			}
		}
		return nil
	})
}

// read reads a znode as JSON; it has to be there within a time.
func (c *Cluster) read(t testing.TB, path string, into any) {
	t.Helper()
	harness.Eventually(t, lookWithin, func() error {
		data, _, err := c.conn.Get(c.chroot + path)
		if errors.Is(err, zk.ErrNoNode) {
			return fmt.Errorf("%s does not exist", path)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		return json.Unmarshal(data, into)
	})
}

// BrokerEpoch returns the epoch of a broker's registration, which has to be there.
func (c *Cluster) BrokerEpoch(t testing.TB, id int32) int64 {
	t.Helper()
	var epoch int64
	harness.Eventually(t, lookWithin, func() error {
		_, stat, err := c.conn.Get(c.chroot + fmt.Sprintf("/brokers/ids/%d", id))
		if err != nil {
			return fmt.Errorf("broker %d: %w", id, err)
		}
		epoch = stat.Czxid
		return nil
	})
	return epoch
}

// ControllerEpoch returns the epoch of the newest controller.
func (c *Cluster) ControllerEpoch(t testing.TB) (epoch int32) {
	t.Helper()
	c.read(t, "/controller_epoch", &epoch)
	return epoch
}
