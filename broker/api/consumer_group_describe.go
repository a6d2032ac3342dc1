package api

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/protocol"
)

// ConsumerGroupDescribe (key 69), versions 0 to 1.
//
// Tells state, epochs and members of groups of the new protocol, with what each member has and is to have (KIP-848).
// Partitions of topics that are gone are left out. Refused like ConsumerGroupHeartbeat.
//
//	v1  which protocol a member speaks (KIP-1099)
//
// Sources: KafkaApis.handleConsumerGroupDescribe, ConsumerGroupMember.asConsumerGroupDescribeMember.
func (h *Handlers) consumerGroupDescribe(ctx context.Context, _ *server.Call, req *kmsg.ConsumerGroupDescribeRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	image := h.rooms.Metadata.Load()
	offered := h.rooms.Config.Broker().Groups.ConsumerProtocol
	resp.Groups = make([]kmsg.ConsumerGroupDescribeResponseGroup, 0, len(req.Groups))
	for _, name := range req.Groups {
		rg := kmsg.NewConsumerGroupDescribeResponseGroup()
		rg.Group = name
		if !offered {
			rg.ErrorCode = protocol.UnsupportedVersion
			resp.Groups = append(resp.Groups, rg)
			continue
		}
		d, err := h.rooms.Groups.DescribeConsumer(ctx, name)
		rg.ErrorCode = codeOfGroup(err)
		switch {
		case err == nil:
			describedConsumers(&rg, d, image)
			if req.IncludeAuthorizedOperations {
				rg.AuthorizedOperations = configuredGroupOperations
			}
		case err.Code == protocol.GroupIDNotFound:
			rg.ErrorMessage = text(fmt.Sprintf("Group %s not found.", name))
		}
		resp.Groups = append(resp.Groups, rg)
	}
	return resp
}

// Kinds of members in version 1.
const (
	classicMember  = 0
	consumerMember = 1
)

func describedConsumers(rg *kmsg.ConsumerGroupDescribeResponseGroup, d consumer.Description, image *metadata.Image) {
	rg.State, rg.Epoch, rg.AssignmentEpoch, rg.AssignorName = d.State, d.Epoch, d.AssignmentEpoch, d.Assignor
	rg.Members = make([]kmsg.ConsumerGroupDescribeResponseGroupMember, 0, len(d.Members))
	for i := range d.Members {
		m := &d.Members[i]
		rm := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		rm.MemberID, rm.InstanceID, rm.RackID, rm.MemberEpoch = m.ID, m.InstanceID, m.Rack, m.Epoch
		rm.ClientID, rm.ClientHost = m.Client.ID, m.Host
		rm.SubscribedTopics, rm.SubscribedTopicRegex = m.Topics, &m.TopicRegex // empty for none
		rm.Assignment.TopicPartitions = namedPartitions(m.Assignment, image)
		rm.TargetAssignment.TopicPartitions = namedPartitions(m.Target, image)
		rm.MemberType = consumerMember
		if m.Classic {
			rm.MemberType = classicMember
		}
		rg.Members = append(rg.Members, rm)
	}
}

func namedPartitions(p assign.Partitions, image *metadata.Image) []kmsg.AssignmentTopicPartition {
	named := make([]kmsg.AssignmentTopicPartition, 0, len(p))
	for _, id := range sortedIDs(p) {
		if t, ok := image.TopicByID(id); ok {
			tp := kmsg.NewAssignmentTopicPartition()
			tp.TopicID, tp.Topic, tp.Partitions = id, t.Name, p[id]
			named = append(named, tp)
		}
	}
	return named
}
