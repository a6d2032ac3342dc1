//go:build compat

package compat

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/integration/load"
)

// election is the znode of the controller as every broker has to read it.
type election struct {
	Version    int    `json:"version"`
	BrokerID   int32  `json:"brokerid"`
	Timestamp  string `json:"timestamp"`
	KRaftEpoch int    `json:"kraftControllerEpoch"`
}

// controllersInTurn (A4, A5) passes the controller's office from kind to kind, first by taking it away and then by killing its
// holder, under load. Each controller creates a topic of its own and is served by brokers of both kinds.
func controllersInTurn(m *mixed) {
	m.c.Elect(m, m.kafka)
	m.underLoad("in-turn", m.kafka, func(l *load.Load) {
		for i, n := range []*cluster.Node{m.ours[0], m.kafka, m.ours[1]} {
			before := m.controllerEpoch()
			m.c.Elect(m, n)
			m.checkElected(n, before)
			m.serves(fmt.Sprintf("by-%d-%d", n.ID, i))
			l.AwaitProgress(m, soon)
		}
		for _, dying := range []*cluster.Node{m.kafka, m.ours[0], m.ours[1]} {
			m.c.Elect(m, dying)
			before := m.controllerEpoch()
			dying.Kill()
			m.c.AwaitUnregistered(m, dying)
			m.Logf("controller %d killed: progress after %.2fs", dying.ID, l.AwaitProgress(m, soon).Seconds())
			successor := m.c.Controller(m)
			m.checkElected(successor, before)
			m.restart(dying)
			m.inSync("in-turn", everywhere...)
			m.serves(fmt.Sprintf("after-%d", dying.ID))
		}
	})
	for _, path := range []string{"/isr_change_notification", "/log_dir_event_notification", "/admin/delete_topics"} {
		m.c.AwaitNoChildren(m, path, soon)
	}
}

func (m *mixed) controllerEpoch() (epoch int) {
	m.Helper()
	m.c.Read(m, "/controller_epoch", &epoch)
	return epoch
}

// checkElected looks at what a broker wrote when it became the controller.
func (m *mixed) checkElected(n *cluster.Node, before int) {
	m.Helper()
	var e election
	m.c.Read(m, "/controller", &e)
	if e.Version != 2 || e.BrokerID != n.ID || e.KRaftEpoch != -1 || e.Timestamp == "" {
		m.Errorf("broker %d wrote /controller %+v", n.ID, e)
	}
	if after := m.controllerEpoch(); after <= before {
		m.Errorf("broker %d was elected with controller epoch %d after %d", n.ID, after, before)
	}
}

// serves lets the controller create a topic with leaders on all brokers, which take records, and delete it.
func (m *mixed) serves(topic string) {
	m.Helper()
	assignment := [][]int32{{1, 2, 3}, {2, 3, 1}, {3, 1, 2}}
	m.create(m.ours[0], topic, nil, assignment...)
	m.produce(topic, "all", 30)
	m.c.AwaitSameBytes(m, topic, len(assignment), soon)
	m.ask(m.kafka, deleteTopic(topic))
	m.gone(topic)
}

// controlledShutdowns (A6) stops each broker under a controller of each kind, the controllers themselves too. Nobody waits for
// a session to end.
func controlledShutdowns(m *mixed) {
	m.underLoad("shutdown", m.ours[0], func(l *load.Load) {
		for _, pair := range [][2]*cluster.Node{
			{m.kafka, m.ours[0]}, {m.ours[0], m.kafka}, {m.ours[1], m.ours[0]}, {m.kafka, m.kafka}, {m.ours[1], m.ours[1]},
		} {
			controller, stopped := pair[0], pair[1]
			m.c.Elect(m, controller)
			m.inSync("shutdown", everywhere...)
			began := time.Now()
			stopped.Stop(m)
			took := time.Since(began)
			progress := l.AwaitProgress(m, soon)
			m.Logf("broker %d stopped in %.2fs by controller %d: progress after %.2fs", stopped.ID, took.Seconds(), controller.ID, progress.Seconds())
			for p := range int32(6) {
				if s := m.c.State(m, "shutdown", p); s.Leader == stopped.ID || slices.Contains(s.ISR, stopped.ID) {
					m.Errorf("broker %d has stopped, shutdown-%d has leader %d, in sync %v", stopped.ID, p, s.Leader, s.ISR)
				}
			}
			m.restart(stopped)
		}
	})
}

