package group

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
)

// benchGroups makes a coordinator whose journal forgets what it is given.
func benchGroups(b *testing.B) *Groups {
	j, s := newMemoryJournal(), newSettings()
	s.config.Classic.InitialRebalanceDelay = 2 * time.Second // in which the members of a group meet, also on a busy machine
	g := newGroups(b, j, s, func(o *Options) { o.Journal = forgetful{j} })
	lead(g, j, 1)
	for g.Heartbeat(b.Context(), "g", classic.HeartbeatRequest{}) == nil {
		runtime.Gosched()
	}
	return g
}

// BenchmarkHeartbeats is a heartbeat of one of a thousand groups of three members. They send one every three seconds, a thousand
// in a second: at 30 µs each that would be 3 % of a core.
func BenchmarkHeartbeats(b *testing.B) {
	g := benchGroups(b)
	var beats [1000][]classic.HeartbeatRequest
	var running sync.WaitGroup
	for i := range beats {
		running.Go(func() { beats[i] = members(b, g, fmt.Sprintf("group-%d", i), 3) })
	}
	running.Wait()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := g.Heartbeat(b.Context(), fmt.Sprintf("group-%d", i%1000), beats[i%1000][i%3]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// members makes a stable group and returns its members' heartbeats.
func members(b *testing.B, g *Groups, group string, n int) []classic.HeartbeatRequest {
	beats := make([]classic.HeartbeatRequest, n)
	var running sync.WaitGroup
	for i := range beats {
		running.Go(func() {
			r := joinRequest("")
			r.SessionTimeout, r.RebalanceTimeout = 20*time.Minute, 20*time.Minute
			joined := g.Join(b.Context(), group, r)
			synced := g.Sync(b.Context(), group, classic.SyncRequest{MemberID: joined.MemberID, Generation: joined.Generation})
			if joined.Err != nil || synced.Err != nil {
				b.Error(joined.Err, synced.Err)
			}
			beats[i] = classic.HeartbeatRequest{MemberID: joined.MemberID, Generation: joined.Generation}
		})
	}
	running.Wait()
	return beats
}

// BenchmarkCommits is a commit of one offset by one of a hundred groups, from many clients at once.
func BenchmarkCommits(b *testing.B) {
	g := benchGroups(b)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		i := 0
		for p.Next() {
			if got := g.Commit(b.Context(), fmt.Sprintf("group-%d", i%100), commitOf(-1, "", int64(i))); got[0].Err != nil {
				b.Error(got[0].Err)
			}
			i++
		}
	})
}

// BenchmarkConsumerHeartbeats is a heartbeat of the new protocol that changes nothing.
func BenchmarkConsumerHeartbeats(b *testing.B) {
	g := benchGroups(b)
	r := consumer.HeartbeatRequest{MemberID: "m", RebalanceTimeout: time.Minute, Topics: []string{"orders"}, Owned: map[[16]byte][]int32{}, Version: 1}
	resp := g.ConsumerHeartbeat(b.Context(), "g", r)
	for range 3 {
		if resp.Err != nil {
			b.Fatal(resp.Err, resp.Message)
		}
		r = consumer.HeartbeatRequest{MemberID: "m", MemberEpoch: resp.MemberEpoch, RebalanceTimeout: -1, Version: 1}
		resp = g.ConsumerHeartbeat(b.Context(), "g", r)
	}
	b.ReportAllocs()
	for b.Loop() {
		if resp := g.ConsumerHeartbeat(b.Context(), "g", r); resp.Err != nil {
			b.Fatal(resp.Err)
		}
	}
}
