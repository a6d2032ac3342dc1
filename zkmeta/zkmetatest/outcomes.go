package zkmetatest

import (
	"fmt"

	"github.com/kbroker/kbroker/zkmeta"
)

// testOutcomes does every write that must not happen twice over a connection that breaks, at each of the places
// where it can break, and asks for the result that an unbroken one gives.
func testOutcomes(e *env) {
	for i, cut := range []Cut{BeforeRequest, AfterRequest, InsteadOfAnswer} {
		c, p := e.started()
		n := int32(i)
		name := fmt.Sprint("t", n)
		cuts := 0
		broken := func(what string, write func() error) {
			e.Helper()
			p.CutNext(opMulti, cut)
			cuts++
			if err := write(); err != nil {
				e.Fatalf("%s, cut %d: %v", what, cut, err)
			}
			equal(e, what+": cuts", p.Cuts(), cuts)
		}

		var epoch int64
		broken("RegisterBroker", func() (err error) {
			epoch, err = c.RegisterBroker(e.ctx, broker(n))
			return err
		})
		seen, err := c.Broker(e.ctx, n, nil)
		e.must(err)
		equal(e, "broker epoch", epoch, seen.Epoch)

		_, err = c.GenerateBrokerID(e.ctx, 0) // unrelated; moves the zxid on
		e.must(err)
		var lease zkmeta.Lease
		if i == 0 { // /controller_epoch exists from here on: the multi is the election
			_, err = c.Elect(e.ctx, 99)
			e.must(err)
			e.must(c.Abdicate(e.ctx, zkmeta.Lease{Epoch: 1, EpochVersion: 1}))
		}
		broken("Elect", func() (err error) {
			lease, err = c.Elect(e.ctx, n)
			return err
		})
		equal(e, "lease", lease, zkmeta.Lease{Epoch: n + 2, EpochVersion: n + 2})

		a := topic(name, 3)
		broken("CreateTopic", func() error { return c.CreateTopic(e.ctx, &lease, a, nil) })
		broken("CreatePartitionStates", func() error {
			outcomes, err := c.CreatePartitionStates(e.ctx, lease, firstStates(a, lease))
			e.mustAll(outcomes, 0)
			return err
		})
		states := firstStates(a, lease)
		broken("UpdatePartitionStates", func() error {
			outcomes, err := c.UpdatePartitionStates(e.ctx, lease, states)
			e.mustAll(outcomes, 1)
			return err
		})
		// The same write once more is another one: it must not be taken for the first.
		outcomes, err := c.UpdatePartitionStates(e.ctx, lease, states)
		e.must(err)
		for _, o := range outcomes {
			e.mustBe(o.Err, zkmeta.ErrBadVersion)
		}
		broken("SetAssignment", func() error { return c.SetAssignment(e.ctx, lease, a) })
		broken("MarkForDeletion", func() error { return c.MarkForDeletion(e.ctx, name) })
		broken("RemoveTopic", func() error { return c.RemoveTopic(e.ctx, lease, name) })
		broken("UpdateBroker", func() error { return c.UpdateBroker(e.ctx, broker(n)) })
		broken("Abdicate", func() error { return c.Abdicate(e.ctx, lease) })
		_, ok, err := c.Controller(e.ctx, nil)
		e.must(err)
		equal(e, "controller is there", ok, false)
	}
}

func (e *env) mustAll(outcomes map[zkmeta.TopicPartition]zkmeta.Outcome, epoch int32) {
	e.Helper()
	for tp, o := range outcomes {
		if o.Err != nil || o.State.PartitionEpoch != epoch {
			e.Fatalf("%v: %+v, want partition epoch %d", tp, o, epoch)
		}
	}
}
