package group

import (
	"context"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// Requests of the classic protocol. A group of the new protocol takes them too, from members that are being upgraded or
// downgraded (KIP-848).

// Join answers when the rebalance that the member takes part in is complete. A member without an id makes the group.
func (g *Groups) Join(ctx context.Context, group string, r classic.JoinRequest) classic.JoinResponse {
	// What no group accepts is refused before there is one (GroupCoordinator.handleJoinGroup).
	session := r.SessionTimeout >= g.classic.MinSessionTimeout && r.SessionTimeout <= g.classic.MaxSessionTimeout
	refuse := func(err *kerr.Error) classic.JoinResponse {
		if err == kerr.GroupIDNotFound && !session {
			err = kerr.InvalidSessionTimeout
		}
		return classic.JoinResponse{Err: unknownMember(err), Generation: -1, MemberID: r.MemberID}
	}
	if group == "" {
		return refuse(kerr.InvalidGroupID)
	}
	create := none
	if r.MemberID == "" && session {
		create = classicKind
	}
	return ask(ctx, g, group, create, func(a *actor, x *journal.Turn, reply func(classic.JoinResponse)) {
		switch {
		case !session:
			reply(refuse(kerr.InvalidSessionTimeout))
		case a.classic != nil:
			a.classic.Join(x, r, reply)
		case !a.empty():
			a.consumer.ClassicJoin(x, g.o.Image(), r, reply)
		case create == none:
			reply(refuse(kerr.UnknownMemberID))
		default:
			a.becomeClassic(x, func(x *journal.Turn, err *kerr.Error) {
				if err != nil {
					reply(refuse(err))
					return
				}
				a.classic.Join(x, r, reply)
			})
		}
	}, refuse)
}

// Sync answers when the leader's assignment is stored.
func (g *Groups) Sync(ctx context.Context, group string, r classic.SyncRequest) classic.SyncResponse {
	refuse := func(err *kerr.Error) classic.SyncResponse {
		if err == kerr.CoordinatorLoadInProgress {
			// The state of the rebalance is being lost with the old coordinator: the member has to join again.
			err = kerr.RebalanceInProgress
		}
		return classic.SyncResponse{Err: unknownMember(err)}
	}
	if group == "" {
		return refuse(kerr.InvalidGroupID)
	}
	return ask(ctx, g, group, none, func(a *actor, x *journal.Turn, reply func(classic.SyncResponse)) {
		switch {
		case a.classic != nil:
			a.classic.Sync(x, r, reply)
		case a.empty():
			reply(refuse(kerr.UnknownMemberID))
		default:
			a.consumer.ClassicSync(x, g.o.Image(), r, reply)
		}
	}, refuse)
}

// Heartbeat keeps a member's session. It keeps neither the group's name nor what r holds: they may alias a frame.
func (g *Groups) Heartbeat(ctx context.Context, group string, r classic.HeartbeatRequest) *kerr.Error {
	if group == "" {
		return kerr.InvalidGroupID
	}
	if err, ok := g.heartbeatNow(group, r); ok {
		return err
	}
	return g.heartbeatLater(ctx, strings.Clone(group), r.Clone())
}

// heartbeatNow takes the heartbeat of a classic group that nobody runs, as nearly all are; ok is false if it is another. It
// does without the queue of the group and the channel for the answer, and without the garbage that they are: of what a
// broker does for an idle group this is most (BenchmarkHeartbeats: 0.5 µs of CPU; by heartbeatLater alone 2.0 µs and eight
// allocations more).
func (g *Groups) heartbeatNow(group string, r classic.HeartbeatRequest) (err *kerr.Error, ok bool) {
	s, _ := g.shardOf(group)
	if s == nil {
		return nil, false
	}
	a := s.claim(group)
	if a == nil {
		return nil, false
	}
	a.box.LendTo(func() { err, ok = a.heartbeat(r) })
	return err, ok
}

// heartbeatLater takes any heartbeat, in its turn.
func (g *Groups) heartbeatLater(ctx context.Context, group string, r classic.HeartbeatRequest) *kerr.Error {
	refuse := func(err *kerr.Error) *kerr.Error {
		if err == kerr.CoordinatorLoadInProgress {
			return nil // it will be seen whether the member is one
		}
		return unknownMember(err)
	}
	return ask(ctx, g, group, none, func(a *actor, x *journal.Turn, reply func(*kerr.Error)) {
		if a.classic != nil {
			reply(a.classic.Heartbeat(x, r))
			return
		}
		reply(a.consumer.ClassicHeartbeat(x, r))
	}, refuse)
}

// Leave removes members, and answers for each in order.
func (g *Groups) Leave(ctx context.Context, group string, r classic.LeaveRequest) ([]classic.Left, *kerr.Error) {
	type answer struct {
		left []classic.Left
		err  *kerr.Error
	}
	refuse := func(err *kerr.Error) answer {
		if err != kerr.GroupIDNotFound {
			return answer{err: err}
		}
		left := make([]classic.Left, 0, len(r.Members))
		for _, m := range r.Members {
			left = append(left, classic.Left{MemberID: m.MemberID, InstanceID: m.InstanceID, Err: kerr.UnknownMemberID})
		}
		return answer{left: left}
	}
	if group == "" {
		return nil, kerr.InvalidGroupID
	}
	got := ask(ctx, g, group, none, func(a *actor, x *journal.Turn, reply func(answer)) {
		if a.classic != nil {
			reply(answer{left: a.classic.Leave(x, r)})
			return
		}
		a.consumer.Leave(x, g.o.Image(), r, func(left []classic.Left) { reply(answer{left: left}) })
	}, refuse)
	return got.left, got.err
}

// unknownMember is what members are told of a group that does not exist.
func unknownMember(err *kerr.Error) *kerr.Error {
	if err == kerr.GroupIDNotFound {
		return kerr.UnknownMemberID
	}
	return err
}
