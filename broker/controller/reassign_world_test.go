package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/kbroker/kbroker/zkmeta"
)

// topicZNode reads a topic's znode.
func (w *world) topicZNode(c *zkmeta.Client, topic string) string {
	w.Helper()
	a, err := c.Assignments(w.Context(), []string{topic}, nil)
	if err != nil {
		w.Fatal(err)
	}
	t := a[topic]
	return fmt.Sprintf("%v adding %v removing %v", t.Partitions, t.Adding, t.Removing)
}

func (w *world) wantTopic(c *zkmeta.Client, topic, want string) {
	w.Helper()
	w.settle()
	if got := w.topicZNode(c, topic); got != want {
		w.Errorf("%s: %s, want %s", topic, got, want)
	}
}

// leaderWrites writes a state as a leader before AlterPartition did.
func (w *world) leaderWrites(c *zkmeta.Client, topic string, isr ...int32) {
	w.Helper()
	w.settle()
	tp := zkmeta.TopicPartition{Topic: topic}
	states, err := c.PartitionStates(w.Context(), []zkmeta.TopicPartition{tp}, nil)
	if err != nil {
		w.Fatal(err)
	}
	s := states[tp]
	w.raw(func(conn *zk.Conn) {
		_, err := conn.Set("/brokers/topics/"+topic+"/partitions/0/state", fmt.Appendf(nil,
			`{"version":1,"leader":%d,"leader_epoch":%d,"controller_epoch":%d,"isr":[%s]}`, s.Leader, s.LeaderEpoch, s.ControllerEpoch, ids(isr)), s.PartitionEpoch)
		if err != nil {
			w.Fatal(err)
		}
	})
	w.settle()
}

func (w *world) put(path, data string) {
	w.Helper()
	w.raw(func(conn *zk.Conn) {
		if _, err := conn.Create(path, []byte(data), 0, zk.WorldACL(zk.PermAll)); err != nil {
			w.Fatal(err)
		}
	})
	w.settle()
}

// znode reads a znode; "" when it does not exist.
func (w *world) znode(path string) (data string) {
	w.Helper()
	w.settle()
	w.raw(func(conn *zk.Conn) {
		bytes, _, err := conn.Get(path)
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			w.Fatal(err)
		}
		data = string(bytes)
	})
	return data
}

// reassign moves partition 0 of a topic; without a target it cancels that.
func (n *node) reassign(topic string, target ...int32) {
	n.w.Helper()
	reasons, err := n.controller.AlterReassignments(n.w.Context(),
		[]Reassignment{{zkmeta.TopicPartition{Topic: topic}, target}})
	if err := errors.Join(append(reasons, err)...); err != nil {
		n.w.Fatalf("reassign %s: %v", topic, err)
	}
	n.w.settle()
}

func TestReassignmentEndsWhenTheTargetIsInSync(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.broker(4)
		w.bystander(2)
		third := w.bystander(3)
		w.settle()
		n.create(placed("t", []int32{1, 2}))
		n.reassign("t", 3, 2)
		w.wantTopic(n.zk, "t", "map[0:[3 2 1]] adding map[0:[3]] removing map[0:[1]]")
		w.wantState(n.zk, "t", 0, "leader=1 epoch=1 isr=1,2 version=1 by=1")
		moving, err := n.controller.Reassignments(w.Context(), nil)
		if err != nil || len(moving) != 1 || !slices.Equal(moving[0].Adding, []int32{3}) {
			w.Errorf("listed %+v, %v", moving, err)
		}
		errs := n.controller.CreatePartitions(w.Context(), []MorePartitions{{Topic: "t", Count: 2}}, false)
		if !errors.Is(errs[0], ErrReassignmentInProgress) {
			w.Errorf("partitions were added: %v", errs)
		}
		if _, err := other.controller.Reassignments(w.Context(), nil); !errors.Is(err, ErrNotController) {
			w.Errorf("another broker listed: %v", err)
		}
		if _, err := other.controller.AlterReassignments(w.Context(), nil); !errors.Is(err, ErrNotController) {
			w.Errorf("another broker altered: %v", err)
		}
		third.taken()
		w.leaderWrites(n.zk, "t", 1, 2, 3)
		w.wantTopic(n.zk, "t", "map[0:[3 2]] adding map[] removing map[]")
		w.wantState(n.zk, "t", 0, "leader=3 epoch=3 isr=2,3 version=4 by=1")
		if told := third.told(); !strings.Contains(told, "t-0 leader=3 epoch=3 isr=2,3 version=4 replicas=3,2 controller_epoch=1") {
			w.Errorf("the new leader was told\n%s", told)
		}
	})
}

