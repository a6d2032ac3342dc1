package api

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// DescribeConfigs (key 32), versions 0 to 4.
//
// Tells every key of topics and of this broker, or those named, with value, source, type,
// synonyms and documentation. The resource of the default broker has only what is set in ZooKeeper. Groups are an addition:
// Apache Kafka has them only in KRaft mode.
//
//	v1  sources and synonyms (KIP-226)
//	v3  types and documentation (KIP-569)
//	v4  flexible encoding
//
// Source: ConfigHelper.scala.
func (h *Handlers) describeConfigs(ctx context.Context, c *server.Call, req *kmsg.DescribeConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	for i := range req.Resources {
		asked := &req.Resources[i]
		r := resource{int8(asked.ResourceType), asked.ResourceName}
		entries, err := h.describe(ctx, r, asked.ConfigNames)
		rr := kmsg.NewDescribeConfigsResponseResource()
		rr.ResourceType, rr.ResourceName = asked.ResourceType, asked.ResourceName
		if rr.ErrorCode, rr.ErrorMessage = h.refusal(c, err); err == nil {
			rr.ErrorMessage = text("")
		}
		rr.Configs = make([]kmsg.DescribeConfigsResponseResourceConfig, 0, len(entries))
		for _, e := range entries {
			rr.Configs = append(rr.Configs, describedConfig(e, req))
		}
		resp.Resources = append(resp.Resources, rr)
	}
	return resp
}

// describe lists the entries of one resource.
func (h *Handlers) describe(ctx context.Context, r resource, names []string) ([]config.Entry, error) {
	switch r.kind {
	case topicResource:
		if err := controller.ValidateTopicName(r.name); err != nil {
			return nil, &failure{protocol.InvalidTopic, err.Error()}
		}
		if _, ok := h.rooms.Metadata.Load().Topic(r.name); !ok {
			return nil, &failure{protocol.UnknownTopicOrPartition, ""}
		}
		overrides, err := h.rooms.ZooKeeper.Config(ctx, r.entity())
		if err != nil {
			return nil, fmt.Errorf("read the config of %s: %w", r, err)
		}
		return h.rooms.Config.DescribeTopic(overrides, names), nil
	case brokerResource:
		if r.name == "" {
			return h.rooms.Config.DescribeDefaultBroker(names), nil
		}
		id, err := strconv.ParseInt(r.name, 10, 32)
		if err != nil {
			return nil, invalidRequest("Broker id must be an integer, but it is: %s", r.name)
		}
		if int32(id) != h.rooms.BrokerID {
			return nil, invalidRequest("Unexpected broker id, expected %d or empty string, but received %s", h.rooms.BrokerID, r.name)
		}
		return h.rooms.Config.DescribeBroker(names), nil
	case groupResource:
		if r.name == "" {
			return nil, invalidRequest("Group name must not be empty")
		}
		if err := checkGroupName(r.name); err != nil {
			return nil, err
		}
		overrides, err := h.rooms.ZooKeeper.Config(ctx, r.entity())
		if err != nil {
			return nil, fmt.Errorf("read the config of %s: %w", r, err)
		}
		return h.rooms.Config.DescribeGroup(overrides, names), nil
	case brokerLoggerResource, clientMetricsResource:
		return nil, invalidRequest("Unsupported resource type: %s", resourceTypes[r.kind])
	default:
		return nil, invalidRequest("Unexpected resource type UNKNOWN for resource %s", r.name)
	}
}

func describedConfig(e config.Entry, req *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value, c.ReadOnly, c.IsSensitive = e.Name, e.Value, e.ReadOnly, e.Sensitive
	c.IsDefault = e.Source == config.SourceDefault
	c.Source, c.ConfigType = kmsg.ConfigSource(e.Source), kmsg.ConfigType(e.Type)
	if req.IncludeDocumentation {
		c.Documentation = &e.Doc
	}
	c.ConfigSynonyms = []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{}
	if req.IncludeSynonyms {
		for _, s := range e.Synonyms {
			cs := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			cs.Name, cs.Value, cs.Source = s.Name, s.Value, kmsg.ConfigSource(s.Source)
			c.ConfigSynonyms = append(c.ConfigSynonyms, cs)
		}
	}
	return c
}
