package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// DescribeProducers (key 61), version 0.
//
// Lists the active producers of partitions: what deduplication remembers, and open transactions (KIP-664).
//
// Sources: KafkaApis.handleDescribeProducersRequest, ReplicaManager.activeProducerState.
func (h *Handlers) describeProducers(_ context.Context, c *server.Call, req *kmsg.DescribeProducersRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := kmsg.NewDescribeProducersResponseTopic()
		rt.Topic = t.Topic
		for _, index := range t.Partitions {
			rt.Partitions = append(rt.Partitions, h.producersOf(c, t.Topic, index))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (h *Handlers) producersOf(c *server.Call, topic string, index int32) kmsg.DescribeProducersResponseTopicPartition {
	rp := kmsg.NewDescribeProducersResponseTopicPartition()
	rp.Partition = index
	if err := controller.ValidateTopicName(topic); err != nil {
		rp.ErrorCode, rp.ErrorMessage = protocol.InvalidTopic, text(err.Error())
		return rp
	}
	if _, ok := h.rooms.Metadata.Load().Topic(topic); !ok {
		rp.ErrorCode = protocol.UnknownTopicOrPartition
		rp.ErrorMessage = text(protocol.ErrorMessage(rp.ErrorCode))
		return rp
	}
	// From here on Kafka tells the code alone.
	partition, err := h.hosted(topic, index)
	if err != nil {
		rp.ErrorCode = h.code(c, err)
		return rp
	}
	producers, err := partition.Producers()
	rp.ErrorCode = h.code(c, err)
	for i := range producers {
		p := &producers[i]
		ra := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		ra.ProducerID, ra.ProducerEpoch, ra.LastSequence = p.ID, int32(p.Epoch), p.LastSequence
		ra.LastTimestamp, ra.CoordinatorEpoch, ra.CurrentTxnStartOffset = p.LastTimestamp, p.CoordinatorEpoch, p.CurrentTxnFirstOffset
		rp.ActiveProducers = append(rp.ActiveProducers, ra)
	}
	return rp
}
