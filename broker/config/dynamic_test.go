package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The texts were recorded from Kafka 3.9.2, started with recordedStart and then given the recorded
// dynamic settings; where ours is in other words, only its start is compared.
func TestDynamicSettingsAreRefusedAsByKafka(t *testing.T) {
	const wrap = "Invalid value org.apache.kafka.common.config.ConfigException: %s for configuration Invalid dynamic configuration"
	s := recordedStore(t, true)
	for _, c := range []struct {
		perBroker bool
		change    string
		want      string
	}{
		{true, "log.retention.ms=abc", "Invalid value abc for configuration log.retention.ms: Not a number of type LONG"},
		{true, "log.retention.hours=5", "Cannot update these configs dynamically: Set(log.retention.hours)"},
		{true, "num.partitions=4 broker.id=5", "Cannot update these configs dynamically: Set(broker.id, num.partitions)"},
		{true, "ssl.keystore.location=/x", "These security configs can be dynamically updated only per-listener using the listener prefix: HashSet(ssl.keystore.location)"},
		{false, "listeners=PLAINTEXT://:1234", "Cannot update these configs at default cluster level, broker id must be specified: Set(listeners)"},
		{false, "listener.name.plaintext.ssl.keystore.location=/x", "Cannot update these configs at default cluster level, broker id must be specified: Set(listener.name.plaintext.ssl.keystore.location)"},
		{false, "num.io.threads=100", fmt.Sprintf(wrap, "Dynamic thread count update validation failed for num.io.threads=100, value should not be greater than double the current value 4")},
		{false, "num.io.threads=1", fmt.Sprintf(wrap, "Dynamic thread count update validation failed for num.io.threads=1, value should be at least half the current value 4")},
		{false, "num.io.threads=0", "Invalid value 0 for configuration num.io.threads: Value must be at least 1"},
		{true, "listeners=FOO://127.0.0.1:27193", "Error creating broker listeners from 'FOO://127.0.0.1:27193': No security protocol defined for listener FOO"},
		{true, "advertised.listeners=BAR://127.0.0.1:27193", "Error creating broker listeners from 'BAR://127.0.0.1:27193': No security protocol defined for listener BAR"},
		{true, "log.retention.ms=0", "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"},
		{true, "log.cleaner.dedupe.buffer.size=1000", "requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread."},
		{true, "log.cleaner.threads=9", fmt.Sprintf(wrap, "Log cleaner threads cannot be increased to more than double the current value 4")},
		{true, "log.local.retention.ms=99999999999", fmt.Sprintf(wrap, "Invalid value 99999999999 for configuration log.local.retention.ms: Value must not be more than log.retention.ms property value: 7000")},
		{true, "max.connections.per.ip.overrides=abc", "Error parsing configuration property 'max.connections.per.ip.overrides': "},
		{true, "max.connections.per.ip=0 max.connections.per.ip.overrides=", "requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."},
		{true, "log.cleaner.io.buffer.size=-1", "Invalid value -1 for configuration log.cleaner.io.buffer.size: Value must be at least 0"},
		{true, "follower.replication.throttled.rate=-1", "Invalid value -1 for configuration follower.replication.throttled.rate: Value must be at least 0"},
		{true, "producer.id.expiration.ms=0", "Invalid value 0 for configuration producer.id.expiration.ms: Value must be at least 1"},
		{true, "log.message.format.version=2.8", "Cannot update these configs dynamically: Set(log.message.format.version)"},
		{true, "log.roll.ms=0", "requirement failed: log.roll.ms must be greater than or equal to 1"},
		{true, "compression.type=foo", "Invalid value foo for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"},
		{true, "listener.name.plaintext.ssl.key.password=p", "listener.name.plaintext.ssl.key.password cannot be set dynamically: "},
	} {
		settings := overridesOf(c.change)
		level := recordedClusterWide
		if c.perBroker {
			level = recordedPerBroker
		}
		for name, v := range level {
			if _, changed := settings[name]; !changed {
				settings[name] = v
			}
		}
		err := s.ValidateDynamicBroker(settings, c.perBroker)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s:\n got  %v\n want %s", c.change, err, c.want)
		}
	}
}

