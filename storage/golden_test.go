package storage

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// goldenConfig is the configuration with which Kafka wrote testdata/golden.
func goldenConfig(topic string) *Config {
	c := testConfig().with(func(c *Config) { c.SegmentIndexBytes = 4096 })
	switch {
	case strings.HasPrefix(topic, "codec-"):
		c.SegmentBytes, c.IndexIntervalBytes = 8192, 512
	case topic == "deleted":
		c.SegmentBytes = 4096
	case topic == "compacted":
		c.SegmentBytes, c.Compact, c.Delete = 2048, true, false
	}
	c.ProducerExpiry = 0 // the producers of the archive are from another year
	return c
}

func openGolden(t *testing.T, fsys vfs.FS, dir string) *Manager {
	t.Helper()
	o := testOptions(fsys, nil, dir)
	o.ConfigFor = goldenConfig
	o.ClusterID = "TJA0YMKiQgCA9fRJh0JOqQ"
	m := mustOpen(t, o)
	t.Cleanup(func() { m.Close() })
	return m
}

// goldenEnds are the log ends as Kafka checkpointed them.
var goldenEnds = map[TopicPartition]int64{
	{"codec-none", 0}: 400, {"codec-gzip", 0}: 400, {"codec-snappy", 0}: 400, {"codec-lz4", 0}: 400, {"codec-zstd", 0}: 400,
	{"compacted", 0}: 182, {"transactions", 0}: 160, {"transactions", 1}: 155, {"deleted", 0}: 300,
	{"append-time", 0}: 20, {"idempotent", 0}: 50,
	{"__consumer_offsets", 0}: 2, {"__consumer_offsets", 1}: 0, {"__transaction_state", 0}: 0, {"__transaction_state", 1}: 32,
}

// goldenRecord is a line of records.txt as far as it can be compared without a consumer.
type goldenRecord struct {
	offset, timestamp int64
	key, value        string
}

func goldenRecords(t *testing.T) map[TopicPartition][]goldenRecord {
	t.Helper()
	all := map[TopicPartition][]goldenRecord{}
	for line := range strings.Lines(string(gunzip(t, "records.txt.gz"))) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		partition, _ := strconv.Atoi(f[1])
		offset, _ := strconv.ParseInt(f[2], 10, 64)
		timestamp, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		tp := TopicPartition{f[0], int32(partition)}
		all[tp] = append(all[tp], goldenRecord{offset, timestamp, f[4], f[5]})
	}
	return all
}

// readRecords reads what a read_committed consumer reads.
func readRecords(t *testing.T, l *Log) []goldenRecord {
	t.Helper()
	aborted, err := l.AbortedIn(l.LogStartOffset(), l.LogEndOffset())
	if err != nil {
		t.Fatal(err)
	}
	if len(aborted) > 0 {
		t.Fatalf("%v: aborted transactions %v", l.TopicPartition(), aborted)
	}
	var records []goldenRecord
	for p := readAll(t, l, l.LogStartOffset()); len(p) > 0; {
		b, rest, err := record.Parse(p)
		if err != nil {
			t.Fatal(err)
		}
		p = rest
		if b.IsControl() {
			continue
		}
		it, err := b.Iterate()
		if err != nil {
			t.Fatal(err)
		}
		for it.Next() {
			r := it.Record()
			records = append(records, goldenRecord{r.Offset, r.Timestamp, string(r.Key), string(r.Value)})
		}
		if it.Err() != nil {
			t.Fatal(it.Err())
		}
		it.Close()
	}
	return records
}

