package config

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// checker collects the rules between keys that are broken (KafkaConfig.validateValues).
type checker struct {
	b      *Broker
	vs     values
	broken []*Invalid
}

// require notes a broken rule. The key is the one to look at first.
func (c *checker) require(ok bool, name, format string, args ...any) {
	if !ok {
		c.broken = append(c.broken, &Invalid{
			Key: name, Value: c.vs.text(name), Message: fmt.Sprintf(format, args...), required: true,
		})
	}
}

// checkRules returns every broken rule between the keys of a broker. atStart adds those that
// Kafka checks only then.
func checkRules(b *Broker, vs values, atStart bool) []*Invalid {
	c := &checker{b: b, vs: vs}
	c.identity()
	c.logs()
	c.replication()
	c.listeners()
	c.connections()
	c.groups()
	if atStart {
		c.start()
	}
	return c.broken
}

func (c *checker) identity() {
	id := c.vs.int32("broker.id")
	if node := c.vs.int32("node.id"); node != id {
		c.refuse("node.id", "You must set `node.id` to the same value as `broker.id`.")
	}
	if c.b.ZooKeeperConnect == "" {
		c.refuse("zookeeper.connect", "Missing required configuration `zookeeper.connect` which has no default value.")
	}
	if c.b.GenerateBrokerID {
		c.require(id >= -1 && id <= c.b.ReservedBrokerMaxID, "broker.id",
			"broker.id must be greater than or equal to -1 and not greater than reserved.broker.max.id")
	} else {
		c.require(id >= 0, "broker.id", "broker.id must be greater than or equal to 0")
	}
}

// refuse notes a rule whose error Kafka answers without a prefix.
func (c *checker) refuse(name, message string) {
	c.broken = append(c.broken, &Invalid{Key: name, Value: c.vs.text(name), Message: message})
}

func (c *checker) logs() {
	c.require(c.vs.rollMillis() >= 1, "log.roll.ms", "log.roll.ms must be greater than or equal to 1")
	c.require(c.vs.jitterMillis() >= 0, "log.roll.jitter.ms", "log.roll.jitter.ms must be greater than or equal to 0")
	c.require(c.vs.retentionMillis() != 0, "log.retention.ms",
		"log.retention.ms must be unlimited (-1) or, greater than or equal to 1")
	c.require(len(c.b.LogDirs) > 0, "log.dirs", "At least one log directory must be defined via log.dirs or log.dir.")
	threads := int64(c.b.Cleaner.Threads)
	c.require(threads > 0 && c.b.Cleaner.DedupeBufferSize/threads > 1<<20, "log.cleaner.dedupe.buffer.size",
		"log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.")
}

func (c *checker) replication() {
	c.require(c.b.ReplicaFetchWaitMax <= c.b.ReplicaSocketTimeout, "replica.socket.timeout.ms",
		"replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket timeouts")
	c.require(c.b.ReplicaFetchWaitMax <= c.b.ReplicaLagTimeMax, "replica.fetch.wait.max.ms",
		"replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent changes in ISR")
	factor := c.vs.int64("default.replication.factor")
	c.require(factor >= 1 && factor <= math.MaxInt16, "default.replication.factor",
		"default.replication.factor must be between 1 and %d", math.MaxInt16)
	selector := c.vs.text("replica.selector.class")
	c.require(selector == "" || selector == RackAwareReplicaSelector || selector == leaderReplicaSelector, "replica.selector.class",
		"replica.selector.class: %s is neither %s nor %s, and kbroker loads no Java classes", selector, RackAwareReplicaSelector, leaderReplicaSelector)
}

// The classes of replica.selector.class that come with Kafka. The second does what is done without any.
const (
	RackAwareReplicaSelector = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
	leaderReplicaSelector    = "org.apache.kafka.common.replica.LeaderSelector"
)

func (c *checker) listeners() {
	advertised := listenerNames(c.b.Advertised)
	listeners := listenerNames(c.b.Listeners)
	c.require(len(advertised) > 0, "advertised.listeners", "There must be at least one broker advertised listener.")
	c.require(slices.Contains(advertised, c.b.InterBrokerListener), "inter.broker.listener.name",
		"inter.broker.listener.name must be a listener name defined in advertised.listeners. "+
			"The valid options based on currently configured listeners are %s", strings.Join(advertised, ","))
	for _, name := range advertised {
		if !slices.Contains(listeners, name) {
			c.require(false, "advertised.listeners",
				"advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. "+
					"Found %s. The valid options based on the current configuration are %s",
				strings.Join(advertised, ","), strings.Join(listeners, ","))
			break
		}
	}
	for _, e := range c.b.Advertised {
		c.require(e.Host != "0.0.0.0", "advertised.listeners",
			"advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.")
	}
	if name := c.b.ControlPlaneListener; name != "" {
		c.require(slices.Contains(advertised, name), "control.plane.listener.name",
			"control.plane.listener.name must be a listener name defined in advertised.listeners. "+
				"The valid options based on currently configured listeners are %s", strings.Join(advertised, ","))
		c.require(name != c.b.InterBrokerListener, "control.plane.listener.name",
			"control.plane.listener.name, when defined, should have a different value from the inter broker listener name. "+
				"Currently they both have the value %s", name)
	}
}

