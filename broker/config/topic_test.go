package config

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
)

// The texts were recorded from Kafka 3.9.2.
func TestTopicOverridesAreRefusedAsByKafka(t *testing.T) {
	s := newStore(t, map[string]string{"zookeeper.connect": "z"})
	for _, c := range []struct{ overrides, want string }{
		{"retention.ms=abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG"},
		{"foo=1", "Unknown topic config name: foo"},
		{"retention.ms=-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"},
		{"segment.bytes=13", "Invalid value 13 for configuration segment.bytes: Value must be at least 14"},
		{"segment.bytes=99999999999", "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT"},
		{"segment.bytes=1e5", "Invalid value 1e5 for configuration segment.bytes: Not a number of type INT"},
		{"cleanup.policy=delete,foo", "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete"},
		{"cleanup.policy=Compact", "Invalid value Compact for configuration cleanup.policy: String must be one of: compact, delete"},
		{"cleanup.policy=delete,", "Invalid value  for configuration cleanup.policy: String must be one of: compact, delete"},
		{"min.cleanable.dirty.ratio=1.5", "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
		{"min.cleanable.dirty.ratio=abc", "Invalid value abc for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE"},
		{"compression.type=lzo", "Invalid value lzo for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"},
		{"compression.type=", "Invalid value  for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"},
		{"compression.gzip.level=0", "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"},
		{"compression.lz4.level=18", "Invalid value 18 for configuration compression.lz4.level: Value must be no more than 17"},
		{"preallocate=yes", "Invalid value yes for configuration preallocate: Expected value to be either true or false"},
		{"message.format.version=9.9", "Invalid value 9.9 for configuration message.format.version: Version 9.9 is not a valid version"},
		{"message.timestamp.type=foo", "Invalid value foo for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime"},
		{"min.compaction.lag.ms=100 max.compaction.lag.ms=50", "conflict topic config setting min.compaction.lag.ms (100) > max.compaction.lag.ms (50)"},
		{"leader.replication.throttled.replicas=1-2", "Invalid value [1-2] for configuration leader.replication.throttled.replicas: leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."},
		{"leader.replication.throttled.replicas=1:2,3:x", "Invalid value [1:2, 3:x] for configuration leader.replication.throttled.replicas: leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."},
		{"remote.storage.enable=true", "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."},
		{"remote.log.copy.disable=true", "It is invalid to set `remote.log.delete.on.disable` or `remote.log.copy.disable` under Zookeeper's mode."},
		{"retention.ms=", "Invalid value  for configuration retention.ms: Not a number of type LONG"},
		{"local.retention.ms=-3", "Invalid value -3 for configuration local.retention.ms: Value must be at least -2"},
	} {
		if err := s.ValidateTopic(overridesOf(c.overrides)); err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got  %v\n want %s", c.overrides, err, c.want)
		}
	}
}

// overridesOf reads key=value pairs between blanks.
func overridesOf(s string) map[string]string {
	m := make(map[string]string)
	for _, pair := range strings.Fields(s) {
		name, v, _ := strings.Cut(pair, "=")
		m[name] = v
	}
	return m
}

func TestTopicOverridesAreTakenAndShownAsByKafka(t *testing.T) {
	s := newStore(t, map[string]string{"zookeeper.connect": "z"})
	for _, c := range []struct{ name, value, want string }{
		{"segment.bytes", "+100", "100"},
		{"segment.bytes", " 0100 ", "100"},
		{"min.cleanable.dirty.ratio", "1e-1", "0.1"},
		{"min.cleanable.dirty.ratio", "0.30", "0.3"},
		{"min.cleanable.dirty.ratio", "1", "1.0"},
		{"min.cleanable.dirty.ratio", "0.5d", "0.5"},
		{"min.cleanable.dirty.ratio", "0x1p-2", "0.25"},
		{"min.cleanable.dirty.ratio", "0.0001", "1.0E-4"},
		{"cleanup.policy", "compact , delete", "compact,delete"},
		{"cleanup.policy", "", ""},
		{"unclean.leader.election.enable", "TRUE", "true"},
		{"leader.replication.throttled.replicas", "*", "*"},
		{"leader.replication.throttled.replicas", " 1:2 , 3:4", "1:2,3:4"},
		{"message.format.version", "0.10.0", "0.10.0"},
		{"message.format.version", "2.8", "2.8"},
		{"local.retention.ms", "99999999999", "99999999999"},
		{"max.compaction.lag.ms", "5", "5"},
	} {
		overrides := map[string]string{c.name: c.value}
		if err := s.ValidateTopic(overrides); err != nil {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
		}
		if got := *s.DescribeTopic(overrides, []string{c.name})[0].Value; got != c.want {
			t.Errorf("%s=%q is shown as %q, want %q", c.name, c.value, got, c.want)
		}
	}
}

