package classic

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// crowd is a stable group of n members.
func crowd(n int) (*Group, []string) {
	last := 0
	g := New("crowd", &Config{
		MinSessionTimeout: time.Second, MaxSessionTimeout: time.Minute, InitialRebalanceDelay: 3 * time.Second, MaxSize: 1 << 30,
		NewID: func() string { last++; return strconv.Itoa(last) },
	})
	start := time.UnixMilli(1_000_000)
	var ids []string
	x := journal.Turn{Now: start}
	for range n {
		g.Join(&x, JoinRequest{
			Client: Client{ID: "c"}, SessionTimeout: 45 * time.Second, RebalanceTimeout: time.Minute, ProtocolType: "consumer",
			Protocols: []Protocol{{Name: "range", Metadata: make([]byte, 100)}},
		}, func(r JoinResponse) { ids = append(ids, r.MemberID) })
	}
	for len(ids) < n {
		x = journal.Turn{Now: x.Now.Add(3 * time.Second)}
		g.Tick(&x)
	}
	for _, id := range ids {
		g.Sync(&x, SyncRequest{MemberID: id, Generation: 1}, func(SyncResponse) {})
	}
	for _, w := range x.Writes {
		w.Done(&x, nil)
	}
	return g, ids
}

func TestHeartbeatAllocatesNothing(t *testing.T) {
	g, ids := crowd(1000)
	x := journal.Turn{Now: time.UnixMilli(1_100_000)}
	var err *kerr.Error
	allocated := testing.AllocsPerRun(100, func() {
		for _, id := range ids {
			if e := g.Heartbeat(&x, HeartbeatRequest{MemberID: id, Generation: 1}); e != nil {
				err = e
			}
		}
	})
	if allocated != 0 || err != nil || g.State() != Stable {
		t.Errorf("%v allocations, error %v, state %s", allocated, err, g.State())
	}
}

func BenchmarkHeartbeat(b *testing.B) {
	g, ids := crowd(1000)
	x := journal.Turn{Now: time.UnixMilli(1_100_000)}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		g.Heartbeat(&x, HeartbeatRequest{MemberID: ids[i%len(ids)], Generation: 1})
		i++
	}
}

// BenchmarkRebalance is a whole first rebalance; the time per member must not grow with the members.
func BenchmarkRebalance(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				crowd(n)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/member")
		})
	}
}
