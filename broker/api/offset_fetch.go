package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/zkmeta"
)

// OffsetFetch (key 9), versions 0 to 9.
//
// Tells the offsets that groups have committed; -1 where there is none. It is answered in the read loop, without another
// goroutine, because it only waits for its turn in the group: all but version 0.
//
//	v0  offsets come from ZooKeeper, from under /consumers
//	v1  from the group's coordinator
//	v2  null topics: all that have offsets. One code for the group
//	v5  leader epochs (KIP-320)
//	v6  flexible encoding
//	v7  require stable: offsets of open transactions are an error (KIP-447)
//	v8  several groups (KIP-709)
//	v9  members of the new protocol name themselves (KIP-848)
//
// Sources: KafkaApis.handleOffsetFetchRequest, OffsetFetchResponse.java.
func (h *Handlers) offsetFetch(ctx context.Context, c *server.Call) (server.Reply, error) {
	req, err := decode[kmsg.OffsetFetchRequest](c)
	if err != nil {
		return server.Reply{}, err
	}
	if req.Version == 0 {
		return server.Reply{Await: func(ctx context.Context) server.Response {
			return h.respond(c, h.fetchFromZooKeeper(ctx, c, req))
		}}, nil
	}
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version < 8 {
		h.fetchOneGroup(ctx, req, resp)
	} else {
		h.fetchGroups(ctx, req, resp)
	}
	return server.Reply{Response: h.respond(c, resp)}, nil
}

func (h *Handlers) fetchGroups(ctx context.Context, req *kmsg.OffsetFetchRequest, resp *kmsg.OffsetFetchResponse) {
	resp.Groups = make([]kmsg.OffsetFetchResponseGroup, 0, len(req.Groups))
	for i := range req.Groups {
		asked := &req.Groups[i]
		r := group.FetchRequest{MemberID: orEmpty(asked.MemberID), MemberEpoch: asked.MemberEpoch, RequireStable: req.RequireStable}
		if asked.Topics != nil {
			r.Partitions = []offsets.Partition{}
			for _, t := range asked.Topics {
				r.Partitions = appendPartitions(r.Partitions, t.Topic, t.Partitions)
			}
		}
		rg := kmsg.NewOffsetFetchResponseGroup()
		rg.Group = asked.Group
		fetched, err := h.rooms.Groups.Fetch(ctx, asked.Group, r)
		if rg.ErrorCode = codeOfGroup(err); err == nil {
			eachTopic(fetched, func(topic string, of []offsets.Fetched) {
				rt := kmsg.NewOffsetFetchResponseGroupTopic()
				rt.Topic = topic
				rt.Partitions = make([]kmsg.OffsetFetchResponseGroupTopicPartition, 0, len(of))
				for i := range of {
					rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
					rp.Partition, rp.Offset, rp.LeaderEpoch = of[i].Index, of[i].Offset.Offset, of[i].LeaderEpoch
					rp.Metadata, rp.ErrorCode = &of[i].Metadata, codeOfGroup(of[i].Err)
					rt.Partitions = append(rt.Partitions, rp)
				}
				rg.Topics = append(rg.Topics, rt)
			})
		}
		resp.Groups = append(resp.Groups, rg)
	}
}

// fetchOneGroup answers versions 1 to 7. Version 1 has no code for the group, so that the partitions carry it; Kafka 3.9
// answers without any partition there, which old clients take for no offset.
func (h *Handlers) fetchOneGroup(ctx context.Context, req *kmsg.OffsetFetchRequest, resp *kmsg.OffsetFetchResponse) {
	r := group.FetchRequest{MemberEpoch: -1, RequireStable: req.RequireStable}
	if req.Topics != nil {
		r.Partitions = []offsets.Partition{}
		for _, t := range req.Topics {
			r.Partitions = appendPartitions(r.Partitions, t.Topic, t.Partitions)
		}
	}
	fetched, err := h.rooms.Groups.Fetch(ctx, req.Group, r)
	if err != nil {
		resp.ErrorCode = err.Code
		if req.Version >= 2 {
			return
		}
		fetched = nil
		for _, p := range r.Partitions {
			fetched = append(fetched, noCommit(p, err))
		}
	}
	resp.Topics = fetchedTopics(fetched)
}

func fetchedTopics(fetched []offsets.Fetched) (topics []kmsg.OffsetFetchResponseTopic) {
	eachTopic(fetched, func(topic string, of []offsets.Fetched) {
		rt := kmsg.NewOffsetFetchResponseTopic()
		rt.Topic = topic
		rt.Partitions = make([]kmsg.OffsetFetchResponseTopicPartition, 0, len(of))
		for i := range of {
			rp := kmsg.NewOffsetFetchResponseTopicPartition()
			rp.Partition, rp.Offset, rp.LeaderEpoch = of[i].Index, of[i].Offset.Offset, of[i].LeaderEpoch
			rp.Metadata, rp.ErrorCode = &of[i].Metadata, codeOfGroup(of[i].Err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		topics = append(topics, rt)
	})
	return topics
}

func appendPartitions(to []offsets.Partition, topic string, indexes []int32) []offsets.Partition {
	for _, i := range indexes {
		to = append(to, offsets.Partition{Topic: topic, Index: i})
	}
	return to
}

// eachTopic calls f for each run of partitions of one topic.
func eachTopic(fetched []offsets.Fetched, f func(topic string, of []offsets.Fetched)) {
	for len(fetched) > 0 {
		n := 1
		for n < len(fetched) && fetched[n].Topic == fetched[0].Topic {
			n++
		}
		f(fetched[0].Topic, fetched[:n])
		fetched = fetched[n:]
	}
}

func noCommit(p offsets.Partition, err *kerr.Error) offsets.Fetched {
	return offsets.Fetched{Partition: p, Offset: offsets.Offset{Offset: -1, LeaderEpoch: -1}, Err: err}
}

// fetchFromZooKeeper answers version 0, in which a partition without an offset is an unknown one.
func (h *Handlers) fetchFromZooKeeper(ctx context.Context, c *server.Call, req *kmsg.OffsetFetchRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	var fetched []offsets.Fetched
	for _, t := range req.Topics {
		for _, i := range t.Partitions {
			f := noCommit(offsets.Partition{Topic: t.Topic, Index: i}, kerr.UnknownTopicOrPartition)
			if _, ok := h.partitionMetadata(t.Topic, i); ok {
				offset, err := h.rooms.ZooKeeper.ConsumerOffset(ctx, req.Group, t.Topic, i)
				switch {
				case err == nil:
					f.Offset.Offset, f.Err = offset, nil
				case !errors.Is(err, zkmeta.ErrNoNode):
					f.Err = kerr.TypedErrorForCode(h.code(c, err, zap.String("group", req.Group)))
				}
			}
			fetched = append(fetched, f)
		}
	}
	resp.Topics = fetchedTopics(fetched)
	return resp
}
