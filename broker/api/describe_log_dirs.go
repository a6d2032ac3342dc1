package api

import (
	"context"
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/storage"
)

// DescribeLogDirs (key 35), versions 0 to 4.
//
// Tells for every log directory of this broker its state, its volume's size, and the partitions asked for (null: all)
// that lie in it (KIP-113).
//
//	v2  flexible encoding
//	v3  error code of the whole
//	v4  total and usable bytes (KIP-827)
//
// Source: ReplicaManager.describeLogDirs.
func (h *Handlers) describeLogDirs(_ context.Context, _ *server.Call, req *kmsg.DescribeLogDirsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	var asked map[storage.TopicPartition]bool // nil: all
	if req.Topics != nil {
		asked = map[storage.TopicPartition]bool{}
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				asked[storage.TopicPartition{Topic: t.Topic, Partition: p}] = true
			}
		}
	}
	for _, d := range h.rooms.Replicas.Dirs() {
		resp.Dirs = append(resp.Dirs, describedDir(d, asked))
	}
	return resp
}

func describedDir(d replica.Dir, asked map[storage.TopicPartition]bool) kmsg.DescribeLogDirsResponseDir {
	rd := kmsg.NewDescribeLogDirsResponseDir()
	rd.Dir, rd.TotalBytes, rd.UsableBytes = d.Path, -1, -1
	if d.Err != nil {
		rd.ErrorCode = protocol.KafkaStorageError
		return rd
	}
	rd.TotalBytes, rd.UsableBytes = toInt64(d.Total), toInt64(d.Usable)
	index := map[string]int{}
	for _, l := range d.Logs {
		if asked != nil && !asked[storage.TopicPartition{Topic: l.Topic, Partition: l.Partition}] {
			continue
		}
		at, ok := index[l.Topic]
		if !ok {
			at = len(rd.Topics)
			index[l.Topic] = at
			rt := kmsg.NewDescribeLogDirsResponseDirTopic()
			rt.Topic = l.Topic
			rd.Topics = append(rd.Topics, rt)
		}
		rp := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		rp.Partition, rp.Size, rp.OffsetLag, rp.IsFuture = l.Partition, l.Size, l.OffsetLag, l.Future
		rd.Topics[at].Partitions = append(rd.Topics[at].Partitions, rp)
	}
	return rd
}

func toInt64(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
