package consumer

import (
	"fmt"
	"testing"
	"time"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// joined makes a group of so many members over a topic of so many partitions, stable.
func joined(b testing.TB, members int, partitions int32) (*world, []*client) {
	w := newWorld(b)
	w.cheap = true
	w.setTopic("t", partitions)
	clients := make([]*client, members)
	beat := func(c *client) {
		r := c.request()
		w.turn(func(x *journal.Turn) { w.g.Heartbeat(x, w.image, r, c.hear) })
		c.settle()
	}
	for i := range clients {
		clients[i] = &client{id: fmt.Sprintf("member-%04d", i), topics: []string{"t"}, full: true}
		beat(clients[i])
	}
	for range 10 {
		if w.g.State() == "Stable" {
			return w, clients
		}
		for _, c := range clients {
			beat(c)
		}
	}
	b.Fatalf("the group is %s", w.g.State())
	return nil, nil
}

// BenchmarkJoin is 1,000 members that join one after the other and become stable, over 1,000 partitions.
func BenchmarkJoin(b *testing.B) {
	for b.Loop() {
		joined(b, 1000, 1000)
	}
}

// BenchmarkIdleHeartbeat is a heartbeat that changes nothing in a group of 1,000 members.
func BenchmarkIdleHeartbeat(b *testing.B) {
	w, clients := joined(b, 1000, 1000)
	r := HeartbeatRequest{
		Client: classic.Client{ID: "client", Host: "/10.0.0.1"}, MemberID: clients[500].id, MemberEpoch: clients[500].epoch,
		RebalanceTimeout: -1, Version: 1,
	}
	reply := func(HeartbeatResponse) {}
	x := &journal.Turn{Now: w.now}
	b.ReportAllocs()
	for b.Loop() {
		x.Now = x.Now.Add(time.Millisecond)
		w.g.Heartbeat(x, w.image, r, reply)
	}
	if len(x.Writes) > 0 {
		b.Fatal("a heartbeat without news was written")
	}
}

func TestAnIdleHeartbeatAllocatesNothing(t *testing.T) {
	w, clients := joined(t, 10, 100)
	r := clients[3].request()
	reply := func(resp HeartbeatResponse) {
		if resp.Err != nil || resp.Assignment != nil {
			t.Errorf("answer %+v", resp)
		}
	}
	x := &journal.Turn{Now: w.now}
	r.Owned = nil
	if n := testing.AllocsPerRun(100, func() { w.g.Heartbeat(x, w.image, r, reply) }); n > 0 || len(x.Writes) > 0 {
		t.Errorf("%v allocations, %d writes", n, len(x.Writes))
	}
}
