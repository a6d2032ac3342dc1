//go:build compat

package compat

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/kbroker/kbroker/integration/harness"
)

// operator runs the tools of one release against one broker.
type operator struct {
	broker  *harness.Broker
	version string
	topic   string
}

// run runs a tool with the broker's address.
func (o operator) run(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	return tool(t, o.version, stdin, name, append([]string{"--bootstrap-server", o.broker.Address()}, args...)...)
}

// show runs a tool and fails the test unless its output holds every part.
func (o operator) show(t *testing.T, parts []string, name string, args ...string) {
	t.Helper()
	text := o.run(t, "", name, args...)
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s %s does not show %q:\n%s", name, strings.Join(args, " "), part, text)
		}
	}
}

// TestTools does an operator's round with the tools of each release.
func TestTools(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			o := operator{harness.StartBroker(t, harness.Options{}), version, "tools"}
			o.topics(t)
			o.configs(t)
			o.records(t)
			o.producers(t)
			o.offsets(t)
			o.broker.Stop(t)
			o.dump(t)
		})
	}
}

func (o operator) topics(t *testing.T) {
	o.show(t, []string{
		o.broker.Address(), "(id: 1 rack: null", "Produce(0): 0 to 11", "Fetch(1): 0 to 17", "CreateTopics(19): 0 to 7",
	}, "kafka-broker-api-versions")
	o.run(t, "", "kafka-topics", "--create", "--topic", o.topic, "--partitions", "3", "--replication-factor", "1",
		"--config", "retention.ms=86400000", "--config", "segment.bytes=1048576", "--config", "index.interval.bytes=512")
	// The tools of 4.3 want segments of a MiB at least; smaller ones make more files to look at.
	small := kadm.AlterConfig{Op: kadm.SetConfig, Name: "segment.bytes", Value: kadm.StringPtr("16384")}
	admin := kadm.NewClient(harness.NewClient(t, o.broker.Address()))
	if _, err := admin.AlterTopicConfigs(harness.Context(t), []kadm.AlterConfig{small}, o.topic); err != nil {
		t.Fatal(err)
	}
	o.run(t, "", "kafka-topics", "--create", "--topic", "gone")
	o.run(t, "", "kafka-topics", "--alter", "--topic", o.topic, "--partitions", "4")
	o.run(t, "", "kafka-topics", "--delete", "--topic", "gone")
	o.show(t, []string{"PartitionCount: 4", "ReplicationFactor: 1", "retention.ms=86400000", "Leader: 1", "Isr: 1"},
		"kafka-topics", "--describe", "--topic", o.topic)
	if list := strings.Fields(o.run(t, "", "kafka-topics", "--list")); len(list) != 1 || list[0] != o.topic {
		t.Errorf("kafka-topics lists %q, want %q alone", list, o.topic)
	}
}

func (o operator) configs(t *testing.T) {
	configs := func(action string, args ...string) string {
		t.Helper()
		return o.run(t, "", "kafka-configs", append([]string{action}, args...)...)
	}
	topic := []string{"--entity-type", "topics", "--entity-name", o.topic}
	configs("--alter", append(topic, "--add-config", "max.message.bytes=2000000,cleanup.policy=[compact,delete]", "--delete-config", "retention.ms")...)
	o.show(t, []string{
		"max.message.bytes=2000000", "DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000000",
		"DEFAULT_CONFIG:message.max.bytes=1048588", "cleanup.policy=compact,delete",
	}, "kafka-configs", append([]string{"--describe"}, topic...)...)
	broker := []string{"--entity-type", "brokers", "--entity-name", "1"}
	configs("--alter", append(broker, "--add-config", "log.cleaner.threads=2")...)
	o.show(t, []string{"log.cleaner.threads=2", "DYNAMIC_BROKER_CONFIG:log.cleaner.threads=2"}, "kafka-configs", append([]string{"--describe"}, broker...)...)
	all := []string{"--entity-type", "brokers", "--entity-default"}
	configs("--alter", append(all, "--add-config", "log.retention.ms=7200000")...)
	o.show(t, []string{"log.retention.ms=7200000"}, "kafka-configs", append([]string{"--describe"}, all...)...)
	// The topic's own value is deleted, so the brokers' default shows.
	o.show(t, []string{"retention.ms=7200000", "DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=7200000"},
		"kafka-configs", append([]string{"--describe", "--all"}, topic...)...)
	configs("--alter", append(all, "--delete-config", "log.retention.ms")...)
	configs("--alter", append(topic, "--delete-config", "cleanup.policy")...)
}

// codecs are those that a producer chooses from.
var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// linesPerCodec are what the console producer writes with each codec.
const linesPerCodec = 200

