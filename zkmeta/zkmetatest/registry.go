package zkmetatest

import (
	"slices"
	"sync"

	"github.com/go-zookeeper/zk"

	"github.com/kbroker/kbroker/zkmeta"
)

func testRoots(e *env) {
	var together sync.WaitGroup
	for range 4 {
		c, _ := e.client()
		together.Go(func() {
			if err := c.EnsureRoots(e.ctx); err != nil {
				e.Error(err)
			}
		})
	}
	together.Wait()
	c, _ := e.client()
	topics, err := c.Topics(e.ctx, nil)
	e.must(err)
	equal(e, "topics", len(topics), 0)
}

func testClusterID(e *env) {
	ids := make([]string, 4)
	var together sync.WaitGroup
	for i := range ids {
		c, p := e.client()
		p.CutNext(opMulti, InsteadOfAnswer)
		together.Go(func() {
			var err error
			if ids[i], err = c.ClusterID(e.ctx); err != nil {
				e.Error(err)
			}
		})
	}
	together.Wait()
	equal(e, "length of an id", len(ids[0]), 22)
	equal(e, "ids", len(slices.Compact(ids)), 1)
}

func testBrokerIDs(e *env) {
	c, p := e.started()
	for want := range int32(3) {
		id, err := c.GenerateBrokerID(e.ctx, 1000)
		e.must(err)
		equal(e, "id", id, 1001+want)
	}
	p.CutNext(opMulti, InsteadOfAnswer)
	id, err := c.GenerateBrokerID(e.ctx, 1000)
	e.must(err)
	equal(e, "id after a lost answer", id, 1005) // 1004 is skipped
}

func broker(id int32) zkmeta.Broker {
	return zkmeta.Broker{ID: id, Endpoints: []zkmeta.Endpoint{
		{Listener: "INTERNAL", Protocol: "SASL_PLAINTEXT", Host: "10.0.0.1", Port: 9093},
		{Listener: "CLIENTS", Protocol: "PLAINTEXT", Host: "::1", Port: 9092},
	}}
}

func testBrokerIDTaken(e *env) {
	first, _ := e.started()
	second, _ := e.client()
	epoch, err := first.RegisterBroker(e.ctx, broker(7))
	e.must(err)
	again, err := first.RegisterBroker(e.ctx, broker(7))
	e.must(err)
	equal(e, "epoch of a second registration by the same session", again, epoch)

	_, err = second.RegisterBroker(e.ctx, broker(7))
	e.mustBe(err, zkmeta.ErrBrokerIDTaken)
	e.mustBe(second.UpdateBroker(e.ctx, broker(7)), zkmeta.ErrBrokerIDTaken)
	e.mustBe(second.UpdateBroker(e.ctx, broker(8)), zkmeta.ErrNoNode)

	gone := e.signal()
	seen, err := second.Broker(e.ctx, 7, gone.notify)
	e.must(err)
	equal(e, "epoch", seen.Epoch, epoch)
	equalList(e, "endpoints", seen.Endpoints, broker(7).Endpoints)

	changed := broker(7)
	changed.Endpoints[0].Port = 19093
	e.must(first.UpdateBroker(e.ctx, changed))
	gone.await("new endpoints")
	seen, err = second.Broker(e.ctx, 7, gone.notify)
	e.must(err)
	equal(e, "epoch after an update", seen.Epoch, epoch)
	equalList(e, "endpoints after an update", seen.Endpoints, changed.Endpoints)

	first.Close()
	gone.await("the broker has left")
	_, err = second.Broker(e.ctx, 7, nil)
	e.mustBe(err, zkmeta.ErrNoNode)
	next, err := second.RegisterBroker(e.ctx, broker(7))
	e.must(err)
	if next <= epoch {
		e.Fatalf("epoch %d after %d", next, epoch)
	}

	// A registration that makes no sense must not hide the others.
	e.put("/brokers/ids/8", "{}", zk.FlagEphemeral)
	brokers, err := second.Brokers(e.ctx, nil)
	e.must(err)
	equal(e, "brokers", len(brokers), 1)
	equal(e, "broker", brokers[0].ID, 7)
}
