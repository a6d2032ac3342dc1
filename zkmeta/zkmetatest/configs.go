package zkmetatest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kbroker/kbroker/zkmeta"
)

func testConfigs(e *env) {
	c, p := e.started()
	user := zkmeta.Entity{Type: "users", Name: zkmeta.Sanitize("al ice*")}
	nested := zkmeta.Entity{Type: "users", Name: user.Name + "/clients/" + zkmeta.DefaultEntity}
	config, err := c.Config(e.ctx, user)
	e.must(err)
	if config != nil {
		e.Fatalf("config %v of a znode that is not there", config)
	}
	e.must(c.SetConfig(e.ctx, nested, map[string]string{"producer_byte_rate": "1"}))
	e.must(c.SetConfig(e.ctx, user, map[string]string{"<b> & \"q\"": "grün\\"}))
	p.CutNext(opMulti, InsteadOfAnswer)
	e.must(c.SetConfig(e.ctx, zkmeta.Entity{Type: "brokers", Name: "1"}, nil))
	equal(e, "cuts", p.Cuts(), 1)
	e.put("/config/users/nodata", "", 0)

	users, err := c.Configs(e.ctx, "users")
	e.must(err)
	equal(e, "users", fmt.Sprint(slices.Sorted(maps.Keys(users))), fmt.Sprint([]string{user.Name, nested.Name, "nodata"}))
	equal(e, "config", users[user.Name]["<b> & \"q\""], "grün\\")
	equal(e, "nested config", users[nested.Name]["producer_byte_rate"], "1")
	config, err = c.Config(e.ctx, zkmeta.Entity{Type: "brokers", Name: "1"})
	e.must(err)
	if config == nil || len(config) > 0 {
		e.Fatalf("empty config is read as %v", config)
	}
	none, err := c.Configs(e.ctx, "ips")
	e.must(err)
	equal(e, "ips", len(none), 0)
}

func testQuotaCleanup(e *env) {
	c, _ := e.started()
	rate := map[string]string{"producer_byte_rate": "1"}
	user := zkmeta.Entity{Type: "users", Name: "u"}
	one := zkmeta.Entity{Type: "users", Name: "u/clients/one"}
	two := zkmeta.Entity{Type: "users", Name: "u/clients/two"}
	client := zkmeta.Entity{Type: "clients", Name: "c"}
	for _, entity := range []zkmeta.Entity{user, one, two, client} {
		e.must(c.SetConfig(e.ctx, entity, rate))
	}
	paths := func() string {
		tree := make(map[string]Line)
		e.dump("/config", tree)
		var found []string
		for path := range tree {
			if strings.Count(path, "/") > 2 && !strings.Contains(path, "/changes/") {
				found = append(found, strings.TrimPrefix(path, "/config/"))
			}
		}
		slices.Sort(found)
		return fmt.Sprint(found)
	}
	for _, step := range []struct {
		entity zkmeta.Entity
		left   string
	}{
		{client, "[users/u users/u/clients users/u/clients/one users/u/clients/two]"},
		{user, "[users/u users/u/clients users/u/clients/one users/u/clients/two]"},
		{two, "[users/u users/u/clients users/u/clients/one]"},
		{one, "[]"},
		{one, "[]"},
	} {
		e.must(c.SetConfig(e.ctx, step.entity, nil))
		equal(e, "after the end of "+step.entity.Name, paths(), step.left)
	}
}

func testConfigChanges(e *env) {
	watcher, p := e.started()
	writer, _ := e.client()
	entity := func(n int) zkmeta.Entity { return zkmeta.Entity{Type: "topics", Name: fmt.Sprint("t", n)} }
	e.must(writer.SetConfig(e.ctx, entity(0), nil)) // before: not told

	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	changes := make(chan zkmeta.Entity, 1024)
	e.must(watcher.WatchConfigs(ctx, func(e zkmeta.Entity) { changes <- e }))
	next := 1
	change := func(count int) {
		for range count {
			e.must(writer.SetConfig(e.ctx, entity(next), nil))
			next++
		}
	}
	told := 1
	await := func() {
		e.Helper()
		for told < next {
			select {
			case got := <-changes:
				equal(e, "changed", got, entity(told))
				told++
			case <-time.After(patience):
				e.Fatalf("not told of change %d", told)
			}
		}
	}
	change(1)
	await()
	change(20)
	await()
	p.Drop()
	change(5)
	await()
	p.Expire()
	change(5)
	await()
	resume := p.Hold()
	p.Expire()
	change(5)
	resume()
	await()

	// Notifications that nobody should write do not stop those that follow.
	e.put("/config/changes/config_change_", "{", 2)
	e.put("/config/changes/config_change_", `{"version":1,"entity_type":"clients","entity_name":"old"}`, 2)
	e.put("/config/changes/odd", "", 0)
	select {
	case got := <-changes:
		equal(e, "changed", got, zkmeta.Entity{Type: "clients", Name: "old"})
	case <-time.After(patience):
		e.Fatal("not told of a change of version 1")
	}
	cancel()
}
