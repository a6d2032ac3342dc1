package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/zkmeta"
)

// ListConfigResources (key 74), versions 0 to 1.
//
// Lists the resources that have a configuration (KIP-714, KIP-1142). Apache Kafka has it only in KRaft
// mode, and as ListClientMetricsResources in version 0; client metrics do not exist here.
//
//	v1  topics, brokers, broker loggers and groups too; no types asked for: all
func (h *Handlers) listConfigResources(ctx context.Context, c *server.Call, req *kmsg.ListConfigResourcesRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	if req.Version == 0 {
		return resp
	}
	types := req.ResourceTypes
	if len(types) == 0 {
		types = []int8{topicResource, brokerResource, brokerLoggerResource, clientMetricsResource, groupResource}
	}
	image := h.rooms.Metadata.Load()
	add := func(kind int8, name string) {
		r := kmsg.NewListConfigResourcesResponseConfigResource()
		r.Name, r.Type = name, kind
		resp.ConfigResources = append(resp.ConfigResources, r)
	}
	for _, kind := range slices.Compact(slices.Sorted(slices.Values(types))) {
		switch kind {
		case topicResource:
			for _, t := range image.Topics() {
				add(kind, t.Name)
			}
		case brokerResource, brokerLoggerResource:
			for _, b := range image.Brokers() {
				add(kind, strconv.Itoa(int(b.ID)))
			}
		case groupResource:
			groups, err := h.configuredGroups(ctx)
			if err != nil {
				resp.ErrorCode, resp.ConfigResources = h.code(c, err), nil
				return resp
			}
			for _, name := range groups {
				add(kind, name)
			}
		case clientMetricsResource:
		default:
			resp.ErrorCode = protocol.UnsupportedVersion
			resp.ConfigResources = nil
			return resp
		}
	}
	return resp
}

// configuredGroups lists the groups that have settings of their own.
func (h *Handlers) configuredGroups(ctx context.Context) ([]string, error) {
	configs, err := h.rooms.ZooKeeper.Configs(ctx, groupEntities)
	if err != nil {
		return nil, fmt.Errorf("read the configs of groups: %w", err)
	}
	names := make([]string, 0, len(configs))
	for sanitized := range configs {
		name, err := zkmeta.Desanitize(sanitized)
		if err != nil {
			continue // nobody's group: a name that Sanitize does not make
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}
