//go:build compat

package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
)

// joining (A1) creates a topic through each kind of controller, with a leader of one kind and a follower of the other, and lets
// the follower leave the in-sync replicas and join them again.
func joining(m *mixed) {
	for _, controller := range []*cluster.Node{m.kafka, m.ours[0]} {
		m.c.Elect(m, controller)
		for _, replicas := range [][]int32{{m.kafka.ID, m.ours[1].ID}, {m.ours[1].ID, m.kafka.ID}} {
			topic := fmt.Sprintf("joining-%d-%d", controller.ID, replicas[0])
			// With fewer than min.insync.replicas the leader would commit nothing.
			m.create(m.c.Node(replicas[0]), topic, map[string]string{"min.insync.replicas": "1"}, replicas)
			m.produce(topic, "both", 100)
			m.outAndIn(topic, replicas)
			m.c.AwaitSameBytes(m, topic, 1, soon)
			m.sameTopicID(topic, replicas)
		}
	}
}

// outAndIn keeps a follower from fetching, until its leader has put it out of the in-sync replicas, and lets it fetch again.
func (m *mixed) outAndIn(topic string, replicas []int32) {
	m.Helper()
	leader, follower := m.c.Node(replicas[0]), m.c.Node(replicas[1])
	m.c.Network.Set(follower.Name(), leader.Name(), cluster.Condition{Stalled: true})
	before := m.highWatermark(topic, 0)
	m.produce(topic, "the leader alone", 10, careless...)
	if now := m.highWatermark(topic, 0); now != before {
		m.Errorf("broker %d commits up to %d what broker %d, in sync, does not have: %d", leader.ID, now, follower.ID, before)
	}
	m.c.AwaitStates(m, topic, 1, soon, func(s cluster.PartitionState) error {
		if !slices.Equal(s.ISR, replicas[:1]) {
			return fmt.Errorf("in sync %v", s.ISR)
		}
		return nil
	})
	m.knows(m.kafka, topic, 1)
	harness.Eventually(m, soon, func() error {
		if now := m.highWatermark(topic, 0); now != before+10 {
			return fmt.Errorf("broker %d, alone in sync, commits up to %d, want %d", leader.ID, now, before+10)
		}
		return nil
	})
	m.c.Network.Heal()
	m.inSync(topic, replicas)
}

// sameTopicID compares what the brokers wrote beside a partition's segments with ZooKeeper.
func (m *mixed) sameTopicID(topic string, replicas []int32) {
	m.Helper()
	var node struct {
		TopicID string `json:"topic_id"`
	}
	m.c.Read(m, "/brokers/topics/"+topic, &node)
	for _, id := range replicas {
		text, err := os.ReadFile(filepath.Join(m.c.Node(id).PartitionDir(topic, 0), "partition.metadata"))
		if want := "version: 0\ntopic_id: " + node.TopicID; err != nil || strings.TrimSpace(string(text)) != want {
			m.Errorf("broker %d has for %s %q (%v), want %q", id, topic, text, err, want)
		}
	}
}

// leading (A2) is three replicas of which the leader puts out and lets in one of each kind, through a controller of each kind.
func leading(m *mixed) {
	for _, controller := range []*cluster.Node{m.kafka, m.ours[1]} {
		m.c.Elect(m, controller)
		topic := fmt.Sprintf("leading-%d", controller.ID)
		replicas := []int32{m.ours[0].ID, m.kafka.ID, m.ours[1].ID}
		m.create(controller, topic, nil, replicas)
		m.produce(topic, "all three", 100)
		for _, id := range replicas[1:] {
			m.c.Network.Set(m.c.Node(id).Name(), m.ours[0].Name(), cluster.Condition{Stalled: true})
			m.produce(topic, "the other two", 10, careless...) // who has all, is in sync however long it was silent
			m.c.AwaitOutOfSync(m, topic, 1, m.c.Node(id), soon)
			m.produce(topic, "two", 50)
			m.c.Network.Heal()
			m.inSync(topic, replicas)
		}
		m.c.AwaitSameBytes(m, topic, 1, soon)
	}
}

// diverging (A3) kills a leader of each kind before its follower, of the other, has what it wrote last. The follower leads and
// writes something else; the old leader has to give up exactly what nobody else had.
func diverging(m *mixed) {
	for _, replicas := range [][]int32{{m.kafka.ID, m.ours[0].ID}, {m.ours[0].ID, m.kafka.ID}} {
		m.c.Elect(m, m.ours[1]) // which has no part in it, and does not die
		first, second := m.c.Node(replicas[0]), m.c.Node(replicas[1])
		topic := fmt.Sprintf("diverging-%d", first.ID)
		m.create(first, topic, map[string]string{"min.insync.replicas": "1"}, replicas)
		m.produce(topic, "both", 100)
		m.c.Network.Set(second.Name(), first.Name(), cluster.Condition{Stalled: true})
		// Two batches that end in other places than those that take their place.
		m.produce(topic, "lost", 30, append(careless, kgo.ProducerLinger(50*time.Millisecond))...)
		m.produce(topic, "lost too", 40, append(careless, kgo.ProducerLinger(50*time.Millisecond))...)
		first.Kill()
		harness.Eventually(m, soon, func() error {
			if s := m.c.State(m, topic, 0); s.Leader != second.ID {
				return fmt.Errorf("broker %d leads", s.Leader)
			}
			return nil
		})
		m.c.Network.Heal()
		m.produce(topic, "kept", 50, append(careless, kgo.ProducerLinger(50*time.Millisecond))...)
		m.restart(first)
		m.inSync(topic, replicas)
		m.produce(topic, "at last", 5)
		m.c.AwaitSameBytes(m, topic, 1, soon)
		seen := map[string]int{}
		for _, r := range harness.Consume(m, second.Address(), topic, 155) {
			seen[strings.TrimRight(string(r.Value), "0123456789")]++
		}
		if want := map[string]int{"both ": 100, "kept ": 50, "at last ": 5}; fmt.Sprint(seen) != fmt.Sprint(want) {
			m.Errorf("%s holds %v, want %v", topic, seen, want)
		}
	}
}
