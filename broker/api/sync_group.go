package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/protocol"
)

// SyncGroup (key 14), versions 0 to 5.
//
// Gives each member its assignment, once the leader has brought everyone's and it is stored.
//
//	v3  static members (KIP-345)
//	v4  flexible encoding
//	v5  protocol type and protocol, both ways; not to say them is an error (KIP-559)
//
// Sources: KafkaApis.handleSyncGroupRequest, GroupCoordinator.handleSyncGroup.
func (h *Handlers) syncGroup(ctx context.Context, c *server.Call, req *kmsg.SyncGroupRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
	if req.Version >= 5 && (req.ProtocolType == nil || req.Protocol == nil) {
		resp.ErrorCode = protocol.InconsistentGroupProtocol
		return resp
	}
	r := syncRequest(req)
	c.Release() // as for JoinGroup
	ctx, stopped, cancel := untilStop(ctx, c)
	defer cancel()
	synced := h.rooms.Groups.Sync(ctx, req.Group, r)
	resp.ErrorCode = codeOfGroup(synced.Err)
	resp.ProtocolType, resp.Protocol, resp.MemberAssignment = synced.ProtocolType, synced.Protocol, synced.Assignment
	if synced.Err != nil && stopped() {
		resp.ErrorCode = protocol.NotCoordinator
	}
	return resp
}

func syncRequest(req *kmsg.SyncGroupRequest) classic.SyncRequest {
	r := classic.SyncRequest{
		MemberID: req.MemberID, InstanceID: req.InstanceID, Generation: req.Generation,
		ProtocolType: req.ProtocolType, Protocol: req.Protocol,
		Assignments: make(map[string][]byte, len(req.GroupAssignment)),
	}
	for _, a := range req.GroupAssignment {
		r.Assignments[a.MemberID] = owned(a.MemberAssignment)
	}
	return r
}
