package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/protocol/record"
)

// onSmallDisk runs a command with a file system of a size at a path, in a mount namespace of its own.
func onSmallDisk(path, size string) []string {
	script := fmt.Sprintf(`mount -t tmpfs -o size=%s tmpfs "$0" && exec "$@"`, size)
	return []string{"unshare", "--map-root-user", "--mount", "sh", "-c", script, path}
}

// TestDiskFull fills the disk: produce is refused, everything acknowledged is served, and when there is space again
// produce goes on, without a restart.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.Command("unshare", append(onSmallDisk(dir, "1m")[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("this kernel gives no mount namespace to this user (%v: %s); TestDiskFull of storage runs on a file system in memory", err, out)
	}
	b := harness.StartBroker(t, harness.Options{Dir: dir, Wrap: onSmallDisk(dir, "32m")})
	disk := filepath.Join("/proc", fmt.Sprint(b.PID()), "root", dir)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 20<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	c := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, c, "full", 1, map[string]string{"segment.bytes": "1048576"})

	acked := 0
	for code := error(nil); code == nil; {
		if acked > 300 {
			t.Fatal("12 MB hold more than 300 records of 64 kB")
		}
		if code = produceValue(t, c, "full", acked); code == nil {
			acked++
		} else if code != kerr.KafkaStorageError {
			t.Fatalf("record %d: %v, want %v", acked, code, kerr.KafkaStorageError)
		}
	}
	expectValues(t, b, acked)
	if code := produceValue(t, c, "full", acked); code != kerr.KafkaStorageError {
		t.Errorf("once more: %v, want %v", code, kerr.KafkaStorageError)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, clientDeadline, func() error {
		if code := produceValue(t, c, "full", acked); code != nil {
			return code
		}
		return nil
	})
	expectValues(t, b, acked+1)
	harness.CreateTopic(t, c, "after", 1, nil)
	harness.Produce(t, c, &kgo.Record{Topic: "after", Value: []byte("v")})
	b.Stop(t)
}

// produceValue produces value number i, 64 kB that begin with it, and returns the broker's refusal.
func produceValue(t *testing.T, c *kgo.Client, topic string, i int) error {
	t.Helper()
	builder := record.NewBuilder(record.BatchOptions{})
	builder.Append(time.Now().UnixMilli(), nil, append(fmt.Appendf(nil, "value %d ", i), bytes.Repeat([]byte{'x'}, 64<<10)...))
	batch, err := builder.Build()
	if err != nil {
		t.Fatal(err)
	}
	return kerr.ErrorForCode(produceBytes(t, c, topic, batch).ErrorCode)
}

func expectValues(t *testing.T, b *harness.Broker, count int) {
	t.Helper()
	for i, r := range harness.Consume(t, b.Address(), "full", count) {
		if want := fmt.Appendf(nil, "value %d ", i); !bytes.HasPrefix(r.Value, want) || r.Offset != int64(i) {
			t.Fatalf("offset %d begins with %q, want %q", r.Offset, r.Value[:20], want)
		}
	}
}
