package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// clusterMetadataTopic is KRaft's log, which nobody may create.
const clusterMetadataTopic = "__cluster_metadata"

// CreateTopics (key 19), versions 0 to 7.
//
// Creates topics on the controller and answers when the metadata image shows a leader for every
// partition, or with REQUEST_TIMED_OUT after the timeout, though the topic is created then too.
//
//	v1  validate only, error messages
//	v4  -1 for partitions and replication factor: the broker's defaults (KIP-464)
//	v5  the answer holds partitions, replication factor and all configs (KIP-525); flexible encoding
//	v6  throttled by controller_mutation_rate (KIP-599)
//	v7  topic ids in the answer (KIP-516)
//
// Sources: KafkaApis.handleCreateTopicsRequest, ZkAdminManager.createTopics.
func (h *Handlers) createTopics(ctx context.Context, c *server.Call, req *kmsg.CreateTopicsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	count := map[string]int{}
	for i := range req.Topics {
		count[req.Topics[i].Topic]++
	}
	var wanted []controller.NewTopic
	index := map[string]int{} // of the answer by topic
	for i := range req.Topics {
		t := &req.Topics[i]
		index[t.Topic] = len(resp.Topics)
		rt := kmsg.NewCreateTopicsResponseTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = t.Topic, -1, -1
		rt.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
		switch {
		case !h.rooms.Controller.Active():
			rt.ErrorCode = protocol.NotController
		case t.Topic == clusterMetadataTopic:
			rt.ErrorCode, rt.ErrorMessage = protocol.InvalidRequest, text("Creation of internal topic "+clusterMetadataTopic+" is prohibited.")
		case count[t.Topic] > 1:
			rt.ErrorCode, rt.ErrorMessage = protocol.InvalidRequest, text("Found multiple entries for this topic.")
		default:
			wanted = append(wanted, newTopicOf(t))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	deadline := time.Duration(req.TimeoutMillis) * time.Millisecond
	var created []string
	for i, made := range h.rooms.Controller.CreateTopics(ctx, wanted, req.ValidateOnly) {
		rt := &resp.Topics[index[wanted[i].Name]]
		if made.Err != nil {
			rt.ErrorCode, rt.ErrorMessage = h.refusal(c, made.Err)
			continue
		}
		rt.TopicID, rt.NumPartitions, rt.ReplicationFactor = made.ID, made.Partitions, made.ReplicationFactor
		rt.Configs = createdConfigs(h.rooms.Config.DescribeTopic(made.Config, nil))
		created = append(created, wanted[i].Name)
	}
	if req.ValidateOnly {
		return resp
	}
	late := h.awaitTopics(ctx, deadline, created, func(t *metadata.Topic, i int) bool {
		return t != nil && len(t.Partitions) == int(resp.Topics[index[created[i]]].NumPartitions) && allLed(t)
	})
	for _, name := range late {
		rt := &resp.Topics[index[name]]
		*rt = kmsg.CreateTopicsResponseTopic{
			Topic: name, TopicID: rt.TopicID, ErrorCode: protocol.RequestTimedOut, NumPartitions: -1, ReplicationFactor: -1,
			Configs: []kmsg.CreateTopicsResponseTopicConfig{},
		}
	}
	return resp
}

func newTopicOf(t *kmsg.CreateTopicsRequestTopic) controller.NewTopic {
	n := controller.NewTopic{
		Name: t.Topic, Partitions: t.NumPartitions, ReplicationFactor: t.ReplicationFactor,
		Config: map[string]*string{},
	}
	for _, a := range t.ReplicaAssignment {
		if n.Assignment == nil {
			n.Assignment = map[int32][]int32{}
		}
		n.Assignment[a.Partition] = a.Replicas
	}
	for _, c := range t.Configs {
		n.Config[c.Name] = c.Value
	}
	return n
}

// createdConfigs tells every config of a new topic, as DescribeConfigs would.
func createdConfigs(entries []config.Entry) []kmsg.CreateTopicsResponseTopicConfig {
	configs := make([]kmsg.CreateTopicsResponseTopicConfig, 0, len(entries))
	for _, e := range entries {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.ReadOnly, c.Source, c.IsSensitive = e.Name, e.Value, e.ReadOnly, int8(e.Source), e.Sensitive
		configs = append(configs, c)
	}
	return configs
}

// allLed reports whether every partition has a leader.
func allLed(t *metadata.Topic) bool {
	for i := range t.Partitions {
		if t.Partitions[i].Leader < 0 {
			return false
		}
	}
	return true
}

// awaitTopics waits until the image shows each topic as done wants it (nil: the topic is absent) and
// returns the names of those for which the time passed first; a time of zero passes at once.
func (h *Handlers) awaitTopics(ctx context.Context, within time.Duration, names []string, done func(t *metadata.Topic, i int) bool) (late []string) {
	if within <= 0 {
		return names
	}
	for _, i := range h.awaitImage(ctx, within, len(names), func(image *metadata.Image, i int) bool {
		t, _ := image.Topic(names[i])
		return done(t, i)
	}) {
		late = append(late, names[i])
	}
	return late
}

// awaitImage waits until the image shows count things as done wants them and returns those for which the time passed
// first. It looks at least once.
func (h *Handlers) awaitImage(ctx context.Context, within time.Duration, count int, done func(image *metadata.Image, i int) bool) (late []int) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		changed := h.rooms.Metadata.Changed()
		image := h.rooms.Metadata.Load()
		late = late[:0]
		for i := range count {
			if !done(image, i) {
				late = append(late, i)
			}
		}
		if len(late) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return late
		}
	}
}

// text points to a message for an answer.
func text(s string) *string { return &s }
