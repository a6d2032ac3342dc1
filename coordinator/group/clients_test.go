package group

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// client is a member that does what members do, in an order that makes no sense. One goroutine at a time moves it: the
// test's, or that of its request while busy.
type client struct {
	name     string
	group    string
	instance *string
	rand     *rand.Rand

	busy   atomic.Bool
	modern bool // it speaks the new protocol at the moment
	id     string
	epoch  int32 // or generation
	join   classic.JoinResponse
	owned  assign.Partitions
}

var topicNames = []string{"orders", "payments", "refunds"}

func (c *client) topics() []string {
	topics := []string{topicNames[c.rand.IntN(2)]}
	if c.rand.IntN(3) == 0 {
		topics = append(topics, "refunds")
	}
	return topics
}

func (c *client) lost(err *kerr.Error) {
	switch err {
	case kerr.UnknownMemberID, kerr.FencedInstanceID, kerr.FencedMemberEpoch, kerr.GroupIDNotFound, kerr.UnreleasedInstanceID, kerr.IllegalGeneration:
		c.id, c.epoch, c.owned = "", 0, nil
	}
}

func (c *client) joinClassic(ctx context.Context, g *Groups) {
	if c.modern {
		c.modern, c.id, c.epoch = false, "", 0
	}
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics = 1, c.topics()
	protocolType := "consumer"
	if c.group == "group-5" {
		protocolType = "connect"
	}
	r := classic.JoinRequest{
		Client: classic.Client{ID: c.name, Host: "/10.0.0.7"}, MemberID: c.id, InstanceID: c.instance,
		SessionTimeout: 10 * time.Second, RebalanceTimeout: 20 * time.Second, ProtocolType: protocolType,
		Protocols:      []classic.Protocol{{Name: "range", Metadata: meta.AppendTo(nil)}},
		RequireKnownID: c.instance == nil && c.rand.IntN(2) == 0, SkipAssignment: c.rand.IntN(2) == 0,
	}
	if c.rand.IntN(4) == 0 {
		r.Protocols = append(r.Protocols, classic.Protocol{Name: "uniform", Metadata: meta.AppendTo(nil)})
	}
	c.join = g.Join(ctx, c.group, r)
	switch c.join.Err {
	case nil:
		c.id, c.epoch = c.join.MemberID, c.join.Generation
	case kerr.MemberIDRequired:
		c.id = c.join.MemberID
	default:
		c.lost(c.join.Err)
	}
}

func (c *client) sync(ctx context.Context, g *Groups) {
	r := classic.SyncRequest{MemberID: c.id, InstanceID: c.instance, Generation: c.epoch}
	if len(c.join.Members) > 0 {
		r.Assignments = make(map[string][]byte)
		for _, m := range c.join.Members {
			a := kmsg.NewConsumerMemberAssignment()
			a.Version = 1
			a.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: "orders", Partitions: []int32{c.rand.Int32N(4)}}}
			r.Assignments[m.ID] = a.AppendTo(nil)
		}
	}
	c.lost(g.Sync(ctx, c.group, r).Err)
}

func (c *client) heartbeatClassic(ctx context.Context, g *Groups) {
	c.lost(g.Heartbeat(ctx, c.group, classic.HeartbeatRequest{MemberID: c.id, InstanceID: c.instance, Generation: c.epoch}))
}

func (c *client) leave(ctx context.Context, g *Groups) {
	if !c.modern {
		g.Leave(ctx, c.group, classic.LeaveRequest{Members: []classic.Leaving{{MemberID: c.id, InstanceID: c.instance, Reason: "test"}}})
		c.id, c.epoch = "", 0
		return
	}
	c.beat(ctx, g, -1)
	c.id, c.epoch, c.owned = "", 0, nil
}

// heartbeat joins, keeps or changes a membership of the new protocol.
func (c *client) heartbeat(ctx context.Context, g *Groups) {
	if !c.modern {
		c.modern, c.id, c.epoch, c.owned = true, "", 0, nil
	}
	if c.id == "" {
		c.id, c.epoch = fmt.Sprintf("%s-%d", c.name, c.rand.Int32()), 0
	}
	c.beat(ctx, g, c.epoch)
}

func (c *client) beat(ctx context.Context, g *Groups, epoch int32) {
	r := consumer.HeartbeatRequest{
		Client: classic.Client{ID: c.name, Host: "/10.0.0.8"}, MemberID: c.id, MemberEpoch: epoch, InstanceID: c.instance,
		RebalanceTimeout: -1, Version: 1,
	}
	if epoch == 0 || c.rand.IntN(8) == 0 {
		r.RebalanceTimeout, r.Topics, r.Owned = 20*time.Second, c.topics(), assign.Partitions{}
		if c.rand.IntN(6) == 0 {
			regex := "(orders|pay.*)"
			r.TopicRegex = &regex
		}
	}
	if epoch > 0 && c.owned != nil {
		r.Owned = c.owned
	}
	resp := g.ConsumerHeartbeat(ctx, c.group, r)
	if resp.Err != nil {
		c.lost(resp.Err)
		return
	}
	c.id, c.epoch = resp.MemberID, resp.MemberEpoch
	if resp.Assignment != nil {
		c.owned = resp.Assignment
	}
}

func somePartitions(r *rand.Rand) []offsets.Partition {
	some := []offsets.Partition{{Topic: topicNames[r.IntN(3)], Index: r.Int32N(3)}}
	if r.IntN(2) == 0 {
		some = append(some, offsets.Partition{Topic: "orders", Index: 3})
	}
	return some
}

// commit commits as the member, or as nobody; in the transaction of a producer if there is one.
func (c *client) commit(ctx context.Context, g *Groups, producer *journal.Producer) {
	r := CommitRequest{Version: 9, Producer: producer}
	r.Generation = -1
	if c.rand.IntN(4) > 0 {
		r.MemberID, r.InstanceID, r.Generation = c.id, c.instance, c.epoch
	}
	for _, p := range somePartitions(c.rand) {
		o := offsets.Offset{Offset: c.rand.Int64N(1000), LeaderEpoch: c.rand.Int32N(3) - 1, CommitTime: time.Now().UnixMilli(), ExpireTime: -1}
		if c.rand.IntN(8) == 0 {
			o.Metadata = "noted"
		}
		if producer == nil && c.rand.IntN(20) == 0 {
			o.ExpireTime = time.Now().Add(time.Hour).UnixMilli()
			o.LeaderEpoch = -1 // the record that holds the one does not hold the other
		}
		r.Commits = append(r.Commits, offsets.Commit{Partition: p, Offset: o})
	}
	g.Commit(ctx, c.group, r)
}
