package fetcher

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/kbroker/kbroker/broker/replica"
)

func both(topics ...string) place { return place{topics: topics, replicas: []int32{1, 2}} }

func TestFollowersCopyTheirLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		p := place{topics: []string{"t"}, partitions: 3, replicas: []int32{1, 2, 3}}
		c.apply(p)
		leader := c.brokers[1]
		for i := range int32(3) {
			leader.append("t", i, "a", "b")
			leader.await("t", i, leader.append("t", i, "c"))
		}
		for i := range int32(3) {
			c.same("t", i, "a", "b", "c")
		}
		// Followers learn of the high watermark with the fetch after, which the leader holds for at most the maximal wait.
		time.Sleep(time.Second)
		for id := int32(2); id <= 3; id++ {
			if got := c.brokers[id].partition("t", 0).HighWatermark(); got != 3 {
				t.Errorf("broker %d has high watermark %d", id, got)
			}
		}
	})
}

// An append is replicated in no time, though the follower's fetch was held until then.
func TestAppendWakesTheFollowersFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.apply(both("t"))
		time.Sleep(1100 * time.Millisecond)
		start := time.Now()
		c.brokers[1].await("t", 0, c.brokers[1].append("t", 0, "a"))
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

// With one partition a broker fetches twice a second, and with hundreds as often; and an idle fetch is a few bytes.
func TestIdleRoundsAreFewAndSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		p := both("t")
		p.partitions = 300
		c.apply(p)
		time.Sleep(time.Second + time.Millisecond)
		f := c.brokers[2].fetchers
		before := c.brokers[2].metric("kbroker_replication_fetches_total")
		time.Sleep(10 * time.Second)
		if rounds := c.brokers[2].metric("kbroker_replication_fetches_total") - before; rounds != 20 {
			t.Errorf("%v rounds in ten seconds", rounds)
		}
		for _, l := range f.mu.loops {
			synctest.Wait() // the loop rests: its fields may be looked at
			if size := len(l.main.fetch.AppendTo(nil)); size > 100 {
				t.Errorf("an idle fetch has %d bytes", size)
			}
			if l.main.fetch.SessionEpoch == 0 {
				t.Error("there is no session")
			}
		}
		if c.network.dials != 1 {
			t.Errorf("%d connections", c.network.dials)
		}
	})
}

// A new topic does not wait for the fetch that the leader holds for the old ones.
func TestFollowTakesEffectDuringALongFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.apply(both("old"))
		time.Sleep(1010 * time.Millisecond)
		start := time.Now()
		c.apply(both("new"))
		c.brokers[1].await("new", 0, c.brokers[1].append("new", 0, "a"))
		if took := time.Since(start); took > 10*time.Millisecond {
			t.Errorf("took %v", took)
		}
		// Soon it is in the session, and there are two rounds a second again.
		time.Sleep(600 * time.Millisecond)
		before := c.brokers[2].metric("kbroker_replication_fetches_total")
		time.Sleep(5 * time.Second)
		if rounds := c.brokers[2].metric("kbroker_replication_fetches_total") - before; rounds != 10 {
			t.Errorf("%v rounds in five seconds", rounds)
		}
		start = time.Now()
		c.brokers[1].await("new", 0, c.brokers[1].append("new", 0, "b"))
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
		c.same("new", 0, "a", "b")
	})
}

// The follower is told first, and asks a leader that does not know yet that it leads.
func TestLeaderThatIsToldLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.apply(both("other"))
		time.Sleep(1010 * time.Millisecond)
		c.epoch++
		c.tell(both("t"), c.epoch, 2)
		time.Sleep(50 * time.Millisecond)
		c.tell(both("t"), c.epoch, 1)
		start := time.Now()
		c.brokers[1].await("t", 0, c.brokers[1].append("t", 0, "a"))
		if took := time.Since(start); took > 100*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if failed := c.brokers[2].metric("kbroker_replication_failed_partitions"); failed != 0 {
			t.Errorf("%v partitions failed", failed)
		}
	})
}

func TestLogThatDivergedIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.apply(both("t", "other"))
		c.brokers[1].await("t", 0, c.brokers[1].append("t", 0, "a", "b"))
		// 1 goes on alone, unseen by 2, which is made the leader then.
		c.brokers[2].fetchers.Unfollow([]*replica.Partition{c.brokers[2].partition("t", 0)})
		synctest.Wait()
		c.brokers[1].append("t", 0, "lost")
		c.brokers[1].append("t", 0, "too")
		p := both("t")
		p.leader = 2
		c.apply(p)
		c.brokers[2].append("t", 0, "c")
		c.brokers[2].await("t", 0, c.brokers[2].append("t", 0, "d"))
		c.same("t", 0, "a", "b", "c", "d")
	})
}

