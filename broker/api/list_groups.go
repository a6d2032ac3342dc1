package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
)

// ListGroups (key 16), versions 0 to 5.
//
// Lists the groups that this broker coordinates. While some are still being loaded the answer has those that are known,
// and COORDINATOR_LOAD_IN_PROGRESS.
//
//	v3  flexible encoding
//	v4  states, and a filter by them (KIP-518)
//	v5  types, and a filter by them (KIP-848)
//
// Sources: KafkaApis.handleListGroupsRequest, GroupCoordinator.handleListGroups.
func (h *Handlers) listGroups(ctx context.Context, _ *server.Call, req *kmsg.ListGroupsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	listed, err := h.rooms.Groups.List(ctx, req.StatesFilter, req.TypesFilter)
	resp.ErrorCode = codeOfGroup(err)
	resp.Groups = make([]kmsg.ListGroupsResponseGroup, 0, len(listed))
	for _, l := range listed {
		rg := kmsg.NewListGroupsResponseGroup()
		rg.Group, rg.ProtocolType, rg.GroupState, rg.GroupType = l.ID, l.ProtocolType, l.State, l.Type
		resp.Groups = append(resp.Groups, rg)
	}
	return resp
}