// records lets the console producer write with every codec and the console consumer read it back.
func (o operator) records(t *testing.T) {
	want := map[string]bool{}
	for _, codec := range codecs {
		var lines strings.Builder
		for i := range linesPerCodec {
			line := fmt.Sprintf("%s-%d:value %d of %s and again value %d", codec, i, i, codec, i)
			want[line] = true
			lines.WriteString(line + "\n")
		}
		o.run(t, lines.String(), "kafka-console-producer", "--topic", o.topic, "--compression-codec", codec,
			"--property", "parse.key=true", "--property", "key.separator=:")
	}
	property := "--property"
	if strings.HasPrefix(o.version, "4.") {
		property = "--formatter-property"
	}
	for partition, count := range o.ends(t) {
		got := o.run(t, "", "kafka-console-consumer", "--topic", o.topic, "--partition", fmt.Sprint(partition), "--offset", "0",
			"--isolation-level", "read_committed", "--max-messages", fmt.Sprint(count), "--timeout-ms", "30000",
			property, "print.key=true", property, "key.separator=:")
		for line := range strings.Lines(got) {
			line = strings.TrimSpace(line)
			if !want[line] {
				t.Errorf("kafka-console-consumer shows %q, which was not produced or was shown before", line)
			}
			delete(want, line)
		}
	}
	if len(want) > 0 {
		t.Errorf("%d of the console producer's lines were not consumed", len(want))
	}
}

// ends are the end offsets by partition, as kafka-get-offsets prints them.
func (o operator) ends(t *testing.T) map[int]int {
	t.Helper()
	ends := map[int]int{}
	for line := range strings.Lines(o.run(t, "", "kafka-get-offsets", "--topic", o.topic)) {
		var partition, offset int
		if _, err := fmt.Sscanf(strings.TrimPrefix(line, o.topic+":"), "%d:%d", &partition, &offset); err != nil {
			t.Fatalf("kafka-get-offsets prints %q", line)
		}
		ends[partition] = offset
	}
	return ends
}

// producers lets Java's idempotent producer write with acks=all as fast as it can.
func (o operator) producers(t *testing.T) {
	count := func() (sum int) {
		for _, end := range o.ends(t) {
			sum += end
		}
		return sum
	}
	const verified, measured = 2_000, 20_000
	before := count()
	said := o.run(t, "", "kafka-verifiable-producer", "--topic", o.topic, "--max-messages", fmt.Sprint(verified), "--acks", "-1")
	var summary struct{ Acked int }
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for _, line := range lines {
		if strings.Contains(line, "tool_data") {
			if err := json.Unmarshal([]byte(line), &summary); err != nil {
				t.Errorf("kafka-verifiable-producer prints %q: %v", line, err)
			}
		}
	}
	if summary.Acked != verified {
		t.Errorf("kafka-verifiable-producer had %d records acknowledged, want %d; its last line: %s", summary.Acked, verified, lines[len(lines)-1])
	}
	said = tool(t, o.version, "", "kafka-producer-perf-test", "--topic", o.topic, "--num-records", fmt.Sprint(measured),
		"--record-size", "200", "--throughput", "-1", "--producer-props", "bootstrap.servers="+o.broker.Address(),
		"acks=all", "enable.idempotence=true", "compression.type=zstd", "linger.ms=5")
	if want := fmt.Sprintf("%d records sent", measured); !strings.Contains(said, want) {
		t.Errorf("kafka-producer-perf-test does not show %q:\n%s", want, said)
	}
	if got := count() - before; got != verified+measured {
		t.Errorf("the topic has %d more records, want %d", got, verified+measured)
	}
}

func (o operator) offsets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "delete.json")
	wanted := fmt.Sprintf(`{"version":1,"partitions":[{"topic":%q,"partition":0,"offset":10}]}`, o.topic)
	if err := os.WriteFile(file, []byte(wanted), 0o644); err != nil {
		t.Fatal(err)
	}
	o.show(t, []string{"low_watermark: 10"}, "kafka-delete-records", "--offset-json-file", file)
	o.show(t, []string{o.topic + ":0:10", o.topic + ":3:0"}, "kafka-get-offsets", "--topic", o.topic, "--time", "earliest")
	o.show(t, []string{o.topic + ":0:", o.topic + ":3:"}, "kafka-get-offsets", "--topic", o.topic, "--time", "max-timestamp")
	o.show(t, []string{`"logDir":"` + o.broker.Dir + `"`, `"partition":"` + o.topic + `-3"`, `"offsetLag":0`},
		"kafka-log-dirs", "--describe", "--topic-list", o.topic)
}

// dump lets Kafka read the segments, indexes and snapshots that were written.
func (o operator) dump(t *testing.T) {
	files := func(suffix string) string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(o.broker.Dir, o.topic+"-*", "*"+suffix))
		if err != nil || len(found) < 4 {
			t.Fatalf("%d files *%s: %v", len(found), suffix, err)
		}
		return strings.Join(found, ",")
	}
	indexes := files(".index") + "," + files(".timeindex")
	for _, args := range [][]string{
		{"--files", files(".log"), "--deep-iteration"},
		{"--files", indexes, "--index-sanity-check"},
		{"--files", indexes, "--verify-index-only"}, // compares the entries with the log
		{"--files", files(".snapshot")},
	} {
		text := tool(t, o.version, "", "dump-log", args...)
		for _, complaint := range []string{"Found", "ismatch", "Exception", "failed", "not sanity", "nvalid", "isvalid: false", "orrupt"} {
			if strings.Contains(text, complaint) {
				t.Errorf("dump-log %s complains (%s):\n%s", strings.Join(args[2:], " "), complaint, text)
			}
		}
		if !strings.Contains(text, "Dumping") {
			t.Errorf("dump-log %s dumps nothing:\n%s", strings.Join(args[2:], " "), text)
		}
	}
}
