package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
)

// commands runs kbroker against one broker.
type commands struct {
	t       *testing.T
	kbroker string
	address string
}

func startCommands(t *testing.T) *commands {
	t.Helper()
	b := harness.StartBroker(t, harness.Options{Config: withoutDelay})
	return &commands{t, harness.Binary(t, true), b.Address()}
}

func (c *commands) args(line string) []string {
	return append(strings.Fields(line), "--bootstrap-server", c.address) // flags may come last
}

// run runs a command, its words separated by blanks, which must succeed.
func (c *commands) run(line string) string {
	c.t.Helper()
	return harness.Run(c.t, "", c.kbroker, c.args(line)...)
}

// feed is run with a standard input.
func (c *commands) feed(stdin, line string) string {
	c.t.Helper()
	return harness.Run(c.t, stdin, c.kbroker, c.args(line)...)
}

// refused runs a command that must end with an exit code, and say something.
func (c *commands) refused(line string, code int, want string) {
	c.t.Helper()
	_, err := harness.TryRun("", c.kbroker, c.args(line)...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != code || !strings.Contains(err.Error(), want) {
		c.t.Errorf("%s: %v; want exit code %d and %q", line, err, code, want)
	}
}

// contains checks the rows of a table: cells separated by blanks.
func (c *commands) contains(out string, rows ...string) {
	c.t.Helper()
	var lines []string
	for line := range strings.Lines(out) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	for _, row := range rows {
		if !slices.Contains(lines, row) {
			c.t.Errorf("there is no row %q in\n%s", row, out)
		}
	}
}

func TestTopicsCommand(t *testing.T) {
	t.Parallel()
	c := startCommands(t)
	c.run("topics create orders --partitions 2 --config retention.ms=86400000")
	c.contains(c.run("topics create orders --if-not-exists"), "orders existed already")
	c.refused("topics create orders", 1, "TOPIC_ALREADY_EXISTS")
	c.refused("topics create big -r 3", 1, "INVALID_REPLICATION_FACTOR")
	c.refused("topics create odd --config nope=1", 1, "INVALID_CONFIG")
	c.refused("topics create odd --replica-assignment 1:1", 1, "broker 1 twice")
	c.run("topics create odd --validate-only")
	if _, err := harness.TryRun("", c.kbroker, "topics", "frob"); err == nil || !strings.Contains(err.Error(), `exit status 1`) || !strings.Contains(err.Error(), `unknown command "topics frob"`) {
		t.Errorf("an unknown command: %v", err)
	}
	c.run("topics create help") // not a request for help
	c.contains(c.run("topics list"), "help 1 1 -", "orders 2 1 -")

	var described []struct {
		Topic      string
		Configs    map[string]string
		Partitions []struct {
			Partition, Leader int32
			Replicas, ISR     []int32
		}
	}
	decode(t, c.run("topics describe orders -o json"), &described)
	if len(described) != 1 || len(described[0].Partitions) != 2 || described[0].Configs["retention.ms"] != "86400000" {
		t.Fatalf("described as %+v", described)
	}
	leader := described[0].Partitions[0].Leader
	if p := described[0].Partitions[1]; p.Leader != leader || !slices.Equal(p.ISR, []int32{leader}) || !slices.Equal(p.Replicas, p.ISR) {
		t.Errorf("partition 1 is %+v", p)
	}
	for filter, rows := range map[string]int{"under-replicated": 0, "unavailable-partitions": 0, "under-min-isr": 0, "at-min-isr": 2} {
		if out := c.run("topics describe orders --" + filter); strings.Count(out, "\n")-1 != rows {
			t.Errorf("%d rows are wanted of --%s:\n%s", rows, filter, out)
		}
	}

	c.contains(c.run("topics alter orders -p 3"), "orders has 3 partitions")
	c.contains(c.run(fmt.Sprintf("topics alter orders --replica-assignment %[1]d,%[1]d,%[1]d,%[1]d", leader)), "orders has 4 partitions")
	c.refused("topics alter orders -p 1", 1, "INVALID_PARTITIONS")
	c.refused("topics alter nope -p 2", 1, "no such topic")
	c.contains(c.run("topics alter nope -p 2 --if-exists"), "nope does not exist")
	c.refused("topics delete orders nope", 1, "1 of 2 failed")
	c.contains(c.run("topics delete orders --if-exists"), "orders did not exist")
	c.refused("topics describe orders", 1, "no such topic")
}

func TestConfigsCommand(t *testing.T) {
	t.Parallel()
	c := startCommands(t)
	c.run("topics create orders")
	c.run("configs set --topic orders retention.ms=1000 cleanup.policy+=compact")
	c.contains(c.run("configs get --topic orders"),
		"orders cleanup.policy delete,compact DYNAMIC_TOPIC_CONFIG", "orders retention.ms 1000 DYNAMIC_TOPIC_CONFIG")
	c.run("configs set --topic orders cleanup.policy-=delete")
	c.run("configs delete --topic orders retention.ms")
	if out := c.run("configs get --topic orders"); strings.Contains(out, "retention.ms") || !strings.Contains(out, " compact ") {
		t.Errorf("afterwards:\n%s", out)
	}
	c.contains(c.run("configs get retention.ms --topic orders"), "orders retention.ms 604800000 DEFAULT_CONFIG")
	c.refused("configs set --topic orders retention.ms=soon --validate-only", 1, "Invalid value soon for configuration retention.ms")
	c.refused("configs get --topic orders retention.sm", 1, "has no key retention.sm")
	c.refused("configs get --topic nope", 1, "no such topic")
	c.refused("configs get --broker 77", 1, "broker 77")
	c.refused("configs get", 1, "say of what")
	c.run("configs set --broker-defaults log.retention.ms=5000")
	c.contains(c.run("configs get --broker-defaults"), "<default> log.retention.ms 5000 DYNAMIC_DEFAULT_BROKER_CONFIG")
}

// TestProduceAndConsumeCommands writes records with what they can have, and reads them back in every way.
func TestProduceAndConsumeCommands(t *testing.T) {
	t.Parallel()
	c := startCommands(t)
	c.run("topics create pairs -p 2")
	c.feed("a:1\nb:none\nc:\n", "produce pairs -p 0 -k : --null none --header from=test -z gzip")
	c.feed("4\n5", "produce pairs -p 1 --acks 1")
	if out := c.run("consume pairs -e -p 0 --show partition,offset,headers,key"); out != "0\t0\tfrom=test\ta\t1\n0\t1\tfrom=test\tb\tnull\n0\t2\tfrom=test\tc\t\n" {
		t.Errorf("partition 0 holds %q", out)
	}
	for from, want := range map[string]string{
		"-1": "5\n", "1": "5\n", "end": "", "beginning": "4\n5\n", "@0": "4\n5\n", "PT1H": "4\n5\n", "@9999999999999": "",
	} {
		if out := c.run("consume pairs --until-end -p 1 --from " + from); out != want {
			t.Errorf("from %s: %q, want %q", from, out, want)
		}
	}
	if out := c.run("consume pairs --count 1 -p 1"); out != "4\n" {
		t.Errorf("one record: %q", out)
	}

	// What one prints as JSON the other reads, bytes that are no text included.
	file := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(file, []byte{0xff, '\n', 0}, 0o644); err != nil {
		t.Fatal(err)
	}
	c.run("produce pairs --partition 1 --input whole --file " + file)
	c.run("topics create copied")
	all := c.run("consume pairs -e -o json")
	c.feed(all, "produce copied --input json")
	again := c.run("consume copied -e -o json")
	if strip(all) != strip(again) || strings.Count(again, "\n") != 6 {
		t.Errorf("%s\nwas copied as\n%s", all, again)
	}

	if out := c.run("consume pairs -g readers -n 2 -e"); strings.Count(out, "\n") != 2 {
		t.Errorf("the group's first two: %q", out)
	}
	if out := c.run("consume pairs -g readers -e"); strings.Count(out, "\n") < 4 {
		t.Errorf("the group's rest: %q", out)
	}
	if out := c.run("consume pairs -g readers -e"); out != "" {
		t.Errorf("after everything: %q", out)
	}
	if _, err := harness.TryRun(strings.Repeat("x\n", 12), c.kbroker, c.args("produce pairs --partition 7 --timeout 2s")...); err == nil || !strings.Contains(err.Error(), "and 2 more") {
		t.Errorf("twelve records to no partition: %v", err)
	}
	c.refused("consume nope -e", 1, "no such topic")
	c.refused("consume pairs -p 7", 1, "no partition 7")
	c.refused("consume pairs --from soon", 1, "must be beginning, end")
	c.refused("produce pairs --acks 2", 1, "must be all, 1 or 0")
	if _, err := harness.TryRun(strings.Repeat("x", 2_000_000), c.kbroker, c.args("produce pairs")...); err == nil || !strings.Contains(err.Error(), "line 1: it is larger than") {
		t.Errorf("a large record: %v", err)
	}
}

// strip leaves what a copy keeps of records as JSON, sorted.
func strip(records string) string {
	var lines []string
	for line := range strings.Lines(records) {
		lines = append(lines, line[strings.Index(line, `"timestamp"`):])
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func TestClusterCommand(t *testing.T) {
	t.Parallel()
	c := startCommands(t)
	c.run("topics create orders -p 3")
	c.feed("1\n2\n", "produce orders -p 0")
	var state struct {
		Healthy    bool
		Controller int32
		Brokers    []struct {
			ID                int32
			Alive, Controller bool
			Leaders, Replicas int
			Bytes             *int64
		}
		Partitions int
		Counts     map[string]int
	}
	decode(t, c.run("cluster -o json"), &state)
	if len(state.Brokers) != 1 || !state.Healthy || state.Partitions != 3 || state.Counts["unavailable"] != 0 || state.Controller != state.Brokers[0].ID {
		t.Fatalf("%+v", state)
	}
	if b := state.Brokers[0]; !b.Alive || !b.Controller || b.Leaders != 3 || b.Replicas != 3 || b.Bytes == nil || *b.Bytes == 0 {
		t.Errorf("%+v", b)
	}
	if out := c.run("cluster"); !strings.Contains(out, " healthy ") {
		t.Errorf("as a table:\n%s", out)
	}
	// Two in-sync replicas are more than there are: the answer is no.
	c.run("configs set --topic orders min.insync.replicas=2")
	c.refused("cluster", 2, "3 of 3 partitions under-min-isr")
}
