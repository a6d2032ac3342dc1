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
		m.Launch(s)
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
	m.Launch(s)
	m.AwaitServing(s)
	n.Restart(s)
	s.whole()
}

// secondLeaderKilled kills a leader, and then its successor before the third replica, which is far from it, has fetched
// from it. What was acknowledged is on all three, and the third has to keep it whatever it knew of the high watermark.
func secondLeaderKilled(s *story) {
	first := s.leader()
	for _, n := range s.c.Nodes {
		s.c.FromPeers(n, cluster.Condition{Delay: 300 * time.Millisecond})
	}
	s.progress("slow links between brokers")
	first.Kill()
	var second *cluster.Node
	harness.Eventually(s, failover, func() error {
		leader := s.c.State(s, topic, 0).Leader
		if leader < 0 || leader == first.ID {
			return fmt.Errorf("broker %d leads", leader)
		}
		second = s.c.Node(leader)
		return nil
	})
	s.wait(500 * time.Millisecond) // so that the third has heard of its new leader, but not yet from it
	second.Kill()
	third := s.bystander(first, second)
	harness.Eventually(s, failover, func() error {
		if leader := s.c.State(s, topic, 0).Leader; leader != third.ID {
			return fmt.Errorf("broker %d leads", leader)
		}
		return nil
	})
	s.c.Network.Heal()
	first.Restart(s)
	s.progress(fmt.Sprintf("broker %d leads, %d is back", third.ID, first.ID))
	second.Restart(s)
	s.whole()
}

// laggingFollower lets a follower fall behind, and kills the leaders while it catches up, slowly: it must not be elected
// before it has all.
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
	s.progress(fmt.Sprintf("broker %d killed while %d catches up", n.ID, lagging.ID), s.notLed(lagging)...)
	s.c.Network.Heal()
	n.Restart(s)
	s.whole()
}
