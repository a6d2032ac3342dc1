package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/zkmeta"
)

// Resource types of the config APIs (Kafka: ConfigResource.Type).
const (
	topicResource         = 2
	brokerResource        = 4
	brokerLoggerResource  = 8
	clientMetricsResource = 16
	groupResource         = 32
)

var resourceTypes = map[int8]string{
	topicResource: "TOPIC", brokerResource: "BROKER", brokerLoggerResource: "BROKER_LOGGER",
	clientMetricsResource: "CLIENT_METRICS", groupResource: "GROUP",
}

// groupEntities is the type of groups in ZooKeeper.
const groupEntities = "groups"

// resource is a resource of a config request.
type resource struct {
	kind int8
	name string
}

// String writes a resource as Kafka's messages do.
func (r resource) String() string {
	kind, ok := resourceTypes[r.kind]
	if !ok {
		kind = "UNKNOWN"
	}
	return fmt.Sprintf("ConfigResource(type=%s, name='%s')", kind, r.name)
}

// entity is the znode that holds the resource's configuration.
func (r resource) entity() zkmeta.Entity {
	switch r.kind {
	case topicResource:
		return zkmeta.Entity{Type: "topics", Name: r.name}
	case groupResource:
		return zkmeta.Entity{Type: groupEntities, Name: zkmeta.Sanitize(r.name)}
	}
	if r.name == "" {
		return zkmeta.Entity{Type: "brokers", Name: zkmeta.DefaultEntity}
	}
	return zkmeta.Entity{Type: "brokers", Name: r.name}
}

// configOp is one change of a key. Alter sets all keys anew and uses only opSet.
type configOp struct {
	op    int8
	name  string
	value *string
}

// The operations of IncrementalAlterConfigs (KIP-339).
const (
	opSet      = 0
	opDelete   = 1
	opAppend   = 2
	opSubtract = 3
)

// alteration is what a request asks of one resource.
type alteration struct {
	resource resource
	ops      []configOp
}

// alterAll does what AlterConfigs and IncrementalAlterConfigs have in common: each resource by itself, those that are named
// more than once not at all. It returns an error for each, nil when altered.
func (h *Handlers) alterAll(ctx context.Context, alterations []alteration, incremental, validateOnly bool) []error {
	count := map[resource]int{}
	for _, a := range alterations {
		count[a.resource]++
	}
	errs := make([]error, len(alterations))
	for i, a := range alterations {
		if count[a.resource] > 1 {
			errs[i] = invalidRequest("Each resource must appear at most once.")
			continue
		}
		errs[i] = h.alter(ctx, a.resource, a.ops, incremental, validateOnly)
	}
	return errs
}

// alter checks and writes one resource. With incremental false the operations are the whole new
// configuration.
func (h *Handlers) alter(ctx context.Context, r resource, ops []configOp, incremental, validateOnly bool) error {
	if err := h.checkAlter(r, ops); err != nil {
		return err
	}
	settings := map[string]string{}
	if incremental {
		current, err := h.rooms.ZooKeeper.Config(ctx, r.entity())
		if err != nil {
			return fmt.Errorf("read the config of %s: %w", r, err)
		}
		maps.Copy(settings, current)
	}
	for _, op := range ops {
		if err := apply(settings, r.kind, op); err != nil {
			return err
		}
	}
	if err := h.validateConfig(r, settings); err != nil {
		return err
	}
	if validateOnly {
		return nil
	}
	if err := h.rooms.ZooKeeper.SetConfig(ctx, r.entity(), settings); err != nil {
		return fmt.Errorf("write the config of %s: %w", r, err)
	}
	return nil
}