func checkGolden(t *testing.T, m *Manager) {
	t.Helper()
	if got := len(m.Logs()); got != len(goldenEnds) {
		t.Errorf("%d logs, want %d", got, len(goldenEnds))
	}
	want := goldenRecords(t)
	for tp, end := range goldenEnds {
		l, found := m.Log(tp)
		if !found {
			t.Errorf("%v is missing", tp)
			continue
		}
		if l.LogEndOffset() != end || l.LogStartOffset() != 0 || l.HighWatermark() != end || l.LastStableOffset() != end {
			t.Errorf("%v: start %d end %d high watermark %d last stable %d, want 0 and %d", tp,
				l.LogStartOffset(), l.LogEndOffset(), l.HighWatermark(), l.LastStableOffset(), end)
		}
		if l.TopicID() == [16]byte{} {
			t.Errorf("%v has no topic id", tp)
		}
		if end == 0 {
			// An epoch without records is forgotten; Kafka led the partition again before it stopped.
			if err := l.AssignEpoch(0, 0); err != nil {
				t.Fatal(err)
			}
		}
		if l.LatestEpoch() != 0 || l.EpochAt(end) != 0 {
			t.Errorf("%v: latest epoch %d", tp, l.LatestEpoch())
		}
		if strings.HasPrefix(tp.Topic, "__") {
			continue
		}
		got := readRecords(t, l)
		if tp.Topic == "deleted" {
			// Killed before the log start offset was checkpointed, Kafka too forgot it.
			got = slices.DeleteFunc(got, func(r goldenRecord) bool { return r.offset < 100 })
		}
		if !reflect.DeepEqual(got, want[tp]) {
			t.Errorf("%v: %d records differ from the %d that Kafka served", tp, len(got), len(want[tp]))
		}
	}
}

// readCounter counts how often segments are read.
func readCounter(reads *atomic.Int64) vfs.FS {
	return vfs.NewFault(vfs.OS{}, func(op vfs.Op, path string) error {
		if op == vfs.OpRead && strings.HasSuffix(path, logSuffix) {
			reads.Add(1)
		}
		return nil
	})
}

func TestKafkasDirectoryAfterACleanStopOpensWithoutReadingSegments(t *testing.T) {
	dir := untar(t, "data-clean.tar.gz")
	before := treeOf(t, dir)
	var reads atomic.Int64
	m := openGolden(t, readCounter(&reads), dir)
	if n := reads.Load(); n != 0 {
		t.Errorf("segments were read %d times", n)
	}
	producers := map[TopicPartition]int64{{"transactions", 0}: 1, {"transactions", 1}: 1}
	for tp, count := range producers {
		l, _ := m.Log(tp)
		p := l.Producers()
		if int64(len(p)) != count || p[0].CurrentTxnFirstOffset != -1 || p[0].LastSequence <= 0 {
			t.Errorf("%v: producers %+v", tp, p)
		}
	}
	checkGolden(t, m)
	mustClose(t, m)
	sameTree(t, before, treeOf(t, dir))
}

func TestKafkasDirectoryAfterAKillIsRecoveredToTheFilesThatKafkaMakes(t *testing.T) {
	dir := untar(t, "data-killed.tar.gz")
	m := openGolden(t, vfs.OS{}, dir)
	checkGolden(t, m)
	mustClose(t, m)
	// Kafka itself recovered the same directory, then stopped cleanly.
	sameTree(t, treeOf(t, untar(t, "data-clean.tar.gz")), treeOf(t, dir))
}

// treeOf reads the files of a directory: checkpoints as sets of lines.
func treeOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	tree := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		if strings.HasSuffix(name, "-checkpoint") {
			lines := bytes.SplitAfter(content, []byte("\n"))
			slices.SortFunc(lines, bytes.Compare)
			content = bytes.Join(lines, nil)
		}
		tree[name] = content
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func sameTree(t *testing.T, want, got map[string][]byte) {
	t.Helper()
	for name, content := range want {
		other, found := got[name]
		if name == lockName || name == cleanShutdownName && found {
			continue
		}
		if !found {
			t.Errorf("%s is missing", name)
		} else if !bytes.Equal(content, other) {
			t.Errorf("%s: differs\nwant %x\ngot  %x", name, content[:min(len(content), 100)], other[:min(len(other), 100)])
		}
	}
	for name := range got {
		if _, found := want[name]; !found && name != lockName {
			t.Errorf("%s is not one of Kafka's files", name)
		}
	}
}

func TestRecoveryOfASoundLogWarnsOfNothing(t *testing.T) {
	dir := untar(t, "data-killed.tar.gz")
	logger, logs := observed()
	o := testOptions(vfs.OS{}, nil, dir)
	o.ConfigFor, o.ClusterID, o.Logger = goldenConfig, "TJA0YMKiQgCA9fRJh0JOqQ", logger
	m := mustOpen(t, o)
	defer m.Close()
	for _, e := range logs.All() {
		if e.Level >= zapcore.WarnLevel {
			t.Errorf("%s: %s %v", e.Level, e.Message, e.ContextMap())
		}
	}
}
