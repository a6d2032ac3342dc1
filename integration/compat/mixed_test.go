//go:build compat

package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/integration/history"
	"github.com/kbroker/kbroker/integration/load"
)

// soon is how long anything in a cluster may take that has no fault to wait for, with much patience.
const soon = 45 * time.Second

// mixed is one Apache Kafka broker and two kbrokers with one ZooKeeper. With cluster.Variable it is what that says: three of
// Apache Kafka show which of the things seen here are Kafka's own.
type mixed struct {
	*testing.T
	owner *testing.T // whose end ends the brokers, whichever scenario has started them again
	c     *cluster.Cluster
	kafka *cluster.Node
	ours  [2]*cluster.Node
}

// TestMixed has one cluster for all scenarios, each of which leaves it whole. They are numbered as the rules of Kafka's that
// they are made for: joining, leading, truncating, controllers in turn, and so on.
func TestMixed(t *testing.T) {
	kinds := []cluster.Kind{cluster.Kafka, cluster.KBroker, cluster.KBroker}
	if os.Getenv(cluster.Variable) != "" {
		kinds = cluster.Kinds()
	}
	c := cluster.Start(t, harness.StartEnsemble(t, 1), cluster.Options{Peers: peers, Kinds: kinds, Config: map[string]string{
		"zookeeper.session.timeout.ms": "4000",
		"auto.leader.rebalance.enable": "false", // leaders stay where a scenario has put them
	}})
	m := &mixed{t, t, c, c.Node(1), [2]*cluster.Node{c.Node(2), c.Node(3)}}
	for _, scenario := range []struct {
		name string
		tell func(m *mixed)
	}{
		{"A1-joining", joining},
		{"A2-leading", leading},
		{"A3-diverging", diverging},
		{"A4-A5-controllers-in-turn", controllersInTurn},
		{"A6-controlled-shutdown", controlledShutdowns},
		{"A7-lost-sessions", lostSessions},
		{"A9-reassignment", reassignments},
		{"A10-deletion", deletions},
		{"A13-producer-ids", producerIDs},
		{"A14-configs", configChanges},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			m := &mixed{t, m.owner, m.c, m.kafka, m.ours}
			m.whole()
			scenario.tell(m)
			m.whole()
		})
	}
	t.Run("logs", func(t *testing.T) {
		dir := t.ArtifactDir() // with go test -artifacts they stay
		for _, n := range c.Nodes {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.log", n.Kind, n.ID)), []byte(n.Log()), 0o644); err != nil {
				t.Error(err)
			}
			checkLog(t, n)
		}
	})
}

// whole lets all brokers run and waits until they are registered.
func (m *mixed) whole() {
	m.Helper()
	m.c.Network.Heal()
	for _, n := range m.c.Nodes {
		n.Resume()
		if n.Dead() {
			m.restart(n)
		}
	}
	for _, n := range m.c.Nodes {
		m.c.AwaitRegistered(m, n)
	}
}

// restart launches a broker again and waits until it serves.
func (m *mixed) restart(n *cluster.Node) {
	m.Helper()
	n.Launch(m.owner)
	n.AwaitReady(m)
}

// client connects to a broker first, and to whichever its metadata names then.
func (m *mixed) client(n *cluster.Node, options ...kgo.Opt) *kgo.Client {
	m.Helper()
	return harness.NewClient(m, n.Address(), append([]kgo.Opt{kgo.MetadataMaxAge(time.Second)}, options...)...)
}

// create creates a topic through a broker, with the replicas given for each partition, and waits until all know its leaders.
func (m *mixed) create(through *cluster.Node, topic string, configs map[string]string, assignment ...[]int32) {
	m.Helper()
	m.ask(through, createTopic(topic, configs, assignment))
	m.inSync(topic, assignment...)
}

// inSync waits until all replicas of a topic are in sync and every broker says so.
func (m *mixed) inSync(topic string, assignment ...[]int32) {
	m.Helper()
	harness.Eventually(m, soon, func() error {
		for p := range assignment {
			s := m.c.State(m, topic, int32(p))
			if s.Leader < 0 || len(s.ISR) != len(assignment[p]) {
				return fmt.Errorf("%s-%d: leader %d, in sync %v, want %v", topic, p, s.Leader, s.ISR, assignment[p])
			}
		}
		return nil
	})
	for _, n := range m.c.Nodes {
		m.knows(n, topic, len(assignment))
	}
}

// knows waits until a broker's metadata has the leaders, epochs and in-sync replicas that ZooKeeper has.
func (m *mixed) knows(n *cluster.Node, topic string, partitions int) {
	m.Helper()
	harness.Eventually(m, soon, func() error {
		seen, err := m.describe(n, topic)
		if err != nil {
			return err
		}
		if len(seen) != partitions {
			return fmt.Errorf("broker %d knows %d partitions of %s, want %d", n.ID, len(seen), topic, partitions)
		}
		for p, got := range seen {
			s := m.c.State(m, topic, p)
			if got.Leader != s.Leader || got.LeaderEpoch != s.LeaderEpoch || len(got.ISR) != len(s.ISR) {
				return fmt.Errorf("broker %d says leader %d, epoch %d, in sync %v of %s-%d, ZooKeeper %d, %d, %v", n.ID,
					got.Leader, got.LeaderEpoch, got.ISR, topic, p, s.Leader, s.LeaderEpoch, s.ISR)
			}
		}
		return nil
	})
}

// produce sends records with acks=all, or with acks=1, and waits for them.
func (m *mixed) produce(topic, what string, count int, options ...kgo.Opt) {
	m.Helper()
	c := m.client(m.kafka, append([]kgo.Opt{
		kgo.SeedBrokers(m.c.Bootstrap()...), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()),
	}, options...)...)
	defer c.Close()
	records := make([]*kgo.Record, count)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%s %d", what, i)}
	}
	harness.Produce(m, c, records...)
}

// careless are the options of a producer for which a leader's word is enough.
var careless = []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()}

// everywhere is the assignment of partitions with a replica on every broker; each broker leads two of them.
var everywhere = [][]int32{{1, 2, 3}, {2, 3, 1}, {3, 1, 2}, {1, 3, 2}, {2, 1, 3}, {3, 2, 1}}

// underLoad runs a part of a scenario while clients write to and read from a topic with a replica on every broker, and checks
// what they saw. The topic is created through a broker.
func (m *mixed) underLoad(topic string, through *cluster.Node, part func(l *load.Load)) {
	m.Helper()
	m.create(through, topic, map[string]string{"min.insync.replicas": "2"}, everywhere...)
	addresses := map[int32]string{}
	for _, n := range m.c.Nodes {
		addresses[n.ID] = n.Address()
	}
	l := load.Start(m, load.Options{Brokers: addresses, Topic: topic, Partitions: len(everywhere)})
	l.AwaitProgress(m, soon)
	l.AwaitCommits(m, soon)
	part(l)
	m.whole()
	l.AwaitProgress(m, soon)
	m.inSync(topic, everywhere...)
	h := l.Finish(m)
	h.StaleCoordinators = true // a broker may be paused
	for _, err := range l.Failures() {
		m.Error(err)
	}
	if found := history.Check(h); len(found) > 0 {
		m.Errorf("%d violations:\n%s", len(found), history.Report(found))
	}
	m.c.AwaitSameBytes(m, topic, len(everywhere), soon)
	silence, partition := h.LongestSilence(0)
	m.Logf("%s: %d records acknowledged, %d read; longest silence %.2fs (partition %d)", topic, len(h.Acks), len(h.Reads), silence.Seconds(), partition)
	m.ask(through, deleteTopic(topic))
	m.gone(topic)
}
