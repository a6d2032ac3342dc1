package faults

import (
	"fmt"
	"time"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
)

// leaderKilled kills a leader, and again when it is back.
func leaderKilled(s *story) {
	n := s.leader()
	n.Kill()
	s.progress(fmt.Sprintf("broker %d killed", n.ID))
	n.Restart(s)
	s.whole()
	n = s.leader()
	n.Kill()
	n.Restart(s) // at once: it may be back before anybody has missed it
	s.progress(fmt.Sprintf("broker %d killed and started", n.ID))
}

// leaderPaused pauses a leader for less than its session, and then for longer: it comes back believing that it leads.
func leaderPaused(s *story) {
	n := s.leader()
	n.Pause()
	s.wait(cluster.Session / 3)
	n.Resume()
	s.progress(fmt.Sprintf("broker %d paused for a moment", n.ID))
	n.Pause()
	s.progress(fmt.Sprintf("broker %d paused", n.ID))
	n.Resume()
	s.whole()
}

// controllerKilled kills the controller, and its successor's with a leader.
func controllerKilled(s *story) {
	n := s.c.Controller(s)
	n.Kill()
	s.progress(fmt.Sprintf("controller %d killed", n.ID))
	n.Restart(s)
	s.whole()
}

// controllerPaused pauses the controller until another is elected, and lets it go on.
func controllerPaused(s *story) {
	n := s.c.Controller(s)
	n.Pause()
	s.c.AwaitUnregistered(s, n)
	s.progress(fmt.Sprintf("controller %d paused", n.ID))
	n.Resume()
	s.whole()
}

// followerKilled kills a broker that is neither the controller nor partition 0's leader.
func followerKilled(s *story) {
	n := s.bystander(s.leader(), s.c.Controller(s))
	n.Kill()
	s.progress(fmt.Sprintf("broker %d killed", n.ID))
	s.c.AwaitOutOfSync(s, topic, partitions, n, failover)
	n.Restart(s)
	s.whole()
}

// followerPaused does the same with SIGSTOP, for longer than replica.lag.time.max.ms.
func followerPaused(s *story) {
	n := s.bystander(s.leader(), s.c.Controller(s))
	n.Pause()
	s.progress(fmt.Sprintf("broker %d paused", n.ID))
	s.c.AwaitOutOfSync(s, topic, partitions, n, failover)
	n.Resume()
	s.whole()
}

// zookeeperKilled kills a follower of the ensemble, and then its leader.
func zookeeperKilled(s *story) {
	for _, role := range []string{"follower", "leader"} {
		m := s.c.Ensemble.WithRole(s, role)
		m.Kill()
		s.progress("zookeeper's " + role + " killed")
		n := s.leader()
		n.Kill() // the rest of the ensemble still does its work
		s.progress(fmt.Sprintf("broker %d killed", n.ID))
		m.Launch()
		m.AwaitServing(s)
		n.Restart(s)
		s.whole()
	}
}

// zookeeperPaused pauses a follower of the ensemble, and then its leader, for longer than sessions live.
func zookeeperPaused(s *story) {
	for _, role := range []string{"follower", "leader"} {
		m := s.c.Ensemble.WithRole(s, role)
		m.Pause()
		s.wait(2 * cluster.Session)
		s.progress("zookeeper's " + role + " paused")
		m.Resume()
		m.AwaitServing(s)
	}
	s.whole()
}

// ensembleAway pauses the whole ensemble for longer than sessions live: what needs no change goes on.
func ensembleAway(s *story) {
	for _, m := range s.c.Ensemble.Members {
		m.Pause()
	}
	for until := time.Now().Add(2 * cluster.Session); time.Now().Before(until); {
		s.progress("no ensemble")
		s.wait(cluster.Session / 2)
	}
	for _, m := range s.c.Ensemble.Members {
		m.Resume()
	}
	for _, m := range s.c.Ensemble.Members {
		m.AwaitServing(s)
	}
	s.whole()
}

// rollingRestart restarts every broker as an operator does. Clients that retry see no error: tell checks that.
func rollingRestart(s *story) {
	for _, n := range s.c.Nodes {
		began := time.Now()
		n.Stop(s)
		s.Logf("%6.2fs broker %d stopped in %.2fs", s.l.Now().Seconds(), n.ID, time.Since(began).Seconds())
		s.progress(fmt.Sprintf("broker %d stopped", n.ID))
		n.Restart(s)
		s.whole()
	}
}

