//go:build compat

package compat

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestOffsetsTopic lets Kafka's dump tool, with its decoder of offsets, read the __consumer_offsets that kbroker wrote, before
// and after kbroker compacted it, and Apache Kafka go on with the groups.
func TestOffsetsTopic(t *testing.T) {
	t.Parallel()
	zookeeper := harness.StartZooKeeper(t)
	dir := filepath.Join(t.TempDir(), "log")
	config := map[string]string{
		"offsets.topic.num.partitions": "1", "offsets.topic.segment.bytes": "16384", "group.initial.rebalance.delay.ms": "0",
		"log.cleaner.enable": "false", "log.cleaner.min.cleanable.ratio": "0.01", "log.cleaner.backoff.ms": "200",
	}
	b := harness.StartBroker(t, harness.Options{ZooKeeper: zookeeper.Address(), Dir: dir, Config: config})
	k := harness.NewKafka(t, peers, zookeeper.Address(), dir, b.Port, map[string]string{"group.initial.rebalance.delay.ms": "0"})
	c := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, c, "t", 1, nil)
	harness.Produce(t, c, &kgo.Record{Topic: "t", Value: []byte("v")})
	member(t, b.Address(), "classic")
	member(t, b.Address(), "consumer", kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()))
	commitAll(t, c, 100)
	b.Stop(t)
	before := dumpOffsets(t, dir)
	checkOffsets(t, "before compaction", before, 100)
	for _, key := range []string{`{"type":"2","data":{"group":"classic"}}`, `{"type":"3","data":{"groupId":"consumer"}}`, `{"type":"8","data":{"groupId":"consumer"`} {
		if !strings.Contains(before, key) {
			t.Errorf("the dump has no record with key %s", key)
		}
	}

	awaitGone(t, zookeeper)
	config["log.cleaner.enable"] = "true"
	b = harness.StartBroker(t, harness.Options{ZooKeeper: zookeeper.Address(), Dir: dir, Config: config})
	c = harness.NewClient(t, b.Address())
	commitAll(t, c, 200)
	harness.Eventually(t, 30*time.Second, func() error {
		if n := b.Metric(t, "kbroker_log_cleaner_dropped_records_total"); n < 100 {
			return fmt.Errorf("the cleaner has dropped %v records", n)
		}
		return nil
	})
	b.Stop(t)
	after := dumpOffsets(t, dir)
	checkOffsets(t, "after compaction", after, 200)
	if a, b := strings.Count(after, "\n|"), strings.Count(before, "\n|"); a >= 2*b {
		t.Errorf("%d records are left, there were %d of the first half alone", a, b)
	}

	awaitGone(t, zookeeper)
	k.Launch(t)
	harness.Eventually(t, 30*time.Second, func() error {
		for i := range offsetGroups {
			offsets, err := kadm.NewClient(harness.NewClient(t, k.Address())).FetchOffsets(harness.Context(t), groupNamed(i))
			if err != nil {
				return err
			}
			if o, ok := offsets.Lookup("t", 0); !ok || o.At != 200+int64(i) {
				return fmt.Errorf("Apache Kafka has %+v for group %d", o.Offset, i)
			}
		}
		return nil
	})
	k.Stop(t)
}

const offsetGroups = 20

func groupNamed(i int) string { return fmt.Sprintf("group-%d", i) }

// member joins a group, reads the record, commits and leaves.
func member(t *testing.T, address, group string, options ...kgo.Opt) {
	t.Helper()
	c, err := kgo.NewClient(append(options, kgo.SeedBrokers(address), kgo.ConsumerGroup(group), kgo.ConsumeTopics("t"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for c.PollFetches(harness.Context(t)).Empty() {
		if err := harness.Context(t).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.CommitUncommittedOffsets(harness.Context(t)); err != nil {
		t.Fatal(err)
	}
}

// commitAll commits for every group again and again; the last time as many as from and its number.
func commitAll(t *testing.T, c *kgo.Client, from int64) {
	t.Helper()
	for round := range int64(20) {
		for i := range offsetGroups {
			var offsets kadm.Offsets
			offsets.AddOffset("t", 0, from-19+round+int64(i), -1)
			if err := kadm.NewClient(c).CommitAllOffsets(harness.Context(t), groupNamed(i), offsets); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// dumpOffsets is what Kafka's dump tool makes of the partition.
func dumpOffsets(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "__consumer_offsets-0", "*.log"))
	if err != nil || len(files) == 0 {
		t.Fatalf("segments of __consumer_offsets: %q, %v", files, err)
	}
	return tool(t, "3.9.2", "", "dump-log", "--offsets-decoder", "--files", strings.Join(files, ","))
}

var dumpedOffset = regexp.MustCompile(`key: \{"type":"1","data":\{"group":"group-(\d+)","topic":"t","partition":0\}\} payload: \{"version":"3","data":\{"offset":(\d+),`)

// checkOffsets compares the last offset of every group in the dump.
func checkOffsets(t *testing.T, when, dump string, from int) {
	t.Helper()
	last := map[string]string{}
	for _, m := range dumpedOffset.FindAllStringSubmatch(dump, -1) {
		last[m[1]] = m[2]
	}
	for i := range offsetGroups {
		if got, want := last[fmt.Sprint(i)], fmt.Sprint(from+i); got != want {
			t.Errorf("%s: the last offset of group %d is %q, want %s", when, i, got, want)
		}
	}
	for line := range strings.Lines(dump) {
		if strings.Contains(line, "isvalid: false") || strings.Contains(line, "Exception") || strings.Contains(line, "Mismatches") {
			t.Errorf("%s: %s", when, line)
		}
	}
}