// checkAlter is what Kafka checks before it looks at values (ConfigAdminManager.preprocess).
func (h *Handlers) checkAlter(r resource, ops []configOp) error {
	seen := map[string]bool{}
	var nulls []string
	for _, op := range ops {
		if seen[op.name] {
			return invalidRequest("Error due to duplicate config keys")
		}
		seen[op.name] = true
		if op.op != opDelete && op.value == nil {
			nulls = append(nulls, op.name)
		}
	}
	if len(nulls) > 0 {
		return invalidRequest("Null value not supported for : %s", strings.Join(nulls, ", "))
	}
	switch r.kind {
	case brokerResource:
		if r.name != "" {
			return h.checkBrokerName(r.name)
		}
		return nil
	case topicResource:
		if r.name == "" {
			return invalidRequest("Default topic resources are not allowed.")
		}
		if _, ok := h.rooms.Metadata.Load().Topic(r.name); !ok {
			return &failure{protocol.UnknownTopicOrPartition, fmt.Sprintf("The topic '%s' does not exist.", r.name)}
		}
		return nil
	case groupResource:
		return checkGroupName(r.name)
	case clientMetricsResource:
		return invalidRequest("AlterConfigs is only supported for topics and brokers, but resource type is %s", resourceTypes[r.kind])
	default:
		return invalidRequest("Unknown resource type %d", r.kind)
	}
}

// checkGroupName is KRaft's check (ControllerConfigurationValidator.java); a znode can have no such name as . either.
func checkGroupName(name string) error {
	switch name {
	case "":
		return invalidRequest("Default group resources are not allowed.")
	case ".", "..":
		return invalidRequest("The group '%s' cannot have a configuration.", name)
	}
	return nil
}

func (h *Handlers) checkBrokerName(name string) error {
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return invalidRequest("Node id must be an integer, but it is: %s", name)
	}
	if int32(id) != h.rooms.BrokerID {
		return invalidRequest("Unexpected broker id, expected %d, but received %s", h.rooms.BrokerID, name)
	}
	return nil
}

// apply changes one key of settings (ConfigAdminManager.prepareIncrementalConfigs).
func apply(settings map[string]string, kind int8, op configOp) error {
	switch op.op {
	case opSet:
		settings[op.name] = *op.value
	case opDelete:
		delete(settings, op.name)
	case opAppend, opSubtract:
		verb := "append"
		if op.op == opSubtract {
			verb = "subtract"
		}
		topic := kind == topicResource
		if kind == groupResource || !config.IsListKey(topic, op.name) {
			return &failure{protocol.InvalidConfig, fmt.Sprintf("Config value %s is not allowed for config key: %s", verb, op.name)}
		}
		current, ok := settings[op.name]
		if !ok {
			current = config.DefaultOf(topic, op.name)
		}
		settings[op.name] = changeList(current, *op.value, op.op == opAppend)
	default:
		return invalidRequest("Unknown operations type %d", op.op)
	}
	return nil
}

// changeList adds the items of change to a comma-separated list, or takes them away.
func changeList(list, change string, add bool) string {
	var items []string
	if list != "" {
		items = strings.Split(list, ",")
	}
	for _, item := range strings.Split(change, ",") {
		has := slices.Contains(items, item)
		if add && !has {
			items = append(items, item)
		}
		if !add && has {
			items = slices.DeleteFunc(items, func(s string) bool { return s == item })
		}
	}
	return strings.Join(items, ",")
}

// validateConfig checks the values. Kafka answers a bad broker value with INVALID_REQUEST (KAFKA-13609)
// and a bad topic or group value with INVALID_CONFIG.
func (h *Handlers) validateConfig(r resource, settings map[string]string) error {
	if r.kind == brokerResource {
		if err := h.rooms.Config.ValidateDynamicBroker(settings, r.name != ""); err != nil {
			return invalidRequest("%s", err.Error())
		}
		return nil
	}
	if r.kind == groupResource {
		if err := h.rooms.Config.ValidateGroup(settings); err != nil {
			return &failure{protocol.InvalidConfig, err.Error()}
		}
		return nil
	}
	err := h.rooms.Config.ValidateTopic(settings)
	if err == nil {
		return nil
	}
	message := err.Error()
	var invalid *config.Invalid
	if errors.As(err, &invalid) {
		message = fmt.Sprintf("Invalid config value for resource %s: %s", r, message)
	}
	return &failure{protocol.InvalidConfig, message}
}
