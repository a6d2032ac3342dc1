package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group/classic"
)

// DescribeGroups (key 15), versions 0 to 5.
//
// Tells state, protocol and members of groups of the classic protocol. A group that does not exist, or is of
// the new protocol, is Dead.
//
//	v3  authorized operations (KIP-430)
//	v4  instances of static members (KIP-345)
//	v5  flexible encoding
//
// Sources: KafkaApis.handleDescribeGroupsRequest, GroupCoordinator.handleDescribeGroup.
func (h *Handlers) describeGroups(ctx context.Context, _ *server.Call, req *kmsg.DescribeGroupsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	resp.Groups = make([]kmsg.DescribeGroupsResponseGroup, 0, len(req.Groups))
	for _, name := range req.Groups {
		d, err := h.rooms.Groups.Describe(ctx, name)
		rg := kmsg.NewDescribeGroupsResponseGroup()
		rg.Group, rg.ErrorCode = name, codeOfGroup(err)
		if err == nil {
			describedGroup(&rg, d)
			if req.IncludeAuthorizedOperations {
				rg.AuthorizedOperations = groupOperations
			}
		}
		resp.Groups = append(resp.Groups, rg)
	}
	return resp
}

func describedGroup(rg *kmsg.DescribeGroupsResponseGroup, d classic.Description) {
	rg.State, rg.ProtocolType, rg.Protocol = string(d.State), d.ProtocolType, d.Protocol
	rg.Members = make([]kmsg.DescribeGroupsResponseGroupMember, 0, len(d.Members))
	for _, m := range d.Members {
		rm := kmsg.NewDescribeGroupsResponseGroupMember()
		rm.MemberID, rm.InstanceID = m.ID, m.InstanceID
		rm.ClientID, rm.ClientHost = m.Client.ID, m.Host
		rm.ProtocolMetadata, rm.MemberAssignment = m.Metadata, m.Assignment
		rg.Members = append(rg.Members, rm)
	}
}
