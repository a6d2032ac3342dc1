package config

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
)

// Topic is the typed, effective configuration of a topic. It is immutable, and topics with
// the same overrides share one.
type Topic struct {
	Log                   *storage.Config
	Rules                 record.Rules
	MinInSyncReplicas     int32
	UncleanLeaderElection bool
	DownConversion        bool // message.downconversion.enable
	CompressionType       string

	// Replicas that are throttled, as partition:broker, or "*" for all.

	LeaderThrottled   []string
	FollowerThrottled []string
}

// topics has the defaults of one snapshot and a Topic for each set of overrides seen.
type topics struct {
	defaults values
	expiry   time.Duration // producer.id.expiration.ms
	plain    *Topic        // without overrides

	mu    sync.Mutex
	cache map[string]*Topic // by appendOverrides
}

// maxCachedTopics bounds the cache against topics that come and go with ever new overrides;
// beyond it the cache starts afresh.
const maxCachedTopics = 1 << 14

func newTopics(vs values, b *Broker) *topics {
	t := &topics{defaults: topicDefaults(vs), expiry: b.ProducerIDExpiration, cache: make(map[string]*Topic)}
	t.plain = t.build(t.defaults)
	return t
}

// topicDefaults are the values of topics without overrides (KafkaConfig.extractLogConfigMap).
func topicDefaults(vs values) values {
	defaults := make(values, len(topicTable.names))
	for _, name := range topicTable.names {
		if synonyms := topicSynonyms[name]; len(synonyms) > 0 {
			defaults[name] = vs.get(synonyms[0])
		} else {
			defaults[name] = topicTable.byName[name].standardValue()
		}
	}
	// Those with synonyms in other units.
	defaults["segment.ms"] = number(vs.rollMillis())
	defaults["segment.jitter.ms"] = number(vs.jitterMillis())
	defaults["retention.ms"] = number(vs.retentionMillis())
	flush := vs.get("log.flush.interval.ms")
	if !flush.set {
		flush = vs.get("log.flush.scheduler.interval.ms")
	}
	defaults["flush.ms"] = flush
	// The deprecated limit either way counts where the ones of its own are at their default.
	difference := vs.get("log.message.timestamp.difference.max.ms")
	for _, side := range []string{"message.timestamp.before.max.ms", "message.timestamp.after.max.ms"} {
		if topicTable.byName[side].isDefault(defaults[side]) {
			defaults[side] = difference
		}
	}
	// From 3.0 on the format is fixed, and Kafka shows the oldest version with that format.
	defaults["message.format.version"] = topicTable.byName["message.format.version"].standardValue()
	return defaults
}

func number(n int64) value { return value{set: true, number: n, text: strconv.FormatInt(n, 10)} }

// Topic returns the effective configuration of a topic with these overrides
// (/config/topics/<t>); keys that are invalid fall back to the broker's.
func (s *Store) Topic(overrides map[string]string) *Topic {
	t := s.current.Load().topics
	if len(overrides) == 0 {
		return t.plain
	}
	var space [256]byte // enough for most, so that a hit allocates only the sorted names
	id := appendOverrides(space[:0], overrides)
	t.mu.Lock()
	defer t.mu.Unlock()
	topic, ok := t.cache[string(id)]
	if !ok {
		if len(t.cache) >= maxCachedTopics {
			clear(t.cache)
		}
		topic = t.build(t.with(overrides))
		t.cache[string(id)] = topic
	}
	return topic
}

// appendOverrides writes overrides so that equal ones, and no others, give equal bytes.
func appendOverrides(b []byte, overrides map[string]string) []byte {
	for _, name := range sortedKeys(overrides) {
		b = strconv.AppendQuote(b, name)
		b = strconv.AppendQuote(b, overrides[name])
	}
	return b
}

// with lays overrides over the defaults. Unknown and invalid ones have no effect.
func (t *topics) with(overrides map[string]string) values {
	vs := maps.Clone(t.defaults)
	for name, raw := range overrides {
		k := topicTable.byName[name]
		if k == nil {
			continue
		}
		if v, bad := k.parse(raw); bad == nil {
			vs[name] = v
		}
	}
	return vs
}

