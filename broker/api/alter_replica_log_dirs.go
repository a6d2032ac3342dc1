package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/storage"
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
	// Of several directories for one partition the last is meant.
	to := map[storage.TopicPartition]string{}
	for _, d := range req.Dirs {
		for _, t := range d.Topics {
			for _, partition := range t.Partitions {
				to[storage.TopicPartition{Topic: t.Topic, Partition: partition}] = d.Dir
			}
		}
	}
	index := map[string]int{}
	for name, dir := range to {
		at, ok := index[name.Topic]
		if !ok {
			at = len(resp.Topics)
			index[name.Topic] = at
			rt := kmsg.NewAlterReplicaLogDirsResponseTopic()
			rt.Topic = name.Topic
			resp.Topics = append(resp.Topics, rt)
		}
		err := h.rooms.Replicas.AlterLogDir(name.Topic, name.Partition, dir)
		rp := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
		rp.Partition = name.Partition
		rp.ErrorCode = h.code(c, err, zap.String("topic", name.Topic), zap.Int32("partition", name.Partition), zap.String("dir", dir))
		resp.Topics[at].Partitions = append(resp.Topics[at].Partitions, rp)
	}
	return resp
}