func listenerNames(endpoints []Endpoint) []string {
	names := make([]string, len(endpoints))
	for i, e := range endpoints {
		names[i] = e.Listener
	}
	return names
}

func (c *checker) connections() {
	c.require(c.b.QueuedMaxRequestBytes <= 0 || c.b.QueuedMaxRequestBytes >= int64(c.b.SocketRequestMaxBytes),
		"queued.max.request.bytes", "queued.max.request.bytes must be larger or equal to socket.request.max.bytes")
	c.require(c.b.MaxConnectionsPerIP != 0 || len(c.b.MaxConnectionsPerIPOverrides) > 0, "max.connections.per.ip",
		"max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.")
	delay := c.vs.int64("connection.failed.authentication.delay.ms")
	idle := c.vs.int64("connections.max.idle.ms")
	c.require(idle < 0 || delay < idle, "connection.failed.authentication.delay.ms",
		"connection.failed.authentication.delay.ms=%d should always be less than connections.max.idle.ms=%d "+
			"to prevent failed authentication responses from timing out", delay, idle)
}

// groups has the rules of the group protocols (GroupCoordinatorConfig.java, KafkaConfig.scala).
func (c *checker) groups() {
	offered := c.vs.get("group.coordinator.rebalance.protocols").list
	if !slices.Contains(offered, "classic") {
		c.refuse("group.coordinator.rebalance.protocols", "Disabling the 'classic' protocol is not supported.")
	}
	if slices.Contains(offered, "share") {
		c.refuse("group.coordinator.rebalance.protocols", "The new 'share' rebalance protocol is only supported in KRaft cluster.")
	}
	for _, pair := range [][2]string{
		{"group.consumer.max.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms"},
		{"group.consumer.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms"},
		{"group.consumer.max.session.timeout.ms", "group.consumer.min.session.timeout.ms"},
		{"group.consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms"},
	} {
		c.require(c.vs.int64(pair[0]) >= c.vs.int64(pair[1]), pair[0], "%s must be greater than or equals to %s", pair[0], pair[1])
	}
	for _, pair := range [][2]string{
		{"group.consumer.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"},
		{"group.consumer.session.timeout.ms", "group.consumer.max.session.timeout.ms"},
	} {
		c.require(c.vs.int64(pair[0]) <= c.vs.int64(pair[1]), pair[0], "%s must be less than or equals to %s", pair[0], pair[1])
	}
	c.require(c.b.Groups.Consumer.HeartbeatInterval < c.b.Groups.Consumer.SessionTimeout, "group.consumer.heartbeat.interval.ms",
		"group.consumer.heartbeat.interval.ms must be less than group.consumer.session.timeout.ms")
	c.assignors()
}

func (c *checker) assignors() {
	const name = "group.consumer.assignors"
	c.require(len(c.b.Groups.Consumer.Assignors) > 0, name, "%s must name an assignor", name)
	for i, a := range c.b.Groups.Consumer.Assignors {
		c.require(a == uniformAssignor || a == rangeAssignor, name,
			"%s: %s is neither uniform nor range, and kbroker loads no Java classes", name, a)
		c.require(!slices.Contains(c.b.Groups.Consumer.Assignors[:i], a), name, "%s names %s twice", name, a)
	}
}

// start has the rules that Kafka checks when it opens its logs and coordinators.
func (c *checker) start() {
	if bad := checkCompactionLag(c.vs.int64("log.cleaner.min.compaction.lag.ms"), c.vs.int64("log.cleaner.max.compaction.lag.ms")); bad != nil {
		bad.Key = "log.cleaner.min.compaction.lag.ms"
		c.broken = append(c.broken, bad)
	}
	acks := c.b.Groups.CommitRequiredAcks
	c.require(acks >= -1 && int64(acks) <= int64(c.b.OffsetsTopicReplicationFactor), "offsets.commit.required.acks",
		"offsets.commit.required.acks must be greater or equal to -1 and less or equal to offsets.topic.replication.factor")
	codec := c.b.Groups.OffsetsCompression
	c.require(codec >= 0 && codec <= 4, "offsets.topic.compression.codec",
		"offsets.topic.compression.codec must be the number of a codec, between 0 and 4")
}

// checkCompactionLag is LogConfig.validateValues.
func checkCompactionLag(minLag, maxLag int64) *Invalid {
	if minLag <= maxLag {
		return nil
	}
	return &Invalid{
		Key: "min.compaction.lag.ms", Value: fmt.Sprint(minLag),
		Message: fmt.Sprintf("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)", minLag, maxLag),
	}
}
