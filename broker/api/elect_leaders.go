package api

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/zkmeta"
)

// ElectLeaders (key 43), versions 0 to 2.
//
// Elects the preferred leaders of partitions, or leaders where none is alive, on the controller, and answers when the
// metadata image shows them, or with REQUEST_TIMED_OUT. Without a list it is about all partitions, and those that
// have the wanted leader already are not in the answer (KIP-183).
//
//	v1  election type: preferred or unclean; a code for the whole (KIP-460)
//	v2  flexible encoding
//
// Sources: KafkaApis.handleElectLeaders, ReplicaManager.electLeaders, DelayedElectLeader.
func (h *Handlers) electLeaders(ctx context.Context, c *server.Call, req *kmsg.ElectLeadersRequest) kmsg.Response {
	const unclean = 1
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	resp.Topics = []kmsg.ElectLeadersResponseTopic{}
	if req.ElectionType < 0 || req.ElectionType > unclean {
		resp.ErrorCode = protocol.InvalidRequest
		return resp
	}
	wanted := h.toElect(req)
	elected := h.rooms.Controller.ElectLeaders(ctx, wanted, req.ElectionType == unclean)
	late := map[int]bool{}
	for _, i := range h.awaitImage(ctx, time.Duration(req.TimeoutMillis)*time.Millisecond, len(wanted), func(image *metadata.Image, i int) bool {
		return elected[i].Err != nil || led(image, wanted[i], elected[i].Leader)
	}) {
		late[i] = true
	}
	at := map[string]int{} // of a topic in the answer
	for i, tp := range wanted {
		e := elected[i]
		if req.Topics == nil && errors.Is(e.Err, controller.ErrElectionNotNeeded) {
			continue
		}
		rp := kmsg.NewElectLeadersResponseTopicPartition()
		rp.Partition = tp.Partition
		switch {
		case late[i]:
			rp.ErrorCode = protocol.RequestTimedOut
		case errors.Is(e.Err, controller.ErrNotController):
			rp.ErrorCode = protocol.NotController
		default:
			rp.ErrorCode, rp.ErrorMessage = h.refusal(c, e.Err)
		}
		if _, ok := at[tp.Topic]; !ok {
			at[tp.Topic] = len(resp.Topics)
			rt := kmsg.NewElectLeadersResponseTopic()
			rt.Topic = tp.Topic
			resp.Topics = append(resp.Topics, rt)
		}
		rt := &resp.Topics[at[tp.Topic]]
		rt.Partitions = append(rt.Partitions, rp)
	}
	return resp
}

// toElect lists the partitions of a request, each once.
func (h *Handlers) toElect(req *kmsg.ElectLeadersRequest) []zkmeta.TopicPartition {
	var wanted []zkmeta.TopicPartition
	if req.Topics == nil {
		for _, t := range h.rooms.Metadata.Load().Topics() {
			for i := range t.Partitions {
				wanted = append(wanted, zkmeta.TopicPartition{Topic: t.Name, Partition: t.Partitions[i].Index})
			}
		}
		return wanted
	}
	seen := map[zkmeta.TopicPartition]bool{}
	for i := range req.Topics {
		for _, index := range req.Topics[i].Partitions {
			tp := zkmeta.TopicPartition{Topic: req.Topics[i].Topic, Partition: index}
			if !seen[tp] {
				seen[tp] = true
				wanted = append(wanted, tp)
			}
		}
	}
	return wanted
}

func led(image *metadata.Image, tp zkmeta.TopicPartition, leader int32) bool {
	t, ok := image.Topic(tp.Topic)
	if !ok {
		return false
	}
	p, ok := t.Partition(tp.Partition)
	return ok && p.Leader == leader
}