func TestNumbersThatJavaWouldNotRead(t *testing.T) {
	for _, s := range []string{"", "inf", "nan", "NaN", "1_0", "0x10", "1dd", "d", "Infinit", "1e"} {
		if f, ok := parseDouble(s); ok {
			t.Errorf("%q read as %v", s, f)
		}
	}
	for f, want := range map[float64]string{
		math.MaxFloat64: "1.7976931348623157E308", 0.001: "0.001", 9999999: "9999999.0", 1e7: "1.0E7",
		-2.5e-9: "-2.5E-9", math.Inf(1): "Infinity", 0: "0.0",
	} {
		if got := javaDouble(f); got != want {
			t.Errorf("%v is written %s, want %s", f, got, want)
		}
		if back, ok := parseDouble(want); !ok || back != f {
			t.Errorf("%s read as %v", want, back)
		}
	}
}

func TestTopicDefaultsComeFromTheBroker(t *testing.T) {
	s := newStore(t, map[string]string{
		"zookeeper.connect": "z", "log.retention.hours": "2", "log.roll.hours": "3", "log.roll.jitter.hours": "1",
		"message.max.bytes": "5000", "compression.type": "zstd", "compression.zstd.level": "7", "min.insync.replicas": "2",
		"log.message.timestamp.difference.max.ms": "11", "log.message.timestamp.after.max.ms": "12",
		"producer.id.expiration.ms": "60000",
	})
	topic := s.Topic(nil)
	l, r := topic.Log, topic.Rules
	if l.RetentionAge != 2*time.Hour || l.SegmentAge != 3*time.Hour || l.SegmentJitter != time.Hour || l.RetentionBytes != -1 ||
		l.FlushInterval != math.MaxInt64 || l.FlushMessages != math.MaxInt64 || l.ProducerExpiry != time.Minute ||
		!l.Delete || l.Compact || l.SegmentBytes != 1<<30 || l.SegmentIndexBytes != 10<<20 || l.FileDeleteDelay != time.Minute {
		t.Errorf("log %+v", l)
	}
	if r.MaxMessageBytes != 5000 || !r.Recompress || r.Target != record.Zstd || r.Level != 7 || r.TimestampType != record.CreateTime ||
		r.TimestampBeforeMax != 11 || r.TimestampAfterMax != 12 || r.Compacted {
		t.Errorf("rules %+v", r)
	}
	if topic.MinInSyncReplicas != 2 || topic.UncleanLeaderElection || !topic.DownConversion || topic.Log.MinCleanableRatio != 0.5 {
		t.Errorf("topic %+v", topic)
	}
}

func TestTopicOverridesWin(t *testing.T) {
	s := newStore(t, map[string]string{"zookeeper.connect": "z"})
	topic := s.Topic(map[string]string{
		"cleanup.policy": "compact", "max.compaction.lag.ms": "1000", "retention.ms": "-1", "compression.type": "uncompressed",
		"message.timestamp.type": "LogAppendTime", "message.timestamp.before.max.ms": "9", "flush.ms": "0",
		"segment.bytes": "nonsense", "no.such.key": "1",
	})
	if l := topic.Log; !l.Compact || l.Delete || l.SegmentAge != time.Second || l.RetentionAge >= 0 || l.FlushInterval <= 0 || l.SegmentBytes != 1<<30 {
		t.Errorf("log %+v", l)
	}
	r := topic.Rules
	if !r.Compacted || !r.Recompress || r.Target != record.None || r.TimestampType != record.LogAppendTime ||
		r.TimestampBeforeMax != 9 || r.TimestampAfterMax != math.MaxInt64 {
		t.Errorf("rules %+v", r)
	}
}

func TestTopicsWithEqualOverridesShareOne(t *testing.T) {
	s := newStore(t, map[string]string{"zookeeper.connect": "z"})
	overrides := func() map[string]string { return map[string]string{"retention.ms": "5", "segment.ms": "6"} }
	before := s.Topic(overrides())
	if before != s.Topic(overrides()) || s.Topic(nil) != s.Topic(map[string]string{}) {
		t.Error("equal overrides do not share")
	}
	if before == s.Topic(map[string]string{"retention.ms": "5", "segment.ms": "7"}) {
		t.Error("different overrides share")
	}
	if _, err := s.SetDynamic(nil, map[string]string{"message.max.bytes": "77"}); err != nil {
		t.Fatal(err)
	}
	if after := s.Topic(overrides()); after.Rules.MaxMessageBytes != 77 || before.Rules.MaxMessageBytes == 77 {
		t.Error("a dynamic default does not reach topics, or changed a published Topic")
	}
	for i := range maxCachedTopics + 10 {
		s.Topic(map[string]string{"retention.ms": fmt.Sprint(i)})
	}
	if n := len(s.current.Load().topics.cache); n > maxCachedTopics {
		t.Errorf("%d topics in the cache", n)
	}
}

func BenchmarkTopic(b *testing.B) {
	s, _, err := NewStore(settings(map[string]string{"zookeeper.connect": "z"}))
	if err != nil {
		b.Fatal(err)
	}
	overrides := map[string]string{"retention.ms": "5", "segment.ms": "6", "cleanup.policy": "compact"}
	b.ReportAllocs()
	for b.Loop() {
		s.Topic(overrides)
	}
}
