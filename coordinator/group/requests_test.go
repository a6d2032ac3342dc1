package group

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
)

// request is a request of a member m that nobody knows, and what it is told.
type request struct {
	name               string
	do                 func(group string) *kerr.Error
	elsewhere, unknown *kerr.Error
	empty              *kerr.Error // of the group "", which exists
}

func requestsOf(ctx context.Context, g *Groups) []request {
	return []request{
		{
			"join", func(id string) *kerr.Error { return g.Join(ctx, id, joinRequest("m")).Err },
			kerr.NotCoordinator, kerr.UnknownMemberID, kerr.InvalidGroupID,
		},
		{
			"sync", func(id string) *kerr.Error { return g.Sync(ctx, id, classic.SyncRequest{MemberID: "m"}).Err },
			kerr.NotCoordinator, kerr.UnknownMemberID, kerr.InvalidGroupID,
		},
		{
			"heartbeat", func(id string) *kerr.Error {
				return g.Heartbeat(ctx, id, classic.HeartbeatRequest{MemberID: "m"})
			},
			kerr.NotCoordinator, kerr.UnknownMemberID, kerr.InvalidGroupID,
		},
		{"leave", func(id string) *kerr.Error {
			left, err := g.Leave(ctx, id, classic.LeaveRequest{Members: []classic.Leaving{{MemberID: "m"}}})
			if err == nil {
				err = left[0].Err
			}
			return err
		}, kerr.NotCoordinator, kerr.UnknownMemberID, kerr.InvalidGroupID},
		{"heartbeat of the new protocol", func(id string) *kerr.Error {
			return g.ConsumerHeartbeat(ctx, id, consumer.HeartbeatRequest{MemberID: "m", MemberEpoch: 3}).Err
		}, kerr.NotCoordinator, kerr.GroupIDNotFound, kerr.InvalidRequest},
		{
			"commit of a member, v8", func(id string) *kerr.Error { return g.Commit(ctx, id, commitOf(1, "m", 1))[0].Err },
			kerr.NotCoordinator, kerr.IllegalGeneration, kerr.UnknownMemberID,
		},
		{"commit of a member, v9", func(id string) *kerr.Error {
			r := commitOf(1, "m", 1)
			r.Version = 9
			return g.Commit(ctx, id, r)[0].Err
		}, kerr.NotCoordinator, kerr.GroupIDNotFound, kerr.UnknownMemberID},
		{"fetch", func(id string) *kerr.Error {
			_, err := g.Fetch(ctx, id, FetchRequest{MemberEpoch: -1})
			return err
		}, kerr.NotCoordinator, nil, nil},
		{"delete offsets", func(id string) *kerr.Error {
			_, err := g.DeleteOffsets(ctx, id, []offsets.Partition{{Topic: "orders", Index: 9}})
			return err
		}, kerr.NotCoordinator, kerr.GroupIDNotFound, kerr.InvalidGroupID},
		{"describe", func(id string) *kerr.Error {
			_, err := g.Describe(ctx, id)
			return err
		}, kerr.NotCoordinator, nil, nil},
		{"describe of the new protocol", func(id string) *kerr.Error {
			_, err := g.DescribeConsumer(ctx, id)
			return err
		}, kerr.NotCoordinator, kerr.GroupIDNotFound, kerr.InvalidGroupID},
		{
			"delete", func(id string) *kerr.Error { return g.Delete(ctx, id) },
			kerr.NotCoordinator, kerr.GroupIDNotFound, nil,
		},
	}
}

// TestCodes holds what each request is told of groups that are not there, or may not be.
func TestCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		requests := requestsOf(t.Context(), g)
		check := func(group, where string, want func(i int) *kerr.Error) {
			for i, r := range requests {
				if got := r.do(group); got != want(i) {
					t.Errorf("%s of %s: %v, want %v", r.name, where, got, want(i))
				}
			}
		}
		check("g", "a group elsewhere", func(i int) *kerr.Error { return requests[i].elsewhere })
		lead(g, j, 1)
		synctest.Wait()
		check("g", "an unknown group", func(i int) *kerr.Error { return requests[i].unknown })
		if got := g.Commit(t.Context(), "", commitOf(-1, "", 1)); got[0].Err != nil {
			t.Fatalf("commit to the group without a name: %v", got[0].Err)
		}
		check("", "the group without a name", func(i int) *kerr.Error { return requests[i].empty })
		g.Close()
		if err := g.Delete(t.Context(), "g"); err != kerr.CoordinatorNotAvailable {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestNewProtocolOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		s.config.ConsumerProtocol = false
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		if r := g.ConsumerHeartbeat(t.Context(), "g", consumer.HeartbeatRequest{}); r.Err != kerr.UnsupportedVersion {
			t.Errorf("heartbeat: %v", r.Err)
		}
		if _, err := g.DescribeConsumer(t.Context(), "g"); err != kerr.UnsupportedVersion {
			t.Errorf("describe: %v", err)
		}
	})
}

func TestListFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		stable(t, g, "a")
		g.Commit(t.Context(), "b", commitOf(-1, "", 1))
		g.ConsumerHeartbeat(t.Context(), "c", consumer.HeartbeatRequest{
			MemberID: "m", RebalanceTimeout: time.Minute, Topics: []string{"orders"}, Owned: map[[16]byte][]int32{}, Version: 1,
		})
		for _, c := range []struct{ states, types, want string }{
			{"", "", "a b c"},
			{"stable", "", "a c"},
			{"Empty", "", "b"},
			{"", "CLASSIC", "a b"},
			{"", "consumer", "c"},
			{"stable", "classic", "a"},
			{"", "share", ""},
			{"assigning", "", ""},
		} {
			listed, err := g.List(t.Context(), strings.Fields(c.states), strings.Fields(c.types))
			var ids []string
			for _, l := range listed {
				ids = append(ids, l.ID)
			}
			if got := strings.Join(ids, " "); got != c.want || err != nil {
				t.Errorf("states %q types %q: %q, %v; want %q", c.states, c.types, got, err, c.want)
			}
		}
	})
}

func TestUnusedGroupsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan struct{})
		go func() {
			g.Run(ctx)
			close(ran)
		}()
		lead(g, j, 1)
		synctest.Wait()
		g.Commit(t.Context(), "g", commitOf(-1, "", 1))
		time.Sleep(7*24*time.Hour - time.Minute)
		if l, _ := g.List(t.Context(), nil, nil); len(l) != 1 {
			t.Errorf("before the retention's end: %v", l)
		}
		time.Sleep(30 * time.Minute)
		if l, _ := g.List(t.Context(), nil, nil); len(l) != 0 {
			t.Errorf("after the retention's end: %v", l)
		}
		cancel()
		<-ran
		if left := compact(j.snapshot(0), true); len(left) != 0 {
			t.Errorf("the log keeps %v", left)
		}
	})
}

func TestDeletedTopicsTakeTheirOffsets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		r := commitOf(-1, "", 1)
		r.Commits = append(r.Commits, offsets.Commit{Partition: offsets.Partition{Topic: "refunds"}})
		g.Commit(t.Context(), "g", r)
		g.TopicsChanged(map[string][]int32{"orders": {0, 1}})
		fetched, _ := g.Fetch(t.Context(), "g", FetchRequest{MemberEpoch: -1})
		if len(fetched) != 1 || fetched[0].Topic != "refunds" {
			t.Errorf("left %+v", fetched)
		}
	})
}

func TestLagIsOfPartitionsLedHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		registry := prometheus.NewPedanticRegistry()
		g := newGroups(t, j, s, func(o *Options) {
			o.Registerer = registry
			o.EndOffset = func(topic string, _ int32) (int64, bool) { return 100, topic == "orders" }
		})
		lead(g, j, 1)
		synctest.Wait()
		stable(t, g, "members")
		r := commitOf(-1, "", 58)
		r.Commits = append(r.Commits, offsets.Commit{Partition: offsets.Partition{Topic: "elsewhere"}})
		g.Commit(t.Context(), "g", r)
		g.Commit(t.Context(), "\xff", commitOf(-1, "", 1)) // no label can hold it
		const want = `
# HELP kbroker_group_groups Groups that this broker coordinates, by type and state.
# TYPE kbroker_group_groups gauge
kbroker_group_groups{state="Empty",type="classic"} 2
kbroker_group_groups{state="Stable",type="classic"} 1
# HELP kbroker_group_members Members of the groups that this broker coordinates, by type of the group.
# TYPE kbroker_group_members gauge
kbroker_group_members{type="classic"} 1
kbroker_group_members{type="consumer"} 0
# HELP kbroker_group_offset_commits_total Offsets of partitions that were committed, also in transactions that are still open.
# TYPE kbroker_group_offset_commits_total counter
kbroker_group_offset_commits_total 3
# HELP kbroker_group_rebalances_total Rebalances that began, by what caused them.
# TYPE kbroker_group_rebalances_total counter
kbroker_group_rebalances_total{kind="member-joined"} 1
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want),
			"kbroker_group_groups", "kbroker_group_members", "kbroker_group_offset_commits_total", "kbroker_group_rebalances_total"); err != nil {
			t.Error(err)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var lags []string
		for _, f := range families {
			if f.GetName() == "kbroker_consumer_group_lag" {
				for _, m := range f.GetMetric() {
					lags = append(lags, m.String())
				}
			}
		}
		if len(lags) != 1 || !slices.ContainsFunc(lags, func(l string) bool { return strings.Contains(l, "42") }) {
			t.Errorf("lags %q, want one of 42", lags)
		}
	})
}
