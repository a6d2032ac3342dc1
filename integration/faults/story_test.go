package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/integration/history"
	"github.com/kbroker/kbroker/integration/load"
)

const (
	topic      = "ledger"
	partitions = 6

	// failover is how long a partition may be without a leader when a broker dies unsaid: its session, what a client needs to
	// find the new leader, and much patience with a machine that does other things too. How long it took is logged.
	failover = cluster.Session + 30*time.Second
	// inSync is how soon replicas are in sync again once nothing fails any more.
	inSync = 45 * time.Second
)

// scenario is one way for a cluster to fail.
type scenario struct {
	name   string
	inject func(s *story)
	config map[string]string
	// wrap prepares broker 1's command, see cluster.Options; it returns its log directory, too.
	wrap func(t *testing.T) (command []string, dir string)
	slow bool // only with KBROKER_FAULT_ROUNDS
	// stale: clients reach a broker that does not know that it is deposed, and may serve old committed offsets.
	stale bool
}

// story is a scenario as it happens.
type story struct {
	*testing.T
	c *cluster.Cluster
	l *load.Load
}

// tell runs a scenario on a cluster of its own and checks what clients saw.
func tell(t *testing.T, e *harness.Ensemble, sc scenario) {
	e.Restore(t) // the scenario before may have failed half-way
	o := cluster.Options{Peers: "../peers", Config: sc.config}
	if sc.wrap != nil {
		command, dir := sc.wrap(t)
		o.Wrap, o.Dirs = map[int32][]string{1: command}, map[int32]string{1: dir}
	}
	c := cluster.Start(t, e, o)
	createLedger(t, c)
	addresses := map[int32]string{}
	for _, n := range c.Nodes {
		addresses[n.ID] = n.Address()
	}
	l := load.Start(t, load.Options{Brokers: addresses, Topic: topic, Partitions: partitions})
	l.AwaitProgress(t, inSync)
	l.AwaitCommits(t, inSync)
	c.AwaitInSync(t, topic, partitions, inSync)
	began := l.Now()

	s := &story{t, c, l}
	sc.inject(s)

	c.Network.Heal()
	for _, n := range c.Nodes {
		if n.Dead() {
			n.Restart(t)
		}
	}
	l.AwaitProgress(t, failover)
	c.AwaitInSync(t, topic, partitions, inSync)
	h := l.Finish(t)
	h.StaleCoordinators, h.Launches = sc.stale, map[int32][]time.Duration{}
	for _, n := range c.Nodes {
		for _, launch := range n.Launches() {
			h.Launches[n.ID] = append(h.Launches[n.ID], l.At(launch))
		}
	}
	for _, err := range l.Failures() {
		t.Error(err)
	}
	if found := history.Check(h); len(found) > 0 {
		t.Errorf("%d violations:\n%s", len(found), history.Report(found))
	}
	silence, partition := h.LongestSilence(began)
	t.Logf("%d records acknowledged, %d read, %d answers, %d ends, %d commits; longest silence %.2fs (partition %d)",
		len(h.Acks), len(h.Reads), len(h.Answers), len(h.Watermarks), len(h.Commits), silence.Seconds(), partition)
}

// createLedger creates the topic, with a replica on every broker, and waits until it is led.
func createLedger(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	client := harness.NewClient(t, c.Bootstrap()[0])
	defer client.Close()
	min := "2"
	harness.Eventually(t, inSync, func() error {
		_, err := kadm.NewClient(client).CreateTopic(harness.Context(t), partitions, int16(len(c.Nodes)), map[string]*string{"min.insync.replicas": &min}, topic)
		if err != nil {
			return fmt.Errorf("create topic: %w", err)
		}
		return nil
	})
	c.AwaitInSync(t, topic, partitions, inSync)
}

// led returns the partitions that a broker leads.
func (s *story) led(n *cluster.Node) []int32 {
	s.Helper()
	var all []int32
	for p := range int32(partitions) {
		if s.c.State(s, topic, p).Leader == n.ID {
			all = append(all, p)
		}
	}
	return all
}

// notLed returns the partitions that a broker does not lead.
func (s *story) notLed(n *cluster.Node) []int32 {
	s.Helper()
	var all []int32
	for p := range int32(partitions) {
		if s.c.State(s, topic, p).Leader != n.ID {
			all = append(all, p)
		}
	}
	return all
}

// leader returns the broker that leads partition 0.
func (s *story) leader() *cluster.Node {
	s.Helper()
	return s.c.Leader(s, topic, 0)
}

// bystander returns a broker that is none of those.
func (s *story) bystander(not ...*cluster.Node) *cluster.Node {
	s.Helper()
next:
	for _, n := range s.c.Nodes {
		for _, o := range not {
			if n == o {
				continue next
			}
		}
		return n
	}
	s.Fatal("no broker is left")
	return nil
}

// progress waits for new acknowledged records.
func (s *story) progress(what string, partitions ...int32) {
	s.Helper()
	s.Logf("%6.2fs %s: progress after %.2fs", s.l.Now().Seconds(), what, s.l.AwaitProgress(s, failover, partitions...).Seconds())
}

// wait lets the load go on for a time.
func (s *story) wait(d time.Duration) { time.Sleep(d) }

// whole waits until all brokers are registered and all replicas in sync.
func (s *story) whole() {
	s.Helper()
	for _, n := range s.c.Nodes {
		s.c.AwaitRegistered(s, n)
	}
	s.c.AwaitInSync(s, topic, partitions, inSync)
}
