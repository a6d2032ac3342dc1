package api

import (
	"bytes"
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/protocol"
)

// ConsumerGroupHeartbeat (key 68), versions 0 to 1.
//
// All of the new group protocol (KIP-848): joins (member epoch 0), keeps, changes and ends (-1, -2) a membership, and tells
// the member what it may use. Apache Kafka has it only in KRaft mode; without consumer in
// group.coordinator.rebalance.protocols it is refused here too.
//
//	v1  subscription by regex; the member chooses its id (KIP-1082)
//
// Sources: KafkaApis.handleConsumerGroupHeartbeat, GroupMetadataManager.consumerGroupHeartbeat.
func (h *Handlers) consumerGroupHeartbeat(ctx context.Context, c *server.Call, req *kmsg.ConsumerGroupHeartbeatRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	if !h.rooms.Config.Broker().Groups.ConsumerProtocol {
		resp.ErrorCode = protocol.UnsupportedVersion
		return resp
	}
	r := h.rooms.Groups.ConsumerHeartbeat(ctx, req.Group, consumerHeartbeat(c, req))
	resp.ErrorCode, resp.ErrorMessage = codeOfGroup(r.Err), orNull(r.Message)
	resp.MemberID, resp.MemberEpoch = orNull(r.MemberID), r.MemberEpoch
	resp.HeartbeatIntervalMillis = int32(r.HeartbeatInterval.Milliseconds())
	if r.Assignment != nil {
		a := kmsg.NewConsumerGroupHeartbeatResponseAssignment()
		for _, id := range sortedIDs(r.Assignment) {
			rt := kmsg.NewConsumerGroupHeartbeatResponseAssignmentTopic()
			rt.TopicID, rt.Partitions = id, r.Assignment[id]
			a.Topics = append(a.Topics, rt)
		}
		resp.Assignment = &a
	}
	return resp
}

func consumerHeartbeat(c *server.Call, req *kmsg.ConsumerGroupHeartbeatRequest) consumer.HeartbeatRequest {
	r := consumer.HeartbeatRequest{
		Client: clientOf(c), MemberID: req.MemberID, MemberEpoch: req.MemberEpoch, InstanceID: req.InstanceID, Rack: req.RackID,
		RebalanceTimeout: millis(req.RebalanceTimeoutMillis), Topics: req.SubscribedTopicNames,
		TopicRegex: req.SubscribedTopicRegex, ServerAssignor: req.ServerAssignor, Version: req.Version, Arrived: c.Arrived,
	}
	if req.Topics == nil {
		return r
	}
	r.Owned = make(assign.Partitions, len(req.Topics))
	for _, t := range req.Topics {
		r.Owned[t.TopicID] = append(r.Owned[t.TopicID], t.Partitions...)
	}
	for id, partitions := range r.Owned {
		slices.Sort(partitions)
		r.Owned[id] = slices.Compact(partitions)
	}
	return r
}

// sortedIDs lists the topics of an assignment in an order that does not change from answer to answer.
func sortedIDs(p assign.Partitions) [][16]byte {
	ids := make([][16]byte, 0, len(p))
	for id := range p {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	return ids
}
