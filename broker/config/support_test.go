package config

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPlainServerPropertiesStartWithoutWarning(t *testing.T) {
	static, err := ReadProperties("testdata/server.properties")
	if err != nil {
		t.Fatal(err)
	}
	s, warns, err := NewStore(static)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warns {
		sentence := w[strings.Index(w, ": ")+2:]
		name := sentence[:strings.IndexAny(sentence, " =")]
		if k := brokerTable.byName[name]; k == nil || k.effect == Acts {
			t.Errorf("warning for a key that takes effect: %s", w)
		}
	}
	b := s.Broker()
	if b.BrokerID != 0 || b.ZooKeeperConnection != 18*time.Second || b.ZooKeeperSession != 18*time.Second ||
		!slices.Equal(b.LogDirs, []string{"/tmp/kafka-logs"}) || b.OffsetsTopicReplicationFactor != 1 ||
		b.Transactions.TopicMinISR != 1 || b.Groups.InitialRebalanceDelay != 0 {
		t.Errorf("broker %+v", b)
	}
	want := Endpoint{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Port: 9092}
	if len(b.Listeners) != 1 || b.Listeners[0] != want || b.Advertised[0] != want || b.InterBrokerListener != "PLAINTEXT" {
		t.Errorf("listeners %+v, advertised %+v", b.Listeners, b.Advertised)
	}
}

// start gives the values, on top of a zookeeper.connect, to NewStore.
func start(values map[string]string) (*Store, []string, error) {
	all := map[string]Setting{"zookeeper.connect": {Value: "z:2181"}}
	for name, v := range values {
		all[name] = Setting{Value: v, Origin: "f:1"}
	}
	return NewStore(all)
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"log.retention.hour", "5", "f:1: unknown key log.retention.hour has no effect; did you mean log.retention.hours?"},
		{"advertised.listner", "5", "did you mean advertised.listeners?"},
		{"completely.different", "5", "f:1: unknown key completely.different has no effect"},
		{"retention.ms", "5", "its default for all topics is log.retention.ms"},
		{"num.io.threads", "16", "f:1: num.io.threads=16 has no effect: " + whyGoroutines},
		{"num.io.threads", "8", ""},
		{"log.cleaner.threads", "2", ""},
		{"ssl.keystore.password", "hunter2", "f:1: ssl.keystore.password has no effect yet: " + whyTLS},
		{"super.users", "User:a", "f:1: super.users has no effect: " + whyACL},
		{"offsets.commit.required.acks", "1", "deprecated"},
		{"leader.replication.throttled.rate", "1", "only be set at run time"},
		{"listener.name.plaintext.max.connections", "5", ""},
		{"listener.name.other.max.connections", "5", "no listener OTHER"},
		{"listener.name.plaintext.ssl.keystore.location", "x", whyTLS},
		{"listener.name.plaintext.num.partitions", "5", "cannot be set for one listener"},
		{"listener.name.plaintext.foo", "5", "unknown key"},
		{"log.retention.bytes", "5", ""},
		{"process.roles", "", ""},
	} {
		_, warns, err := start(map[string]string{c.name: c.value})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if all := strings.Join(warns, "\n"); (c.want == "") != (all == "") || !strings.Contains(all, c.want) {
			t.Errorf("%s=%s: warnings %q, want %q", c.name, c.value, all, c.want)
		}
		if strings.Contains(strings.Join(warns, ""), "hunter2") {
			t.Error("a warning shows a password")
		}
	}
}

