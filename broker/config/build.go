package config

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// values are the parsed values of every defined broker or topic key.
type values map[string]value

// get panics on a key that is in no table: that is a typing error here, and every start
// and test reads all of them.
func (vs values) get(name string) value {
	v, ok := vs[name]
	if !ok {
		panic("no such key: " + name)
	}
	return v
}

func (vs values) text(name string) string { return vs.get(name).text }
func (vs values) truth(name string) bool  { return vs.get(name).truth }
func (vs values) int16(name string) int16 { return int16(vs.get(name).number) }
func (vs values) int32(name string) int32 { return int32(vs.get(name).number) }
func (vs values) int64(name string) int64 { return vs.get(name).number }

// optional is nil for null.
func (vs values) optional(name string) *string {
	v := vs.get(name)
	if !v.set {
		return nil
	}
	return &v.text
}

func (vs values) millis(name string) time.Duration { return millis(vs.int64(name)) }

func (vs values) seconds(name string) time.Duration { return units(vs.int64(name), time.Second) }

// millis turns milliseconds into a Duration. What does not fit, such as Kafka's largest long
// for never, becomes the longest one.
func millis(n int64) time.Duration { return units(n, time.Millisecond) }

func units(n int64, unit time.Duration) time.Duration {
	if n > int64(math.MaxInt64/unit) {
		return math.MaxInt64
	}
	return time.Duration(max(n, int64(math.MinInt64/unit))) * unit
}

// retentionMillis is log.retention.ms, or else minutes, or else hours; every negative value
// means for ever (KafkaConfig.logRetentionTimeMillis).
func (vs values) retentionMillis() int64 {
	n := vs.int64("log.retention.hours") * time.Hour.Milliseconds()
	if m := vs.get("log.retention.minutes"); m.set {
		n = m.number * time.Minute.Milliseconds()
	}
	if ms := vs.get("log.retention.ms"); ms.set {
		n = ms.number
	}
	return max(n, -1)
}

// millisOrHours is the value of a key in milliseconds or, when it is null, of one in hours.
func (vs values) millisOrHours(inMillis, inHours string) int64 {
	if ms := vs.get(inMillis); ms.set {
		return ms.number
	}
	return vs.int64(inHours) * time.Hour.Milliseconds()
}

func (vs values) rollMillis() int64 { return vs.millisOrHours("log.roll.ms", "log.roll.hours") }
func (vs values) jitterMillis() int64 {
	return vs.millisOrHours("log.roll.jitter.ms", "log.roll.jitter.hours")
}

// buildBroker makes the typed configuration. effective has the strings, for the keys of
// single listeners. The errors are those of values with a form of their own.
func buildBroker(vs values, effective map[string]string) (*Broker, []*Invalid) {
	b := new(Broker)
	b.readPlace(vs)
	b.readRequests(vs)
	b.readTopics(vs)
	b.readReplication(vs)
	b.readLogs(vs)
	b.readGroups(vs)
	b.readTransactions(vs)
	b.readQuotas(vs)
	broken := b.readListeners(vs, effective)
	broken = append(broken, b.readLogDirs(vs)...)
	return b, append(broken, b.readConnectionLimits(vs, effective)...)
}

func (b *Broker) readPlace(vs values) {
	b.BrokerID = vs.int32("broker.id")
	b.GenerateBrokerID = vs.truth("broker.id.generation.enable")
	b.ReservedBrokerMaxID = vs.int32("reserved.broker.max.id")
	b.Rack = vs.optional("broker.rack")
	b.ZooKeeperConnect = vs.text("zookeeper.connect")
	b.ZooKeeperSession = vs.millis("zookeeper.session.timeout.ms")
	b.ZooKeeperConnection = b.ZooKeeperSession
	if vs.get("zookeeper.connection.timeout.ms").set {
		b.ZooKeeperConnection = vs.millis("zookeeper.connection.timeout.ms")
	}
	b.ZooKeeperMaxInFlight = vs.int32("zookeeper.max.in.flight.requests")
	b.ConnectionSetup = vs.millis("socket.connection.setup.timeout.ms")
	b.ConnectionSetupMax = vs.millis("socket.connection.setup.timeout.max.ms")
	b.ControllerSocketLimit = vs.millis("controller.socket.timeout.ms")
}

