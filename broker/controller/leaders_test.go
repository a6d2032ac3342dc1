package controller

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kbroker/kbroker/zkmeta"
)

// What brokers ask the controller for.

func TestLeadersChangeTheirInSyncReplicas(t *testing.T) {
	inWorld(t, func(w *world) {
		n, leader, follower := w.broker(1), w.bystander(2), w.bystander(3)
		w.settle()
		id := n.create(placed("t", []int32{2, 3, 1}))[0].ID
		for _, b := range []*node{n, leader, follower} {
			b.taken()
		}
		shrink := ISRProposal{ByID: true, TopicID: id, ISR: []int32{2, 1}}
		outcomes, err := n.controller.AlterPartition(w.Context(), 2, leader.epoch, []ISRProposal{
			shrink, {ByID: true, TopicID: [16]byte{1}}, {Topic: "t", Partition: 1},
		})
		if err != nil {
			w.Fatal(err)
		}
		if o := outcomes[0]; o.Err != nil || o.State.PartitionEpoch != 1 || o.State.LeaderEpoch != 0 || len(o.State.ISR) != 2 {
			w.Errorf("outcome %+v", o)
		}
		if !errors.Is(outcomes[1].Err, ErrUnknownTopicID) || !errors.Is(outcomes[2].Err, ErrUnknownTopic) {
			w.Errorf("outcomes %v", outcomes[1:])
		}
		w.wantState(n.zk, "t", 0, "leader=2 epoch=0 isr=2,1 version=1 by=1")
		for _, b := range []*node{n, leader, follower} {
			b.wantTold(fmt.Sprintf(`
-> %d UpdateMetadata v8 controller=1/1 brokers=1,2,3
     t-0 leader=2 epoch=0 isr=2,1 version=1 replicas=2,3,1`, b.id))
		}
		for name, ask := range map[string]struct {
			broker int32
			epoch  int64
		}{"former process": {2, leader.epoch - 1}, "later process": {2, leader.epoch + 1}, "unknown": {4, 1}} {
			if _, err := n.controller.AlterPartition(w.Context(), ask.broker, ask.epoch, []ISRProposal{shrink}); !errors.Is(err, ErrStaleBrokerEpoch) {
				w.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestOnlyTheControllerAnswersLeaders(t *testing.T) {
	inWorld(t, func(w *world) {
		w.broker(1)
		other := w.broker(2)
		if _, err := other.controller.AlterPartition(w.Context(), 2, other.epoch, nil); !errors.Is(err, ErrNotController) {
			w.Error(err)
		}
		if _, err := other.controller.ControlledShutdown(w.Context(), 2, other.epoch); !errors.Is(err, ErrNotController) {
			w.Error(err)
		}
	})
}

func TestBrokerIsTakenOutOfServiceAndBack(t *testing.T) {
	inWorld(t, func(w *world) {
		n, stopping := w.broker(1), w.bystander(2)
		w.settle()
		n.create(placed("t", []int32{2, 1}, []int32{1, 2}), placed("alone", []int32{2}))
		for name, ask := range map[string]struct {
			broker int32
			epoch  int64
			want   error
		}{
			"former process": {2, stopping.epoch - 1, ErrStaleBrokerEpoch},
			"unknown":        {4, -1, ErrBrokerNotAvailable},
			"unknown, epoch": {4, 5, ErrBrokerNotAvailable},
		} {
			if _, err := n.controller.ControlledShutdown(w.Context(), ask.broker, ask.epoch); !errors.Is(err, ask.want) {
				w.Errorf("%s: %v", name, err)
			}
		}
		remaining, err := n.controller.ControlledShutdown(w.Context(), 2, stopping.epoch)
		if err != nil || len(remaining) != 0 {
			w.Fatalf("remaining %v, %v", remaining, err)
		}
		w.wantState(n.zk, "t", 0, "leader=1 epoch=1 isr=1 version=1 by=1")
		w.wantState(n.zk, "t", 1, "leader=1 epoch=1 isr=1 version=1 by=1")
		w.wantState(n.zk, "alone", 0, "leader=2 epoch=0 isr=2 version=0 by=1")
		grow := []ISRProposal{{Topic: "t", LeaderEpoch: 1, PartitionEpoch: 1, ISR: []int32{1, 2}}}
		outcomes, err := n.controller.AlterPartition(w.Context(), 1, n.epoch, grow)
		if err != nil || !errors.Is(outcomes[0].Err, ErrIneligibleReplica) {
			w.Fatalf("%+v, %v", outcomes, err)
		}

		stopping.stop()
		w.settle()
		w.wantState(n.zk, "t", 0, "leader=1 epoch=1 isr=1 version=1 by=1")
		back := w.bystander(2)
		w.settle()
		outcomes, err = n.controller.AlterPartition(w.Context(), 1, n.epoch, grow)
		if err != nil || outcomes[0].Err != nil {
			w.Fatalf("%+v, %v", outcomes, err)
		}
		w.wantState(n.zk, "t", 0, "leader=1 epoch=1 isr=1,2 version=2 by=1")
		// One that can be replaced by nobody stays the leader.
		remaining, err = n.controller.ControlledShutdown(w.Context(), 1, n.epoch)
		want := zkmeta.TopicPartition{Topic: "t", Partition: 1}
		if err != nil || len(remaining) != 1 || remaining[0] != want {
			w.Fatalf("remaining %v, %v", remaining, err)
		}
		w.wantState(back.zk, "t", 0, "leader=2 epoch=2 isr=2 version=3 by=1")
	})
}

func TestLeadersAreBalancedSoonAndThenByTheClock(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1, "leader.imbalance.check.interval.seconds=60", "leader.imbalance.per.broker.percentage=0"), w.bystander(2)
		w.settle()
		n.create(placed("t", []int32{2, 1}))
		bounce := func() {
			other.stop()
			w.settle()
			other = w.bystander(2)
			w.settle()
			tp := zkmeta.TopicPartition{Topic: "t"}
			states, err := n.zk.PartitionStates(w.Context(), []zkmeta.TopicPartition{tp}, nil)
			if err != nil {
				w.Fatal(err)
			}
			outcomes, err := n.controller.AlterPartition(w.Context(), 1, n.epoch, []ISRProposal{
				{Topic: "t", LeaderEpoch: states[tp].LeaderEpoch, PartitionEpoch: states[tp].PartitionEpoch, ISR: []int32{1, 2}},
			})
			if err != nil || outcomes[0].Err != nil {
				w.Fatal(outcomes, err)
			}
		}
		bounce()
		w.pass(4 * time.Second)
		w.wantState(n.zk, "t", 0, "leader=1 epoch=1 isr=1,2 version=2 by=1")
		w.pass(2 * time.Second)
		w.wantState(n.zk, "t", 0, "leader=2 epoch=2 isr=1,2 version=3 by=1")
		bounce()
		w.pass(58 * time.Second)
		w.wantState(n.zk, "t", 0, "leader=1 epoch=3 isr=1,2 version=5 by=1")
		w.pass(2 * time.Second)
		w.wantState(n.zk, "t", 0, "leader=2 epoch=4 isr=1,2 version=6 by=1")
	})
}

func TestLeadersAreNotBalancedWhenDisabled(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1, "auto.leader.rebalance.enable=false")
		if n.controller.term.balancing != nil {
			w.Error("a timer runs")
		}
	})
}

