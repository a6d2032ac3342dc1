package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// CreatePartitions (key 37), versions 0 to 3.
//
// Grows topics on the controller and answers when the metadata image shows leaders for the new
// partitions, or with REQUEST_TIMED_OUT (KIP-195).
//
//	v2  flexible encoding
//	v3  throttled by controller_mutation_rate (KIP-599)
//
// Sources: KafkaApis.handleCreatePartitionsRequest, ZkAdminManager.createPartitions.
func (h *Handlers) createPartitions(ctx context.Context, c *server.Call, req *kmsg.CreatePartitionsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	count := map[string]int{}
	for i := range req.Topics {
		count[req.Topics[i].Topic]++
	}
	var wanted []controller.MorePartitions
	index := map[string]int{}
	for i := range req.Topics {
		t := &req.Topics[i]
		if _, done := index[t.Topic]; done {
			continue
		}
		index[t.Topic] = len(resp.Topics)
		rt := kmsg.NewCreatePartitionsResponseTopic()
		rt.Topic = t.Topic
		switch {
		case !h.rooms.Controller.Active():
			rt.ErrorCode = protocol.NotController
		case count[t.Topic] > 1:
			rt.ErrorCode, rt.ErrorMessage = protocol.InvalidRequest, text("Duplicate topic in request.")
		default:
			more := controller.MorePartitions{Topic: t.Topic, Count: t.Count}
			for _, a := range t.Assignment {
				more.Assignment = append(more.Assignment, a.Replicas)
			}
			wanted = append(wanted, more)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	var grown []string
	var counts []int
	for i, err := range h.rooms.Controller.CreatePartitions(ctx, wanted, req.ValidateOnly) {
		if err != nil {
			rt := &resp.Topics[index[wanted[i].Topic]]
			rt.ErrorCode, rt.ErrorMessage = h.refusal(c, err)
			continue
		}
		grown, counts = append(grown, wanted[i].Topic), append(counts, int(wanted[i].Count))
	}
	if req.ValidateOnly {
		return resp
	}
	for _, name := range h.awaitTopics(ctx, time.Duration(req.TimeoutMillis)*time.Millisecond, grown,
		func(t *metadata.Topic, i int) bool { return t != nil && len(t.Partitions) >= counts[i] && allLed(t) }) {
		resp.Topics[index[name]].ErrorCode = protocol.RequestTimedOut
	}
	return resp
}
