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
func (h *Handlers) alterConfigs(ctx context.Context, _ *server.Call, req *kmsg.AlterConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	resources := make([]resource, len(req.Resources))
	for i := range req.Resources {
		resources[i] = resource{int8(req.Resources[i].ResourceType), req.Resources[i].ResourceName}
	}
	twice := duplicates(resources)
	for i, r := range resources {
		var ops []configOp
		for _, c := range req.Resources[i].Configs {
			ops = append(ops, configOp{op: opSet, name: c.Name, value: c.Value})
		}
		var err error = errTwice
		if !twice[r] {
			err = h.alter(ctx, r, ops, false, req.ValidateOnly)
		}
		rr := kmsg.NewAlterConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = req.Resources[i].ResourceType, r.name
		rr.ErrorCode, rr.ErrorMessage = h.configFailure(err)
		resp.Resources = append(resp.Resources, rr)
	}
	return resp
}
