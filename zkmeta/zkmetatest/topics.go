package zkmetatest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kbroker/kbroker/zkmeta"
)

func testTopics(e *env) {
	c, _, lease := e.controller()
	a := topic("t", 3)
	a.Adding = map[int32][]int32{1: {4}}
	a.Removing = map[int32][]int32{1: {2}}
	e.put("/config/topics/t", `{"version":1,"config":{"left":"over"}}`, 0)
	e.must(c.CreateTopic(e.ctx, &lease, a, map[string]string{"retention.ms": "1"}))
	e.mustBe(c.CreateTopic(e.ctx, &lease, topic("t", 3), map[string]string{"not": "written"}), zkmeta.ErrNodeExists)
	config, err := c.Config(e.ctx, zkmeta.Entity{Type: "topics", Name: "t"})
	e.must(err)
	equal(e, "config", fmt.Sprint(config), "map[retention.ms:1]")

	found, err := c.Assignments(e.ctx, []string{"t", "absent"}, nil)
	e.must(err)
	equal(e, "assignments", len(found), 1)
	equal(e, "assignment", fmt.Sprintf("%+v", found["t"]), fmt.Sprintf("%+v", a))
	a.Adding, a.Removing = nil, nil
	e.must(c.SetAssignment(e.ctx, lease, a))
	found, err = c.Assignments(e.ctx, []string{"t"}, nil)
	e.must(err)
	equal(e, "version", found["t"].Version, 1)
	equal(e, "adding", len(found["t"].Adding), 0)

	_, err = c.CreatePartitionStates(e.ctx, lease, firstStates(a, lease))
	e.must(err)
	e.must(c.MarkForDeletion(e.ctx, "t"))
	e.mustBe(c.MarkForDeletion(e.ctx, "t"), zkmeta.ErrNodeExists)
	markers, err := c.DeletionMarkers(e.ctx, nil)
	e.must(err)
	equalList(e, "markers", markers, []string{"t"})
	e.put("/brokers/topics/t/partitions/1/state/odd", "", 0) // not ours, and in the way
	e.must(c.RemoveTopic(e.ctx, lease, "t"))
	e.must(c.RemoveTopic(e.ctx, lease, "t"))
	tree := make(map[string]Line)
	e.dump("", tree)
	for path := range tree {
		if strings.HasSuffix(path, "/t") || strings.Contains(path, "/t/") {
			e.Errorf("%s is left", path)
		}
	}
	e.must(c.MarkForDeletion(e.ctx, "u"))
	e.must(c.RemoveDeletionMarkers(e.ctx, lease, []string{"u", "v"}))
	e.mustBe(c.SetAssignment(e.ctx, lease, a), zkmeta.ErrNoNode)
}

func testManyPartitions(e *env) {
	const count = 10000
	c, p, lease := e.controller()
	a := topic("big", count/2)
	e.must(c.CreateTopic(e.ctx, &lease, a, nil))
	states := firstStates(a, lease)
	// Half of the partitions are of one topic, the others of a hundred.
	for i := range 100 {
		small := topic(fmt.Sprint("small", i), count/2/100)
		e.must(c.CreateTopic(e.ctx, &lease, small, nil))
		for tp, state := range firstStates(small, lease) {
			states[tp] = state
		}
	}
	start := time.Now()
	p.CutNext(opMulti, InsteadOfAnswer) // somewhere at the beginning
	outcomes, err := c.CreatePartitionStates(e.ctx, lease, states)
	e.must(err)
	e.Logf("created %d states in %v", count, time.Since(start))
	equal(e, "cuts", p.Cuts(), 1)

	var tps []zkmeta.TopicPartition
	for tp, o := range outcomes {
		e.must(o.Err)
		o.State.Leader, o.State.LeaderEpoch = 2, 1
		states[tp] = o.State
		tps = append(tps, tp)
	}
	equal(e, "outcomes", len(outcomes), count)
	start = time.Now()
	p.CutNext(opMulti, InsteadOfAnswer)
	outcomes, err = c.UpdatePartitionStates(e.ctx, lease, states)
	e.must(err)
	e.Logf("updated %d states in %v", count, time.Since(start))

	start = time.Now()
	p.CutNext(opMultiRead, InsteadOfAnswer)
	read, err := c.PartitionStates(e.ctx, tps, nil)
	e.must(err)
	equal(e, "cuts", p.Cuts(), 3)
	e.Logf("read %d states in %v", count, time.Since(start))
	equal(e, "states", len(read), count)
	for tp, o := range outcomes {
		e.must(o.Err)
		equal(e, "partition epoch", o.State.PartitionEpoch, 1)
		found := read[tp]
		equal(e, "known when it was written", found.ModifiedAt > 0, true)
		found.ModifiedAt = 0 // writes do not tell
		equal(e, "state", fmt.Sprint(found), fmt.Sprint(o.State))
	}
	start = time.Now()
	e.must(c.RemoveTopic(e.ctx, lease, "big"))
	e.Logf("removed %d partitions in %v", count/2, time.Since(start))
}