func (b *Broker) readRequests(vs values) {
	b.SocketRequestMaxBytes = vs.int32("socket.request.max.bytes")
	b.QueuedMaxRequestBytes = vs.int64("queued.max.request.bytes")
	b.ConnectionsMaxIdle = vs.millis("connections.max.idle.ms")
	b.FailedAuthenticationDelay = vs.millis("connection.failed.authentication.delay.ms")
	b.SocketSendBuffer = vs.int32("socket.send.buffer.bytes")
	b.SocketReceiveBuffer = vs.int32("socket.receive.buffer.bytes")
	b.RequestTimeout = vs.millis("request.timeout.ms")
	b.FetchMaxBytes = vs.int32("fetch.max.bytes")
	b.FetchSessionSlots = vs.int32("max.incremental.fetch.session.cache.slots")
}

func (b *Broker) readTopics(vs values) {
	b.AutoCreateTopics = vs.truth("auto.create.topics.enable")
	b.NumPartitions = vs.int32("num.partitions")
	// Kafka takes an INT and cuts it to 16 bits; a rule bounds it.
	b.DefaultReplicationFactor = vs.int16("default.replication.factor")
	b.DeleteTopicEnable = vs.truth("delete.topic.enable")
	b.AutoLeaderRebalance = vs.truth("auto.leader.rebalance.enable")
	b.LeaderImbalanceInterval = vs.seconds("leader.imbalance.check.interval.seconds")
	b.LeaderImbalancePercent = vs.int32("leader.imbalance.per.broker.percentage")
	b.ControlledShutdown = vs.truth("controlled.shutdown.enable")
	b.ControlledShutdownRetries = vs.int32("controlled.shutdown.max.retries")
	b.ControlledShutdownBackoff = vs.millis("controlled.shutdown.retry.backoff.ms")
	b.UncleanLeaderElection = vs.truth("unclean.leader.election.enable")
}

func (b *Broker) readReplication(vs values) {
	b.ReplicaLagTimeMax = vs.millis("replica.lag.time.max.ms")
	b.ReplicaSocketTimeout = vs.millis("replica.socket.timeout.ms")
	b.ReplicaSocketReceiveBuffer = vs.int32("replica.socket.receive.buffer.bytes")
	b.ReplicaFetchMaxBytes = vs.int32("replica.fetch.max.bytes")
	b.ReplicaFetchResponseMaxBytes = vs.int32("replica.fetch.response.max.bytes")
	b.ReplicaFetchMinBytes = vs.int32("replica.fetch.min.bytes")
	b.ReplicaFetchWaitMax = vs.millis("replica.fetch.wait.max.ms")
	b.ReplicaFetchBackoff = vs.millis("replica.fetch.backoff.ms")
	b.ReplicaFetchers = vs.int32("num.replica.fetchers")
	b.ReplicaSelector = vs.optional("replica.selector.class")
	b.HighWatermarkCheckpointInterval = vs.millis("replica.high.watermark.checkpoint.interval.ms")
}

