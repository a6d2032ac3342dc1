package fetcher

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// throttle has a cluster whose follower, 2, is out of sync and a megabyte behind, in a topic with these overrides.
func throttle(t *testing.T, override, value string, dynamic map[string]string, brokerID int32) *cluster {
	c := newCluster(t, 2, "replica.fetch.max.bytes", "10000")
	for _, b := range c.brokers {
		b.overrides = map[string]string{override: value}
	}
	if _, err := c.brokers[brokerID].store.SetDynamic(dynamic, nil); err != nil {
		t.Fatal(err)
	}
	c.apply(place{topics: []string{"t"}, replicas: []int32{1}})
	for range 100 {
		c.brokers[1].append("t", 0, strings.Repeat("x", 10_000))
	}
	return c
}

// catchUp adds the follower, which is not in sync, and returns how long it takes to have all.
func (c *cluster) catchUp(t *testing.T) time.Duration {
	start := time.Now()
	c.apply(place{topics: []string{"t"}, replicas: []int32{1, 2}, isr: []int32{1}})
	for range 1000 {
		if values, _ := c.brokers[2].log("t", 0); len(values) == 100 {
			return time.Since(start)
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("the follower does not catch up")
	return 0
}

func TestThrottledReplication(t *testing.T) {
	for _, test := range []struct {
		name, override, value, rate string
		broker                      int32
		atLeast, atMost             time.Duration
	}{
		{"not", "follower.replication.throttled.replicas", "", "follower.replication.throttled.rate", 2, 0, time.Second},
		{"the follower", "follower.replication.throttled.replicas", "0:2", "follower.replication.throttled.rate", 2, 8 * time.Second, 13 * time.Second},
		{"all followers", "follower.replication.throttled.replicas", "*", "follower.replication.throttled.rate", 2, 8 * time.Second, 13 * time.Second},
		{"another follower", "follower.replication.throttled.replicas", "0:3,1:2", "follower.replication.throttled.rate", 2, 0, time.Second},
		{"the leader", "leader.replication.throttled.replicas", "0:1", "leader.replication.throttled.rate", 1, 8 * time.Second, 15 * time.Second},
		{"another leader", "leader.replication.throttled.replicas", "0:2", "leader.replication.throttled.rate", 1, 0, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := throttle(t, test.override, test.value, map[string]string{test.rate: "100000"}, test.broker)
				if took := c.catchUp(t); took < test.atLeast || took > test.atMost {
					t.Errorf("1 MB at 100 kB/s took %v", took)
				}
			})
		})
	}
}

// One that is in sync is never held up, by either side.
func TestInSyncReplicasAreNotThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		for _, b := range c.brokers {
			b.overrides = map[string]string{
				"leader.replication.throttled.replicas": "*", "follower.replication.throttled.replicas": "*",
			}
			if _, err := b.store.SetDynamic(map[string]string{
				"leader.replication.throttled.rate": "1000", "follower.replication.throttled.rate": "1000",
			}, nil); err != nil {
				t.Fatal(err)
			}
		}
		c.apply(both("t"))
		time.Sleep(time.Second)
		start := time.Now()
		for range 20 {
			c.brokers[1].await("t", 0, c.brokers[1].append("t", 0, strings.Repeat("x", 10_000)))
		}
		if took := time.Since(start); took > 10*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}