func TestLeadersAreElectedByRequest(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1, "auto.leader.rebalance.enable=false"), w.bystander(2)
		w.settle()
		n.create(placed("t", []int32{2, 1}), placed("alone", []int32{2}))
		other.stop()
		w.settle()
		tps := []zkmeta.TopicPartition{{Topic: "t"}, {Topic: "alone"}}
		for _, e := range n.controller.ElectLeaders(w.Context(), tps, false) {
			if !errors.Is(e.Err, ErrPreferredLeaderNotAvailable) {
				w.Errorf("%+v", e)
			}
		}
		w.bystander(2)
		w.settle()
		grow := []ISRProposal{{Topic: "t", LeaderEpoch: 1, PartitionEpoch: 1, ISR: []int32{1, 2}}}
		if outcomes, err := n.controller.AlterPartition(w.Context(), 1, n.epoch, grow); err != nil || outcomes[0].Err != nil {
			w.Fatal(outcomes, err)
		}
		elected := n.controller.ElectLeaders(w.Context(), tps, false)
		if elected[0].Err != nil || elected[0].Leader != 2 || !errors.Is(elected[1].Err, ErrElectionNotNeeded) {
			w.Errorf("%+v", elected)
		}
		w.wantState(n.zk, "t", 0, "leader=2 epoch=2 isr=1,2 version=3 by=1")
		if e := w.broker(3).controller.ElectLeaders(w.Context(), tps[:1], true); !errors.Is(e[0].Err, ErrNotController) {
			w.Errorf("%+v", e)
		}
	})
}
