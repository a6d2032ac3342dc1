package integration

import (
	"strings"
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestTourWithKcat is what the README shows.
func TestTourWithKcat(t *testing.T) {
	b := harness.StartBroker(t, harness.Options{})
	kcat := func(stdin string, args ...string) string {
		t.Helper()
		return harness.Run(t, stdin, "kcat", append([]string{"-b", b.Address()}, args...)...)
	}

	kcat("hello\nworld\n", "-P", "-t", "hello")
	if got := kcat("", "-C", "-t", "hello", "-e", "-q"); got != "hello\nworld\n" {
		t.Errorf("consumed %q", got)
	}
	list := kcat("", "-L")
	for _, want := range []string{`topic "hello" with 1 partitions`, "broker 1 at " + b.Address() + " (controller)", "partition 0, leader 1, replicas: 1, isrs: 1"} {
		if !strings.Contains(list, want) {
			t.Errorf("kcat -L does not show %q:\n%s", want, list)
		}
	}
}

// TestKcatCodecs produces with every codec that librdkafka has and reads it back.
func TestKcatCodecs(t *testing.T) {
	b := harness.StartBroker(t, harness.Options{})
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		topic := "kcat-" + codec
		var sent strings.Builder
		for range 500 {
			sent.WriteString("key:a value that repeats and repeats\n")
		}
		harness.Run(t, sent.String(), "kcat", "-b", b.Address(), "-P", "-t", topic, "-K:", "-z", codec, "-H", "h=v")
		got := harness.Run(t, "", "kcat", "-b", b.Address(), "-C", "-t", topic, "-e", "-q", "-K:")
		if got != sent.String() {
			t.Errorf("%s: consumed %d bytes of %d", codec, len(got), sent.Len())
		}
		headers := harness.Run(t, "", "kcat", "-b", b.Address(), "-C", "-t", topic, "-c", "1", "-q", "-f", "%h")
		if headers != "h=v" {
			t.Errorf("%s: headers %q", codec, headers)
		}
	}
}
