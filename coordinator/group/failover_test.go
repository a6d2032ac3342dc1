package group

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/coordinator/journal"
)

func joinRequest(id string) classic.JoinRequest {
	return classic.JoinRequest{
		Client: classic.Client{ID: "c", Host: "/10.0.0.7"}, MemberID: id, SessionTimeout: 10 * time.Second,
		RebalanceTimeout: 20 * time.Second, ProtocolType: "consumer",
		Protocols: []classic.Protocol{{Name: "range", Metadata: []byte("metadata")}},
	}
}

// stable makes a group of one member.
func stable(t *testing.T, g *Groups, group string) classic.JoinResponse {
	t.Helper()
	joined := g.Join(t.Context(), group, joinRequest(""))
	if joined.Err != nil {
		t.Fatalf("join: %v", joined.Err)
	}
	synced := g.Sync(t.Context(), group, classic.SyncRequest{
		MemberID: joined.MemberID, Generation: joined.Generation, Assignments: map[string][]byte{joined.MemberID: []byte("all")},
	})
	if synced.Err != nil || string(synced.Assignment) != "all" {
		t.Fatalf("sync: %+v", synced)
	}
	return joined
}

func commitOf(generation int32, member string, offset int64) CommitRequest {
	return CommitRequest{
		Committer: classic.Committer{MemberID: member, Generation: generation}, Version: 8,
		Commits: []offsets.Commit{{
			Partition: offsets.Partition{Topic: "orders"}, Offset: offsets.Offset{Offset: offset, LeaderEpoch: -1, CommitTime: -1, ExpireTime: -1},
		}},
	}
}

func TestMembersSurviveTheMoveOfTheirGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		m := stable(t, g, "g")
		if got := g.Commit(t.Context(), "g", commitOf(m.Generation, m.MemberID, 7)); got[0].Err != nil {
			t.Fatalf("commit: %v", got[0].Err)
		}

		// The next coordinator, while it loads.
		next := newGroups(t, j, s)
		j.gate = make(chan struct{})
		lead(next, j, 2)
		synctest.Wait()
		beat := classic.HeartbeatRequest{MemberID: m.MemberID, Generation: m.Generation}
		if err := next.Heartbeat(t.Context(), "g", beat); err != nil {
			t.Errorf("heartbeat during the load: %v, want none", err)
		}
		if r := next.Sync(t.Context(), "g", classic.SyncRequest{MemberID: m.MemberID, Generation: 1}); r.Err != kerr.RebalanceInProgress {
			t.Errorf("sync during the load: %v", r.Err)
		}
		if r := next.Join(t.Context(), "g", joinRequest("")); r.Err != kerr.CoordinatorLoadInProgress || r.Generation != -1 {
			t.Errorf("join during the load: %+v", r)
		}
		if got := next.Commit(t.Context(), "g", commitOf(-1, "", 8)); got[0].Err != kerr.CoordinatorLoadInProgress {
			t.Errorf("commit during the load: %v", got[0].Err)
		}
		if _, err := next.Fetch(t.Context(), "g", FetchRequest{}); err != kerr.CoordinatorLoadInProgress {
			t.Errorf("fetch during the load: %v", err)
		}
		if _, err := next.List(t.Context(), nil, nil); err != kerr.CoordinatorLoadInProgress {
			t.Errorf("list during the load: %v", err)
		}

		// The old one does not know yet, and must not write.
		if got := g.Commit(t.Context(), "g", commitOf(m.Generation, m.MemberID, 9)); got[0].Err != kerr.NotCoordinator {
			t.Errorf("commit with the deposed coordinator: %v", got[0].Err)
		}
		close(j.gate)
		synctest.Wait()
		if err := next.Heartbeat(t.Context(), "g", beat); err != nil {
			t.Errorf("heartbeat after the load: %v", err)
		}
		fetched, err := next.Fetch(t.Context(), "g", FetchRequest{MemberEpoch: -1})
		if err != nil || len(fetched) != 1 || fetched[0].Offset.Offset != 7 {
			t.Errorf("fetched %+v, %v", fetched, err)
		}
		// Its session started with the load.
		time.Sleep(11 * time.Second)
		if d, _ := next.Describe(t.Context(), "g"); d.State != classic.Empty {
			t.Errorf("after the session's end the group is %s", d.State)
		}
	})
}

func TestParkedJoinsAreSentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		answers := make(chan classic.JoinResponse, 2)
		for range 2 {
			go func() { answers <- g.Join(t.Context(), "g", joinRequest("")) }()
		}
		synctest.Wait()
		g.LeadershipChanged(0, 2, false)
		synctest.Wait()
		for range 2 {
			select {
			case r := <-answers:
				if r.Err != kerr.NotCoordinator {
					t.Errorf("a parked join got %v", r.Err)
				}
			default:
				t.Error("a join waits for a coordinator that is not here")
			}
		}
		if r := g.Join(t.Context(), "g", joinRequest("")); r.Err != kerr.NotCoordinator {
			t.Errorf("join elsewhere: %v", r.Err)
		}

		// And back.
		lead(g, j, 3)
		synctest.Wait()
		stable(t, g, "g")
	})
}

func TestOldEpochsAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 5)
		synctest.Wait()
		m := stable(t, g, "g")
		reads := j.reads
		g.LeadershipChanged(0, 4, false) // came late
		g.LeadershipChanged(0, 4, true)
		g.LeadershipChanged(0, 5, true) // known
		synctest.Wait()
		if err := g.Heartbeat(t.Context(), "g", classic.HeartbeatRequest{MemberID: m.MemberID, Generation: m.Generation}); err != nil {
			t.Errorf("heartbeat: %v", err)
		}
		if j.reads != reads {
			t.Error("leadership that was known loaded the groups again")
		}
		g.LeadershipChanged(0, -1, false) // the replica is deleted; the topic may come again
		lead(g, j, 0)
		synctest.Wait()
		if j.reads == reads {
			t.Error("the epochs of the deleted topic bar those of the new one")
		}
	})
}

func TestLeadershipLostDuringTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		j.gate = make(chan struct{})
		lead(g, j, 1)
		synctest.Wait()
		g.LeadershipChanged(0, 2, false)
		synctest.Wait() // the load gave up though the gate is closed
		if err := g.Heartbeat(t.Context(), "g", classic.HeartbeatRequest{}); err != kerr.NotCoordinator {
			t.Errorf("heartbeat: %v", err)
		}
	})
}

func TestNothingIsServedThatMayYetBeLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		if got := g.Commit(t.Context(), "g", commitOf(-1, "", 7)); got[0].Err != nil {
			t.Fatal(got[0].Err)
		}
		j.unsafe = make(chan struct{}) // the next leader has the commit, the others may not
		lead(g, j, 2)
		synctest.Wait()
		if _, err := g.Fetch(t.Context(), "g", FetchRequest{MemberEpoch: -1}); err != kerr.CoordinatorLoadInProgress {
			t.Errorf("before: %v", err)
		}
		close(j.unsafe)
		synctest.Wait()
		fetched, err := g.Fetch(t.Context(), "g", FetchRequest{MemberEpoch: -1})
		if err != nil || len(fetched) != 1 || fetched[0].Offset.Offset != 7 {
			t.Errorf("after: %+v, %v", fetched, err)
		}
	})
}

func TestWhoWaitsForReplicasIsAnsweredAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		j.delay = time.Minute
		answer := make(chan *kerr.Error, 1)
		go func() { answer <- g.Commit(t.Context(), "g", commitOf(-1, "", 7))[0].Err }()
		synctest.Wait()
		start := time.Now()
		g.LeadershipChanged(0, 2, false)
		if err := <-answer; err != kerr.NotCoordinator || time.Since(start) > 0 {
			t.Errorf("the commit got %v after %v", err, time.Since(start))
		}
	})
}

