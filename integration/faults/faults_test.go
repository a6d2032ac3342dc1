package faults

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
)

// RoundsVariable is the environment variable with the number of rounds.
const RoundsVariable = "KBROKER_FAULT_ROUNDS"

// TestFaults tells every scenario.
func TestFaults(t *testing.T) {
	rounds := 0
	if value := os.Getenv(RoundsVariable); value != "" {
		var err error
		if rounds, err = strconv.Atoi(value); err != nil || rounds < 1 {
			t.Fatalf("%s=%s is not a number of rounds", RoundsVariable, value)
		}
	}
	e := harness.StartEnsemble(t, 3)
	var left []string
	for round := range max(1, rounds) {
		for _, sc := range scenarios() {
			if sc.slow && rounds == 0 {
				left = append(left, sc.name)
				continue
			}
			name := sc.name
			if round > 0 {
				name += fmt.Sprintf("-%d", round+1)
			}
			t.Run(name, func(t *testing.T) { tell(t, e, sc) })
		}
	}
	if len(left) > 0 {
		t.Logf("left to %s=1: %q", RoundsVariable, left)
	}
}

func scenarios() []scenario {
	return []scenario{
		{name: "leader-killed", inject: leaderKilled},
		{name: "leader-paused", inject: leaderPaused, stale: true},
		{name: "controller-killed", inject: controllerKilled},
		{name: "controller-paused", inject: controllerPaused, stale: true},
		{name: "follower-killed", inject: followerKilled},
		{name: "follower-paused", inject: followerPaused, slow: true, stale: true},
		{name: "zookeeper-killed", inject: zookeeperKilled},
		{name: "zookeeper-paused", inject: zookeeperPaused, slow: true},
		{name: "ensemble-away", inject: ensembleAway},
		{name: "cut-from-zookeeper", inject: cutFromZooKeeper, stale: true},
		{name: "cut-from-clients", inject: cutFromClients},
		{name: "cut-from-peers", inject: cutFromPeers, stale: true},
		{name: "alone", inject: alone, stale: true},
		{name: "one-way", inject: oneWay},
		{name: "rolling-restart", inject: rollingRestart},
		{name: "disk-full", inject: diskFull, wrap: smallDisk},
		{name: "flapping", inject: flapping, stale: true},
		{name: "two-killed", inject: twoKilled},
		{name: "all-killed", inject: allKilled},
		{name: "unreplicated-tail", inject: unreplicatedTail},
		// A new coordinator tells what it has loaded, as in Kafka, before others have it, and here it dies then.
		{name: "second-leader-killed", inject: secondLeaderKilled, stale: true},
		{name: "lagging-follower", inject: laggingFollower, config: map[string]string{"replica.fetch.max.bytes": "4096", "replica.fetch.response.max.bytes": "16384"}},
		{name: "broker-and-zookeeper-killed", inject: brokerAndZooKeeperKilled, slow: true},
	}
}
