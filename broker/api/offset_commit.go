package api

import (
	"context"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
)

// OffsetCommit (key 8), versions 0 to 9.
//
// Stores the offsets that a group has come to. Partitions that do not exist are refused first, each by itself; if none is
// left the coordinator is not asked.
//
//	v0  offsets are kept in ZooKeeper, under /consumers
//	v1  kept by the group's coordinator; the client may say when it committed
//	v2  a retention for all offsets of the request instead, until v4
//	v5  the broker's retention alone counts (KIP-211)
//	v6  leader epochs (KIP-320)
//	v7  static members (KIP-345)
//	v8  flexible encoding
//	v9  members of the new protocol (KIP-848); the generation may be a member epoch
//
// Sources: KafkaApis.handleOffsetCommitRequest, GroupCoordinatorAdapter.commitOffsets.
func (h *Handlers) offsetCommit(ctx context.Context, c *server.Call, req *kmsg.OffsetCommitRequest) kmsg.Response {
	r, known := h.commitRequest(req, arrival(c))
	switch {
	case !known:
	case req.Version == 0:
		h.commitToZooKeeper(ctx, c, req.Group, r.Commits)
	default:
		r.Commits = h.rooms.Groups.Commit(ctx, req.Group, r)
	}
	return commitResponse(req, r.Commits)
}

// commitRequest lists the partitions of a request in its order, those that do not exist with their error. known tells
// whether any exists.
func (h *Handlers) commitRequest(req *kmsg.OffsetCommitRequest, now int64) (r group.CommitRequest, known bool) {
	r = group.CommitRequest{
		Committer: classic.Committer{MemberID: req.MemberID, InstanceID: req.InstanceID, Generation: req.Generation},
		Version:   req.Version,
	}
	expire := int64(-1)
	if req.RetentionTimeMillis != -1 { // only versions 2 to 4 can say one
		expire = now + req.RetentionTimeMillis
	}
	image := h.rooms.Metadata.Load()
	count := 0
	for i := range req.Topics {
		count += len(req.Topics[i].Partitions)
	}
	r.Commits = make([]offsets.Commit, 0, count)
	for i := range req.Topics {
		topic, exists := image.Topic(req.Topics[i].Topic)
		for _, p := range req.Topics[i].Partitions {
			o := offsets.Commit{
				Partition: offsets.Partition{Topic: req.Topics[i].Topic, Index: p.Partition},
				Offset: offsets.Offset{
					Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: orEmpty(p.Metadata), CommitTime: now, ExpireTime: expire,
				},
			}
			if p.Timestamp != -1 { // only version 1 can say one
				o.CommitTime = p.Timestamp
			}
			found := false
			if exists {
				_, found = topic.Partition(p.Partition)
			}
			if !found {
				o.Err = kerr.UnknownTopicOrPartition
			}
			known = known || found
			r.Commits = append(r.Commits, o)
		}
	}
	return r, known
}

// commitResponse groups the outcomes, which are in the order of the request, by its topics.
func commitResponse(req *kmsg.OffsetCommitRequest, commits []offsets.Commit) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, 0, len(req.Topics))
	for i := range req.Topics {
		rt := kmsg.NewOffsetCommitResponseTopic()
		rt.Topic = req.Topics[i].Topic
		n := len(req.Topics[i].Partitions)
		rt.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, 0, n)
		for _, done := range commits[:n] {
			rp := kmsg.NewOffsetCommitResponseTopicPartition()
			rp.Partition, rp.ErrorCode = done.Index, codeOfGroup(done.Err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		commits = commits[n:]
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// commitToZooKeeper sets the Err of those commits that have none yet.
func (h *Handlers) commitToZooKeeper(ctx context.Context, c *server.Call, name string, commits []offsets.Commit) {
	longest := int(h.rooms.Config.Broker().Groups.OffsetMetadataMaxBytes)
	for i := range commits {
		o := &commits[i]
		switch {
		case o.Err != nil:
		case javaLength(o.Metadata) > longest:
			o.Err = kerr.OffsetMetadataTooLarge
		default:
			err := h.rooms.ZooKeeper.SetConsumerOffset(ctx, name, o.Topic, o.Index, o.Offset.Offset)
			if err != nil {
				o.Err = kerr.TypedErrorForCode(h.code(c, err, zap.String("group", name)))
			}
		}
	}
}

// javaLength counts UTF-16 units, as Java's String.length does.
func javaLength(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// arrival is when a call came, in ms.
func arrival(c *server.Call) int64 {
	if c.Arrived.IsZero() {
		return time.Now().UnixMilli()
	}
	return c.Arrived.UnixMilli()
}