func TestWarningForTheWeakerOfTwoSynonyms(t *testing.T) {
	_, warns, err := start(map[string]string{"log.retention.hours": "5", "log.retention.minutes": "5", "log.dir": "/a", "log.dirs": "/b"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"f:1: log.dir=/a is not used, because log.dirs is set",
		"f:1: log.retention.hours=5 is not used, because log.retention.minutes is set",
	}
	if !slices.Equal(warns, want) {
		t.Errorf("warnings %q", warns)
	}
}

func TestStartIsRefused(t *testing.T) {
	for _, c := range []struct {
		values map[string]string
		want   string
	}{
		{map[string]string{"process.roles": "broker,controller", "node.id": "1"}, "f:1: process.roles=broker,controller: kbroker has no KRaft mode"},
		{map[string]string{"zookeeper.metadata.migration.enable": "true"}, "f:1: zookeeper.metadata.migration.enable=true: kbroker cannot take part"},
		{map[string]string{"listeners": "SSL://:9093"}, "f:1: listeners: SSL uses SSL by listener.security.protocol.map, and TLS is not yet supported"},
		{map[string]string{"listeners": "PLAINTEXT://:9092,SECURE://:9093", "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,secure:sasl_ssl"}, "SECURE uses SASL_SSL by listener.security.protocol.map, and TLS and SASL are not yet supported"},
		{map[string]string{"authorizer.class.name": "kafka.security.authorizer.AclAuthorizer"}, "authorization is not yet supported"},
		{map[string]string{"zookeeper.ssl.client.enable": "true"}, "TLS towards ZooKeeper is not yet supported"},
		{map[string]string{"config.providers": "file"}, "config.providers is not supported"},
		{map[string]string{"zookeeper.connect": ""}, "Missing required configuration `zookeeper.connect`"},
		{map[string]string{"broker.id": "1001"}, "f:1: broker.id must be greater than or equal to -1 and not greater than reserved.broker.max.id"},
		{map[string]string{"broker.id.generation.enable": "false"}, "broker.id must be greater than or equal to 0"},
		{map[string]string{"broker.id": "1", "node.id": "2"}, "You must set `node.id` to the same value as `broker.id`."},
		{map[string]string{"log.retention.ms": "0"}, "log.retention.ms must be unlimited (-1)"},
		{map[string]string{"log.dirs": ""}, "At least one log directory"},
		{map[string]string{"log.dirs": "/a,/b/../a"}, "Duplicate log directory found: /a"},
		{map[string]string{"log.cleaner.threads": "0"}, "at least 1MB per cleaner thread"},
		{map[string]string{"log.cleaner.min.compaction.lag.ms": "9", "log.cleaner.max.compaction.lag.ms": "8"}, "min.compaction.lag.ms (9) > max.compaction.lag.ms (8)"},
		{map[string]string{"replica.fetch.wait.max.ms": "40000"}, "replica.socket.timeout.ms should always be at least"},
		{map[string]string{"queued.max.request.bytes": "5"}, "queued.max.request.bytes must be larger or equal to socket.request.max.bytes"},
		{map[string]string{"connections.max.idle.ms": "50"}, "connection.failed.authentication.delay.ms=100 should always be less than connections.max.idle.ms=50"},
		{map[string]string{"max.connections.per.ip": "0"}, "max.connections.per.ip can be set to zero only if"},
		{map[string]string{"max.connections.per.ip.overrides": "a:b:5,x"}, `"x" is not of the form key:value`},
		{map[string]string{"max.connections.per.ip.overrides": "a:b"}, `"b" is not a number of connections`},
		{map[string]string{"listeners": "PLAINTEXT://:x"}, "Error creating broker listeners from 'PLAINTEXT://:x': Unable to parse"},
		{map[string]string{"listeners": "OTHER://:1"}, "No security protocol defined for listener OTHER"},
		{map[string]string{"listeners": "PLAINTEXT://:99999"}, "port 99999 is not between 0 and 65535"},
		{map[string]string{"listeners": "PLAINTEXT://:1,plaintext://:2"}, "Each listener must have a different name"},
		{map[string]string{"listeners": "PLAINTEXT://:1,B://:1", "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,B:PLAINTEXT"}, "Each listener must have a different port"},
		{map[string]string{"listener.security.protocol.map": "PLAINTEXT:PLAIN"}, "Invalid security protocol `PLAIN` defined in listener.security.protocol.map"},
		{map[string]string{"advertised.listeners": "PLAINTEXT://0.0.0.0:9092"}, "nonroutable meta-address 0.0.0.0"},
		{map[string]string{"advertised.listeners": "SSL://a:9092"}, "advertised.listeners listener names must be equal to or a subset"},
		{map[string]string{"inter.broker.listener.name": "X"}, "Listener with name X defined in inter.broker.listener.name not found"},
		{map[string]string{"inter.broker.listener.name": "PLAINTEXT", "security.inter.broker.protocol": "PLAINTEXT"}, "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set."},
		{map[string]string{"security.inter.broker.protocol": "SSL"}, "inter.broker.listener.name must be a listener name defined in advertised.listeners"},
		{map[string]string{"control.plane.listener.name": "PLAINTEXT"}, "should have a different value from the inter broker listener name"},
		{map[string]string{"control.plane.listener.name": "Q"}, "Listener with Q defined in control.plane.listener.name not found"},
		{map[string]string{"num.partitions": "0"}, "f:1: Invalid value 0 for configuration num.partitions: Value must be at least 1"},
		{map[string]string{"delete.topic.enable": "yes"}, "Expected value to be either true or false"},
		{map[string]string{"inter.broker.protocol.version": "3.9-IV1"}, "Version 3.9-IV1 is not a valid version"},
	} {
		_, _, err := start(c.values)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v:\n got  %v\n want %s", c.values, err, c.want)
		}
	}
}