func TestDynamicSettingsThatKafkaTakes(t *testing.T) {
	s := recordedStore(t, true)
	for _, c := range []struct {
		perBroker bool
		settings  string
	}{
		{true, "log.cleaner.min.compaction.lag.ms=10 log.cleaner.max.compaction.lag.ms=5"}, // only topics are held to it
		{true, "some.plugin.key=1 listener.name.plaintext.max.connections=5"},
		{false, "num.io.threads=8 listener.name.plaintext.max.connections=5 leader.replication.throttled.rate=5"},
		{true, "advertised.listeners=PLAINTEXT://elsewhere:1"},
		{true, ""},
	} {
		if err := s.ValidateDynamicBroker(overridesOf(c.settings), c.perBroker); err != nil {
			t.Errorf("%s: %v", c.settings, err)
		}
	}
}

func TestPasswordsAlreadyStoredMayStay(t *testing.T) {
	s := newStore(t, map[string]string{"zookeeper.connect": "z"})
	stored := map[string]string{"listener.name.plaintext.ssl.key.password": "iterations:4096,encryptedPassword:x"}
	if _, err := s.SetDynamic(stored, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.ValidateDynamicBroker(stored, true); err != nil {
		t.Error(err)
	}
}

func TestLevelsByPrecedence(t *testing.T) {
	s := newStore(t, map[string]string{"zookeeper.connect": "z", "log.retention.minutes": "60", "message.max.bytes": "100"})
	retention := func() time.Duration { return s.Topic(nil).Log.RetentionAge }
	if retention() != time.Hour {
		t.Errorf("static: %v", retention())
	}
	changed, err := s.SetDynamic(nil, map[string]string{"log.retention.ms": "5000", "message.max.bytes": "200"})
	if err != nil || retention() != 5*time.Second {
		t.Errorf("cluster-wide: %v, %v", retention(), err)
	}
	if want := []string{"log.retention.minutes", "log.retention.ms", "message.max.bytes"}; !slices.Equal(changed, want) {
		t.Errorf("changed %v", changed)
	}
	if _, err = s.SetDynamic(map[string]string{"log.retention.ms": "7000"}, map[string]string{"log.retention.ms": "5000"}); err != nil || retention() != 7*time.Second {
		t.Errorf("per broker: %v, %v", retention(), err)
	}
	if _, err = s.SetDynamic(nil, nil); err != nil || retention() != time.Hour || s.Topic(nil).Rules.MaxMessageBytes != 100 {
		t.Errorf("static again: %v, %v", retention(), err)
	}
}

func TestInvalidDynamicSettingsAreLeftOut(t *testing.T) {
	s := newStore(t, map[string]string{"zookeeper.connect": "z"})
	_, err := s.SetDynamic(map[string]string{
		"message.max.bytes": "-5", "num.partitions": "3", "ssl.keystore.type": "JKS", "max.connections": "9",
	}, map[string]string{"listeners": "PLAINTEXT://:1", "log.retention.bytes": "77"})
	for _, name := range []string{"message.max.bytes", "num.partitions", "ssl.keystore.type", "listeners"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not in %v", name, err)
		}
	}
	var bad *Invalid
	if !errors.As(err, &bad) {
		t.Errorf("%T is not an *Invalid", err)
	}
	if b := s.Broker(); b.MaxConnections != 9 || b.NumPartitions != 1 || b.Listeners[0].Port != 9092 {
		t.Errorf("broker %+v", b)
	}
	if topic := s.Topic(nil); topic.Rules.MaxMessageBytes != 1048588 || topic.Log.RetentionBytes != 77 {
		t.Errorf("topic %+v", topic)
	}
}