// Epochs come and go on both sides: the follower finds the shared part in steps (KIP-279).
func TestLogThatDivergedInSeveralEpochs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		alone := func(id int32, values ...string) {
			c.apply(place{topics: []string{"t"}, leader: id, replicas: []int32{1, 2}, isr: []int32{id}}, id)
			for _, v := range values {
				c.brokers[id].append("t", 0, v)
			}
		}
		c.apply(both("t"))
		c.brokers[1].await("t", 0, c.brokers[1].append("t", 0, "a"))
		c.brokers[2].fetchers.Unfollow([]*replica.Partition{c.brokers[2].partition("t", 0)})
		synctest.Wait()
		alone(1, "x", "y")
		alone(2, "b")
		alone(1, "z")
		alone(2, "c", "d")
		p := both("t")
		p.leader = 2
		c.apply(p)
		c.brokers[2].await("t", 0, c.brokers[2].append("t", 0, "e"))
		c.same("t", 0, "a", "b", "c", "d", "e")
	})
}

// A leader that lost its log is followed all the same: the follower is cut to its length.
func TestFollowerThatIsLongerThanItsLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.apply(place{topics: []string{"t"}, replicas: []int32{2}})
		c.brokers[2].append("t", 0, "a", "b", "c")
		c.apply(both("t"))
		c.brokers[1].await("t", 0, c.brokers[1].append("t", 0, "x"))
		c.same("t", 0, "x")
	})
}

// The records that the follower lacks are gone from the leader's log.
func TestFollowerThatEndsBelowItsLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.apply(place{topics: []string{"t"}, replicas: []int32{1}})
		for range 5 {
			c.brokers[1].append("t", 0, "gone")
		}
		if _, err := c.brokers[1].partition("t", 0).DeleteRecords(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		c.apply(both("t"))
		c.brokers[1].await("t", 0, c.brokers[1].append("t", 0, "a"))
		c.same("t", 0, "a")
		if _, start := c.brokers[2].log("t", 0); start != 5 {
			t.Errorf("the follower starts at %d", start)
		}
	})
}

func TestLeaderThatRestartsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.apply(both("t"))
		c.brokers[1].await("t", 0, c.brokers[1].append("t", 0, "a"))
		c.brokers[1].stop()
		time.Sleep(10 * time.Second)
		c.brokers[1].serve()
		c.tell(both("other"), c.epoch) // brings the new address about
		start := time.Now()
		c.brokers[1].await("t", 0, c.brokers[1].append("t", 0, "b"))
		if took := time.Since(start); took > 1100*time.Millisecond {
			t.Errorf("took %v", took)
		}
		c.same("t", 0, "a", "b")
	})
}

// A leader in a newer epoch than the follower's is not asked any more, until the follower is told.
func TestFencedFollowerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.apply(both("t", "other"))
		c.apply(both("t"), 1)
		time.Sleep(2 * time.Second)
		if failed := c.brokers[2].metric("kbroker_replication_failed_partitions"); failed != 1 {
			t.Fatalf("%v partitions failed", failed)
		}
		c.brokers[1].await("other", 0, c.brokers[1].append("other", 0, "a"))
		end := c.brokers[1].append("t", 0, "a")
		c.tell(both("t"), c.epoch, 2)
		start := time.Now()
		c.brokers[1].await("t", 0, end)
		if took := time.Since(start); took > 50*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if failed := c.brokers[2].metric("kbroker_replication_failed_partitions"); failed != 0 {
			t.Errorf("%v partitions failed", failed)
		}
	})
}

// More loops, and fewer: what is followed goes on.
func TestNumberOfFetchersChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		p := both("t")
		p.partitions = 6
		c.apply(p)
		for _, count := range []string{"2", "1"} {
			if _, err := c.brokers[2].store.SetDynamic(nil, map[string]string{"num.replica.fetchers": count}); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			for i := range int32(6) {
				c.brokers[1].await("t", i, c.brokers[1].append("t", i, "a"))
			}
			if took := time.Since(start); took > 10*time.Millisecond {
				t.Errorf("with %s fetchers took %v", count, took)
			}
			synctest.Wait()
			if got := len(c.brokers[2].fetchers.mu.loops); got != int(count[0]-'0') {
				t.Errorf("%d loops with %s fetchers", got, count)
			}
		}
	})
}

func TestTopicsWithoutIDsAreFetchedByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.apply(both("with"))
		p := both("without")
		p.noID = true
		c.apply(p)
		for _, topic := range []string{"with", "without"} {
			c.brokers[1].await(topic, 0, c.brokers[1].append(topic, 0, "a"))
			c.same(topic, 0, "a")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for _, l := range c.brokers[2].fetchers.mu.loops {
			if l.main.fetch.Version != 12 || l.main.fetch.SessionEpoch == 0 {
				t.Errorf("fetch v%d in session epoch %d", l.main.fetch.Version, l.main.fetch.SessionEpoch)
			}
		}
	})
}