func TestEveryBadKeyIsNamed(t *testing.T) {
	_, _, err := start(map[string]string{"num.partitions": "x", "broker.id": "y", "log.segment.bytes": "1"})
	for _, want := range []string{
		"f:1: Invalid value x for configuration num.partitions: Not a number of type INT",
		"f:1: Invalid value y for configuration broker.id: Not a number of type INT",
		"f:1: Invalid value 1 for configuration log.segment.bytes: Value must be at least 14",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in %v", want, err)
		}
	}
}

func TestListeners(t *testing.T) {
	s, warns, err := start(map[string]string{
		"listeners":                               "inside://127.0.0.1:9092, OUTSIDE://[::1]:9092 ,ctl://:0",
		"advertised.listeners":                    "inside://a.example:1,outside://b.example:2,CTL://c:3",
		"listener.security.protocol.map":          "INSIDE:PLAINTEXT,outside:plaintext, ctl : PLAINTEXT",
		"inter.broker.listener.name":              "inside",
		"control.plane.listener.name":             "ctl",
		"listener.name.outside.max.connections":   "7",
		"max.connections.per.ip.overrides":        "10.0.0.1:3, ::1:4",
		"socket.send.buffer.bytes":                "-1",
		"connections.max.idle.ms":                 "-1",
		"leader.imbalance.check.interval.seconds": "9223372036854775807",
	})
	if err != nil || len(warns) > 0 {
		t.Fatal(err, warns)
	}
	b := s.Broker()
	if want := []Endpoint{
		{"INSIDE", "PLAINTEXT", "127.0.0.1", 9092},
		{"OUTSIDE", "PLAINTEXT", "::1", 9092},
		{"CTL", "PLAINTEXT", "", 0},
	}; !slices.Equal(b.Listeners, want) {
		t.Errorf("listeners %v", b.Listeners)
	}
	if b.Advertised[1] != (Endpoint{"OUTSIDE", "PLAINTEXT", "b.example", 2}) || b.InterBrokerListener != "INSIDE" || b.ControlPlaneListener != "CTL" {
		t.Errorf("advertised %v, between brokers %s, control plane %s", b.Advertised, b.InterBrokerListener, b.ControlPlaneListener)
	}
	if want := map[string]ListenerLimits{"OUTSIDE": {7, math.MaxInt32}}; !maps.Equal(b.ListenerLimits, want) {
		t.Errorf("limits %v", b.ListenerLimits)
	}
	if want := map[string]int32{"10.0.0.1": 3, "::1": 4}; !maps.Equal(b.MaxConnectionsPerIPOverrides, want) {
		t.Errorf("overrides %v", b.MaxConnectionsPerIPOverrides)
	}
	if b.ConnectionsMaxIdle >= 0 || b.SocketSendBuffer != -1 || b.LeaderImbalanceInterval != math.MaxInt64 {
		t.Errorf("idle %v, send buffer %d, interval %v", b.ConnectionsMaxIdle, b.SocketSendBuffer, b.LeaderImbalanceInterval)
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"ab", "ba", 2}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("%s to %s: %d", c.a, c.b, got)
		}
	}
}

func TestReplicaSelectorsAreKafkasOwn(t *testing.T) {
	for class, starts := range map[string]bool{
		"":                            true,
		RackAwareReplicaSelector:      true,
		leaderReplicaSelector:         true,
		"com.example.NearestSelector": false,
	} {
		if _, _, err := start(map[string]string{"replica.selector.class": class}); (err == nil) != starts {
			t.Errorf("%q: %v", class, err)
		}
	}
}
