package group

import (
	"context"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// ConsumerHeartbeat joins, keeps, changes or ends a membership of the new protocol (ConsumerGroupHeartbeat, KIP-848). It answers
// UNSUPPORTED_VERSION while the protocol is off. A member that joins (epoch 0) makes the group, or of a classic group one of
// the new protocol, where that is allowed.
func (g *Groups) ConsumerHeartbeat(ctx context.Context, group string, r consumer.HeartbeatRequest) consumer.HeartbeatResponse {
	refuse := func(err *kerr.Error) consumer.HeartbeatResponse {
		if err != kerr.GroupIDNotFound {
			return consumer.HeartbeatResponse{Err: err}
		}
		// What is wrong whatever the group comes first.
		if wrong, message := g.o.Consumer(group).Validate(&r); wrong != nil {
			return consumer.HeartbeatResponse{Err: wrong, Message: message}
		}
		kind := "Consumer group"
		if r.MemberEpoch < 0 {
			kind = "Group"
		}
		return consumer.HeartbeatResponse{Err: err, Message: kind + " " + group + " not found."}
	}
	switch {
	case !g.o.Config().ConsumerProtocol:
		return refuse(kerr.UnsupportedVersion)
	case strings.TrimSpace(group) == "":
		return consumer.HeartbeatResponse{Err: kerr.InvalidRequest, Message: "GroupId can't be empty."}
	}
	create := none
	if r.MemberEpoch == 0 {
		if wrong, message := g.o.Consumer(group).Validate(&r); wrong != nil {
			return consumer.HeartbeatResponse{Err: wrong, Message: message}
		}
		create = consumerKind
	}
	return ask(ctx, g, group, create, func(a *actor, x *journal.Turn, reply func(consumer.HeartbeatResponse)) {
		switch {
		case a.consumer != nil:
			a.consumer.Heartbeat(x, g.o.Image(), r, reply)
		case r.MemberEpoch != 0:
			reply(refuse(kerr.GroupIDNotFound))
		default:
			a.becomeConsumer(x, func(x *journal.Turn, err *kerr.Error) {
				if err != nil {
					reply(refuse(err))
					return
				}
				a.consumer.Heartbeat(x, g.o.Image(), r, reply)
			})
		}
	}, refuse)
}

// DescribeConsumer answers ConsumerGroupDescribe: GROUP_ID_NOT_FOUND for a group that is not known or is classic,
// UNSUPPORTED_VERSION while the new protocol is off.
func (g *Groups) DescribeConsumer(ctx context.Context, group string) (consumer.Description, *kerr.Error) {
	type answer struct {
		description consumer.Description
		err         *kerr.Error
	}
	switch {
	case !g.o.Config().ConsumerProtocol:
		return consumer.Description{}, kerr.UnsupportedVersion
	case group == "":
		return consumer.Description{}, kerr.InvalidGroupID
	}
	got := ask(ctx, g, group, none, func(a *actor, x *journal.Turn, reply func(answer)) {
		if a.consumer == nil {
			reply(answer{err: kerr.GroupIDNotFound})
			return
		}
		reply(answer{description: a.consumer.Describe()})
	}, func(err *kerr.Error) answer { return answer{err: err} })
	return got.description, got.err
}

// becomeConsumer makes a group of the new protocol of a classic one (upgrade), and goes on with then when that is in the log:
// a replay finds the group of the one kind or of the other.
func (a *actor) becomeConsumer(x *journal.Turn, then func(x *journal.Turn, err *kerr.Error)) {
	g := a.shard.groups
	config := g.o.Consumer(a.id)
	snapshot := a.classic.Snapshot()
	if err := consumer.MayConvert(snapshot, config); err != nil {
		then(x, err)
		return
	}
	converted, records, err := consumer.Convert(a.id, snapshot, config, g.o.Image())
	if err != nil {
		a.shard.log.Warn("could not convert a classic group", zap.String("group", a.id), zap.Error(err))
		then(x, kerr.UnknownServerError)
		return
	}
	a.swap(x, records, func(x *journal.Turn) {
		a.classic.Convert()
		a.classic, a.consumer = nil, converted
		if len(snapshot.Members) > 0 {
			x.Rebalanced(journal.ProtocolConverted, snapshot.Generation, "a member of the new protocol joined the classic group")
			converted.Loaded(x) // its members' sessions start
		}
	}, then)
}

// becomeClassic makes a classic group of an empty one of the new protocol, for a member that joins with the classic protocol.
func (a *actor) becomeClassic(x *journal.Turn, then func(x *journal.Turn, err *kerr.Error)) {
	empty := a.consumer
	a.swap(x, empty.Delete(), func(*journal.Turn) {
		a.consumer, a.classic = nil, classic.New(a.id, a.shard.groups.classic)
	}, then)
}

// swap writes what makes the group one of the other kind. exchange runs, and then goes on, when that is in the log; then is
// told the error when it was refused.
func (a *actor) swap(x *journal.Turn, records []journal.Record, exchange func(*journal.Turn),
	then func(x *journal.Turn, err *kerr.Error),
) {
	swapped := false
	x.Append(journal.Write{
		Records: records,
		Applied: func(x *journal.Turn) {
			swapped = true
			exchange(x)
			then(x, nil)
		},
		Done: func(x *journal.Turn, err error) {
			if err != nil && !swapped {
				then(x, consumer.CodeOf(err))
			}
		},
	})
}

// downgrade makes a classic group of one that the last member of the new protocol has left to classic ones. It tells whether
// it asked for a write; when that is refused, the next turn tries again.
func (a *actor) downgrade(x *journal.Turn) bool {
	snapshot, records, ok := a.consumer.Downgrade(x.Now)
	if !ok {
		return false
	}
	x.Append(journal.Write{Records: records, Applied: func(x *journal.Turn) {
		// Whoever still waits for a write of the old machine is answered by it.
		a.consumer = nil
		a.classic = classic.Restore(x, a.id, snapshot, a.shard.groups.classic,
			"the last member of the new protocol left, and the group became a classic one")
	}})
	return true
}

// dropUnstored ends a group of the new protocol that nothing is stored of, as its first member was refused: a replay would not
// find it. What offsets there are make a classic group without members of it.
func (a *actor) dropUnstored() {
	switch {
	case a.consumer == nil || a.consumer.Stored():
	case a.offsets.Len() > 0 || a.offsets.Pending():
		a.consumer, a.classic = nil, classic.New(a.id, a.shard.groups.classic)
	default:
		a.leave()
	}
}
