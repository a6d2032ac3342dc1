package faults

import (
	"fmt"
	"time"

	"github.com/kbroker/kbroker/integration/cluster"
)

var (
	stalled = cluster.Condition{Stalled: true}
	refused = cluster.Condition{Refused: true}
	whole   = cluster.Condition{}
)

// cutFromZooKeeper lets a leader's session end while clients and peers reach it: others take over, and it must not acknowledge
// what they do not have.
func cutFromZooKeeper(s *story) {
	for _, condition := range []cluster.Condition{stalled, refused} {
		n := s.leader()
		s.c.FromZooKeeper(n, condition)
		s.c.AwaitUnregistered(s, n)
		s.progress(fmt.Sprintf("broker %d cut off from ZooKeeper (%+v)", n.ID, condition))
		s.c.FromZooKeeper(n, whole)
		s.whole()
	}
}

// cutFromClients keeps clients from a leader that is well: nobody takes over, and all goes on when they are back.
func cutFromClients(s *story) {
	n := s.leader()
	for _, condition := range []cluster.Condition{refused, stalled} {
		s.c.FromClients(n, condition)
		s.progress(fmt.Sprintf("broker %d cut off from clients (%+v)", n.ID, condition), s.notLed(n)...)
		s.wait(2 * time.Second)
		s.c.FromClients(n, whole)
		s.progress(fmt.Sprintf("clients reach broker %d again", n.ID))
	}
	s.whole()
}

// cutFromPeers cuts a broker off from its peers; it keeps its session. What it leads waits, or goes on without it in sync.
func cutFromPeers(s *story) {
	n := s.bystander(s.c.Controller(s))
	s.c.FromPeers(n, stalled)
	s.wait(2 * cluster.Lag)
	s.c.FromPeers(n, whole)
	s.progress(fmt.Sprintf("peers reach broker %d again", n.ID))
	s.whole()
}

// alone cuts a leader off from ZooKeeper and from its peers, but not from clients, and then the controller.
func alone(s *story) {
	for _, n := range []*cluster.Node{s.leader(), s.c.Controller(s)} {
		s.c.FromZooKeeper(n, stalled)
		s.c.FromPeers(n, stalled)
		s.c.AwaitUnregistered(s, n)
		s.progress(fmt.Sprintf("broker %d alone with clients", n.ID))
		s.c.FromZooKeeper(n, whole)
		s.c.FromPeers(n, whole)
		s.whole()
	}
}

// oneWay keeps a follower from its leaders, which it hears from all the same.
func oneWay(s *story) {
	n := s.bystander(s.leader(), s.c.Controller(s))
	for _, o := range s.c.Others(n) {
		s.c.Network.Set(n.Name(), o.Name(), stalled)
	}
	s.wait(cluster.Lag)
	for _, o := range s.c.Others(n) {
		s.progress(fmt.Sprintf("broker %d does not fetch", n.ID), s.led(o)...)
	}
	s.c.Network.Heal()
	s.whole()
}

// flapping cuts and heals a broker's links again and again, faster than sessions end.
func flapping(s *story) {
	n := s.leader()
	for range 6 {
		s.c.DropAll(n)
		s.c.FromPeers(n, refused)
		s.c.FromZooKeeper(n, refused)
		s.wait(300 * time.Millisecond)
		s.c.Network.Heal()
		s.wait(400 * time.Millisecond)
	}
	s.progress(fmt.Sprintf("broker %d flapped", n.ID))
	s.c.FromZooKeeper(n, stalled)
	s.wait(cluster.Session) // about as long as the session
	s.c.Network.Heal()
	s.progress(fmt.Sprintf("broker %d was away for about its session", n.ID))
	s.whole()
}

// unreplicatedTail lets a leader write what nobody fetches, and kills it: nobody may have read that.
func unreplicatedTail(s *story) {
	n := s.leader()
	for _, o := range s.c.Others(n) {
		s.c.Network.Set(o.Name(), n.Name(), stalled)
	}
	s.wait(cluster.Lag / 2) // the careless producer's records are acknowledged, in nobody's log but the leader's
	n.Kill()
	s.c.Network.Heal()
	s.progress(fmt.Sprintf("broker %d killed with what only it had", n.ID))
	n.Restart(s)
	s.whole()
}
