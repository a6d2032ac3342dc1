package api

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// DeleteRecords (key 21), versions 0 to 2.
//
// Advances the log start offset of partitions led here, and answers when all live replicas have followed, or
// with REQUEST_TIMED_OUT. An offset of -1 stands for the high watermark (KIP-107).
//
//	v2  flexible encoding
//
// Sources: KafkaApis.handleDeleteRecordsRequest, ReplicaManager.deleteRecords.
func (h *Handlers) deleteRecords(ctx context.Context, c *server.Call, req *kmsg.DeleteRecordsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(req.TimeoutMillis)*time.Millisecond)
	defer cancel()
	var waiting sync.WaitGroup
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := kmsg.NewDeleteRecordsResponseTopic()
		rt.Topic, rt.Partitions = t.Topic, make([]kmsg.DeleteRecordsResponseTopicPartition, len(t.Partitions))
		for j := range t.Partitions {
			// All wait for their followers at the same time.
			waiting.Go(func() {
				rp := &rt.Partitions[j]
				rp.Default()
				rp.Partition = t.Partitions[j].Partition
				rp.LowWatermark, rp.ErrorCode = h.deleteRecordsOf(ctx, c, t.Topic, t.Partitions[j])
			})
		}
		resp.Topics = append(resp.Topics, rt)
	}
	waiting.Wait()
	return resp
}

func (h *Handlers) deleteRecordsOf(ctx context.Context, c *server.Call, topic string, p kmsg.DeleteRecordsRequestTopicPartition) (lowWatermark int64, code protocol.ErrorCode) {
	if isInternal(topic) {
		return -1, protocol.InvalidTopic
	}
	partition, err := h.hosted(topic, p.Partition)
	if err != nil {
		return -1, h.code(c, err)
	}
	lowWatermark, err = partition.DeleteRecords(ctx, p.Offset)
	return lowWatermark, h.code(c, err)
}