// lostSessions (A7) pauses each broker for longer than its session, once as the controller and once as another.
func lostSessions(m *mixed) {
	m.underLoad("paused", m.ours[1], func(l *load.Load) {
		for _, pair := range [][2]*cluster.Node{{m.kafka, m.kafka}, {m.ours[0], m.ours[0]}, {m.kafka, m.ours[1]}, {m.ours[1], m.kafka}} {
			controller, paused := pair[0], pair[1]
			m.c.Elect(m, controller)
			m.inSync("paused", everywhere...)
			before, epoch := m.c.Stat(m, fmt.Sprintf("/brokers/ids/%d", paused.ID)), m.controllerEpoch()
			paused.Pause()
			m.c.AwaitUnregistered(m, paused)
			progress := l.AwaitProgress(m, soon)
			paused.Resume()
			m.Logf("broker %d paused, controller %d: progress %.2fs after its session", paused.ID, controller.ID, progress.Seconds())
			m.c.AwaitRegistered(m, paused)
			if after := m.c.Stat(m, fmt.Sprintf("/brokers/ids/%d", paused.ID)); after.Czxid <= before.Czxid {
				m.Errorf("broker %d came back with epoch %d after %d", paused.ID, after.Czxid, before.Czxid)
			}
			if now := m.controllerEpoch(); (controller == paused) != (now > epoch) {
				m.Errorf("broker %d was paused, controller %d: controller epoch %d after %d", paused.ID, controller.ID, now, epoch)
			}
			m.inSync("paused", everywhere...)
		}
	})
}

// deletions (A10) deletes a topic through a controller of each kind, creates its name again, and deletes it while a broker of
// the other kind is away, which finds out when it is back.
func deletions(m *mixed) {
	assignment := [][]int32{{1, 2, 3}, {2, 3, 1}, {3, 1, 2}}
	for _, pair := range [][2]*cluster.Node{{m.kafka, m.ours[0]}, {m.ours[0], m.kafka}} {
		controller, away := pair[0], pair[1]
		m.c.Elect(m, controller)
		topic := fmt.Sprintf("deleted-%d", controller.ID)
		m.create(m.kafka, topic, map[string]string{"retention.ms": "3600000"}, assignment...)
		m.produce(topic, "first", 30)
		m.ask(m.ours[0], deleteTopic(topic))
		m.gone(topic)
		m.create(m.ours[1], topic, nil, assignment...)
		m.produce(topic, "second", 30)
		for p := range int32(len(assignment)) {
			if end := m.highWatermark(topic, p); end != 10 {
				m.Errorf("%s-%d, created again, ends at %d, want 10", topic, p, end)
			}
		}
		away.Kill()
		m.c.AwaitUnregistered(m, away)
		m.ask(controller, deleteTopic(topic))
		time.Sleep(500 * time.Millisecond) // whatever can go, goes
		if m.c.Stat(m, "/admin/delete_topics/"+topic) == nil {
			m.Errorf("%s is gone for controller %d although broker %d still has it", topic, controller.ID, away.ID)
		}
		m.restart(away)
		m.gone(topic)
	}
}

// reassignments (A9) moves a partition between brokers of both kinds through a controller of each kind.
func reassignments(m *mixed) {
	k, a, b := m.kafka.ID, m.ours[0].ID, m.ours[1].ID
	for _, controller := range []*cluster.Node{m.kafka, m.ours[0]} {
		m.c.Elect(m, controller)
		topic := fmt.Sprintf("moved-%d", controller.ID)
		m.create(controller, topic, nil, []int32{a, b})
		m.produce(topic, "before", 500)
		for _, to := range [][]int32{{k, b}, {a, k}, {b, a}} {
			before := m.c.Replicas(m, topic, 0)
			m.ask(m.ours[1], reassignment(topic, to))
			harness.Eventually(m, soon, func() error {
				var node struct {
					Partitions map[string][]int32 `json:"partitions"`
					Adding     map[string][]int32 `json:"adding_replicas"`
					Removing   map[string][]int32 `json:"removing_replicas"`
				}
				m.c.Read(m, "/brokers/topics/"+topic, &node)
				if !slices.Equal(node.Partitions["0"], to) || len(node.Adding)+len(node.Removing) > 0 {
					return fmt.Errorf("%s is assigned %+v, want %v", topic, node, to)
				}
				return nil
			})
			m.inSync(topic, to)
			m.produce(topic, "between", 20)
			m.c.AwaitSameBytes(m, topic, 1, soon)
			for _, id := range before {
				if !slices.Contains(to, id) {
					m.noReplica(m.c.Node(id), topic)
				}
			}
		}
	}
}

// reassignment asks for other replicas of partition 0.
func reassignment(topic string, replicas []int32) kmsg.Request {
	p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	p.Replicas = replicas
	t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	r.Topics = append(r.Topics, t)
	return r
}

// noReplica waits until a broker has removed its replica.
func (m *mixed) noReplica(n *cluster.Node, topic string) {
	m.Helper()
	harness.Eventually(m, soon, func() error {
		if _, err := n.LogBytes(topic, 0); err == nil {
			return fmt.Errorf("broker %d still has %s", n.ID, n.PartitionDir(topic, 0))
		}
		return nil
	})
}
