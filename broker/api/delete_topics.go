package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// DeleteTopics (key 20), versions 0 to 6.
//
// Marks topics for deletion on the controller and answers when the metadata image has dropped
// them, or with REQUEST_TIMED_OUT.
//
//	v3  TOPIC_DELETION_DISABLED instead of INVALID_REQUEST when delete.topic.enable is false
//	v4  flexible encoding
//	v5  error messages, throttled by controller_mutation_rate (KIP-599)
//	v6  topics by id (KIP-516)
//
// Source: KafkaApis.handleDeleteTopicsRequest.
func (h *Handlers) deleteTopics(ctx context.Context, c *server.Call, req *kmsg.DeleteTopicsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	asked := req.Topics
	for _, name := range req.TopicNames {
		asked = append(asked, kmsg.DeleteTopicsRequestTopic{Topic: &name})
	}
	image := h.rooms.Metadata.Load()
	var names []string
	index := map[string]int{}
	for _, t := range asked {
		rt := kmsg.NewDeleteTopicsResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		rt.ErrorCode = h.deletable(image, req.Version, t, &rt)
		if rt.ErrorCode == protocol.None {
			if _, twice := index[*rt.Topic]; twice {
				continue
			}
			index[*rt.Topic] = len(resp.Topics)
			names = append(names, *rt.Topic)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	if len(names) == 0 {
		return resp
	}
	var marked []string
	for i, err := range h.rooms.Controller.DeleteTopics(ctx, names) {
		if err != nil {
			rt := &resp.Topics[index[names[i]]]
			rt.ErrorCode, rt.ErrorMessage = h.refusal(c, err)
			continue
		}
		marked = append(marked, names[i])
	}
	for _, name := range h.awaitTopics(ctx, time.Duration(req.TimeoutMillis)*time.Millisecond, marked,
		func(t *metadata.Topic, _ int) bool { return t == nil }) {
		resp.Topics[index[name]].ErrorCode = protocol.RequestTimedOut
	}
	return resp
}

// deletable resolves an id to its name in rt and returns why the topic cannot be deleted.
func (h *Handlers) deletable(image *metadata.Image, version int16, t kmsg.DeleteTopicsRequestTopic, rt *kmsg.DeleteTopicsResponseTopic) protocol.ErrorCode {
	byID := t.TopicID != [16]byte{}
	switch {
	case !h.rooms.Controller.Active():
		return protocol.NotController
	case !h.rooms.Config.Broker().DeleteTopicEnable && version < 3:
		return protocol.InvalidRequest
	case !h.rooms.Config.Broker().DeleteTopicEnable:
		return protocol.TopicDeletionDisabled
	case byID && t.Topic != nil:
		return protocol.InvalidRequest
	case byID:
		topic, ok := image.TopicByID(t.TopicID)
		if !ok {
			return protocol.UnknownTopicID
		}
		rt.Topic = &topic.Name
		return protocol.None
	case t.Topic == nil:
		return protocol.InvalidRequest
	}
	if _, ok := image.Topic(*t.Topic); !ok {
		return protocol.UnknownTopicOrPartition
	}
	return protocol.None
}
