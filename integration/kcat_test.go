package integration

import (
	"fmt"
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

// TestKcatCodecs produces with every codec that librdkafka has and reads it back: repetitive, empty and 1 MiB values, keys
// and headers. What franz-go produced it reads with its times.
func TestKcatCodecs(t *testing.T) {
	t.Parallel()
	b := harness.StartBroker(t, harness.Options{})
	admin := harness.NewClient(t, b.Address())
	var sent strings.Builder
	sent.WriteString("key:\n")
	for range 500 {
		sent.WriteString("key:a value that repeats and repeats\n")
	}
	sent.WriteString("big:" + strings.Repeat("0123456789abcdef", 1<<16)[:1<<20-512] + "\n")
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		topic := "kcat-" + codec
		harness.Run(t, sent.String(), "kcat", "-b", b.Address(), "-P", "-t", topic, "-K:", "-z", codec, "-H", "h=v", "-X", "message.max.bytes=1100000")
		got := harness.Run(t, "", "kcat", "-b", b.Address(), "-C", "-t", topic, "-e", "-q", "-K:")
		if got != sent.String() {
			t.Errorf("%s: consumed %d bytes of %d", codec, len(got), sent.Len())
		}
		headers := harness.Run(t, "", "kcat", "-b", b.Address(), "-C", "-t", topic, "-c", "1", "-q", "-f", "%h")
		if headers != "h=v" {
			t.Errorf("%s: headers %q", codec, headers)
		}

		topic = "franz-" + codec
		harness.CreateTopic(t, admin, topic, 1, nil)
		franzProduce(t, b.Address(), topic, codec, messages())
		var want strings.Builder
		for i, m := range messages() {
			fmt.Fprintf(&want, "%d %d %s %d\n", i, m.at.UnixMilli(), m.key, len(m.value))
		}
		got = harness.Run(t, "", "kcat", "-b", b.Address(), "-C", "-t", topic, "-e", "-q", "-f", `%o %T %k %S\n`)
		if got != want.String() {
			t.Errorf("%s produced by franz-go: read\n%.300s\nwant\n%.300s", codec, got, want.String())
		}
	}
}