func (b *Broker) readLogs(vs values) {
	b.RecoveryThreads = vs.int32("num.recovery.threads.per.data.dir")
	b.RetentionCheckInterval = vs.millis("log.retention.check.interval.ms")
	b.FlushSchedulerInterval = vs.millis("log.flush.scheduler.interval.ms")
	b.FlushOffsetCheckpointInterval = vs.millis("log.flush.offset.checkpoint.interval.ms")
	b.FlushStartOffsetCheckpointInterval = vs.millis("log.flush.start.offset.checkpoint.interval.ms")
	b.ProducerIDExpiration = vs.millis("producer.id.expiration.ms")
	b.Cleaner = Cleaner{
		Enable:              vs.truth("log.cleaner.enable"),
		Threads:             vs.int32("log.cleaner.threads"),
		DedupeBufferSize:    vs.int64("log.cleaner.dedupe.buffer.size"),
		IOBufferSize:        vs.int32("log.cleaner.io.buffer.size"),
		LoadFactor:          vs.get("log.cleaner.io.buffer.load.factor").real,
		IOMaxBytesPerSecond: vs.get("log.cleaner.io.max.bytes.per.second").real,
		Backoff:             vs.millis("log.cleaner.backoff.ms"),
	}
}

func (b *Broker) readGroups(vs values) {
	b.OffsetsTopicPartitions = vs.int32("offsets.topic.num.partitions")
	b.OffsetsTopicReplicationFactor = vs.int16("offsets.topic.replication.factor")
	b.OffsetsTopicSegmentBytes = vs.int32("offsets.topic.segment.bytes")
	b.Groups = Groups{
		MinSessionTimeout:      vs.millis("group.min.session.timeout.ms"),
		MaxSessionTimeout:      vs.millis("group.max.session.timeout.ms"),
		InitialRebalanceDelay:  vs.millis("group.initial.rebalance.delay.ms"),
		MaxSize:                vs.int32("group.max.size"),
		OffsetMetadataMaxBytes: vs.int32("offset.metadata.max.bytes"),
		LoadBufferSize:         vs.int32("offsets.load.buffer.size"),
		OffsetsRetention:       units(vs.int64("offsets.retention.minutes"), time.Minute),
		OffsetsRetentionCheck:  vs.millis("offsets.retention.check.interval.ms"),
		OffsetsCompression:     vs.int32("offsets.topic.compression.codec"),
		CommitTimeout:          vs.millis("offsets.commit.timeout.ms"),
		CommitRequiredAcks:     vs.int16("offsets.commit.required.acks"),
		ConsumerProtocol:       slices.Contains(vs.get("group.coordinator.rebalance.protocols").list, "consumer"),
		Consumer: ConsumerGroups{
			ConsumerTimes: ConsumerTimes{
				SessionTimeout:    vs.millis("group.consumer.session.timeout.ms"),
				HeartbeatInterval: vs.millis("group.consumer.heartbeat.interval.ms"),
			},
			MinSessionTimeout:    vs.millis("group.consumer.min.session.timeout.ms"),
			MaxSessionTimeout:    vs.millis("group.consumer.max.session.timeout.ms"),
			MinHeartbeatInterval: vs.millis("group.consumer.min.heartbeat.interval.ms"),
			MaxHeartbeatInterval: vs.millis("group.consumer.max.heartbeat.interval.ms"),
			MaxSize:              vs.int32("group.consumer.max.size"),
			Assignors:            assignorNames(vs.get("group.consumer.assignors").list),
		},
	}
	switch strings.ToLower(vs.text("group.consumer.migration.policy")) {
	case "bidirectional":
		b.Groups.Consumer.Upgrade, b.Groups.Consumer.Downgrade = true, true
	case "upgrade":
		b.Groups.Consumer.Upgrade = true
	case "downgrade":
		b.Groups.Consumer.Downgrade = true
	}
}

