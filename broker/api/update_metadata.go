package api

import (
	"context"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/server"
)

// securityProtocols are Kafka's numbers of security protocols (SecurityProtocol.java).
var securityProtocols = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}

// UpdateMetadata (key 6), versions 0 to 8.
//
// The controller tells the live brokers, all of them each time, and the state of partitions; a leader
// of -2 removes a partition.
//
//	v1  endpoints by security protocol
//	v2  racks
//	v3  listener names (KIP-103)
//	v4  offline replicas (KIP-112)
//	v5  broker epoch, states grouped by topic (KIP-380)
//	v6  flexible encoding
//	v7  topic ids (KIP-516)
//	v8  isKRaftController (KIP-866)
//
// Sources: KafkaApis.handleUpdateMetadataRequest, ZkMetadataCache.updateMetadata.
func (h *Handlers) updateMetadata(_ context.Context, c *server.Call, req *kmsg.UpdateMetadataRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.UpdateMetadataResponse)
	brokerEpoch := req.BrokerEpoch
	if req.Version < 5 {
		brokerEpoch = -1
	}
	u := metadata.Update{ControllerID: req.ControllerID, Topics: topicsOf(req)}
	for i := range req.LiveBrokers {
		u.Brokers = append(u.Brokers, liveBroker(req.Version, &req.LiveBrokers[i]))
	}
	// Fencing and applying are one step, so that an old controller's picture never replaces a new one's.
	deleted, err := h.rooms.Replicas.UpdateMetadata(req.ControllerEpoch, brokerEpoch, u)
	if err == nil && h.rooms.MetadataChanged != nil {
		h.rooms.MetadataChanged(deleted)
	}
	resp.ErrorCode = h.code(c, err)
	return resp
}

// topicsOf groups the partitions of a request of any version by topic.
func topicsOf(req *kmsg.UpdateMetadataRequest) []metadata.Topic {
	topics := make([]metadata.Topic, 0, len(req.TopicStates))
	for i := range req.TopicStates {
		t := &req.TopicStates[i]
		topic := metadata.Topic{Name: t.Topic, ID: t.TopicID, Partitions: make([]metadata.Partition, 0, len(t.PartitionStates))}
		for j := range t.PartitionStates {
			topic.Partitions = append(topic.Partitions, partitionOf(&t.PartitionStates[j]))
		}
		topics = append(topics, topic)
	}
	index := map[string]int{}
	for i := range req.PartitionStates {
		p := &req.PartitionStates[i]
		at, ok := index[p.Topic]
		if !ok {
			at = len(topics)
			index[p.Topic] = at
			topics = append(topics, metadata.Topic{Name: p.Topic})
		}
		topics[at].Partitions = append(topics[at].Partitions, partitionOf(p))
	}
	return topics
}

func partitionOf(p *kmsg.UpdateMetadataRequestTopicPartition) metadata.Partition {
	return metadata.Partition{
		Index: p.Partition, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, ISR: p.ISR, Replicas: p.Replicas,
		Offline: p.OfflineReplicas, ControllerEpoch: p.ControllerEpoch, PartitionEpoch: p.ZKVersion,
	}
}

// liveBroker reads a broker; before version 3 an endpoint has no listener name, which then is its
// security protocol's.
func liveBroker(version int16, b *kmsg.UpdateMetadataRequestLiveBroker) metadata.Broker {
	broker := metadata.Broker{ID: b.ID, Rack: b.Rack}
	if version == 0 {
		broker.Endpoints = []metadata.Endpoint{{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: b.Host, Port: b.Port}}
		return broker
	}
	for _, e := range b.Endpoints {
		security := ""
		if n := int(e.SecurityProtocol); n >= 0 && n < len(securityProtocols) {
			security = securityProtocols[n]
		}
		listener := strings.ToUpper(e.ListenerName)
		if version < 3 {
			listener = security
		}
		broker.Endpoints = append(broker.Endpoints, metadata.Endpoint{Listener: listener, Protocol: security, Host: e.Host, Port: e.Port})
	}
	return broker
}
