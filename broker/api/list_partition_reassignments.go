package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/zkmeta"
)

// ListPartitionReassignments (key 46), version 0.
//
// Tells which partitions are being moved, among those named or (with null topics) of all (KIP-455).
//
// Source: KafkaApis.handleListPartitionReassignmentsRequest.
func (h *Handlers) listPartitionReassignments(ctx context.Context, c *server.Call, req *kmsg.ListPartitionReassignmentsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	var asked []zkmeta.TopicPartition
	if req.Topics != nil {
		asked = []zkmeta.TopicPartition{}
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				asked = append(asked, zkmeta.TopicPartition{Topic: t.Topic, Partition: p})
			}
		}
	}
	moving, err := h.rooms.Controller.Reassignments(ctx, asked)
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = h.refusal(c, err)
		return resp
	}
	resp.ErrorMessage = text("") // not null
	for _, r := range moving {
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].Topic != r.Topic {
			rt := kmsg.NewListPartitionReassignmentsResponseTopic()
			rt.Topic = r.Topic
			resp.Topics = append(resp.Topics, rt)
		}
		rp := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
		rp.Partition, rp.Replicas, rp.AddingReplicas, rp.RemovingReplicas = r.Partition, r.Replicas, r.Adding, r.Removing
		rt := &resp.Topics[len(resp.Topics)-1]
		rt.Partitions = append(rt.Partitions, rp)
	}
	return resp
}
