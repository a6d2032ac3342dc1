package controller

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/kbroker/kbroker/zkmeta"
	"github.com/kbroker/kbroker/zkmeta/zkserver"
)

func TestTheFirstBrokerBecomesController(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		n.wantTold("-> 1 UpdateMetadata v8 controller=1/1 brokers=1")
		if !n.controller.Active() {
			w.Error("not active")
		}
		if id, ok, err := n.zk.Controller(w.Context(), nil); id != 1 || !ok || err != nil {
			w.Errorf("controller is %d, %v, %v", id, ok, err)
		}
		if f, err := n.zk.Feature(w.Context(), nil); !f.Exists || err != nil {
			w.Errorf("feature: %+v, %v", f, err)
		}
		second := w.broker(2)
		if second.controller.Active() {
			w.Error("two controllers")
		}
		second.wantTold("-> 2 UpdateMetadata v8 controller=1/1 brokers=1,2")
		n.wantTold("-> 1 UpdateMetadata v8 controller=1/1 brokers=1,2")
	})
}

func TestProducerIDs(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.broker(2)
		for i := range int64(2) {
			first, count, err := n.controller.AllocateProducerIDs(w.Context(), 2, other.epoch)
			if first != i*1000 || count != 1000 || err != nil {
				w.Errorf("block %d: %d, %d, %v", i, first, count, err)
			}
		}
		if _, _, err := n.controller.AllocateProducerIDs(w.Context(), 2, other.epoch-1); !errors.Is(err, ErrStaleBrokerEpoch) {
			w.Errorf("stale epoch: %v", err)
		}
		if _, _, err := n.controller.AllocateProducerIDs(w.Context(), 3, 1); !errors.Is(err, ErrBrokerNotRegistered) {
			w.Errorf("unknown broker: %v", err)
		}
		if _, _, err := other.controller.AllocateProducerIDs(w.Context(), 2, other.epoch); !errors.Is(err, ErrNotController) {
			w.Errorf("not controller: %v", err)
		}
	})
}

func TestExpiredControllerRegistersAndIsElectedAnew(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		n.create(placed("t", []int32{1}))
		n.taken()
		first := n.epoch
		n.expire()
		w.pass(5 * time.Second)
		if n.epoch <= first {
			w.Errorf("broker epoch %d after %d", n.epoch, first)
		}
		if !n.controller.Active() {
			w.Error("not active")
		}
		n.wantTold(`
-> 1 UpdateMetadata v8 controller=1/2 brokers=1
-> 1 LeaderAndIsr v7 controller=1/2 leaders=1@b1:9092
     t-0 leader=1 epoch=0 isr=1 version=0 replicas=1 controller_epoch=1
-> 1 UpdateMetadata v8 controller=1/2 brokers=1
     t-0 leader=1 epoch=0 isr=1 version=0 replicas=1`)
		n.create(placed("u", []int32{1}))
		w.wantState(n.zk, "u", 0, "leader=1 epoch=0 isr=1 version=0 by=2")
	})
}

// What waits when the session ends was meant for a controller that no longer
// is one.
func TestCallsThatWaitWhenTheSessionEndsAreRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		mine, _ := n.zk.Session()
		reached, release := make(chan struct{}), make(chan struct{})
		w.interceptWith(func(r zkserver.Request) zkserver.Verdict {
			if r.SessionID == mine && r.Path == "/admin/delete_topics" {
				close(reached)
				<-release
			}
			return zkserver.Verdict{}
		})
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			first <- n.controller.CreateTopics(w.Context(), []NewTopic{placed("t", []int32{1})}, false)[0].Err
		}()
		<-reached
		go func() {
			second <- n.controller.CreateTopics(w.Context(), []NewTopic{placed("u", []int32{1})}, false)[0].Err
		}()
		w.settle()
		n.expire()
		w.interceptWith(nil)
		close(release)
		w.pass(5 * time.Second)
		if err := <-first; !errors.Is(err, ErrNotController) {
			w.Errorf("the call that was handled: %v", err)
		}
		if err := <-second; !errors.Is(err, ErrNotController) {
			w.Errorf("the call that waited: %v", err)
		}
		if names, err := n.zk.Topics(w.Context(), nil); len(names) != 0 || err != nil {
			w.Errorf("topics %v, %v", names, err)
		}
		if !n.controller.Active() {
			w.Error("not active again")
		}
	})
}

func TestAnotherBrokerTakesOver(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.broker(2)
		n.create(placed("t", []int32{1, 2}))
		other.taken()
		n.stop()
		w.settle()
		if !other.controller.Active() {
			w.Fatal("nobody took over")
		}
		w.wantState(other.zk, "t", 0, "leader=2 epoch=1 isr=2 version=1 by=2")
		if got := other.metric("epoch"); got != 2 {
			w.Errorf("epoch %v", got)
		}
		if got := other.metric("preferred_imbalance"); got != 1 {
			w.Errorf("imbalance %v", got)
		}
	})
}

// usurp makes another broker controller behind the back of the one that is.
func (w *world) usurp(zk *zkmeta.Client, l zkmeta.Lease) {
	w.Helper()
	if err := zk.Abdicate(w.Context(), l); err != nil {
		w.Fatal(err)
	}
	if _, err := zk.Elect(w.Context(), 9); err != nil {
		w.Fatal(err)
	}
}

