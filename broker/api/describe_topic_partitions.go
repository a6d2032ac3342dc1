package api

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// maxDescribedPartitions bounds one answer (Kafka: max.request.partition.size.limit).
const maxDescribedPartitions = 2000

// DescribeTopicPartitions (key 75), version 0.
//
// Describes topics in pages of partitions, in the order of names (KIP-966). Apache Kafka has it only in
// KRaft mode; eligible leader replicas are a matter of KRaft and always empty here.
//
// Source: DescribeTopicPartitionsRequestHandler.java.
func (h *Handlers) describeTopicPartitions(_ context.Context, c *server.Call, req *kmsg.DescribeTopicPartitionsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	view := listenerView{image: h.rooms.Metadata.Load(), listener: c.Conn.Listener, version: 12}
	names := make([]string, 0, len(req.Topics))
	for i := range req.Topics {
		names = append(names, req.Topics[i].Topic)
	}
	if len(req.Topics) == 0 {
		for _, t := range view.image.Topics() {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	limit := int32(max(1, min(maxDescribedPartitions, req.ResponsePartitionLimit)))
	cursor := req.Cursor
	if cursor != nil && (cursor.Partition < 0 || len(req.Topics) > 0 && !slices.Contains(names, cursor.Topic)) {
		for i := range req.Topics {
			rt := kmsg.NewDescribeTopicPartitionsResponseTopic()
			rt.Topic, rt.ErrorCode = &req.Topics[i].Topic, protocol.InvalidRequest
			resp.Topics = append(resp.Topics, rt)
		}
		return resp
	}
	for _, name := range names {
		first := int32(0)
		if cursor != nil {
			if name < cursor.Topic {
				continue
			}
			if name == cursor.Topic {
				first = cursor.Partition
			}
		}
		if limit == 0 {
			resp.NextCursor = cursorAt(name, 0)
			break
		}
		t, ok := view.image.Topic(name)
		if !ok {
			resp.Topics = append(resp.Topics, unknownTopicPartitions(name))
			continue
		}
		rt, next := describedTopic(view, t, first, limit)
		limit -= int32(len(rt.Partitions))
		resp.Topics = append(resp.Topics, rt)
		if next >= 0 {
			resp.NextCursor = cursorAt(name, next)
			break
		}
	}
	return resp
}

func unknownTopicPartitions(name string) kmsg.DescribeTopicPartitionsResponseTopic {
	rt := kmsg.NewDescribeTopicPartitionsResponseTopic()
	rt.Topic, rt.ErrorCode, rt.AuthorizedOperations = &name, protocol.UnknownTopicOrPartition, topicOperations
	if controller.ValidateTopicName(name) != nil {
		rt.ErrorCode = protocol.InvalidTopic
	}
	rt.IsInternal = isInternal(name)
	return rt
}

func cursorAt(topic string, partition int32) *kmsg.DescribeTopicPartitionsResponseNextCursor {
	c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	c.Topic, c.Partition = topic, partition
	return &c
}

// describedTopic describes up to limit partitions of a topic from index first on, and returns the index
// that follows, or -1 when there is none.
func describedTopic(view listenerView, t *metadata.Topic, first, limit int32) (kmsg.DescribeTopicPartitionsResponseTopic, int32) {
	full := view.topic(t)
	rt := kmsg.NewDescribeTopicPartitionsResponseTopic()
	rt.Topic, rt.TopicID, rt.IsInternal, rt.AuthorizedOperations = full.Topic, full.TopicID, full.IsInternal, topicOperations
	for i := range full.Partitions {
		p := &full.Partitions[i]
		if p.Partition < first {
			continue
		}
		if int32(len(rt.Partitions)) == limit {
			return rt, p.Partition
		}
		rp := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		rp.ErrorCode, rp.Partition, rp.LeaderID, rp.LeaderEpoch = p.ErrorCode, p.Partition, p.Leader, p.LeaderEpoch
		rp.Replicas, rp.ISR, rp.OfflineReplicas = p.Replicas, p.ISR, p.OfflineReplicas
		rp.EligibleLeaderReplicas, rp.LastKnownELR = []int32{}, []int32{}
		rt.Partitions = append(rt.Partitions, rp)
	}
	return rt, -1
}
