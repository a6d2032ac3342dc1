//go:build compat

package compat

import (
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
)

// producerIDs (A13) takes more than a block of producer ids from every broker, under a controller of each kind.
func producerIDs(m *mixed) {
	given := map[int64]int32{}
	for _, controller := range []*cluster.Node{m.kafka, m.ours[0]} {
		m.c.Elect(m, controller)
		for _, n := range m.c.Nodes {
			for _, id := range m.takeIDs(n, 1100) {
				if other, taken := given[id]; taken {
					m.Fatalf("brokers %d and %d gave producer id %d", other, n.ID, id)
				}
				given[id] = n.ID
			}
		}
	}
	var block struct {
		Version int    `json:"version"`
		Broker  int32  `json:"broker"`
		Start   string `json:"block_start"`
		End     string `json:"block_end"`
	}
	m.c.Read(m, "/latest_producer_id_block", &block)
	start, _ := strconv.ParseInt(block.Start, 10, 64) // what is no number is no block of 1000
	end, _ := strconv.ParseInt(block.End, 10, 64)
	if block.Version != 1 || end != start+999 {
		m.Errorf("/latest_producer_id_block is %+v", block)
	}
	for id := range given {
		if id > end {
			m.Fatalf("producer id %d is above the last block, %+v", id, block)
		}
	}
}

// takeIDs lets a broker give producer ids.
func (m *mixed) takeIDs(n *cluster.Node, count int) []int64 {
	m.Helper()
	conn := m.dial(n)
	defer conn.Close()
	var ids []int64
	for deadline := time.Now().Add(soon); len(ids) < count; {
		q := kmsg.NewPtrInitProducerIDRequest()
		q.Version, q.TransactionTimeoutMillis = 2, 60_000
		r := harness.RoundTrip(m, conn, q).(*kmsg.InitProducerIDResponse)
		switch err := kerr.ErrorForCode(r.ErrorCode); {
		case err == nil:
			ids = append(ids, r.ProducerID)
		case kerr.IsRetriable(err) && time.Now().Before(deadline):
			time.Sleep(20 * time.Millisecond) // the next block is on its way
		default:
			m.Fatalf("broker %d gives no producer id: %v", n.ID, err)
		}
	}
	return ids
}

// configChanges (A14) changes configs of a topic, of a broker and of all brokers through each broker, which all have to know.
func configChanges(m *mixed) {
	for _, controller := range []*cluster.Node{m.kafka, m.ours[0]} {
		m.c.Elect(m, controller)
		topic := fmt.Sprintf("configured-%d", controller.ID)
		m.create(controller, topic, map[string]string{"retention.ms": "7200000"}, []int32{1, 2, 3})
		// A broker that has the topic must find its config.
		if config, node := m.c.Stat(m, "/config/topics/"+topic), m.c.Stat(m, "/brokers/topics/"+topic); config == nil || node == nil || config.Czxid > node.Czxid {
			m.Errorf("%s was created before its config", topic)
		}
		for i, through := range m.c.Nodes {
			value := strconv.Itoa(8_000_000 + i)
			m.ask(through, setConfig(kmsg.ConfigResourceTypeTopic, topic, "retention.ms", value))
			m.told(kmsg.ConfigResourceTypeTopic, topic, "retention.ms", value)
			value = strconv.Itoa(2_000_000 + i + int(controller.ID)*10)
			m.ask(through, setConfig(kmsg.ConfigResourceTypeBroker, "", "message.max.bytes", value))
			for _, n := range m.c.Nodes {
				m.toldBy(n, kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(n.ID)), "message.max.bytes", value)
			}
		}
		m.ask(controller, deleteTopic(topic))
		m.gone(topic)
	}
}

// told waits until every broker tells a value.
func (m *mixed) told(kind kmsg.ConfigResourceType, name, key, value string) {
	m.Helper()
	for _, n := range m.c.Nodes {
		m.toldBy(n, kind, name, key, value)
	}
}

func (m *mixed) toldBy(n *cluster.Node, kind kmsg.ConfigResourceType, name, key, value string) {
	m.Helper()
	harness.Eventually(m, soon, func() error {
		resource := kmsg.NewDescribeConfigsRequestResource()
		resource.ResourceType, resource.ResourceName, resource.ConfigNames = kind, name, []string{key}
		q := kmsg.NewPtrDescribeConfigsRequest()
		q.Version, q.Resources = 1, append(q.Resources, resource)
		for _, answer := range m.send(n, q).(*kmsg.DescribeConfigsResponse).Resources {
			if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
				return fmt.Errorf("broker %d on %s: %w", n.ID, name, err)
			}
			for _, c := range answer.Configs {
				if c.Name == key && c.Value != nil && *c.Value == value {
					return nil
				}
			}
		}
		return fmt.Errorf("broker %d does not tell %s=%s of %q", n.ID, key, value, name)
	})
}
