package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/peer"
	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
)

// Leader epochs of StopReplica that stand for none: before version 3 there was no such field.
const noLeaderEpoch = -1

// StopReplica (key 5), versions 0 to 4.
//
// The controller ends replicas of this broker, and deletes their logs where it says so.
//
//	v1  broker epoch, partitions grouped by topic (KIP-380)
//	v2  flexible encoding
//	v3  leader epoch and deletion by partition (KIP-570)
//	v4  isKRaftController (KIP-866)
//
// Sources: KafkaApis.handleStopReplicaRequest, ReplicaManager.stopReplicas.
func (h *Handlers) stopReplica(_ context.Context, c *server.Call) (server.Reply, error) {
	peer.FromKafka(c.Header.Key, c.Header.Version, c.Body)
	req, err := decode[kmsg.StopReplicaRequest](c)
	if err != nil {
		return server.Reply{}, err
	}
	return server.Reply{Await: func(ctx context.Context) server.Response {
		return h.respond(c, h.stop(ctx, c, req))
	}}, nil
}

func (h *Handlers) stop(ctx context.Context, c *server.Call, req *kmsg.StopReplicaRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.StopReplicaResponse)
	brokerEpoch := req.BrokerEpoch
	if req.Version < 1 {
		brokerEpoch = -1
	}
	if err := h.rooms.Replicas.CheckController(req.ControllerEpoch, brokerEpoch); err != nil {
		resp.ErrorCode = h.code(c, err)
		return resp
	}
	stops := stopsOf(req)
	for i, err := range h.rooms.Replicas.Stop(ctx, stops) {
		rp := kmsg.NewStopReplicaResponsePartition()
		rp.Topic, rp.Partition, rp.ErrorCode = stops[i].Topic, stops[i].Partition, h.code(c, err)
		resp.Partitions = append(resp.Partitions, rp)
	}
	return resp
}

// stopsOf lists the partitions of a request of any version.
func stopsOf(req *kmsg.StopReplicaRequest) []replica.Stop {
	var stops []replica.Stop
	for i := range req.Topics {
		t := &req.Topics[i]
		if req.Version == 0 {
			stops = append(stops, replica.Stop{Topic: t.Topic, Partition: t.Partition, LeaderEpoch: noLeaderEpoch, Delete: req.DeletePartitions})
		}
		for _, p := range t.Partitions {
			stops = append(stops, replica.Stop{Topic: t.Topic, Partition: p, LeaderEpoch: noLeaderEpoch, Delete: req.DeletePartitions})
		}
		for _, p := range t.PartitionStates {
			stops = append(stops, replica.Stop{Topic: t.Topic, Partition: p.Partition, LeaderEpoch: p.LeaderEpoch, Delete: p.Delete})
		}
	}
	return stops
}
