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
//
// A broker of many idle groups does little else, so request and answer are kept off the heap: nobody holds them when this
// returns, and the strings may alias the frame (BenchmarkHeartbeat).
func (h *Handlers) heartbeat(ctx context.Context, c *server.Call) (server.Reply, error) {
	req := kmsg.HeartbeatRequest{Version: c.Header.Version}
	if err := req.UnsafeReadFrom(c.Body); err != nil {
		return server.Reply{}, err
	}
	resp := kmsg.HeartbeatResponse{Version: c.Header.Version}
	resp.ErrorCode = codeOfGroup(h.rooms.Groups.Heartbeat(ctx, req.Group, classic.HeartbeatRequest{
		MemberID: req.MemberID, InstanceID: req.InstanceID, Generation: req.Generation,
	}))
	a := h.answers.take()
	a.buf = resp.AppendTo(a.buf)
	return server.Reply{Response: a.response()}, nil
}
