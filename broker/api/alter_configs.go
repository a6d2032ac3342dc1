package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
)

// AlterConfigs (key 33), versions 0 to 2.
//
// Replaces the configuration of topics and brokers as a whole (KIP-133); superseded by
// IncrementalAlterConfigs.
//
//	v2  flexible encoding
//
// Sources: KafkaApis.handleAlterConfigsRequest, ConfigAdminManager, ZkAdminManager.alterConfigs.
func (h *Handlers) alterConfigs(ctx context.Context, c *server.Call, req *kmsg.AlterConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	alterations := make([]alteration, len(req.Resources))
	for i := range req.Resources {
		r, a := &req.Resources[i], &alterations[i]
		a.resource = resource{int8(r.ResourceType), r.ResourceName}
		for _, k := range r.Configs {
			a.ops = append(a.ops, configOp{op: opSet, name: k.Name, value: k.Value})
		}
	}
	for i, err := range h.alterAll(ctx, alterations, false, req.ValidateOnly) {
		rr := kmsg.NewAlterConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = req.Resources[i].ResourceType, req.Resources[i].ResourceName
		rr.ErrorCode, rr.ErrorMessage = h.refusal(c, err)
		resp.Resources = append(resp.Resources, rr)
	}
	return resp
}
