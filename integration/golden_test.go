package integration

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// forgottenStart is the log start offset that DeleteRecords had set when records.txt was taken, and that
// Kafka lost: it was killed before it wrote log-start-offset-checkpoint, which has no entry in either directory. From
// these files Kafka too serves the topic from offset 0 again (LogLoader: the start of the first segment).
var forgottenStart = map[string]int{"deleted": 100}

// TestGoldenDirectories opens the log directory that Apache Kafka 3.9.2 left, after a clean stop
// and after SIGKILL, with the znodes of that moment, and serves exactly the records that Kafka served.
func TestGoldenDirectories(t *testing.T) {
	want := goldenRecords(t)
	for _, name := range []string{"data-clean", "data-killed"} {
		t.Run(name, func(t *testing.T) {
			z := harness.StartZooKeeper(t)
			restoreZnodes(t, z.Address())
			dir := t.TempDir()
			harness.Run(t, "", "tar", "-xzf", filepath.Join("testdata", "golden", name+".tar.gz"), "-C", dir)
			b := harness.StartBroker(t, harness.Options{ZooKeeper: z.Address(), Dir: filepath.Join(dir, "log")})
			for topic, lines := range want {
				got := make([]string, 0, len(lines))
				from := forgottenStart[topic]
				for _, r := range harness.Consume(t, b.Address(), topic, len(lines)+from, kgo.FetchIsolationLevel(kgo.ReadCommitted())) {
					if r.Offset >= int64(from) {
						got = append(got, goldenLine(r))
					}
				}
				slices.SortStableFunc(got, byPartition)
				slices.SortStableFunc(lines, byPartition)
				if !slices.Equal(got, lines) {
					t.Errorf("%s: %d records differ from Kafka's %d; the first: %s", topic, len(got), len(lines), firstDifference(got, lines))
				}
			}
			checkGoldenGroup(t, b.Address())
			b.Stop(t)
		})
	}
}

// checkGoldenGroup looks for the one group that Kafka left: its member was gone, and had committed nothing.
func checkGoldenGroup(t *testing.T, address string) {
	t.Helper()
	admin := kadm.NewClient(harness.NewClient(t, address))
	listed, err := admin.ListGroups(harness.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	g := listed["readers"]
	if len(listed) != 1 || g.State != "Empty" || g.ProtocolType != "consumer" || g.GroupType != "classic" {
		t.Errorf("groups %+v", listed)
	}
	if offsets, err := admin.FetchOffsets(harness.Context(t), "readers"); err != nil || len(offsets) != 0 {
		t.Errorf("offsets of readers: %v, %v", offsets, err)
	}
}

// goldenRecords reads records.txt: lines by topic.
func goldenRecords(t *testing.T) map[string][]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "golden", "records.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records := map[string][]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		topic, _, _ := strings.Cut(s.Text(), "\t")
		records[topic] = append(records[topic], s.Text())
	}
	return records
}

// goldenLine writes a record as kcat wrote records.txt.
func goldenLine(r *kgo.Record) string {
	var headers []string
	for _, h := range r.Headers {
		headers = append(headers, h.Key+"="+string(h.Value))
	}
	return fmt.Sprintf("%s\t%d\t%d\t%d\t%s\t%s\t%s", r.Topic, r.Partition, r.Offset, r.Timestamp.UnixMilli(),
		r.Key, r.Value, strings.Join(headers, ","))
}

func byPartition(a, b string) int {
	return strings.Compare(strings.Split(a, "\t")[1], strings.Split(b, "\t")[1])
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("line %d is %q, want %q", i, got[i], want[i])
		}
	}
	return "one list is longer"
}

// restoreZnodes creates the persistent znodes of znodes.txt.
func restoreZnodes(t *testing.T, address string) {
	t.Helper()
	c, _, err := zk.Connect([]string{address}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, path := range slices.Sorted(maps.Keys(goldenZnodes(t))) {
		node := goldenZnodes(t)[path]
		if path == "/" || node.kind != "persistent" {
			continue
		}
		data := []byte(node.data)
		if node.data == "null" {
			data = nil
		}
		if _, err := c.Create(path, data, 0, zk.WorldACL(zk.PermAll)); err != nil {
			t.Fatalf("create %s: %v", path, err)
		}
	}
}

// znode is a line of znodes.txt.
type znode struct {
	kind, version, data string
}

func goldenZnodes(t *testing.T) map[string]znode {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "golden", "znodes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[string]znode{}
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 4)
		nodes[f[0]] = znode{kind: f[1], version: f[2], data: f[3]}
	}
	return nodes
}
