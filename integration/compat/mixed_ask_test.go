//go:build compat

package compat

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
)

// dial connects to a broker itself: what is asked there, no other answers.
func (m *mixed) dial(n *cluster.Node) net.Conn {
	m.Helper()
	conn, err := net.Dial("tcp", n.Address())
	if err != nil {
		m.Fatalf("connect to broker %d: %v", n.ID, err)
	}
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		m.Fatal(err)
	}
	return conn
}

// send asks one broker in the version that the request has.
func (m *mixed) send(n *cluster.Node, q kmsg.Request) kmsg.Response {
	m.Helper()
	conn := m.dial(n)
	defer conn.Close()
	return harness.RoundTrip(m, conn, q)
}

// ask asks for a change through a broker, which has to take it to the controller, wherever that is.
func (m *mixed) ask(through *cluster.Node, q kmsg.Request) {
	m.Helper()
	harness.Eventually(m, soon, func() error {
		c := m.client(through)
		defer c.Close()
		r, err := c.Request(harness.Context(m), q)
		if err != nil {
			return err
		}
		return refusal(r)
	})
}

// refusal returns the first error code of an answer.
func refusal(r kmsg.Response) error {
	var codes []int16
	switch r := r.(type) {
	case *kmsg.CreateTopicsResponse:
		for _, t := range r.Topics {
			if t.ErrorCode != kerr.TopicAlreadyExists.Code { // of a try before whose answer was lost
				codes = append(codes, t.ErrorCode)
			}
		}
	case *kmsg.DeleteTopicsResponse:
		for _, t := range r.Topics {
			if t.ErrorCode != kerr.UnknownTopicOrPartition.Code {
				codes = append(codes, t.ErrorCode)
			}
		}
	case *kmsg.IncrementalAlterConfigsResponse:
		for _, resource := range r.Resources {
			codes = append(codes, resource.ErrorCode)
		}
	case *kmsg.AlterPartitionAssignmentsResponse:
		codes = append(codes, r.ErrorCode)
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				codes = append(codes, p.ErrorCode)
			}
		}
	default:
		return fmt.Errorf("nobody looks into a %T", r)
	}
	for _, code := range codes {
		if err := kerr.ErrorForCode(code); err != nil {
			return err
		}
	}
	return nil
}

func createTopic(topic string, configs map[string]string, assignment [][]int32) kmsg.Request {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, -1, -1
	for p, replicas := range assignment {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = int32(p), replicas
		t.ReplicaAssignment = append(t.ReplicaAssignment, a)
	}
	for name, value := range configs {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = name, &value
		t.Configs = append(t.Configs, c)
	}
	q := kmsg.NewPtrCreateTopicsRequest()
	q.TimeoutMillis = 30_000
	q.Topics = append(q.Topics, t)
	return q
}

func deleteTopic(topic string) kmsg.Request {
	q := kmsg.NewPtrDeleteTopicsRequest()
	q.TimeoutMillis = 30_000
	q.TopicNames = []string{topic}
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = &topic
	q.Topics = append(q.Topics, t)
	return q
}

// setConfig sets one config of a topic, or of a broker or all of them by default.
func setConfig(kind kmsg.ConfigResourceType, name, key, value string) kmsg.Request {
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value = key, &value
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kind, name
	resource.Configs = append(resource.Configs, c)
	q := kmsg.NewPtrIncrementalAlterConfigsRequest()
	q.Resources = append(q.Resources, resource)
	return q
}

// describe returns what a broker's metadata says of a topic's partitions.
func (m *mixed) describe(n *cluster.Node, topic string) (map[int32]kmsg.MetadataResponseTopicPartition, error) {
	m.Helper()
	q := kmsg.NewPtrMetadataRequest()
	q.Version = 9 // the first with leader epochs is 7
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	q.Topics = append(q.Topics, t)
	seen := map[int32]kmsg.MetadataResponseTopicPartition{}
	for _, t := range m.send(n, q).(*kmsg.MetadataResponse).Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return nil, fmt.Errorf("broker %d on %s: %w", n.ID, topic, err)
		}
		for _, p := range t.Partitions {
			seen[p.Partition] = p
		}
	}
	return seen, nil
}

// highWatermark asks a partition's leader for the end that consumers see.
func (m *mixed) highWatermark(topic string, partition int32) int64 {
	m.Helper()
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp = partition, -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	q := kmsg.NewPtrListOffsetsRequest()
	q.Version, q.ReplicaID, q.Topics = 5, -1, append(q.Topics, t)
	answer := m.send(m.c.Leader(m, topic, partition), q).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		m.Fatalf("the end of %s-%d: %v", topic, partition, err)
	}
	return answer.Offset
}

// gone waits until nothing is left of a deleted topic: in ZooKeeper, in the brokers' metadata, on their disks.
func (m *mixed) gone(topic string) {
	m.Helper()
	harness.Eventually(m, soon, func() error {
		for _, path := range []string{"/brokers/topics/", "/config/topics/", "/admin/delete_topics/"} {
			if m.c.Stat(m, path+topic) != nil {
				return fmt.Errorf("%s%s is still there", path, topic)
			}
		}
		for _, n := range m.c.Nodes {
			if _, err := m.describe(n, topic); !errors.Is(err, kerr.UnknownTopicOrPartition) {
				return fmt.Errorf("broker %d still knows %s: %v", n.ID, topic, err)
			}
			if _, err := os.Stat(n.PartitionDir(topic, 0)); err == nil {
				return fmt.Errorf("broker %d still has %s", n.ID, n.PartitionDir(topic, 0))
			}
		}
		return nil
	})
}