// testMixedBatch: what is wrong with one partition must not touch another, though they share transactions.
func testMixedBatch(e *env) {
	c, _, lease := e.controller()
	a := e.withTopic(c, lease, "t", 30)
	states := firstStates(a, lease)
	at := func(topic string, p int32) zkmeta.TopicPartition {
		return zkmeta.TopicPartition{Topic: topic, Partition: p}
	}
	for p := range int32(10) { // new ones, some with a parent left over
		states[at("t", 30+p)] = zkmeta.PartitionState{Leader: 1, ISR: []int32{1}, ControllerEpoch: lease.Epoch, Recovering: p == 3}
	}
	e.put("/brokers/topics/t/partitions/35", "", 0)
	states[at("absent", 0)] = zkmeta.PartitionState{Leader: 1}
	outcomes, err := c.CreatePartitionStates(e.ctx, lease, states)
	e.must(err)
	equal(e, "outcomes", len(outcomes), 41)
	for tp, o := range outcomes {
		switch {
		case tp.Topic == "absent":
			e.mustBe(o.Err, zkmeta.ErrNoNode)
		case tp.Partition < 30:
			e.mustBe(o.Err, zkmeta.ErrNodeExists)
		default:
			e.must(o.Err)
		}
	}

	update := make(map[zkmeta.TopicPartition]zkmeta.PartitionState)
	for p := range int32(40) {
		update[at("t", p)] = zkmeta.PartitionState{Leader: -1, LeaderEpoch: 1, ISR: []int32{1}, PartitionEpoch: p % 2 * 5}
	}
	update[at("t", 2)] = zkmeta.PartitionState{PartitionEpoch: -1}
	update[at("absent", 0)] = zkmeta.PartitionState{}
	outcomes, err = c.UpdatePartitionStates(e.ctx, lease, update)
	e.must(err)
	for tp, o := range outcomes {
		switch {
		case tp.Topic == "absent":
			e.mustBe(o.Err, zkmeta.ErrNoNode)
		case tp.Partition%2 == 1 || tp.Partition == 2:
			e.mustBe(o.Err, zkmeta.ErrBadVersion)
		default:
			e.must(o.Err)
			equal(e, "partition epoch", o.State.PartitionEpoch, 1)
		}
	}
	read, err := c.PartitionStates(e.ctx, []zkmeta.TopicPartition{at("t", 33), at("t", 34), at("absent", 0)}, nil)
	e.must(err)
	equal(e, "states", len(read), 2)
	equal(e, "recovering", read[at("t", 33)].Recovering, true)
	if !slices.Equal(read[at("t", 34)].ISR, []int32{1}) || read[at("t", 34)].Leader != -1 {
		e.Fatalf("state %+v", read[at("t", 34)])
	}
}

func testTooLarge(e *env) {
	c, _, lease := e.controller()
	// A stock server closes the connection on a packet of this size; the embedded one takes it.
	err := c.CreateTopic(e.ctx, &lease, topic("large", 1), map[string]string{"x": strings.Repeat("x", 3<<19)})
	if err != nil && !strings.Contains(err.Error(), "jute.maxbuffer") {
		e.Fatal(err)
	}
	err = c.CreateTopic(e.ctx, &lease, topic("larger", 1), map[string]string{"x": strings.Repeat("x", 5<<20)})
	if err == nil || e.ctx.Err() != nil {
		e.Fatalf("a config of 5 MiB: %v", err)
	}
	_, err = c.Topics(e.ctx, nil)
	e.must(err)
}