func TestDeposedControllerResigns(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		// Hold back the deposed one until the other is elected.
		mine, _ := n.zk.Session()
		release := make(chan struct{})
		w.interceptWith(func(r zkserver.Request) zkserver.Verdict {
			if r.SessionID == mine {
				<-release
			}
			return zkserver.Verdict{}
		})
		w.usurp(other.zk, zkmeta.Lease{Epoch: 1, EpochVersion: 1})
		w.interceptWith(nil)
		close(release)
		w.settle()
		if n.controller.Active() {
			w.Error("still active")
		}
		if got := n.metric("epoch") + n.metric("brokers"); got != 0 {
			w.Errorf("metrics of a term that is over: %v", got)
		}
	})
}

// Another controller is elected while this one creates partitions: what it
// writes then is refused, nothing is sent, and it resigns.
func TestControllerMovesInTheMiddleOfABatch(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		n.create(placed("before", []int32{1}))
		n.taken()
		other.taken()
		mine, _ := n.zk.Session()
		var once sync.Once
		const opMulti = 14
		multis := 0
		w.interceptWith(func(r zkserver.Request) zkserver.Verdict {
			if r.SessionID == mine && r.Op == opMulti {
				// The first multi creates the topic, the second its partitions.
				if multis++; multis == 2 {
					once.Do(func() { w.usurp(other.zk, zkmeta.Lease{Epoch: 1, EpochVersion: 1}) })
				}
			}
			return zkserver.Verdict{}
		})
		created := n.controller.CreateTopics(w.Context(), []NewTopic{placed("t", []int32{1, 2})}, false)
		w.settle()
		if created[0].Err != nil {
			w.Errorf("the topic is there, but: %v", created[0].Err)
		}
		if n.controller.Active() {
			w.Error("still active")
		}
		w.wantState(other.zk, "t", 0, "none")
		if got := n.told() + other.told(); got != "" {
			w.Errorf("told %s", got)
		}
		// The usurper goes; what was begun is finished.
		if err := other.zk.Abdicate(w.Context(), zkmeta.Lease{Epoch: 2, EpochVersion: 2}); err != nil {
			w.Fatal(err)
		}
		w.settle()
		w.wantState(n.zk, "t", 0, "leader=1 epoch=0 isr=1,2 version=0 by=3")
	})
}

func TestCallsEndWithTheirContextAndWithRun(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		mine, _ := n.zk.Session()
		release := make(chan struct{})
		w.interceptWith(func(r zkserver.Request) zkserver.Verdict {
			if r.SessionID == mine && r.Path == "/admin/delete_topics" {
				<-release
			}
			return zkserver.Verdict{}
		})
		ctx, cancel := context.WithCancel(w.Context())
		results := make(chan error, 2)
		go func() {
			results <- n.controller.CreateTopics(ctx, []NewTopic{placed("t", []int32{1})}, false)[0].Err
		}()
		go func() {
			results <- n.controller.CreateTopics(w.Context(), []NewTopic{placed("u", []int32{1})}, false)[0].Err
		}()
		w.settle()
		cancel()
		if err := <-results; !errors.Is(err, context.Canceled) {
			w.Errorf("canceled call: %v", err)
		}
		n.cancel()
		if err := <-results; !errors.Is(err, ErrNotController) {
			w.Errorf("call at the end: %v", err)
		}
		w.interceptWith(nil)
		close(release)
		<-n.ended
		if err := n.controller.CreateTopics(w.Context(), []NewTopic{placed("v", []int32{1})}, false)[0].Err; !errors.Is(err, ErrNotController) {
			w.Errorf("call after the end: %v", err)
		}
	})
}

// TestWhoTakesOverTrustsNoBrokerThatHasBounced: broker 1 was controller and leader, and comes back before anybody has noticed.
func TestWhoTakesOverTrustsNoBrokerThatHasBounced(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		w.bystander(2)
		w.bystander(3)
		w.settle()
		n.create(placed("t", []int32{1, 2, 3}, []int32{2, 3, 1}), placed("alone", []int32{1}))
		n.expire()
		w.pass(5 * time.Second)
		w.wantState(n.zk, "t", 0, "leader=2 epoch=1 isr=2,3 version=1 by=2")
		w.wantState(n.zk, "t", 1, "leader=2 epoch=1 isr=2,3 version=1 by=2")
		// Nobody else has this one.
		w.wantState(n.zk, "alone", 0, "leader=1 epoch=2 isr=1 version=2 by=2")
	})
}

// TestLeadersThatHaveBouncedLeadInAnotherEpoch: nobody in sync has stayed, so there is no better leader, but its
// high watermark may be an old one.
func TestLeadersThatHaveBouncedLeadInAnotherEpoch(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		n.create(placed("t", []int32{1, 2}, []int32{2, 1}), placed("alone", []int32{1}))
		// The controller must not see that the other one is gone for a moment.
		release := w.hold(n, "/brokers/ids")
		other.stop()
		w.bystander(2)
		n.expire()
		release()
		w.pass(5 * time.Second)
		w.wantState(n.zk, "t", 0, "leader=1 epoch=1 isr=1,2 version=1 by=2")
		w.wantState(n.zk, "t", 1, "leader=2 epoch=1 isr=2,1 version=1 by=2")
		w.wantState(n.zk, "alone", 0, "leader=1 epoch=0 isr=1 version=0 by=1")
	})
}
