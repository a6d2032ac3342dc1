//go:build compat

package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
)

// expect fails unless the text holds every part.
func expect(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not show %q:\n%s", what, part, text)
		}
	}
}

// TestTools does an operator's round with the tools of each release.
func TestTools(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) { round(t, harness.StartBroker(t, harness.Options{}), version) })
	}
}

func round(t *testing.T, b *harness.Broker, version string) {
	topic := "tools-" + strings.ReplaceAll(version, ".", "-")
	server := []string{"--bootstrap-server", b.Address()}
	run := func(stdin, name string, args ...string) string {
		t.Helper()
		return tool(t, version, stdin, name, append(server, args...)...)
	}

	expect(t, "kafka-broker-api-versions", run("", "kafka-broker-api-versions"),
		b.Address(), "(id: 1 rack: null", "Produce(0): 0 to 11", "Fetch(1): 0 to 17", "CreateTopics(19): 0 to 7")

	run("", "kafka-topics", "--create", "--topic", topic, "--partitions", "3", "--replication-factor", "1",
		"--config", "retention.ms=86400000", "--config", "segment.bytes=16384", "--config", "index.interval.bytes=512")
	expect(t, "kafka-topics --list", run("", "kafka-topics", "--list"), topic)
	expect(t, "kafka-topics --describe", run("", "kafka-topics", "--describe", "--topic", topic),
		"PartitionCount: 3", "ReplicationFactor: 1", "retention.ms=86400000", "Leader: 1", "Isr: 1")
	run("", "kafka-topics", "--alter", "--topic", topic, "--partitions", "4")
	expect(t, "kafka-topics --describe", run("", "kafka-topics", "--describe", "--topic", topic), "PartitionCount: 4")

	run("", "kafka-configs", "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", "max.message.bytes=2000000", "--delete-config", "retention.ms")
	described := run("", "kafka-configs", "--describe", "--entity-type", "topics", "--entity-name", topic)
	expect(t, "kafka-configs --describe", described, "max.message.bytes=2000000", "DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000000", "DEFAULT_CONFIG:message.max.bytes=1048588")
	if strings.Contains(described, "retention.ms=") {
		t.Errorf("retention.ms was not deleted:\n%s", described)
	}
	run("", "kafka-configs", "--alter", "--entity-type", "brokers", "--entity-name", "1", "--add-config", "log.cleaner.threads=2")
	expect(t, "kafka-configs --describe brokers", run("", "kafka-configs", "--describe", "--entity-type", "brokers", "--entity-name", "1"), "log.cleaner.threads=2")
	run("", "kafka-configs", "--alter", "--entity-type", "brokers", "--entity-default", "--add-config", "log.retention.ms=7200000")
	expect(t, "kafka-configs --describe the default broker", run("", "kafka-configs", "--describe", "--entity-type", "brokers", "--entity-default"), "log.retention.ms=7200000")
	expect(t, "kafka-configs --describe --all", run("", "kafka-configs", "--describe", "--all", "--entity-type", "topics", "--entity-name", topic), "retention.ms=7200000")
	run("", "kafka-configs", "--alter", "--entity-type", "brokers", "--entity-default", "--delete-config", "log.retention.ms")

	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		var lines strings.Builder
		for i := range 200 {
			fmt.Fprintf(&lines, "%s-%d:value %d of %s and again value %d\n", codec, i, i, codec, i)
		}
		run(lines.String(), "kafka-console-producer", "--topic", topic, "--compression-codec", codec,
			"--property", "parse.key=true", "--property", "key.separator=:")
	}
	sum := 0
	for line := range strings.Lines(run("", "kafka-get-offsets", "--topic", topic)) {
		var partition, offset int
		if _, err := fmt.Sscanf(strings.TrimPrefix(line, topic+":"), "%d:%d", &partition, &offset); err != nil {
			t.Fatalf("kafka-get-offsets prints %q", line)
		}
		sum += offset
	}
	if sum != 1000 {
		t.Errorf("kafka-get-offsets sums up to %d, want 1000", sum)
	}
	for p := range 4 {
		got := run("", "kafka-console-consumer", "--topic", topic, "--partition", fmt.Sprint(p), "--offset", "earliest", "--max-messages", "1", "--timeout-ms", "30000")
		expect(t, "kafka-console-consumer", got, "value ")
	}

	file := filepath.Join(t.TempDir(), "delete.json")
	if err := os.WriteFile(file, []byte(`{"version":1,"partitions":[{"topic":"`+topic+`","partition":0,"offset":10}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, "kafka-delete-records", run("", "kafka-delete-records", "--offset-json-file", file), "low_watermark: 10")
	expect(t, "kafka-get-offsets --time earliest", run("", "kafka-get-offsets", "--topic", topic, "--time", "earliest"), topic+":0:10")
	expect(t, "kafka-get-offsets --time max-timestamp", run("", "kafka-get-offsets", "--topic", topic, "--time", "max-timestamp"), topic+":3:")
	expect(t, "kafka-log-dirs", run("", "kafka-log-dirs", "--describe", "--topic-list", topic), `"logDir":"`+b.Dir+`"`, `"partition":"`+topic+`-3"`, `"offsetLag":0`)

	run("", "kafka-topics", "--create", "--topic", topic+"-gone")
	run("", "kafka-topics", "--delete", "--topic", topic+"-gone")
	if list := run("", "kafka-topics", "--list"); strings.Contains(list, topic+"-gone") {
		t.Errorf("the deleted topic is listed:\n%s", list)
	}
	dump(t, b, version, topic)
}

// dump lets Kafka read our segments, indexes and snapshots, while the broker runs and after a clean stop.
func dump(t *testing.T, b *harness.Broker, version, topic string) {
	t.Helper()
	b.Stop(t)
	defer b.Restart(t)
	for _, suffix := range []string{".log", ".index", ".timeindex", ".snapshot"} {
		files, err := filepath.Glob(filepath.Join(b.Dir, topic+"-*", "*"+suffix))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s of %s: %v", suffix, topic, err)
		}
		args := []string{"dump-log", "--files", strings.Join(files, ",")}
		switch suffix {
		case ".log":
			args = append(args, "--deep-iteration", "--print-data-log")
		case ".index":
			args = append(args, "--index-sanity-check")
		}
		text := tool(t, version, "", args[0], args[1:]...)
		for _, complaint := range []string{"Found", "Mismatch", "Exception", "failed", "not sanity", "invalid"} {
			if strings.Contains(text, complaint) {
				t.Errorf("dump-log of %s complains (%s):\n%s", suffix, complaint, text)
			}
		}
		if suffix == ".index" || suffix == ".timeindex" {
			// Without --index-sanity-check the entries are compared with the log.
			text := tool(t, version, "", "dump-log", "--verify-index-only", "--files", strings.Join(files, ","))
			if strings.Contains(text, "Found") || strings.Contains(text, "Mismatch") {
				t.Errorf("dump-log finds %s wrong:\n%s", suffix, text)
			}
		}
	}
}
