package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group/classic"
)

// Heartbeat (key 12), versions 0 to 4.
//
// Keeps a member's session alive, and tells it when the group rebalances. It only waits for its turn in the
// group, never for a log or for others: so it is answered in the read loop, without another goroutine.
//
//	v3  static members (KIP-345)
//	v4  flexible encoding
//
// Sources: KafkaApis.handleHeartbeatRequest, GroupCoordinator.handleHeartbeat.
func (h *Handlers) heartbeat(ctx context.Context, _ *server.Call, req *kmsg.HeartbeatRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
	resp.ErrorCode = codeOfGroup(h.rooms.Groups.Heartbeat(ctx, req.Group, classic.HeartbeatRequest{
		MemberID: req.MemberID, InstanceID: req.InstanceID, Generation: req.Generation,
	}))
	return resp
}