func TestALevelThatBreaksARuleStaysAsItWas(t *testing.T) {
	s := newStore(t, map[string]string{"zookeeper.connect": "z"})
	if _, err := s.SetDynamic(map[string]string{"log.roll.ms": "5000"}, nil); err != nil {
		t.Fatal(err)
	}
	_, err := s.SetDynamic(map[string]string{"log.roll.ms": "0", "max.connections": "9"}, map[string]string{"max.connections": "8"})
	if err == nil || !strings.Contains(err.Error(), "log.roll.ms must be") {
		t.Errorf("error %v", err)
	}
	if got := s.Topic(nil).Log.SegmentAge; got != 5*time.Second {
		t.Errorf("segment age %v", got)
	}
	if got := s.Broker().MaxConnections; got != 8 {
		t.Errorf("the sound level was not taken: %d", got)
	}
}

func TestWatchersSeeWhatChanged(t *testing.T) {
	s := newStore(t, map[string]string{"zookeeper.connect": "z"})
	var seen [][]string
	s.OnChange(func(changed []string) {
		if s.Broker().MaxConnections != 5 { // the new snapshot is already there
			t.Error("called before the change")
		}
		seen = append(seen, changed)
	})
	for range 2 { // the second time nothing changes
		if _, err := s.SetDynamic(map[string]string{"max.connections": "5", "plugin.key": "x"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 1 || !slices.Equal(seen[0], []string{"max.connections", "plugin.key"}) {
		t.Errorf("seen %v", seen)
	}
}

func TestReadersAndWritersTogether(t *testing.T) {
	s := newStore(t, map[string]string{"zookeeper.connect": "z"})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 50 {
				switch i {
				case 0:
					if _, err := s.SetDynamic(map[string]string{"message.max.bytes": fmt.Sprint(1000 + j)}, nil); err != nil {
						t.Error(err)
					}
				case 1:
					s.SetBrokerID(int32(j))
				case 2:
					s.DescribeBroker([]string{"message.max.bytes"})
				default:
					s.Topic(map[string]string{"retention.ms": fmt.Sprint(j % 7)})
				}
			}
		})
	}
	wg.Wait()
	if b, topic := s.Broker(), s.Topic(nil); b.BrokerID != 49 || topic.Rules.MaxMessageBytes != 1049 {
		t.Errorf("broker id %d, message size %d", b.BrokerID, topic.Rules.MaxMessageBytes)
	}
}

func TestListShowsWhereValuesComeFrom(t *testing.T) {
	s, _, err := NewStore(map[string]Setting{
		"zookeeper.connect": {"z", "server.properties:3"}, "node.id": {"4", "--node.id"},
		"ssl.key.password": {"hunter2", "server.properties:5"}, "log.cleaner.threads": {"2", "server.properties:6"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.SetDynamic(map[string]string{"max.connections": "5"}, map[string]string{"log.cleaner.threads": "3"}); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, e := range s.List() {
		got[e.Name] = fmt.Sprintf("%s|%v|%s", e.Value, e.Source, e.Origin)
	}
	for name, want := range map[string]string{
		"zookeeper.connect":   "z|STATIC_BROKER_CONFIG|server.properties:3",
		"broker.id":           "4|STATIC_BROKER_CONFIG|--node.id",
		"ssl.key.password":    "[hidden]|STATIC_BROKER_CONFIG|server.properties:5",
		"log.cleaner.threads": "3|DYNAMIC_DEFAULT_BROKER_CONFIG|",
		"max.connections":     "5|DYNAMIC_BROKER_CONFIG|",
		"num.partitions":      "1|DEFAULT_CONFIG|",
		"log.retention.ms":    "|DEFAULT_CONFIG|",
	} {
		if got[name] != want {
			t.Errorf("%s: %s, want %s", name, got[name], want)
		}
	}
	if len(got) != 315 {
		t.Errorf("%d keys", len(got))
	}
}
