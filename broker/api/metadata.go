package api

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// Metadata (key 3), versions 0 to 12.
//
// Tells brokers, controller, topics and leaders from the image of the cluster, with the addresses
// of the listener that the client came on. Unknown topics are created when asked for by name,
// allowed by the request and auto.create.topics.enable; their first answer is LEADER_NOT_AVAILABLE.
//
//	v1   null topics: all; v0 means all by an empty list. Racks, controller
//	v2   cluster id
//	v4   the request may forbid auto-creation
//	v5   offline replicas
//	v7   leader epochs (KIP-320)
//	v8   authorized operations (KIP-430)
//	v9   flexible encoding
//	v10  topic ids in the answer (KIP-516)
//	v11  no cluster authorized operations
//	v12  topics asked for by id
//
// Sources: KafkaApis.handleTopicMetadataRequest, ZkMetadataCache.getPartitionMetadata.
func (h *Handlers) clusterMetadata(ctx context.Context, c *server.Call, req *kmsg.MetadataRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	image := h.rooms.Metadata.Load()
	resp.ClusterID = &image.ClusterID
	resp.ControllerID = image.ControllerID
	resp.AuthorizedOperations = math.MinInt32
	if req.Version >= 8 && req.Version <= 10 && req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = clusterOperations
	}
	for _, b := range image.Brokers() {
		if e, ok := b.Endpoint(c.Conn.Listener); ok {
			rb := kmsg.NewMetadataResponseBroker()
			rb.NodeID, rb.Host, rb.Port, rb.Rack = b.ID, e.Host, e.Port, b.Rack
			resp.Brokers = append(resp.Brokers, rb)
		}
	}
	if byID := metadataByID(req); byID && req.Version < 12 || nameless(req) && (req.Version < 12 || !byID) {
		return refusedMetadata(req)
	}
	view := listenerView{image: image, listener: c.Conn.Listener, version: req.Version}
	resp.Topics = h.metadataTopics(ctx, c, view, req)
	if req.IncludeTopicAuthorizedOperations {
		for i := range resp.Topics {
			resp.Topics[i].AuthorizedOperations = topicOperations
		}
	}
	return resp
}

// Without an authorizer every operation that applies to a resource is allowed; the bits are
// 1 << operation (Kafka: AclOperation, AclEntry.supportedOperations).
const (
	topicOperations   = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11 // Read to Describe, configs
	clusterOperations = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12       // Create, Alter, Describe, ClusterAction, configs, IdempotentWrite
)

// metadataTopics answers the topics asked for: all, by id, or by name with auto-creation.
func (h *Handlers) metadataTopics(ctx context.Context, c *server.Call, view listenerView, req *kmsg.MetadataRequest) []kmsg.MetadataResponseTopic {
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		all := view.image.Topics()
		topics := make([]kmsg.MetadataResponseTopic, 0, len(all))
		for _, t := range all {
			topics = append(topics, view.topic(t))
		}
		return topics
	}
	autoCreate := h.rooms.Config.Broker().AutoCreateTopics && (req.Version < 4 || req.AllowAutoTopicCreation)
	topics := make([]kmsg.MetadataResponseTopic, 0, len(req.Topics))
	seen := make(map[string]bool, len(req.Topics))
	byID := metadataByID(req)
	for _, asked := range req.Topics {
		if byID {
			topics = append(topics, view.topicByID(asked.TopicID))
			continue
		}
		if asked.Topic == nil || seen[*asked.Topic] {
			continue
		}
		seen[*asked.Topic] = true
		if t, ok := view.image.Topic(*asked.Topic); ok {
			topics = append(topics, view.topic(t))
			continue
		}
		topics = append(topics, h.absentTopic(ctx, c, *asked.Topic, autoCreate))
	}
	return topics
}

// metadataByID tells whether a request asks by id: one id makes it so.
func metadataByID(req *kmsg.MetadataRequest) bool {
	for _, t := range req.Topics {
		if t.TopicID != [16]byte{} {
			return true
		}
	}
	return false
}

// nameless tells whether a request has a topic that is asked for neither by name nor by id.
func nameless(req *kmsg.MetadataRequest) bool {
	return slices.ContainsFunc(req.Topics, func(t kmsg.MetadataRequestTopic) bool {
		return t.Topic == nil && t.TopicID == [16]byte{}
	})
}