// TestNobodyIsToldOfWhatWasGivenUp: Apache Kafka 4.3, whose follower was stopped, answered three heartbeats like these after 5 s
// each with COORDINATOR_NOT_AVAILABLE, and the next when the follower was out of the ISR.
func TestNobodyIsToldOfWhatWasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		j.delay, j.fails = 5*time.Second, kerr.RequestTimedOut
		r := consumer.HeartbeatRequest{
			MemberID: "m", RebalanceTimeout: time.Minute, Topics: []string{"orders"}, Owned: map[[16]byte][]int32{}, Version: 1,
		}
		for range 3 {
			start := time.Now()
			if got := g.ConsumerHeartbeat(t.Context(), "g", r); got.Err != kerr.CoordinatorNotAvailable || time.Since(start) != 5*time.Second {
				t.Errorf("heartbeat in epoch %d: %v after %v", r.MemberEpoch, got.Err, time.Since(start))
			}
			r.MemberEpoch = 1
		}
		j.delay, j.fails = time.Second, nil
		start := time.Now()
		if got := g.ConsumerHeartbeat(t.Context(), "g", r); got.Err != nil || got.MemberEpoch != 1 || time.Since(start) != time.Second {
			t.Errorf("heartbeat once the replicas have it: %+v after %v", got, time.Since(start))
		}
		r = consumer.HeartbeatRequest{MemberID: "m", MemberEpoch: 1, RebalanceTimeout: -1, Version: 1}
		if got := g.ConsumerHeartbeat(t.Context(), "g", r); got.Err != nil || time.Since(start) != time.Second {
			t.Errorf("heartbeat after that: %+v after %v", got, time.Since(start))
		}
	})
}

func TestTransactionEndsDuringTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		producer := journal.Producer{ID: 1}
		r := commitOf(-1, "", 7)
		r.Producer = &producer
		if got := g.Commit(t.Context(), "g", r); got[0].Err != nil {
			t.Fatal(got[0].Err)
		}
		fetched, _ := g.Fetch(t.Context(), "g", FetchRequest{MemberEpoch: -1})
		if len(fetched) != 0 {
			t.Errorf("an open transaction shows %+v", fetched)
		}
		next := newGroups(t, j, s)
		j.gate = make(chan struct{})
		lead(next, j, 2)
		synctest.Wait()
		next.EndTxn(0, producer.ID, true) // its marker comes behind what the load reads
		close(j.gate)
		synctest.Wait()
		fetched, _ = next.Fetch(t.Context(), "g", FetchRequest{MemberEpoch: -1})
		if len(fetched) != 1 || fetched[0].Offset.Offset != 7 {
			t.Errorf("after the transaction: %+v", fetched)
		}
	})
}

func TestBrokenRecordsFailTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		core, logs := observer.New(zap.WarnLevel)
		g := newGroups(t, j, s, func(o *Options) { o.Logger = zap.New(core) })
		j.lead(0, 1)
		newer := []journal.Record{{Key: []byte{0, 99}, Value: []byte("?")}, {Key: []byte{0, 99}, Value: []byte("?")}}
		if _, err := j.Append(0, 1, newer, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		g.LeadershipChanged(0, 1, true)
		synctest.Wait()
		if n := logs.FilterLevelExact(zap.WarnLevel).Len(); n != 1 {
			t.Errorf("%d warnings of one unknown version of keys", n)
		}
		if r := g.Heartbeat(t.Context(), "g", classic.HeartbeatRequest{}); r != kerr.UnknownMemberID {
			t.Errorf("unknown keys fail the load: %v", r)
		}
		broken := journal.GroupTombstone("g")
		broken.Value = []byte{0, 77}
		if _, err := j.Append(0, 1, []journal.Record{broken}, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		lead(g, j, 2)
		synctest.Wait()
		if r := g.Heartbeat(t.Context(), "g", classic.HeartbeatRequest{}); r != kerr.NotCoordinator {
			t.Errorf("heartbeat after a load that failed: %v", r)
		}
		if logs.FilterLevelExact(zap.ErrorLevel).Len() != 1 {
			t.Error("nobody is told that the load failed")
		}
	})
}

func TestNewerKindOfGroupStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		joined := g.ConsumerHeartbeat(t.Context(), "g", consumer.HeartbeatRequest{
			MemberID: "m", RebalanceTimeout: time.Minute, Topics: []string{"orders"}, Owned: map[[16]byte][]int32{}, Version: 1,
		})
		if joined.Err != nil {
			t.Fatalf("join: %v %s", joined.Err, joined.Message)
		}
		// Kafka 3.9 leads for a while: it does not know the records of the new protocol.
		group := classic.New("g", g.classic).Record(time.Now())
		if _, err := j.Append(0, 1, []journal.Record{group}, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		for epoch := int32(2); epoch < 4; epoch++ {
			lead(g, j, epoch)
			synctest.Wait()
			listed, err := g.List(t.Context(), nil, nil)
			if err != nil || len(listed) != 1 || listed[0].Type != "classic" {
				t.Fatalf("listed %+v, %v", listed, err)
			}
		}
		for _, e := range compact(j.snapshot(0), true) {
			if e.Key[1] != classicKey {
				t.Errorf("a record of the older kind of group is left: %q", e.Key)
			}
		}
	})
}

func TestRequestsOfADeletedGroupMakeANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		g.Commit(t.Context(), "g", commitOf(-1, "", 1))
		hold, held := make(chan struct{}), make(chan struct{})
		g.shards[0].submit(task{group: "g", run: func(*actor, *journal.Turn) {
			close(held)
			<-hold
		}})
		<-held
		deleted, committed := make(chan *kerr.Error, 1), make(chan *kerr.Error, 1)
		go func() { deleted <- g.Delete(t.Context(), "g") }()
		synctest.Wait()
		go func() { committed <- g.Commit(t.Context(), "g", commitOf(-1, "", 2))[0].Err }()
		synctest.Wait()
		close(hold)
		if err := <-deleted; err != nil {
			t.Errorf("delete: %v", err)
		}
		if err := <-committed; err != nil {
			t.Errorf("commit: %v", err)
		}
		fetched, _ := g.Fetch(t.Context(), "g", FetchRequest{MemberEpoch: -1})
		if len(fetched) != 1 || fetched[0].Offset.Offset != 2 {
			t.Errorf("fetched %+v", fetched)
		}
	})
}

func TestSlowGroupDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		g.Commit(t.Context(), "slow", commitOf(-1, "", 1))
		hold := make(chan struct{})
		defer close(hold)
		g.shards[0].submit(task{group: "slow", run: func(*actor, *journal.Turn) { <-hold }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := g.Commit(ctx, "fast", commitOf(-1, "", 1)); got[0].Err != nil {
			t.Errorf("commit: %v", got[0].Err)
		}
		if got := g.Commit(ctx, "slow", commitOf(-1, "", 1)); got[0].Err != kerr.CoordinatorNotAvailable {
			t.Errorf("what its context ends gets %v", got[0].Err)
		}
	})
}

func TestRefusedDeletionChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		g.Commit(t.Context(), "g", commitOf(-1, "", 7))
		j.refuse = func([]journal.Record) error { return errors.Join(errors.New("too few"), kerr.NotEnoughReplicas) }
		if err := g.Delete(t.Context(), "g"); err != kerr.CoordinatorNotAvailable {
			t.Errorf("delete: %v", err)
		}
		synctest.Wait()
		fetched, err := g.Fetch(t.Context(), "g", FetchRequest{MemberEpoch: -1})
		if err != nil || len(fetched) != 1 {
			t.Errorf("fetched %+v, %v", fetched, err)
		}
	})
}