// twoKilled kills two brokers at once: with one of three replicas nothing is acknowledged until another is back.
func twoKilled(s *story) {
	first := s.leader()
	second := s.bystander(first)
	first.Kill()
	second.Kill()
	s.wait(cluster.Session + time.Second)
	second.Restart(s)
	s.progress(fmt.Sprintf("broker %d of %d and %d is back", second.ID, first.ID, second.ID))
	first.Restart(s)
	s.whole()
}

// allKilled kills all brokers at once.
func allKilled(s *story) {
	for _, n := range s.c.Nodes {
		n.Kill()
	}
	for _, n := range s.c.Nodes {
		n.Launch(s)
	}
	s.progress("all brokers killed and started")
	s.whole()
}

// brokerAndZooKeeperKilled kills a leader and the leader of the ensemble at once.
func brokerAndZooKeeperKilled(s *story) {
	n, m := s.leader(), s.c.Ensemble.WithRole(s, "leader")
	n.Kill()
	m.Kill()
	s.progress(fmt.Sprintf("broker %d and zookeeper %d killed", n.ID, m.ID))
	m.Launch()
	m.AwaitServing(s)
	n.Restart(s)
	s.whole()
}

// secondLeaderKilled kills a leader, and then its successor before the third replica, which has heard of it, has fetched
// anything from it. What was acknowledged is on all three, and the third has to keep it although it does not know yet that it
// is committed: it learns that with its next fetch, and its leaders were far away.
func secondLeaderKilled(s *story) {
	partition, replicas := s.succession(s.c.Controller(s))
	first, second, third := replicas[0], replicas[1], replicas[2]
	for _, n := range s.c.Others(first) {
		s.c.Network.Set(n.Name(), first.Name(), cluster.Condition{Delay: 300 * time.Millisecond})
	}
	s.progress(fmt.Sprintf("broker %d is far away", first.ID), partition)
	s.c.Network.Set(third.Name(), second.Name(), stalled)
	first.Kill()
	s.awaitLeader(partition, second)
	s.wait(cluster.Lag / 2) // the third hears of it, and is still in sync
	second.Kill()
	s.awaitLeader(partition, third)
	s.c.Network.Heal()
	first.Restart(s)
	// Of other partitions the second may have been the only replica in sync.
	s.progress(fmt.Sprintf("broker %d leads after %d and %d, broker %d is back", third.ID, first.ID, second.ID, first.ID), partition)
	second.Restart(s)
	s.whole()
}

// succession returns a partition whose leader is not the controller, which is next to lead it, and its replicas in that order.
// The controller is to tell the third replica, while that cannot reach it.
func (s *story) succession(controller *cluster.Node) (int32, []*cluster.Node) {
	s.Helper()
	for p := range int32(partitions) {
		var replicas []*cluster.Node
		for _, id := range s.c.Replicas(s, topic, p) {
			replicas = append(replicas, s.c.Node(id))
		}
		if s.c.State(s, topic, p).Leader == replicas[0].ID && replicas[1] == controller {
			return p, replicas
		}
	}
	s.Fatalf("no partition of %d is led by another than broker %d, which is next", partitions, controller.ID)
	return 0, nil
}

func (s *story) awaitLeader(partition int32, n *cluster.Node) {
	s.Helper()
	harness.Eventually(s, failover, func() error {
		if leader := s.c.State(s, topic, partition).Leader; leader != n.ID {
			return fmt.Errorf("broker %d leads partition %d, want broker %d", leader, partition, n.ID)
		}
		return nil
	})
}

// laggingFollower lets a follower fall behind, and kills a leader while it catches up, slowly: it must not be elected, nor
// count for acknowledgements, before it has all. Until it has, too few are in sync.
func laggingFollower(s *story) {
	lagging := s.bystander(s.leader(), s.c.Controller(s))
	lagging.Kill()
	s.c.AwaitOutOfSync(s, topic, partitions, lagging, failover)
	s.wait(3 * time.Second)
	for _, n := range s.c.Others(lagging) {
		s.c.Network.Set(lagging.Name(), n.Name(), cluster.Condition{Delay: 100 * time.Millisecond})
	}
	lagging.Restart(s)
	s.wait(time.Second)
	n := s.leader()
	if n == lagging {
		n = s.bystander(lagging)
	}
	n.Kill()
	s.c.AwaitUnregistered(s, n)
	s.wait(time.Second)
	s.c.Network.Heal()
	s.progress(fmt.Sprintf("broker %d killed while %d caught up", n.ID, lagging.ID))
	n.Restart(s)
	s.whole()
}
