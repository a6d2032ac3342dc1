package zkmetatest

import "github.com/kbroker/kbroker/zkmeta"

// testConsumerOffsets is about what OffsetCommit v0 keeps.
func testConsumerOffsets(e *env) {
	c, _ := e.started()
	_, err := c.ConsumerOffset(e.ctx, "g", "t", 3)
	e.mustBe(err, zkmeta.ErrNoNode)
	for _, want := range []int64{7, 9_000_000_000} {
		e.must(c.SetConsumerOffset(e.ctx, "g", "t", 3, want))
		got, err := c.ConsumerOffset(e.ctx, "g", "t", 3)
		e.must(err)
		equal(e, "offset", got, want)
	}
	data, _, err := e.raw().Get(e.chroot + "/consumers/g/offsets/t/3")
	e.must(err)
	equal(e, "znode", string(data), "9000000000")
	e.must(c.SetConsumerOffset(e.ctx, "a/b", "t", 0, 1)) // Kafka makes two levels of it

	for _, name := range []string{"", ".", "..", "a/../b", "/a", "a/", "a\x00b", "\x7f"} {
		e.mustBe(c.SetConsumerOffset(e.ctx, name, "t", 0, 1), zkmeta.ErrInvalidName)
		_, err := c.ConsumerOffset(e.ctx, name, "t", 0)
		e.mustBe(err, zkmeta.ErrInvalidName)
	}
	e.put("/consumers/g/offsets/t/4", "many", 0)
	if _, err := c.ConsumerOffset(e.ctx, "g", "t", 4); err == nil {
		e.Error("an offset that is no number was read")
	}
}

func testGroupConfigs(e *env) {
	c, _ := e.started()
	group := zkmeta.Entity{Type: "groups", Name: zkmeta.Sanitize("my/group")}
	changed := make(chan zkmeta.Entity, 4)
	e.must(c.WatchConfigs(e.ctx, func(entity zkmeta.Entity) { changed <- entity }))
	for _, settings := range []map[string]string{{"consumer.session.timeout.ms": "50000"}, {}} {
		e.must(c.SetConfig(e.ctx, group, settings))
		equal(e, "changed", <-changed, group)
		all, err := c.Configs(e.ctx, "groups")
		e.must(err)
		equal(e, "groups with settings", len(all), len(settings))
		equal(e, "setting", all[group.Name]["consumer.session.timeout.ms"], settings["consumer.session.timeout.ms"])
	}
}
