package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// AlterPartition (key 56), versions 0 to 3.
//
// Leaders change the in-sync replicas of their partitions on the controller, which answers with the state
// that is now written, or says for each partition why not (KIP-497).
//
//	v1  leader recovery state (KIP-704)
//	v2  topic ids instead of names, INELIGIBLE_REPLICA instead of OPERATION_NOT_ATTEMPTED (KIP-841)
//	v3  in-sync replicas with their broker epochs (KIP-903), which ZooKeeper's controller does not look at
//
// Source: KafkaController.tryProcessAlterPartition.
func (h *Handlers) alterPartition(ctx context.Context, c *server.Call, req *kmsg.AlterPartitionRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterPartitionResponse)
	var proposals []controller.ISRProposal
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			proposals = append(proposals, proposalOf(req, &req.Topics[i], &req.Topics[i].Partitions[j]))
		}
	}
	outcomes, err := h.rooms.Controller.AlterPartition(ctx, req.BrokerID, req.BrokerEpoch, proposals)
	if err != nil {
		resp.ErrorCode = h.code(c, err)
		return resp
	}
	for i := range req.Topics {
		rt := kmsg.NewAlterPartitionResponseTopic()
		rt.Topic, rt.TopidID = req.Topics[i].Topic, req.Topics[i].TopicID
		for j := range req.Topics[i].Partitions {
			rp := kmsg.NewAlterPartitionResponseTopicPartition()
			rp.Partition = req.Topics[i].Partitions[j].Partition
			rp.ErrorCode = h.proposalCode(c, outcomes[0].Err)
			if state := &outcomes[0].State; outcomes[0].Err == nil {
				rp.LeaderID, rp.LeaderEpoch, rp.ISR = state.Leader, state.LeaderEpoch, state.ISR
				rp.LeaderRecoveryState, rp.PartitionEpoch = recoveryState(state.Recovering), state.PartitionEpoch
			}
			outcomes = outcomes[1:]
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func proposalOf(req *kmsg.AlterPartitionRequest, t *kmsg.AlterPartitionRequestTopic, p *kmsg.AlterPartitionRequestTopicPartition) controller.ISRProposal {
	isr := p.NewISR
	if req.Version >= 3 {
		isr = make([]int32, len(p.NewEpochISR))
		for i := range p.NewEpochISR {
			isr[i] = p.NewEpochISR[i].BrokerID
		}
	}
	return controller.ISRProposal{
		Topic: t.Topic, ByID: req.Version >= 2, TopicID: t.TopicID, Partition: p.Partition, LeaderEpoch: p.LeaderEpoch, ISR: isr,
		Recovering: p.LeaderRecoveryState == 1, PartitionEpoch: p.PartitionEpoch,
	}
}

func (h *Handlers) proposalCode(c *server.Call, err error) protocol.ErrorCode {
	if errors.Is(err, controller.ErrIneligibleReplica) && c.Header.Version < 2 {
		return protocol.OperationNotAttempted // what older leaders know
	}
	return h.code(c, err)
}

func recoveryState(recovering bool) int8 {
	if recovering {
		return 1
	}
	return 0
}
