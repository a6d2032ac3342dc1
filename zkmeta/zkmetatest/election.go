package zkmetatest

import (
	"errors"
	"sync"

	"github.com/kbroker/kbroker/zkmeta"
)

func testElection(e *env) {
	clients := make([]*zkmeta.Client, 2)
	leases := make([]zkmeta.Lease, 2)
	errs := make([]error, 2)
	for i := range clients {
		clients[i], _ = e.started()
	}
	var together sync.WaitGroup
	for i := range clients {
		together.Go(func() { leases[i], errs[i] = clients[i].Elect(e.ctx, int32(i)) })
	}
	together.Wait()
	winner, loser := 0, 1
	if errs[0] != nil {
		winner, loser = 1, 0
	}
	e.must(errs[winner])
	e.mustBe(errs[loser], zkmeta.ErrControllerMoved)
	equal(e, "lease", leases[winner], zkmeta.Lease{Epoch: 1, EpochVersion: 1})
	same, err := clients[winner].Elect(e.ctx, int32(winner))
	e.must(err)
	equal(e, "lease of the winner who asks again", same, leases[winner])

	gone := e.signal()
	id, ok, err := clients[loser].Controller(e.ctx, gone.notify)
	e.must(err)
	equal(e, "controller", id, int32(winner))
	equal(e, "controller is there", ok, true)
	e.must(clients[winner].Abdicate(e.ctx, leases[winner]))
	gone.await("the controller has resigned")
	next, err := clients[loser].Elect(e.ctx, int32(loser))
	e.must(err)
	equal(e, "next lease", next, zkmeta.Lease{Epoch: 2, EpochVersion: 2})
	e.mustBe(clients[winner].Abdicate(e.ctx, leases[winner]), zkmeta.ErrControllerMoved)
}

func testDeposed(e *env) {
	old, _, lease := e.controller()
	a := e.withTopic(old, lease, "t", 1)
	states := firstStates(a, lease)
	e.must(old.Abdicate(e.ctx, lease))
	next, _ := e.client()
	_, err := next.Elect(e.ctx, 2)
	e.must(err)

	before := make(map[string]Line)
	e.dump("", before)
	for _, lease := range []zkmeta.Lease{lease, {}, {EpochVersion: -1}} {
		for name, write := range map[string]func() error{
			"CreateTopic":   func() error { return old.CreateTopic(e.ctx, &lease, topic("u", 1), nil) },
			"SetAssignment": func() error { return old.SetAssignment(e.ctx, lease, a) },
			"RemoveTopic":   func() error { return old.RemoveTopic(e.ctx, lease, "t") },
			"CreatePartitionStates": func() error {
				_, err := old.CreatePartitionStates(e.ctx, lease, states)
				return err
			},
			"UpdatePartitionStates": func() error {
				_, err := old.UpdatePartitionStates(e.ctx, lease, states)
				return err
			},
			"RemoveDeletionMarkers": func() error { return old.RemoveDeletionMarkers(e.ctx, lease, []string{"t"}) },
			"RemoveISRChanges":      func() error { return old.RemoveISRChanges(e.ctx, lease, []string{"t"}) },
			"RemoveLogDirEvents":    func() error { return old.RemoveLogDirEvents(e.ctx, lease, []string{"t"}) },
			"EnsureFeature":         func() error { return old.EnsureFeature(e.ctx, lease) },
			"Abdicate":              func() error { return old.Abdicate(e.ctx, lease) },
			"AllocateProducerIDs": func() error {
				_, err := old.AllocateProducerIDs(e.ctx, lease, 1)
				return err
			},
			"SetLegacyReassignment": func() error {
				return old.SetLegacyReassignment(e.ctx, lease, map[zkmeta.TopicPartition][]int32{{Topic: "t"}: {1}})
			},
			"RemovePreferredElection": func() error { return old.RemovePreferredElection(e.ctx, lease) },
		} {
			if err := write(); !errors.Is(err, zkmeta.ErrControllerMoved) {
				e.Errorf("%s with %+v: %v, want %v", name, lease, err, zkmeta.ErrControllerMoved)
			}
		}
	}
	after := make(map[string]Line)
	e.dump("", after)
	equal(e, "znodes", len(after), len(before))
	for path, line := range after {
		equal(e, path, line, before[path])
	}
}

func testKRaft(e *env) {
	c, _ := e.started()
	e.put("/controller", `{"version":2,"brokerid":3000,"timestamp":"1","kraftControllerEpoch":4}`, 0)
	want := zkmeta.KRaftControllerError{ControllerID: 3000, Epoch: 4}
	_, _, controller := c.Controller(e.ctx, nil)
	_, elect := c.Elect(e.ctx, 1)
	config := c.SetConfig(e.ctx, zkmeta.Entity{Type: "topics", Name: "t"}, nil)
	for _, err := range []error{controller, elect, config} {
		var refused *zkmeta.KRaftControllerError
		if !errors.As(err, &refused) || *refused != want {
			e.Fatalf("error %v, want %v", err, &want)
		}
	}
}

func testControllerWatch(e *env) {
	watcher, _ := e.started()
	created, deleted := e.signal(), e.signal()
	_, ok, err := watcher.Controller(e.ctx, created.notify)
	e.must(err)
	equal(e, "controller is there", ok, false)
	c, _ := e.client()
	_, err = c.Elect(e.ctx, 5)
	e.must(err)
	created.await("a controller was elected")
	id, ok, err := watcher.Controller(e.ctx, deleted.notify)
	e.must(err)
	equal(e, "controller is there", ok, true)
	equal(e, "controller", id, 5)
	c.Close()
	deleted.await("the controller has left")
}
