package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestConfigCommand prints every key with its value, source, default and doc, in a form that is itself a properties file.
func TestConfigCommand(t *testing.T) {
	t.Parallel()
	kbroker := harness.Binary(t, true)
	file := filepath.Join(t.TempDir(), "server.properties")
	if err := os.WriteFile(file, []byte("num.partitions=7\nlog.retention.hour=5\nlog.roll.hours=9\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"config", "--config", file, "--override", "num.partitions=8", "--broker-id", "3", "--zookeeper", "zk:2181"}
	out := harness.Run(t, "", kbroker, args...)
	for _, want := range []string{
		`(?m)^# Milliseconds between two looks for segments to delete\.\n# default: 300000; legal: \[1,\.\.\.\]; source: default\nlog\.retention\.check\.interval\.ms=300000$`,
		`(?m)^# default: 1; legal: \[1,\.\.\.\]; source: --override\nnum\.partitions=8$`,
		`(?m)source: --broker-id\nbroker\.id=3$`,
		`(?m)source: .*server\.properties:3\nlog\.roll\.hours=9$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("the output does not match %s", want)
		}
	}
	if n := strings.Count(out, "# default: "); n < 200 {
		t.Errorf("%d keys are printed, Kafka 3.9 has more than 200", n)
	}

	if alone := harness.Run(t, "", kbroker, "config"); !strings.Contains(alone, "\nnum.partitions=1\n") {
		t.Error("without flags not every key is printed")
	}

	copied := filepath.Join(t.TempDir(), "copy.properties")
	if err := os.WriteFile(copied, []byte(out), 0o644); err != nil {
		t.Fatal(err)
	}
	again := harness.Run(t, "", kbroker, "config", "--config", copied)
	values := regexp.MustCompile(`(?m)^[^#\n].*$`)
	if got, want := values.FindAllString(again, -1), values.FindAllString(out, -1); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("read back, %d values of %d are printed, or others", len(got), len(want))
	}
}

// TestConfigComplaints: an unknown key is warned of with the nearest known one; a bad value fails with key, value and
// what is legal.
func TestConfigComplaints(t *testing.T) {
	t.Parallel()
	kbroker := harness.Binary(t, true)
	for name, test := range map[string]struct {
		args []string
		fail bool
		want string
	}{
		"unknown key": {[]string{"--override", "log.retention.hour=5"}, false, "log.retention.hours"}, // the nearest
		"not a number": {
			[]string{"--override", "log.segment.bytes=many"},
			true,
			"Invalid value many for configuration log.segment.bytes: Not a number of type INT",
		},
		"out of range": {
			[]string{"--override", "log.segment.bytes=1"},
			true,
			"Invalid value 1 for configuration log.segment.bytes: Value must be at least 14",
		},
		"not a choice": {[]string{"--override", "compression.type=brotli"}, true, "brotli"},
		"no key":       {[]string{"--override", "novalue"}, true, `--override "novalue" is not key=value`},
		"no file":      {[]string{"--config", "/nowhere/server.properties"}, true, "/nowhere/server.properties"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"config", "--zookeeper", "zk:2181"}, test.args...)
			out, problems, err := harness.RunApart("", kbroker, args...)
			if failed := err != nil; failed != test.fail {
				t.Fatalf("failed: %v, want %v: %v", failed, test.fail, err)
			}
			if !strings.Contains(problems, test.want) {
				t.Errorf("the message does not say %q: %s", test.want, problems)
			}
			if strings.Contains(out, "log.retention.hour=") {
				t.Error("an unknown key is printed as if it had an effect")
			}
		})
	}
}

// TestSecondSignal: the first SIGTERM waits for what is under way (here a client that does not read its answer), one
// that follows later does not. Two at the same time are one.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	b := harness.StartBroker(t, harness.Options{})
	c := harness.NewClient(t, b.Address(), kgo.ProducerBatchCompression(kgo.NoCompression()))
	harness.CreateTopic(t, c, "slow", 1, nil)
	for i := range 16 {
		harness.Produce(t, c, &kgo.Record{Topic: "slow", Value: append(fmt.Appendf(nil, "%02d", i), make([]byte, 1<<19)...)})
	}
	holdAnswer(t, b, "slow")

	began := time.Now()
	b.Signal(syscall.SIGTERM)
	b.Signal(syscall.SIGTERM)
	harness.Eventually(t, clientDeadline, func() error {
		b.Signal(syscall.SIGTERM)
		if !strings.Contains(b.Output(), "stopping at once, logs will be recovered") {
			return errors.New("the broker does not stop at once")
		}
		return nil
	})
	decided := time.Now()
	if code := b.AwaitExit(t, clientDeadline); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if took := time.Since(decided); took > 5*time.Second { // less than the first signal's grace
		t.Errorf("after the second signal it went on for %s", took)
	}
	if took := decided.Sub(began); took < 300*time.Millisecond {
		t.Errorf("the second signal was taken after %s: at least 0.3 s lie between two", took)
	}
	b.Restart(t)
	for i, r := range harness.Consume(t, b.Address(), "slow", 16) {
		if want := fmt.Sprintf("%02d", i); string(r.Value[:2]) != want {
			t.Errorf("record %d is %q", i, r.Value[:2])
		}
	}
}