// refusedMetadata is Kafka's answer to a request that is not legal: nothing but each topic with an error.
func refusedMetadata(req *kmsg.MetadataRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	for _, asked := range req.Topics {
		rt := kmsg.NewMetadataResponseTopic()
		rt.Topic, rt.TopicID, rt.ErrorCode = asked.Topic, asked.TopicID, protocol.InvalidRequest
		if rt.Topic == nil {
			rt.Topic = text("")
		}
		rt.Partitions = []kmsg.MetadataResponseTopicPartition{}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// absentTopic answers for a topic that does not exist, creating it when allowed. The client asks
// again until the leader is there.
func (h *Handlers) absentTopic(ctx context.Context, c *server.Call, name string, autoCreate bool) kmsg.MetadataResponseTopic {
	rt := kmsg.NewMetadataResponseTopic()
	rt.Topic, rt.IsInternal = &name, isInternal(name)
	rt.Partitions = []kmsg.MetadataResponseTopicPartition{}
	if err := controller.ValidateTopicName(name); err != nil {
		rt.ErrorCode = protocol.InvalidTopic
		return rt
	}
	if !autoCreate {
		rt.ErrorCode = protocol.UnknownTopicOrPartition
		return rt
	}
	t := autoTopic(h.rooms.Config.Broker(), name)
	err := h.rooms.Controller.CreateDirectly(ctx, t).Err
	if err == nil || errors.Is(err, controller.ErrTopicExists) {
		rt.ErrorCode = protocol.LeaderNotAvailable
	} else {
		rt.ErrorCode = h.code(c, err, zap.String("topic", name))
	}
	return rt
}

// listenerView answers metadata as clients of one listener see it.
type listenerView struct {
	image    *metadata.Image
	listener string
	version  int16 // of Metadata; others give the latest
}

func (v listenerView) topicByID(id [16]byte) kmsg.MetadataResponseTopic {
	t, ok := v.image.TopicByID(id)
	if ok {
		return v.topic(t)
	}
	rt := kmsg.NewMetadataResponseTopic()
	rt.TopicID, rt.ErrorCode = id, protocol.UnknownTopicID
	rt.Partitions = []kmsg.MetadataResponseTopicPartition{}
	return rt
}

func (v listenerView) topic(t *metadata.Topic) kmsg.MetadataResponseTopic {
	rt := kmsg.NewMetadataResponseTopic()
	rt.Topic, rt.TopicID, rt.IsInternal = &t.Name, t.ID, isInternal(t.Name)
	rt.Partitions = make([]kmsg.MetadataResponseTopicPartition, len(t.Partitions))
	for i := range t.Partitions {
		p := &t.Partitions[i]
		rp := &rt.Partitions[i]
		rp.Default()
		rp.Partition, rp.LeaderEpoch = p.Index, p.LeaderEpoch
		rp.ErrorCode, rp.Leader = v.leader(p)
		// Version 0 shows only replicas that are alive, and says when some are not.
		rp.Replicas, rp.ISR, rp.OfflineReplicas = p.Replicas, p.ISR, v.offline(p)
		if v.version == 0 {
			rp.Replicas, rp.ISR = v.reachable(p.Replicas), v.reachable(p.ISR)
			if rp.ErrorCode == protocol.None && (len(rp.Replicas) < len(p.Replicas) || len(rp.ISR) < len(p.ISR)) {
				rp.ErrorCode = protocol.ReplicaNotAvailable
			}
		}
	}
	return rt
}

// leader returns the leader for clients, or -1 and why there is none for them.
func (v listenerView) leader(p *metadata.Partition) (protocol.ErrorCode, int32) {
	b, alive := v.image.Broker(p.Leader)
	if !alive {
		return protocol.LeaderNotAvailable, metadata.NoLeader
	}
	if _, ok := b.Endpoint(v.listener); ok {
		return protocol.None, p.Leader
	}
	if v.version >= 6 {
		return protocol.ListenerNotFound, metadata.NoLeader
	}
	return protocol.LeaderNotAvailable, metadata.NoLeader
}

// offline lists the replicas that are on dead brokers, lack the listener, or are told offline.
func (v listenerView) offline(p *metadata.Partition) []int32 {
	offline := []int32{}
	for _, id := range p.Replicas {
		if !v.isReachable(id) || slices.Contains(p.Offline, id) {
			offline = append(offline, id)
		}
	}
	return offline
}

func (v listenerView) reachable(ids []int32) []int32 {
	list := []int32{}
	for _, id := range ids {
		if v.isReachable(id) {
			list = append(list, id)
		}
	}
	return list
}

func (v listenerView) isReachable(id int32) bool {
	b, ok := v.image.Broker(id)
	if !ok {
		return false
	}
	_, ok = b.Endpoint(v.listener)
	return ok
}

// isInternal tells whether a topic is one of the coordinators' own (Kafka: Topic.isInternal).
func isInternal(topic string) bool {
	return topic == groupTopic || topic == transactionTopic
}
