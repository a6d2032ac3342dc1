package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/storage"
)

// ListOffsets (key 2), versions 0 to 9.
//
// Finds an offset by time or by a special timestamp: -1 latest, -2 earliest, -3 of the largest timestamp,
// -4 earliest local, -5 latest tiered. Consumers see up to the high watermark, or the last stable offset
// with read_committed.
//
//	v0  answers a list of segment starts, as the offsets of old
//	v1  one offset with its timestamp (KIP-79)
//	v2  isolation level (KIP-98)
//	v4  leader epochs (KIP-320)
//	v5  OFFSET_NOT_AVAILABLE instead of LEADER_NOT_AVAILABLE (KIP-207)
//	v6  flexible encoding
//	v7  max timestamp (KIP-734)
//	v8  earliest local (KIP-405)
//	v9  latest tiered (KIP-1005)
//
// Source: KafkaApis.handleListOffsetRequest.
func (h *Handlers) listOffsets(_ context.Context, c *server.Call, req *kmsg.ListOffsetsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	twice := listedTwice(req)
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for j := range t.Partitions {
			p := &t.Partitions[j]
			switch {
			case req.Version >= 2 && req.IsolationLevel != readUncommitted && req.IsolationLevel != readCommitted:
				rt.Partitions = append(rt.Partitions, noOffset(p.Partition, protocol.UnknownServerError))
			case req.Version == 0:
				rt.Partitions = append(rt.Partitions, h.oldOffsets(c, req, t.Topic, p))
			case twice[storage.TopicPartition{Topic: t.Topic, Partition: p.Partition}]:
				rt.Partitions = append(rt.Partitions, noOffset(p.Partition, protocol.InvalidRequest))
			default:
				rt.Partitions = append(rt.Partitions, h.listOffset(c, req, t.Topic, p))
			}
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// listedTwice finds the partitions that a request names more than once.
func listedTwice(req *kmsg.ListOffsetsRequest) map[storage.TopicPartition]bool {
	seen, twice := map[storage.TopicPartition]bool{}, map[storage.TopicPartition]bool{}
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			tp := storage.TopicPartition{Topic: req.Topics[i].Topic, Partition: req.Topics[i].Partitions[j].Partition}
			if seen[tp] {
				twice[tp] = true
			}
			seen[tp] = true
		}
	}
	return twice
}

// timestampSince gives the first version that knows a special timestamp.
func timestampSince(timestamp int64) (version int16, known bool) {
	switch timestamp {
	case replica.TimestampLatest, replica.TimestampEarliest:
		return 1, true
	case replica.TimestampMax:
		return 7, true
	case replica.TimestampEarliestLocal:
		return 8, true
	case replica.TimestampLatestTiered:
		return 9, true
	default:
		return 0, false
	}
}

func noOffset(partition int32, code protocol.ErrorCode) kmsg.ListOffsetsResponseTopicPartition {
	rp := kmsg.NewListOffsetsResponseTopicPartition()
	rp.Partition, rp.ErrorCode, rp.Timestamp, rp.Offset, rp.LeaderEpoch = partition, code, -1, -1, -1
	return rp
}

func (h *Handlers) listOffset(c *server.Call, req *kmsg.ListOffsetsRequest, topic string, p *kmsg.ListOffsetsRequestTopicPartition) kmsg.ListOffsetsResponseTopicPartition {
	if p.Timestamp < 0 {
		if since, known := timestampSince(p.Timestamp); !known || req.Version < since {
			return noOffset(p.Partition, protocol.UnsupportedVersion)
		}
	}
	partition, err := h.hosted(topic, p.Partition)
	if err != nil {
		return noOffset(p.Partition, h.code(c, err))
	}
	epoch := int32(-1)
	if req.Version >= 4 {
		epoch = p.CurrentLeaderEpoch
	}
	isolation := replica.ReadUncommitted
	if req.Version >= 2 && req.IsolationLevel == readCommitted {
		isolation = replica.ReadCommitted
	}
	o, found, err := partition.ListOffset(p.Timestamp, isolation, epoch, req.ReplicaID)
	switch {
	case errors.Is(err, replica.ErrOffsetNotAvailable) && req.Version < 5:
		return noOffset(p.Partition, protocol.LeaderNotAvailable)
	case err != nil:
		return noOffset(p.Partition, h.code(c, err))
	case !found:
		return noOffset(p.Partition, protocol.None)
	}
	rp := noOffset(p.Partition, protocol.None)
	rp.Offset, rp.Timestamp, rp.LeaderEpoch = o.Offset, o.Timestamp, o.LeaderEpoch
	return rp
}

// oldOffsets answers version 0, newest offset first. Kafka lists the starts of segments; of those the earliest and the
// latest are what clients of that age ask for, one at a time, and all that is told here.
func (h *Handlers) oldOffsets(c *server.Call, req *kmsg.ListOffsetsRequest, topic string, p *kmsg.ListOffsetsRequestTopicPartition) kmsg.ListOffsetsResponseTopicPartition {
	rp := noOffset(p.Partition, protocol.None)
	rp.OldStyleOffsets = []int64{}
	if p.Timestamp < replica.TimestampEarliest {
		rp.ErrorCode = protocol.UnsupportedVersion
		return rp
	}
	partition, err := h.hosted(topic, p.Partition)
	if err != nil {
		rp.ErrorCode = h.code(c, err)
		return rp
	}
	offsets, err := offsetsBefore(partition, p.Timestamp, req.ReplicaID)
	switch {
	case errors.Is(err, replica.ErrOffsetNotAvailable):
		rp.ErrorCode = protocol.LeaderNotAvailable
	case err != nil:
		rp.ErrorCode = h.code(c, err)
	default:
		rp.OldStyleOffsets = offsets[:min(len(offsets), int(max(p.MaxNumOffsets, 0)))]
	}
	return rp
}

// offsetsBefore lists where a log could be read from to see what was there before a time: its end then, and its start.
func offsetsBefore(p *replica.Partition, timestamp int64, replicaID int32) ([]int64, error) {
	start, _, err := p.ListOffset(replica.TimestampEarliest, replica.ReadUncommitted, -1, replicaID)
	if err != nil || timestamp == replica.TimestampEarliest {
		return []int64{start.Offset}, err
	}
	end, found, err := p.ListOffset(timestamp, replica.ReadUncommitted, -1, replicaID)
	if err == nil && !found { // everything is older
		end, _, err = p.ListOffset(replica.TimestampLatest, replica.ReadUncommitted, -1, replicaID)
	}
	if err != nil || end.Offset == start.Offset {
		return []int64{start.Offset}, err
	}
	return []int64{end.Offset, start.Offset}, nil
}
