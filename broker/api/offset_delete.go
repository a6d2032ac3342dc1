package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/protocol"
)

// OffsetDelete (key 47), version 0.
//
// Deletes committed offsets of topics that no member of the group subscribes to (KIP-496).
//
// Sources: KafkaApis.handleOffsetDeleteRequest, GroupCoordinator.handleDeleteOffsets.
func (h *Handlers) offsetDelete(ctx context.Context, _ *server.Call, req *kmsg.OffsetDeleteRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	known := []offsets.Partition{}
	for i := range req.Topics {
		for _, p := range req.Topics[i].Partitions {
			if _, ok := h.partitionMetadata(req.Topics[i].Topic, p.Partition); ok {
				known = append(known, offsets.Partition{Topic: req.Topics[i].Topic, Index: p.Partition})
			}
		}
	}
	deleted, err := h.rooms.Groups.DeleteOffsets(ctx, req.Group, known)
	if err != nil {
		resp.ErrorCode = err.Code
		return resp
	}
	codes := make(map[offsets.Partition]protocol.ErrorCode, len(deleted))
	for _, d := range deleted {
		codes[d.Partition] = codeOfGroup(d.Err)
	}
	for i := range req.Topics {
		rt := kmsg.NewOffsetDeleteResponseTopic()
		rt.Topic = req.Topics[i].Topic
		for _, p := range req.Topics[i].Partitions {
			rp := kmsg.NewOffsetDeleteResponseTopicPartition()
			rp.Partition = p.Partition
			code, ok := codes[offsets.Partition{Topic: rt.Topic, Index: p.Partition}]
			if rp.ErrorCode = code; !ok {
				rp.ErrorCode = protocol.UnknownTopicOrPartition
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