func TestAnotherControllerGoesOnReassigning(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		w.bystander(2)
		w.bystander(3)
		w.settle()
		n.create(placed("t", []int32{2}), placed("u", []int32{2}), placed("v", []int32{2, 3}))
		n.reassign("t", 3)
		n.reassign("v", 3, 2)
		// An old tool's wish goes before the API's.
		n.stop()
		w.put("/admin/preferred_replica_election", `{"version":1,"partitions":[{"topic":"v","partition":0}]}`)
		w.put("/admin/reassign_partitions", `{"version":1,"partitions":[{"topic":"u","partition":0,"replicas":[3]},{"topic":"t","partition":0,"replicas":[4]}]}`)
		next := w.broker(4)
		if !next.controller.Active() {
			w.Fatal("nobody is controller")
		}
		w.wantTopic(next.zk, "t", "map[0:[4 2]] adding map[0:[4]] removing map[0:[2]]")
		w.wantTopic(next.zk, "u", "map[0:[3 2]] adding map[0:[3]] removing map[0:[2]]")
		w.wantState(next.zk, "u", 0, "leader=2 epoch=1 isr=2 version=1 by=2") // once
		w.wantState(next.zk, "v", 0, "leader=3 epoch=2 isr=2,3 version=2 by=2")
		if left := w.znode("/admin/preferred_replica_election"); left != "" {
			w.Errorf("an election is left: %s", left)
		}
		w.leaderWrites(next.zk, "t", 2, 4)
		w.wantTopic(next.zk, "t", "map[0:[4]] adding map[] removing map[]")
		if got, want := w.znode("/admin/reassign_partitions"), `{"version":1,"partitions":[{"topic":"u","partition":0,"replicas":[3]}]}`; got != want {
			w.Errorf("left %s, want %s", got, want)
		}
	})
}

// The znode is rewritten by the controller itself: that means nothing new.
func TestOldToolsReassignmentIsTakenUpOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		w.bystander(2)
		w.bystander(3)
		w.settle()
		n.create(placed("t", []int32{1}), placed("u", []int32{1}))
		w.put("/admin/reassign_partitions", `{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[2]},`+
			`{"topic":"u","partition":0,"replicas":[3]},{"topic":"none","partition":0,"replicas":[3]}]}`)
		w.wantState(n.zk, "u", 0, "leader=1 epoch=1 isr=1 version=1 by=1")
		w.leaderWrites(n.zk, "t", 1, 2)
		w.wantState(n.zk, "u", 0, "leader=1 epoch=1 isr=1 version=1 by=1")
		w.leaderWrites(n.zk, "u", 1, 3)
		w.wantState(n.zk, "u", 0, "leader=3 epoch=3 isr=3 version=4 by=1")
		if left := w.znode("/admin/reassign_partitions"); left != "" {
			w.Errorf("left %s", left)
		}
		// The next wish.
		w.put("/admin/reassign_partitions", `{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[2,1]}]}`)
		w.wantTopic(n.zk, "t", "map[0:[2 1]] adding map[0:[1]] removing map[]")
		refused := []Reassignment{{zkmeta.TopicPartition{Topic: "t"}, []int32{}}}
		if reasons, err := n.controller.AlterReassignments(w.Context(), refused); err != nil || !errors.Is(reasons[0], ErrInvalidAssignment) {
			w.Errorf("an empty target: %v, %v", reasons, err)
		}
		if left := w.znode("/admin/reassign_partitions"); left == "" {
			w.Error("a refused wish took the old tool's away")
		}
		n.reassign("t") // cancels
		w.wantTopic(n.zk, "t", "map[0:[2]] adding map[] removing map[]")
		if left := w.znode("/admin/reassign_partitions"); left != "" {
			w.Errorf("left after cancelling: %s", left)
		}
	})
}

func TestOldToolsElectionIsHeld(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		w.bystander(2)
		w.settle()
		n.create(placed("t", []int32{1, 2}))
		n.reassign("t", 2, 1)
		w.wantState(n.zk, "t", 0, "leader=1 epoch=1 isr=1,2 version=1 by=1")
		for _, content := range []string{`{"version":1,"partitions":[{"topic":"t","partition":0},{"topic":"none","partition":0}]}`, `nonsense`} {
			w.put("/admin/preferred_replica_election", content)
			w.wantState(n.zk, "t", 0, "leader=2 epoch=2 isr=1,2 version=2 by=1")
			if left := w.znode("/admin/preferred_replica_election"); left != "" {
				w.Errorf("left %s", left)
			}
		}
	})
}
