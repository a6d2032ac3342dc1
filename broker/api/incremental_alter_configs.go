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
func (h *Handlers) incrementalAlterConfigs(ctx context.Context, _ *server.Call, req *kmsg.IncrementalAlterConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	resources := make([]resource, len(req.Resources))
	for i := range req.Resources {
		resources[i] = resource{int8(req.Resources[i].ResourceType), req.Resources[i].ResourceName}
	}
	twice := duplicates(resources)
	for i, r := range resources {
		var ops []configOp
		for _, c := range req.Resources[i].Configs {
			ops = append(ops, configOp{op: int8(c.Op), name: c.Name, value: c.Value})
		}
		var err error = errTwice
		if !twice[r] {
			err = h.alter(ctx, r, ops, true, req.ValidateOnly)
		}
		rr := kmsg.NewIncrementalAlterConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = req.Resources[i].ResourceType, r.name
		rr.ErrorCode, rr.ErrorMessage = h.configFailure(err)
		resp.Resources = append(resp.Resources, rr)
	}
	return resp
}
