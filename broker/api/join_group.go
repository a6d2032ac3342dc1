package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/protocol"
)

// JoinGroup (key 11), versions 0 to 9.
//
// Makes the client a member of a group, or takes part with it in a rebalance, and answers when that is complete: with all
// members and their metadata for the leader, who assigns, and with none for the others.
//
//	v1  rebalance timeout; before, the session timeout stands for it
//	v4  a new member without an id is given one and joins again with it (KIP-394)
//	v5  static members (KIP-345)
//	v6  flexible encoding
//	v7  protocol type and a protocol that may be null in the answer (KIP-559)
//	v8  reason (KIP-800)
//	v9  skip assignment (KIP-814)
//
// Sources: KafkaApis.handleJoinGroupRequest, GroupCoordinator.handleJoinGroup.
func (h *Handlers) joinGroup(ctx context.Context, c *server.Call, req *kmsg.JoinGroupRequest) kmsg.Response {
	r := joinRequest(c, req)
	c.Release() // a join waits long, and its frame counts against the memory of all requests
	ctx, stopped, cancel := untilStop(ctx, c)
	defer cancel()
	joined := h.rooms.Groups.Join(ctx, req.Group, r)
	resp := joinResponse(req, joined)
	if joined.Err != nil && stopped() {
		resp.ErrorCode = protocol.NotCoordinator // soon another broker is
	}
	return resp
}

func joinRequest(c *server.Call, req *kmsg.JoinGroupRequest) classic.JoinRequest {
	r := classic.JoinRequest{
		Client: clientOf(c), MemberID: req.MemberID, InstanceID: req.InstanceID,
		SessionTimeout: millis(req.SessionTimeoutMillis), RebalanceTimeout: millis(req.RebalanceTimeoutMillis),
		ProtocolType: req.ProtocolType, Protocols: make([]classic.Protocol, 0, len(req.Protocols)),
		Reason: orEmpty(req.Reason), RequireKnownID: req.Version >= 4, SkipAssignment: req.Version >= 9,
	}
	if req.Version == 0 {
		r.RebalanceTimeout = r.SessionTimeout
	}
	for _, p := range req.Protocols {
		r.Protocols = append(r.Protocols, classic.Protocol{Name: p.Name, Metadata: owned(p.Metadata)})
	}
	return r
}

func joinResponse(req *kmsg.JoinGroupRequest, j classic.JoinResponse) *kmsg.JoinGroupResponse {
	resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.ErrorCode, resp.Generation = codeOfGroup(j.Err), j.Generation
	resp.ProtocolType, resp.Protocol = j.ProtocolType, j.Protocol
	switch {
	case req.Version < 7 && resp.Protocol == nil:
		resp.Protocol = text("")
	case req.Version >= 7 && orEmpty(resp.Protocol) == "":
		resp.Protocol = nil
	}
	resp.LeaderID, resp.MemberID, resp.SkipAssignment = j.Leader, j.MemberID, j.SkipAssignment
	resp.Members = make([]kmsg.JoinGroupResponseMember, 0, len(j.Members))
	for _, m := range j.Members {
		rm := kmsg.NewJoinGroupResponseMember()
		rm.MemberID, rm.InstanceID, rm.ProtocolMetadata = m.ID, m.InstanceID, m.Metadata
		resp.Members = append(resp.Members, rm)
	}
	return resp
}

func millis(n int32) time.Duration { return time.Duration(n) * time.Millisecond }
