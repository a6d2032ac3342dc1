package controller

import (
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/zkmeta"
)

// What tools and old brokers write into ZooKeeper by themselves.

func TestISRChangeNotificationIsTold(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		n.create(placed("t", []int32{1, 2}))
		n.taken()
		other.taken()
		w.raw(func(conn *zk.Conn) {
			// A leader of the time before AlterPartition shrinks its ISR.
			if _, err := conn.Set("/brokers/topics/t/partitions/0/state",
				[]byte(`{"version":1,"leader":1,"leader_epoch":0,"controller_epoch":1,"isr":[1]}`), 0); err != nil {
				w.Fatal(err)
			}
			if _, err := conn.Create("/isr_change_notification/isr_change_",
				[]byte(`{"version":1,"partitions":[{"topic":"t","partition":0},{"topic":"none","partition":7}]}`),
				zk.FlagSequence, zk.WorldACL(zk.PermAll)); err != nil {
				w.Fatal(err)
			}
		})
		other.wantTold(`
-> 2 UpdateMetadata v8 controller=1/1 brokers=1,2
     t-0 leader=1 epoch=0 isr=1 version=1 replicas=1,2`)
		if names, _, err := n.zk.ISRChanges(w.Context(), nil); len(names) != 0 || err != nil {
			w.Errorf("notifications left: %v, %v", names, err)
		}
	})
}

func TestPartitionsOfATopicBeingDeletedAreTakenAway(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		n.create(placed("t", []int32{1, 2}))
		other.stop()
		w.settle()
		if errs := n.controller.DeleteTopics(w.Context(), []string{"t"}); errs[0] != nil {
			w.Fatal(errs[0])
		}
		a, err := n.zk.Assignments(w.Context(), []string{"t"}, nil)
		if err != nil {
			w.Fatal(err)
		}
		grown := a["t"]
		grown.Partitions = map[int32][]int32{0: {1, 2}, 1: {1, 2}}
		if err := n.zk.SetAssignment(w.Context(), zkmeta.Lease{Epoch: 1, EpochVersion: 1}, grown); err != nil {
			w.Fatal(err)
		}
		w.settle()
		a, err = n.zk.Assignments(w.Context(), []string{"t"}, nil)
		if err != nil || len(a["t"].Partitions) != 1 || a["t"].ID != grown.ID {
			w.Errorf("written %+v, %v", a, err)
		}
	})
}

func TestMarkerOfAnUnknownTopicIsRemoved(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		if err := n.zk.MarkForDeletion(w.Context(), "unknown"); err != nil {
			w.Fatal(err)
		}
		w.settle()
		if marked, err := n.zk.DeletionMarkers(w.Context(), nil); len(marked) != 0 || err != nil {
			w.Errorf("marked are %v, %v", marked, err)
		}
		if !n.controller.Active() {
			w.Error("not active")
		}
	})
}

func TestTopicThatCannotBeUnderstoodDisturbsNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		w.raw(func(conn *zk.Conn) {
			if _, err := conn.Create("/brokers/topics/odd", []byte("{"), 0, zk.WorldACL(zk.PermAll)); err != nil {
				w.Fatal(err)
			}
			n.create(placed("t", []int32{1}))
			w.wantState(n.zk, "t", 0, "leader=1 epoch=0 isr=1 version=0 by=1")
			// It is mended.
			if _, err := conn.Set("/brokers/topics/odd", []byte(`{"version":1,"partitions":{"0":[1]}}`), 0); err != nil {
				w.Fatal(err)
			}
		})
		w.settle()
		w.wantState(n.zk, "odd", 0, "leader=1 epoch=0 isr=1 version=0 by=1")
	})
}

func TestVanishedTopicIsForgotten(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		n.create(placed("t", []int32{1}))
		w.raw(func(conn *zk.Conn) {
			for _, path := range []string{"/partitions/0/state", "/partitions/0", "/partitions", ""} {
				if err := conn.Delete("/brokers/topics/t"+path, -1); err != nil {
					w.Fatal(err)
				}
			}
		})
		w.settle()
		if got := n.metric("topics"); got != 0 {
			w.Errorf("%v topics", got)
		}
		n.taken()
		n.create(placed("t", []int32{1}))
		if len(n.taken()) != 2 {
			w.Error("the topic of the same name was not told")
		}
	})
}

// Whoever deletes /controller by hand makes the brokers elect anew.
func TestDeletedControllerZNodeMeansAnElection(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		w.raw(func(conn *zk.Conn) {
			if err := conn.Delete("/controller", -1); err != nil {
				w.Fatal(err)
			}
		})
		w.settle()
		if !n.controller.Active() || n.metric("epoch") != 2 {
			w.Errorf("active %v, epoch %v", n.controller.Active(), n.metric("epoch"))
		}
		var last kmsg.Request
		for _, r := range n.taken() {
			last = r
		}
		if got := last.(*kmsg.UpdateMetadataRequest).ControllerEpoch; got != 2 {
			w.Errorf("told with epoch %d", got)
		}
	})
}
