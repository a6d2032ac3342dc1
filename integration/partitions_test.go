package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestTenThousandPartitions creates them, uses some, restarts, and looks at what they cost.
func TestTenThousandPartitions(t *testing.T) {
	const partitions = 10_000
	b := harness.StartBroker(t, harness.Options{Plain: true})
	c := harness.NewClient(t, b.Address(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	began := time.Now()
	if _, err := kadm.NewClient(c).CreateTopic(harness.Context(t), partitions, 1, nil, "wide"); err != nil {
		t.Fatal(err)
	}
	t.Logf("created in %s", time.Since(began))
	expectPartitions(t, c, partitions)
	var records []*kgo.Record
	for p := int32(0); p < partitions; p += 10 {
		records = append(records, &kgo.Record{Topic: "wide", Partition: p, Value: fmt.Appendf(nil, "%d", p)})
	}
	harness.Produce(t, c, records...)
	expectModest(t, b)

	for name, end := range map[string]func(){"SIGTERM": func() { b.Stop(t) }, "SIGKILL": b.Kill} {
		began = time.Now()
		end()
		stopped := time.Since(began)
		began = time.Now()
		b.Restart(t)
		t.Logf("%s: stopped in %s, ready again in %s, RSS %d MB", name, stopped, time.Since(began), rss(t, b)>>20)
		expectPartitions(t, c, partitions)
		seen := map[int32]bool{}
		for _, r := range harness.Consume(t, b.Address(), "wide", len(records)) {
			if string(r.Value) != fmt.Sprint(r.Partition) || seen[r.Partition] {
				t.Fatalf("partition %d holds %q", r.Partition, r.Value)
			}
			seen[r.Partition] = true
		}
		expectModest(t, b)
	}
}

// expectModest holds the broker to the bounds of ten thousand partitions.
func expectModest(t *testing.T, b *harness.Broker) {
	t.Helper()
	memory, files := rss(t, b)>>20, openFiles(t, b)
	t.Logf("RSS %d MB, %d file descriptors", memory, files)
	if memory > 300 || files > 20_000 {
		t.Errorf("RSS %d MB, at most 300; %d file descriptors, at most 20000", memory, files)
	}
}

// expectPartitions waits until the topic shows all its partitions with a leader.
func expectPartitions(t *testing.T, c *kgo.Client, want int) {
	t.Helper()
	harness.Eventually(t, clientDeadline, func() error {
		topics, err := kadm.NewClient(c).ListTopics(harness.Context(t), "wide")
		if err != nil {
			return err
		}
		led := 0
		for _, p := range topics["wide"].Partitions {
			if p.Leader == 1 && p.Err == nil {
				led++
			}
		}
		if led != want {
			return fmt.Errorf("%d partitions of %d have a leader", led, want)
		}
		return nil
	})
}

// rss is the resident memory of the broker in bytes.
func rss(t *testing.T, b *harness.Broker) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.PID()))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "VmRSS:")
	var kilobytes int
	if _, err := fmt.Sscanf(line, "%d kB", &kilobytes); err != nil {
		t.Fatalf("VmRSS: %v", err)
	}
	return kilobytes << 10
}

func openFiles(t *testing.T, b *harness.Broker) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", b.PID()))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
