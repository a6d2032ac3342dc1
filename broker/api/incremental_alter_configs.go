package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
)

// IncrementalAlterConfigs (key 44), versions 0 to 1.
//
// Sets, deletes, appends to and subtracts from single keys of topics and brokers (KIP-339).
// A broker's own keys are changed by that broker only.
//
//	v1  flexible encoding
//
// Sources: KafkaApis.handleIncrementalAlterConfigsRequest, ConfigAdminManager.
func (h *Handlers) incrementalAlterConfigs(ctx context.Context, c *server.Call, req *kmsg.IncrementalAlterConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	alterations := make([]alteration, len(req.Resources))
	for i := range req.Resources {
		r, a := &req.Resources[i], &alterations[i]
		a.resource = resource{int8(r.ResourceType), r.ResourceName}
		for _, k := range r.Configs {
			a.ops = append(a.ops, configOp{op: int8(k.Op), name: k.Name, value: k.Value})
		}
	}
	for i, err := range h.alterAll(ctx, alterations, true, req.ValidateOnly) {
		rr := kmsg.NewIncrementalAlterConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = req.Resources[i].ResourceType, req.Resources[i].ResourceName
		rr.ErrorCode, rr.ErrorMessage = h.refusal(c, err)
		resp.Resources = append(resp.Resources, rr)
	}
	return resp
}
