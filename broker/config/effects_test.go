package config

import (
	"maps"
	"reflect"
	"slices"
	"testing"
)

// TestEveryActingKeyReachesItsReader sets each key that takes effect to another value than its default, and expects a
// different snapshot, of the broker or of a topic, or that the start is refused.
func TestEveryActingKeyReachesItsReader(t *testing.T) {
	for _, d := range BrokerDefinitions() {
		if d.Effect != Acts || d.Update == DynamicOnly {
			continue
		}
		set := maps.Clone(others)
		for name, v := range otherNeeds[d.Name] {
			if set[name] = v; v == "" {
				delete(set, name)
			}
		}
		before, _, err := start(set)
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		set[d.Name] = otherValue(d)
		after, _, err := start(set)
		if (err != nil) != otherRefused[d.Name] {
			t.Errorf("%s=%s: %v", d.Name, set[d.Name], err)
		}
		if err == nil && reflect.DeepEqual(before.Broker(), after.Broker()) && reflect.DeepEqual(before.Topic(nil), after.Topic(nil)) {
			t.Errorf("%s=%s changes nothing that anybody reads", d.Name, set[d.Name])
		}
	}
	s := newStore(t, map[string]string{"zookeeper.connect": "z:2181"})
	for _, d := range TopicDefinitions() {
		overrides := maps.Clone(otherNeeds[d.Name])
		before := s.Topic(overrides)
		if overrides == nil {
			overrides = map[string]string{}
		}
		overrides[d.Name] = otherValue(d)
		if d.Effect == Acts && reflect.DeepEqual(before, s.Topic(overrides)) {
			t.Errorf("%s=%s changes nothing that anybody reads", d.Name, otherValue(d))
		}
	}
}

// others are set in every store, so that each key can be changed alone.
var others = map[string]string{
	"broker.id":                      "3",
	"listeners":                      "PLAINTEXT://:9092,INSIDE://:9093,CONTROL://:9094",
	"socket.request.max.bytes":       "70000",
	"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROL:PLAINTEXT",
}

// otherValues are legal values where 7 is none, or would change nothing.
var otherValues = map[string]string{
	"compression.type":                         "gzip",
	"fetch.max.bytes":                          "7777",
	"listeners":                                "PLAINTEXT://:7777",
	"advertised.listeners":                     "PLAINTEXT://elsewhere:9092",
	"listener.security.protocol.map":           "PLAINTEXT:PLAINTEXT,INSIDE:SSL,CONTROL:PLAINTEXT",
	"inter.broker.listener.name":               "INSIDE",
	"security.inter.broker.protocol":           "SSL",
	"control.plane.listener.name":              "CONTROL",
	"connections.max.idle.ms":                  "7777",
	"max.connections.per.ip.overrides":         "10.0.0.1:7",
	"queued.max.request.bytes":                 "77777",
	"replica.lag.time.max.ms":                  "7777",
	"replica.socket.timeout.ms":                "7777",
	"zookeeper.connect":                        "elsewhere:2181",
	"log.dirs":                                 "/tmp/other",
	"log.dir":                                  "/tmp/other",
	"log.segment.bytes":                        "7777",
	"segment.bytes":                            "7777",
	"log.message.timestamp.type":               "LogAppendTime",
	"message.timestamp.type":                   "LogAppendTime",
	"log.cleaner.dedupe.buffer.size":           "7777777",
	"log.cleaner.min.cleanable.ratio":          "0.7",
	"min.cleanable.dirty.ratio":                "0.7",
	"offsets.topic.compression.codec":          "2",
	"group.coordinator.rebalance.protocols":    "classic",
	"group.consumer.session.timeout.ms":        "50000",
	"group.consumer.max.session.timeout.ms":    "70000",
	"group.consumer.heartbeat.interval.ms":     "7000",
	"group.consumer.max.heartbeat.interval.ms": "17000",
	"group.consumer.assignors":                 "range",
	"group.consumer.migration.policy":          "upgrade",
	"cleanup.policy":                           "compact",
	"log.cleanup.policy":                       "compact",
	"follower.replication.throttled.replicas":  "*",
	"leader.replication.throttled.replicas":    "*",
	"replica.selector.class":                   RackAwareReplicaSelector,
	"broker.rack":                              "r7",
}

// otherNeeds are keys that have to be set, or not to be, for another to count.
var otherNeeds = map[string]map[string]string{
	"node.id":                {"broker.id": ""},
	"compression.gzip.level": {"compression.type": "gzip"},
	"compression.lz4.level":  {"compression.type": "lz4"},
	"compression.zstd.level": {"compression.type": "zstd"},
}

// otherRefused are keys of which every other value asks for what kbroker has not: the start says so.
var otherRefused = map[string]bool{"listener.security.protocol.map": true, "security.inter.broker.protocol": true}

func otherValue(d Definition) string {
	if v := otherValues[d.Name]; v != "" {
		return v
	}
	if d.Type != Boolean {
		return "7"
	}
	if *d.Default == "true" {
		return "false"
	}
	return "true"
}

func TestLogDirs(t *testing.T) {
	for name, test := range map[string]struct {
		set  map[string]string
		want []string
	}{
		"log.dir":  {map[string]string{"log.dir": "/a"}, []string{"/a"}},
		"log.dirs": {map[string]string{"log.dirs": "/b, /c", "log.dir": "/a"}, []string{"/b", "/c"}},
	} {
		s, _, err := start(test.set)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Broker().LogDirs; !slices.Equal(got, test.want) {
			t.Errorf("%s: logs in %v, want %v", name, got, test.want)
		}
	}
}
