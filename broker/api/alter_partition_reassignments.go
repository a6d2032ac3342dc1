package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/zkmeta"
)

// AlterPartitionReassignments (key 45), version 0.
//
// Starts, changes and (with null replicas) cancels the moves of partitions to other brokers, and answers when they
// have begun; how they go ListPartitionReassignments tells (KIP-455). Of two wishes for a partition the last counts, as
// in Kafka. The timeout is not used, as in Kafka.
//
// Source: KafkaApis.handleAlterPartitionReassignmentsRequest.
func (h *Handlers) alterPartitionReassignments(ctx context.Context, c *server.Call, req *kmsg.AlterPartitionAssignmentsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	var wishes []controller.Reassignment
	index := map[zkmeta.TopicPartition]int{}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			w := controller.Reassignment{TopicPartition: zkmeta.TopicPartition{Topic: t.Topic, Partition: p.Partition}, Target: p.Replicas}
			if i, twice := index[w.TopicPartition]; twice {
				wishes[i] = w
				continue
			}
			index[w.TopicPartition] = len(wishes)
			wishes = append(wishes, w)
		}
	}
	reasons, err := h.rooms.Controller.AlterReassignments(ctx, wishes)
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = h.refusal(c, err)
		return resp
	}
	resp.ErrorMessage = text("") // not null
	at := map[string]int{}
	for i, w := range wishes {
		if _, known := at[w.Topic]; !known {
			at[w.Topic] = len(resp.Topics)
			rt := kmsg.NewAlterPartitionAssignmentsResponseTopic()
			rt.Topic = w.Topic
			resp.Topics = append(resp.Topics, rt)
		}
		rp := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
		rp.Partition = w.Partition
		if reasons[i] != nil {
			rp.ErrorCode, rp.ErrorMessage = h.refusal(c, reasons[i])
		}
		rt := &resp.Topics[at[w.Topic]]
		rt.Partitions = append(rt.Partitions, rp)
	}
	return resp
}
