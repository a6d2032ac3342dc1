package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group/classic"
)

// LeaveGroup (key 13), versions 0 to 5.
//
// Takes members out of a group; a static one may be named by its instance alone, which is how operators remove it.
//
//	v3  several members, each with its own code (KIP-345)
//	v4  flexible encoding
//	v5  reason (KIP-800)
//
// Sources: KafkaApis.handleLeaveGroupRequest, LeaveGroupResponse.java.
func (h *Handlers) leaveGroup(ctx context.Context, _ *server.Call, req *kmsg.LeaveGroupRequest) kmsg.Response {
	left, err := h.rooms.Groups.Leave(ctx, req.Group, leaveRequest(req))
	resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
	resp.ErrorCode = codeOfGroup(err)
	if req.Version < 3 {
		if err == nil && len(left) > 0 {
			resp.ErrorCode = codeOfGroup(left[0].Err)
		}
		return resp
	}
	if err != nil {
		return resp
	}
	for _, l := range left {
		rm := kmsg.NewLeaveGroupResponseMember()
		rm.MemberID, rm.InstanceID, rm.ErrorCode = l.MemberID, l.InstanceID, codeOfGroup(l.Err)
		resp.Members = append(resp.Members, rm)
	}
	return resp
}

func leaveRequest(req *kmsg.LeaveGroupRequest) classic.LeaveRequest {
	if req.Version < 3 {
		return classic.LeaveRequest{Members: []classic.Leaving{{MemberID: req.MemberID}}}
	}
	r := classic.LeaveRequest{Members: make([]classic.Leaving, 0, len(req.Members))}
	for _, m := range req.Members {
		r.Members = append(r.Members, classic.Leaving{MemberID: m.MemberID, InstanceID: m.InstanceID, Reason: orEmpty(m.Reason)})
	}
	return r
}
