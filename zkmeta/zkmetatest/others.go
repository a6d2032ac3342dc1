package zkmetatest

import (
	"fmt"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/kbroker/kbroker/zkmeta"
)

func testFeature(e *env) {
	c, _, lease := e.controller()
	changed := e.signal()
	f, err := c.Feature(e.ctx, changed.notify)
	e.must(err)
	equal(e, "feature exists", f.Exists, false)
	e.must(c.EnsureFeature(e.ctx, lease))
	changed.await("/feature was created")
	e.must(c.EnsureFeature(e.ctx, lease))
	f, err = c.Feature(e.ctx, nil)
	e.must(err)
	equal(e, "feature", fmt.Sprint(f), "{0 true map[]}")

	set := func(data string) {
		_, err := e.raw().Set(e.chroot+"/feature", []byte(data), -1)
		e.must(err)
	}
	set(`{"version":1,"status":1,"features":{"f":{"min_version_level":1,"max_version_level":3}}}`)
	e.must(c.EnsureFeature(e.ctx, lease)) // as version 2, with what it held
	f, err = c.Feature(e.ctx, nil)
	e.must(err)
	equal(e, "feature", fmt.Sprint(f), "{2 true map[f:3]}")
	set(`{"version":2,"status":0,"features":{"f":{"max_version_level":3}}}`)
	f, err = c.Feature(e.ctx, nil)
	e.must(err)
	equal(e, "disabled feature", fmt.Sprint(f), "{3 true map[]}")
	e.must(c.EnsureFeature(e.ctx, lease))
	f, err = c.Feature(e.ctx, nil)
	e.must(err)
	equal(e, "feature", fmt.Sprint(f), "{4 true map[]}")
	set(`{"version":3,"status":1,"features":{}}`)
	if _, err := c.Feature(e.ctx, nil); err == nil {
		e.Fatal("version 3 is accepted")
	}
}

func testProducerIDs(e *env) {
	c, p, lease := e.controller()
	for i, cut := range []Cut{-1, -1, BeforeRequest, InsteadOfAnswer, -1} {
		if cut >= 0 {
			p.CutNext(opMulti, cut)
		}
		block, err := c.AllocateProducerIDs(e.ctx, lease, 4)
		e.must(err)
		first := int64(i) * 1000
		equal(e, "block", block, zkmeta.ProducerIDBlock{BrokerID: 4, First: first, Last: first + 999})
	}
	equal(e, "cuts", p.Cuts(), 2)
	_, err := e.raw().Set(e.chroot+"/latest_producer_id_block",
		[]byte(`{"version":1,"broker":1,"block_start":"9223372036854774808","block_end":"9223372036854775807"}`), -1)
	e.must(err)
	if _, err := c.AllocateProducerIDs(e.ctx, lease, 4); err == nil {
		e.Fatal("ids beyond the last one")
	}
}

func testNotifications(e *env) {
	c, p, lease := e.controller()
	isr, dirs := e.signal(), e.signal()
	_, _, err := c.ISRChanges(e.ctx, isr.notify)
	e.must(err)
	_, _, err = c.LogDirEvents(e.ctx, dirs.notify)
	e.must(err)
	e.put("/isr_change_notification/isr_change_", `{"version":1,"partitions":[{"topic":"t","partition":0},{"topic":"t","partition":1}]}`, zk.FlagSequence)
	e.put("/isr_change_notification/isr_change_", `{"version":1,"partitions":[{"topic":"t","partition":1}]}`, zk.FlagSequence)
	e.put("/isr_change_notification/isr_change_", `nonsense`, zk.FlagSequence)
	isr.await("the ISR has changed")
	names, tps, err := c.ISRChanges(e.ctx, nil)
	e.must(err)
	equalList(e, "names", names, []string{"isr_change_0000000000", "isr_change_0000000001", "isr_change_0000000002"})
	equalList(e, "partitions", tps, []zkmeta.TopicPartition{{Topic: "t"}, {Topic: "t", Partition: 1}})
	e.must(c.RemoveISRChanges(e.ctx, lease, append(names, "isr_change_0000000009")))
	names, _, err = c.ISRChanges(e.ctx, nil)
	e.must(err)
	equal(e, "changes left", len(names), 0)

	e.must(c.ReportLogDirFailure(e.ctx, 3))
	p.CutNext(opMulti, InsteadOfAnswer)
	e.must(c.ReportLogDirFailure(e.ctx, 2)) // twice, which does not show
	dirs.await("a log directory failed")
	names, brokers, err := c.LogDirEvents(e.ctx, nil)
	e.must(err)
	equalList(e, "brokers", brokers, []int32{3, 2})
	e.must(c.RemoveLogDirEvents(e.ctx, lease, names))
	names, _, err = c.LogDirEvents(e.ctx, nil)
	e.must(err)
	equal(e, "events left", len(names), 0)
}

func testLegacyAdmin(e *env) {
	c, _, lease := e.controller()
	asked := e.signal()
	_, absent, err := c.LegacyReassignment(e.ctx, asked.notify)
	e.must(err)
	equal(e, "created when it is not there", absent, 0)
	e.put("/admin/reassign_partitions", `{"version":1,"partitions":[{"topic":"t","partition":1,"replicas":[3,4]},{"topic":"t","partition":0,"replicas":[3]}]}`, 0)
	asked.await("a reassignment")
	moves, created, err := c.LegacyReassignment(e.ctx, nil)
	e.must(err)
	equal(e, "reassignment", fmt.Sprint(created > 0, moves), "true map[{t 0}:[3] {t 1}:[3 4]]")
	delete(moves, zkmeta.TopicPartition{Topic: "t"})
	e.must(c.SetLegacyReassignment(e.ctx, lease, moves))
	left, same, err := c.LegacyReassignment(e.ctx, nil)
	e.must(err)
	equal(e, "created, after a change", same, created)
	if len(left) != 1 || !slices.Equal(left[zkmeta.TopicPartition{Topic: "t", Partition: 1}], []int32{3, 4}) {
		e.Fatalf("left: %v", left)
	}
	e.must(c.SetLegacyReassignment(e.ctx, lease, nil))
	e.must(c.SetLegacyReassignment(e.ctx, lease, nil))
	e.must(c.SetLegacyReassignment(e.ctx, lease, moves))
	_, another, err := c.LegacyReassignment(e.ctx, nil)
	e.must(err)
	equal(e, "created anew", another > created, true)
	e.must(c.SetLegacyReassignment(e.ctx, lease, nil))
	e.put("/admin/reassign_partitions", `{"partitions":7`, 0)
	moves, created, err = c.LegacyReassignment(e.ctx, nil)
	e.must(err)
	equal(e, "reassignment that is not understood", fmt.Sprint(created > 0, len(moves)), "true 0")

	_, ok, err := c.PreferredElection(e.ctx, asked.notify)
	e.must(err)
	equal(e, "election is there", ok, false)
	e.put("/admin/preferred_replica_election", `{"version":1,"partitions":[{"topic":"t","partition":1}]}`, 0)
	asked.await("an election")
	tps, ok, err := c.PreferredElection(e.ctx, nil)
	e.must(err)
	equal(e, "election", fmt.Sprint(ok, tps), "true [{t 1}]")
	e.must(c.RemovePreferredElection(e.ctx, lease))
	e.must(c.RemovePreferredElection(e.ctx, lease))
	e.put("/admin/preferred_replica_election", `[]`, 0)
	tps, ok, err = c.PreferredElection(e.ctx, nil)
	e.must(err)
	equal(e, "election that is not understood", fmt.Sprint(ok, len(tps)), "true 0")
}
