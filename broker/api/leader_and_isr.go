package api

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
)

// LeaderAndIsr (key 4), versions 0 to 7.
//
// The controller tells which partitions this broker leads or follows. Stale controllers and requests
// meant for an earlier registration of this broker are refused as a whole (KIP-380); a leader epoch
// that is not newer is answered with STALE_CONTROLLER_EPOCH for its partition.
//
//	v1  isNew
//	v2  broker epoch, states grouped by topic (KIP-380)
//	v3  adding and removing replicas (KIP-455)
//	v4  flexible encoding
//	v5  topic ids; the answer is keyed by them (KIP-516)
//	v6  leader recovery state (KIP-704)
//	v7  isKRaftController (KIP-866)
//
// Source: ReplicaManager.becomeLeaderOrFollower.
func (h *Handlers) leaderAndISR(ctx context.Context, c *server.Call, req *kmsg.LeaderAndISRRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.LeaderAndISRResponse)
	brokerEpoch := req.BrokerEpoch
	if req.Version < 2 {
		brokerEpoch = -1
	}
	states := statesOf(req)
	var errs []error
	if err := h.rooms.Replicas.CheckController(req.ControllerEpoch, brokerEpoch); err != nil {
		// Kafka answers it for the whole and for every partition.
		resp.ErrorCode = h.code(c, err)
		errs = slices.Repeat([]error{err}, len(states))
	} else {
		errs = h.rooms.Replicas.Apply(ctx, req.ControllerID, req.ControllerEpoch, states)
	}
	byTopic := map[[16]byte]int{} // index in resp.Topics
	for i := range states {
		rp := kmsg.NewLeaderAndISRResponseTopicPartition()
		rp.Topic, rp.Partition, rp.ErrorCode = states[i].Topic, states[i].Partition, h.code(c, errs[i])
		if req.Version < 5 {
			resp.Partitions = append(resp.Partitions, rp)
			continue
		}
		at, ok := byTopic[states[i].TopicID]
		if !ok {
			at = len(resp.Topics)
			byTopic[states[i].TopicID] = at
			rt := kmsg.NewLeaderAndISRResponseTopic()
			rt.TopicID = states[i].TopicID
			resp.Topics = append(resp.Topics, rt)
		}
		resp.Topics[at].Partitions = append(resp.Topics[at].Partitions, rp)
	}
	return resp
}

// statesOf lists the states of a request of any version.
func statesOf(req *kmsg.LeaderAndISRRequest) []replica.State {
	count := len(req.PartitionStates)
	for i := range req.TopicStates {
		count += len(req.TopicStates[i].PartitionStates)
	}
	states := make([]replica.State, 0, count)
	for i := range req.PartitionStates {
		p := &req.PartitionStates[i]
		states = append(states, stateOf(p.Topic, [16]byte{}, p))
	}
	for i := range req.TopicStates {
		t := &req.TopicStates[i]
		for j := range t.PartitionStates {
			states = append(states, stateOf(t.Topic, t.TopicID, &t.PartitionStates[j]))
		}
	}
	return states
}

func stateOf(topic string, id [16]byte, p *kmsg.LeaderAndISRRequestTopicPartition) replica.State {
	return replica.State{
		Topic: topic, TopicID: id, Partition: p.Partition,
		ControllerEpoch: p.ControllerEpoch, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch,
		ISR: p.ISR, Replicas: p.Replicas, Adding: p.AddingReplicas, Removing: p.RemovingReplicas,
		PartitionEpoch: p.ZKVersion, IsNew: p.IsNew, Recovering: p.LeaderRecoveryState == 1,
	}
}
