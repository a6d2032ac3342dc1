package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
)

// DeleteGroups (key 42), versions 0 to 2.
//
// Deletes groups without members, with their offsets (KIP-229). A group named twice is answered once.
//
//	v2  flexible encoding
//
// Sources: KafkaApis.handleDeleteGroupsRequest, GroupCoordinator.handleDeleteGroups.
func (h *Handlers) deleteGroups(ctx context.Context, _ *server.Call, req *kmsg.DeleteGroupsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	done := make(map[string]bool, len(req.Groups))
	for _, name := range req.Groups {
		if done[name] {
			continue
		}
		done[name] = true
		rg := kmsg.NewDeleteGroupsResponseGroup()
		rg.Group, rg.ErrorCode = name, codeOfGroup(h.rooms.Groups.Delete(ctx, name))
		resp.Groups = append(resp.Groups, rg)
	}
	return resp
}