func (t *topics) build(vs values) *Topic {
	policy := vs.get("cleanup.policy").list
	compact := slices.Contains(policy, "compact")
	topic := &Topic{
		MinInSyncReplicas:     vs.int32("min.insync.replicas"),
		UncleanLeaderElection: vs.truth("unclean.leader.election.enable"),
		DownConversion:        vs.truth("message.downconversion.enable"),
		CompressionType:       vs.text("compression.type"),
		LeaderThrottled:       vs.get("leader.replication.throttled.replicas").list,
		FollowerThrottled:     vs.get("follower.replication.throttled.replicas").list,
	}
	topic.Log = &storage.Config{
		SegmentBytes:       vs.int64("segment.bytes"),
		SegmentAge:         vs.millis("segment.ms"),
		SegmentJitter:      vs.millis("segment.jitter.ms"),
		SegmentIndexBytes:  int(vs.int64("segment.index.bytes")),
		IndexIntervalBytes: int(vs.int64("index.interval.bytes")),
		FlushMessages:      vs.int64("flush.messages"),
		FlushInterval:      max(vs.millis("flush.ms"), time.Millisecond),
		RetentionAge:       vs.millis("retention.ms"),
		RetentionBytes:     vs.int64("retention.bytes"),
		FileDeleteDelay:    vs.millis("file.delete.delay.ms"),
		Delete:             slices.Contains(policy, "delete"),
		Compact:            compact,
		DeleteRetention:    vs.millis("delete.retention.ms"),
		MinCompactionLag:   vs.millis("min.compaction.lag.ms"),
		MaxCompactionLag:   vs.millis("max.compaction.lag.ms"),
		MinCleanableRatio:  vs.get("min.cleanable.dirty.ratio").real,
		ProducerExpiry:     t.expiry,
	}
	if compact { // the active segment cannot be cleaned, so it must not outlive the lag
		topic.Log.SegmentAge = min(topic.Log.SegmentAge, topic.Log.MaxCompactionLag)
	}
	topic.Rules = record.Rules{
		MaxMessageBytes:    int(vs.int64("max.message.bytes")),
		Compacted:          compact,
		TimestampBeforeMax: vs.timestampLimit("message.timestamp.before.max.ms"),
		TimestampAfterMax:  vs.timestampLimit("message.timestamp.after.max.ms"),
	}
	if vs.text("message.timestamp.type") == "LogAppendTime" {
		topic.Rules.TimestampType = record.LogAppendTime
	}
	topic.Rules.Recompress, topic.Rules.Target, topic.Rules.Level = compression(vs)
	return topic
}

// timestampLimit is a limit on one side, or the deprecated one for both sides in its place.
func (vs values) timestampLimit(name string) int64 {
	if topicTable.byName[name].isDefault(vs.get(name)) {
		return vs.int64("message.timestamp.difference.max.ms")
	}
	return vs.int64(name)
}

// compression turns compression.type and its level into rules.
func compression(vs values) (recompress bool, target record.Codec, level int) {
	switch vs.text("compression.type") {
	case "uncompressed":
		return true, record.None, 0
	case "gzip":
		return true, record.Gzip, int(vs.int64("compression.gzip.level"))
	case "snappy":
		return true, record.Snappy, 0
	case "lz4":
		return true, record.LZ4, int(vs.int64("compression.lz4.level"))
	case "zstd":
		return true, record.Zstd, int(vs.int64("compression.zstd.level"))
	}
	return false, record.None, 0 // producer
}

// ValidateTopic checks overrides as CreateTopics and AlterConfigs do: unknown names, types, ranges and
// rules between keys. The error's text is what Kafka answers with INVALID_CONFIG.
func (s *Store) ValidateTopic(overrides map[string]string) error {
	names := sortedKeys(overrides)
	for _, name := range names {
		if topicTable.byName[name] == nil {
			return &UnknownKey{Key: name}
		}
	}
	t := s.current.Load().topics
	vs := maps.Clone(t.defaults)
	for _, name := range names {
		v, bad := topicTable.byName[name].parse(overrides[name])
		if bad != nil {
			return bad
		}
		vs[name] = v
	}
	if bad := checkCompactionLag(vs.int64("min.compaction.lag.ms"), vs.int64("max.compaction.lag.ms")); bad != nil {
		return bad
	}
	for _, name := range []string{"remote.log.delete.on.disable", "remote.log.copy.disable"} {
		if vs.truth(name) {
			return &Invalid{Key: name, Value: "true", Message: "It is invalid to set `remote.log.delete.on.disable` or " +
				"`remote.log.copy.disable` under Zookeeper's mode."}
		}
	}
	if vs.truth("remote.storage.enable") {
		return &Invalid{Key: "remote.storage.enable", Value: "true", Message: "Tiered Storage functionality is disabled in the broker. " +
			"Topic cannot be configured with remote log storage."}
	}
	return nil
}
