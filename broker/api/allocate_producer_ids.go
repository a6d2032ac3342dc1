package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
)

// AllocateProducerIds (key 67), version 0.
//
// Brokers get blocks of producer ids from the controller (KIP-730): 1,000 each, no id twice.
//
// Source: KafkaController.processAllocateProducerIds.
func (h *Handlers) allocateProducerIDs(ctx context.Context, c *server.Call, req *kmsg.AllocateProducerIDsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AllocateProducerIDsResponse)
	first, count, err := h.rooms.Controller.AllocateProducerIDs(ctx, req.BrokerID, req.BrokerEpoch)
	if err != nil {
		resp.ErrorCode = h.code(c, err)
		return resp
	}
	resp.ProducerIDStart, resp.ProducerIDLen = first, count
	return resp
}