func (b *Broker) readTransactions(vs values) {
	b.Transactions = Transactions{
		TopicPartitions:        vs.int32("transaction.state.log.num.partitions"),
		TopicReplicationFactor: vs.int16("transaction.state.log.replication.factor"),
		TopicMinISR:            vs.int32("transaction.state.log.min.isr"),
		TopicSegmentBytes:      vs.int32("transaction.state.log.segment.bytes"),
		LoadBufferSize:         vs.int32("transaction.state.log.load.buffer.size"),
		MaxTimeout:             vs.millis("transaction.max.timeout.ms"),
		IDExpiration:           vs.millis("transactional.id.expiration.ms"),
		AbortCheckInterval:     vs.millis("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
		ExpiryCheckInterval:    vs.millis("transaction.remove.expired.transaction.cleanup.interval.ms"),
		VerifyPartitions:       vs.truth("transaction.partition.verification.enable"),
	}
}

func (b *Broker) readQuotas(vs values) {
	b.Quotas = Quotas{
		Samples:                 vs.int32("quota.window.num"),
		Window:                  vs.seconds("quota.window.size.seconds"),
		ReplicationSamples:      vs.int32("replication.quota.window.num"),
		ReplicationWindow:       vs.seconds("replication.quota.window.size.seconds"),
		ControllerSamples:       vs.int32("controller.quota.window.num"),
		ControllerWindow:        vs.seconds("controller.quota.window.size.seconds"),
		AlterLogDirsSamples:     vs.int32("alter.log.dirs.replication.quota.window.num"),
		AlterLogDirsWindow:      vs.seconds("alter.log.dirs.replication.quota.window.size.seconds"),
		LeaderReplicationRate:   vs.int64("leader.replication.throttled.rate"),
		FollowerReplicationRate: vs.int64("follower.replication.throttled.rate"),
		AlterLogDirsRate:        vs.int64("replica.alter.log.dirs.io.max.bytes.per.second"),
	}
}

// readLogDirs takes log.dirs, or else log.dir.
func (b *Broker) readLogDirs(vs values) []*Invalid {
	name := "log.dirs"
	if !vs.get(name).set {
		name = "log.dir"
	}
	seen := make(map[string]bool)
	for _, dir := range csvList(vs.text(name)) {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return []*Invalid{{Key: name, Value: dir, Message: fmt.Sprintf("find the absolute path of %s in %s: %v", dir, name, err)}}
		}
		if seen[absolute] {
			return []*Invalid{{Key: name, Value: vs.text(name), Message: "Duplicate log directory found: " + absolute}}
		}
		seen[absolute] = true
		b.LogDirs = append(b.LogDirs, absolute)
	}
	b.AlterLogDirsThreads = len(b.LogDirs)
	if threads := vs.get("num.replica.alter.log.dirs.threads"); threads.set {
		b.AlterLogDirsThreads = max(int(threads.number), 1)
	}
	return nil
}

// readConnectionLimits reads max.connections and its kin, for the broker and for single listeners.
func (b *Broker) readConnectionLimits(vs values, effective map[string]string) (broken []*Invalid) {
	b.MaxConnections = vs.int32("max.connections")
	b.MaxConnectionsPerIP = vs.int32("max.connections.per.ip")
	b.MaxConnectionCreationRate = vs.int32("max.connection.creation.rate")
	overrides, bad := parseOverrides(vs.text("max.connections.per.ip.overrides"))
	if bad != nil {
		broken = append(broken, bad)
	}
	b.MaxConnectionsPerIPOverrides = overrides
	b.ListenerLimits = make(map[string]ListenerLimits)
	for _, name := range sortedKeys(effective) {
		listener, base, ok := listenerKey(name)
		if !ok || base != "max.connections" && base != "max.connection.creation.rate" {
			continue
		}
		v, bad := brokerTable.byName[base].parse(effective[name])
		if bad != nil {
			broken = append(broken, renamed(bad, name))
			continue
		}
		listener = listenerName(listener)
		limits, ok := b.ListenerLimits[listener]
		if !ok {
			limits = ListenerLimits{math.MaxInt32, math.MaxInt32}
		}
		if base == "max.connections" {
			limits.MaxConnections = int32(v.number)
		} else {
			limits.MaxConnectionCreationRate = int32(v.number)
		}
		b.ListenerLimits[listener] = limits
	}
	return broken
}
