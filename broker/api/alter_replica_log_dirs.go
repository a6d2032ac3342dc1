package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/server"
)

// AlterReplicaLogDirs (key 34), versions 0 to 2.
//
// Moves the logs of partitions of this broker to other log directories of it, and answers when the moves have begun
// (KIP-113). Logs that are not here yet will be made in the directory; their answer is REPLICA_NOT_AVAILABLE. Moving a
// log to where it is gives up a move.
//
//	v2  flexible encoding
//
// Sources: KafkaApis.handleAlterReplicaLogDirsRequest, ReplicaManager.alterReplicaLogDirs.
func (h *Handlers) alterReplicaLogDirs(_ context.Context, c *server.Call, req *kmsg.AlterReplicaLogDirsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterReplicaLogDirsResponse)
	index := map[string]int{}
	answer := func(topic string) *kmsg.AlterReplicaLogDirsResponseTopic {
		at, ok := index[topic]
		if !ok {
			at = len(resp.Topics)
			index[topic] = at
			rt := kmsg.NewAlterReplicaLogDirsResponseTopic()
			rt.Topic = topic
			resp.Topics = append(resp.Topics, rt)
		}
		return &resp.Topics[at]
	}
	for _, d := range req.Dirs {
		for _, t := range d.Topics {
			rt := answer(t.Topic)
			for _, partition := range t.Partitions {
				err := h.rooms.Replicas.AlterLogDir(t.Topic, partition, d.Dir)
				rp := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
				rp.Partition = partition
				rp.ErrorCode = h.code(c, err, zap.String("topic", t.Topic), zap.Int32("partition", partition), zap.String("dir", d.Dir))
				rt.Partitions = append(rt.Partitions, rp)
			}
		}
	}
	return resp
}
