package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
)

// OffsetForLeaderEpoch (key 23), versions 0 to 4.
//
// Tells where the largest epoch that is not above the one asked for ends: followers and consumers find out
// whether the log was truncated under them (KIP-101, KIP-320).
//
//	v1  the epoch that was found (KIP-279)
//	v2  current leader epoch
//	v3  replica id
//	v4  flexible encoding
//
// Source: ReplicaManager.lastOffsetForLeaderEpoch.
func (h *Handlers) offsetForLeaderEpoch(_ context.Context, c *server.Call, req *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for j := range t.Partitions {
			p := &t.Partitions[j]
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition, rp.LeaderEpoch, rp.EndOffset = p.Partition, -1, -1
			current := int32(-1)
			if req.Version >= 2 {
				current = p.CurrentLeaderEpoch
			}
			partition, err := h.hosted(t.Topic, p.Partition)
			if err == nil {
				rp.LeaderEpoch, rp.EndOffset, err = partition.EndOffsetForEpoch(current, p.LeaderEpoch)
			}
			rp.ErrorCode = h.code(c, err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}
