package controller

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestRequestsCarryTheEpochOfTheirDestination(t *testing.T) {
	inWorld(t, func(w *world) {
		w.broker(1)
		other := w.bystander(2)
		for _, r := range other.taken() {
			if got := r.(*kmsg.UpdateMetadataRequest).BrokerEpoch; got != other.epoch {
				w.Errorf("broker epoch %d, want %d", got, other.epoch)
			}
		}
	})
}

func TestDeadBrokerIsReplacedAndComesBack(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		n.create(placed("t", []int32{2, 1}))
		n.taken()
		other.stop()
		w.settle()
		w.wantState(n.zk, "t", 0, "leader=1 epoch=1 isr=1 version=1 by=1")
		n.taken()
		back := w.bystander(2)
		back.wantTold(`
-> 2 UpdateMetadata v8 controller=1/1 brokers=1,2
     t-0 leader=1 epoch=1 isr=1 version=1 replicas=2,1
-> 2 LeaderAndIsr v7 controller=1/1 leaders=1@b1:9092
     t-0 leader=1 epoch=1 isr=1 version=1 replicas=2,1 controller_epoch=1
-> 2 UpdateMetadata v8 controller=1/1 brokers=1,2
     t-0 leader=1 epoch=1 isr=1 version=1 replicas=2,1`)
	})
}

// A broker that registers anew before the controller looks is told by its
// epoch: a failure and a start.
func TestBouncedBroker(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		n.create(placed("t", []int32{2, 1}))
		n.taken()
		other.taken()
		// Hold the controller's reads until the new registration is there.
		release := w.hold(n, "/brokers/ids")
		other.stop()
		back := w.bystander(2)
		release()
		w.settle()
		w.wantState(n.zk, "t", 0, "leader=1 epoch=1 isr=1 version=1 by=1")
		got := back.taken()
		if len(got) == 0 {
			w.Fatal("the new process was told nothing")
		}
		for _, r := range got {
			if r, ok := r.(*kmsg.LeaderAndISRRequest); ok && r.BrokerEpoch != back.epoch {
				w.Errorf("broker epoch %d, want %d", r.BrokerEpoch, back.epoch)
			}
		}
	})
}

func TestRequestsAreRepeatedUntilAnswered(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		other.taken()
		other.refuse(true)
		n.create(placed("t", []int32{2}))
		n.create(placed("u", []int32{2}))
		if got := n.metric("requests_unsent"); got != 4 {
			w.Errorf("%v requests unsent", got)
		}
		w.pass(time.Second)
		other.refuse(false)
		w.pass(resendAfter)
		other.wantTold(`
-> 2 LeaderAndIsr v7 controller=1/1 leaders=2@b2:9092
     t-0 leader=2 epoch=0 isr=2 version=0 replicas=2 controller_epoch=1 new
-> 2 UpdateMetadata v8 controller=1/1 brokers=1,2
     t-0 leader=2 epoch=0 isr=2 version=0 replicas=2
-> 2 LeaderAndIsr v7 controller=1/1 leaders=2@b2:9092
     u-0 leader=2 epoch=0 isr=2 version=0 replicas=2 controller_epoch=1 new
-> 2 UpdateMetadata v8 controller=1/1 brokers=1,2
     u-0 leader=2 epoch=0 isr=2 version=0 replicas=2`)
		if got := n.metric("requests_unsent"); got != 0 {
			w.Errorf("%v requests unsent", got)
		}
	})
}

func TestFailedLogDirectory(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		n.create(placed("t", []int32{2, 1}, []int32{2, 1}))
		other.answers(func(r kmsg.Request) kmsg.Response {
			if r.Key() != 4 {
				return nil
			}
			return answerWith(r, func(_ string, partition int32) int16 {
				if partition == 0 {
					return kafkaStorageError
				}
				return 0
			})
		})
		if err := other.zk.ReportLogDirFailure(w.Context(), 2); err != nil {
			w.Fatal(err)
		}
		w.settle()
		w.wantState(n.zk, "t", 0, "leader=1 epoch=1 isr=1 version=1 by=1")
		w.wantState(n.zk, "t", 1, "leader=2 epoch=0 isr=2,1 version=0 by=1")
		if names, _, err := n.zk.LogDirEvents(w.Context(), nil); len(names) != 0 || err != nil {
			w.Errorf("events left: %v, %v", names, err)
		}
	})
}

func TestChangedEndpointsAreTold(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		n.taken()
		other.taken()
		// The broker moves to another address, with requests under way.
		other.refuse(true)
		n.create(placed("t", []int32{2}))
		n.taken()
		w.mu.Lock()
		delete(w.nodes, other.address)
		other.address = "moved:9092"
		w.nodes[other.address] = other
		w.mu.Unlock()
		other.refuse(false)
		if err := other.zk.UpdateBroker(w.Context(), other.registration()); err != nil {
			w.Fatal(err)
		}
		other.wantTold(`
-> 2 LeaderAndIsr v7 controller=1/1 leaders=2@b2:9092
     t-0 leader=2 epoch=0 isr=2 version=0 replicas=2 controller_epoch=1 new
-> 2 UpdateMetadata v8 controller=1/1 brokers=1,2
     t-0 leader=2 epoch=0 isr=2 version=0 replicas=2
-> 2 UpdateMetadata v8 controller=1/1 brokers=1,2`)
		for _, r := range n.taken() {
			if e := r.(*kmsg.UpdateMetadataRequest).LiveBrokers[1].Endpoints[0]; e.Host != "moved" || e.ListenerName != "PLAINTEXT" {
				w.Errorf("endpoint %+v", e)
			}
		}
	})
}

// A broker without an endpoint for the controller cannot be told anything; when it gets one it is told everything.
func TestEndpointThatAppearsIsAStart(t *testing.T) {
	inWorld(t, func(w *world) {
		n, other := w.broker(1), w.bystander(2)
		w.settle()
		hidden := other.registration()
		hidden.Endpoints[0].Listener = "OTHER"
		if err := other.zk.UpdateBroker(w.Context(), hidden); err != nil {
			w.Fatal(err)
		}
		w.settle()
		n.create(placed("t", []int32{2, 1}))
		other.taken()
		if err := other.zk.UpdateBroker(w.Context(), other.registration()); err != nil {
			w.Fatal(err)
		}
		other.wantTold(`
-> 2 UpdateMetadata v8 controller=1/1 brokers=1,2
     t-0 leader=2 epoch=0 isr=2,1 version=0 replicas=2,1
-> 2 LeaderAndIsr v7 controller=1/1 leaders=2@b2:9092
     t-0 leader=2 epoch=0 isr=2,1 version=0 replicas=2,1 controller_epoch=1
-> 2 UpdateMetadata v8 controller=1/1 brokers=1,2
     t-0 leader=2 epoch=0 isr=2,1 version=0 replicas=2,1`)
	})
}
