package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// ControlledShutdown (key 7), versions 0 to 3.
//
// A broker that is about to stop asks the controller to move its leaders away, and is told what it still leads.
//
//	v0  request header without a client id
//	v2  broker epoch (KIP-380)
//	v3  flexible encoding
//
// Source: KafkaController.doControlledShutdown. Unlike Kafka, which answers UNKNOWN_SERVER_ERROR to a broker that gives an
// epoch but is not registered, this answers BROKER_NOT_AVAILABLE always.
func (h *Handlers) controlledShutdown(ctx context.Context, c *server.Call, req *kmsg.ControlledShutdownRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ControlledShutdownResponse)
	epoch := req.BrokerEpoch
	if req.Version < 2 {
		epoch = -1
	}
	remaining, err := h.rooms.Controller.ControlledShutdown(ctx, req.BrokerID, epoch)
	switch {
	case errors.Is(err, controller.ErrNotController):
		resp.ErrorCode = protocol.StaleControllerEpoch // Kafka's ControllerMovedException
	default:
		resp.ErrorCode = h.code(c, err)
	}
	for _, tp := range remaining {
		rp := kmsg.NewControlledShutdownResponsePartitionsRemaining()
		rp.Topic, rp.Partition = tp.Topic, tp.Partition
		resp.PartitionsRemaining = append(resp.PartitionsRemaining, rp)
	}
	return resp
}
