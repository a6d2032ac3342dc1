//go:build compat

package compat

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

const compactedTopic = "compacted"

// TestOneCompactedLog lets kbroker and Apache Kafka take turns as the same broker and clean the same log: each
// reads what the other left of it, finds nothing to complain of, and cleans on. Killed, they leave it in the middle of a cleaning.
func TestOneCompactedLog(t *testing.T) {
	for _, end := range []string{"SIGTERM", "SIGKILL"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			cleanInTurns(t, end == "SIGKILL")
		})
	}
}

func cleanInTurns(t *testing.T, killed bool) {
	zookeeper := harness.StartZooKeeper(t)
	dir := filepath.Join(t.TempDir(), "log")
	config := map[string]string{"zookeeper.session.timeout.ms": "8000", "log.cleaner.backoff.ms": "200"}
	b := harness.StartBroker(t, harness.Options{ZooKeeper: zookeeper.Address(), Dir: dir, Config: config})
	k := harness.NewKafka(t, peers, zookeeper.Address(), dir, b.Port, config)
	c := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, c, compactedTopic, 1, map[string]string{
		"cleanup.policy": "compact", "segment.bytes": "20000", "min.cleanable.dirty.ratio": "0.01",
		"index.interval.bytes": "500", "delete.retention.ms": "0",
	})
	l := compactedLog{address: b.Address(), newest: map[string]string{}}
	end := func(kill func(), stop func(testing.TB)) {
		t.Helper()
		if killed {
			l.write(t, "to be cleaned when the end comes")
			kill()
		} else {
			stop(t)
			dumpCompacted(t, filepath.Join(dir, compactedTopic+"-0"))
		}
		awaitGone(t, zookeeper)
	}

	l.write(t, "kbroker")
	l.awaitCleaned(t, "kbroker")
	end(b.Kill, b.Stop)

	k.Launch(t)
	l.check(t, "Kafka after kbroker")
	l.write(t, "Kafka")
	l.transactions(t)
	l.write(t, "Kafka again")
	l.awaitCleaned(t, "Kafka")
	refuseComplaints(t, "Kafka", k.Output(), killed)
	end(k.Kill, k.Stop)

	b.Restart(t)
	refuseComplaints(t, "kbroker after Kafka", b.Output(), killed)
	l.check(t, "kbroker after Kafka")
	l.write(t, "kbroker again")
	l.awaitCleaned(t, "kbroker again")
	end(b.Kill, b.Stop)

	k.Launch(t)
	l.check(t, "Kafka at the end")
	refuseComplaints(t, "Kafka at the end", k.Output(), killed)
	k.Stop(t)
}

// compactedLog knows what the newest records are.
type compactedLog struct {
	address string
	newest  map[string]string // value by key; the key of a deleted record is not there
	written int
}

// write produces many records of few keys, with every codec, and ends with enough of one key to fill a segment.
func (l *compactedLog) write(t *testing.T, by string) {
	t.Helper()
	for _, codec := range []kgo.CompressionCodec{
		kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
	} {
		c := harness.NewClient(t, l.address, kgo.ProducerBatchCompression(codec))
		for range 10 {
			var records []*kgo.Record
			for i := range 60 {
				r := &kgo.Record{
					Topic: compactedTopic, Key: fmt.Appendf(nil, "%d", (l.written+i*i)%37), Value: fmt.Appendf(nil, "%s %d", by, l.written+i),
					Headers: []kgo.RecordHeader{{Key: "by", Value: []byte(by)}},
				}
				l.newest[string(r.Key)] = string(r.Value)
				if i%11 == 0 {
					r.Value = nil
					delete(l.newest, string(r.Key))
				}
				records = append(records, r)
			}
			harness.Produce(t, c, records...)
			l.written += len(records)
		}
	}
	l.fill(t)
}

func (l *compactedLog) fill(t *testing.T) {
	t.Helper()
	c := harness.NewClient(t, l.address, kgo.ProducerBatchCompression(kgo.NoCompression()))
	for range 4 {
		r := &kgo.Record{Topic: compactedTopic, Key: []byte("filler"), Value: []byte(strings.Repeat("f", 9000))}
		harness.Produce(t, c, r)
		l.newest["filler"] = string(r.Value)
		l.written++
	}
}

// transactions commits one and aborts one.
func (l *compactedLog) transactions(t *testing.T) {
	t.Helper()
	c := harness.NewClient(t, l.address, kgo.TransactionalID("compaction"))
	for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		value := fmt.Sprintf("in a transaction, %v", end)
		harness.Produce(t, c, &kgo.Record{Topic: compactedTopic, Key: []byte("txn"), Value: []byte(value)})
		if end == kgo.TryCommit {
			l.newest["txn"] = value
		}
		if err := c.EndTransaction(harness.Context(t), end); err != nil {
			t.Fatalf("end transaction: %v", err)
		}
	}
}

// read reads the log to its end, which a record of data is at.
func (l *compactedLog) read(t *testing.T) []*kgo.Record {
	t.Helper()
	c := harness.NewClient(t, l.address, kgo.ConsumeTopics(compactedTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	end := int64(0)
	harness.Eventually(t, 30*time.Second, func() error { // a broker that has just started does not lead yet
		offsets, err := kadm.NewClient(c).ListEndOffsets(harness.Context(t), compactedTopic)
		if err == nil {
			err = offsets.Error()
		}
		if o, found := offsets.Lookup(compactedTopic, 0); found && err == nil {
			end = o.Offset
			return nil
		}
		return fmt.Errorf("end offset: %v", err)
	})
	var records []*kgo.Record
	for len(records) == 0 || records[len(records)-1].Offset < end-1 {
		fetches := c.PollFetches(harness.Context(t))
		if err := fetches.Err(); err != nil {
			t.Fatalf("read %s: %v", compactedTopic, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

// check compares the last record of each key with what it should be.
func (l *compactedLog) check(t *testing.T, who string) {
	t.Helper()
	got := map[string]string{}
	for _, r := range l.read(t) {
		if got[string(r.Key)] = string(r.Value); r.Value == nil {
			delete(got, string(r.Key))
		}
	}
	for key, value := range l.newest {
		if got[key] != value {
			t.Errorf("%s: %s is %.40q, want %.40q", who, key, got[key], value)
		}
	}
	if len(got) != len(l.newest) {
		t.Errorf("%s: %d keys, want %d", who, len(got), len(l.newest))
	}
}

// awaitCleaned waits until few records are left, and compares them.
func (l *compactedLog) awaitCleaned(t *testing.T, who string) {
	t.Helper()
	harness.Eventually(t, 60*time.Second, func() error {
		if n := len(l.read(t)); n > 300 {
			return fmt.Errorf("%s: %d records are left of %d", who, n, l.written)
		}
		return nil
	})
	l.check(t, who)
}

// dumpCompacted has Kafka's own tool check every segment and index.
func dumpCompacted(t *testing.T, folder string) {
	t.Helper()
	for _, pattern := range []string{"*.log", "*.index", "*.timeindex", "*.txnindex"} {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			continue
		}
		out := tool(t, "3.9.2", "", "dump-log", "--deep-iteration", "--index-sanity-check", "--files", strings.Join(files, ","))
		for line := range strings.Lines(out) {
			if strings.Contains(line, "isvalid: false") || strings.Contains(line, "ound") || strings.Contains(line, "xception") {
				t.Errorf("dump-log: %s", line)
			}
		}
		if pattern == "*.log" && !strings.Contains(out, "isvalid: true") {
			t.Errorf("dump-log: %s", out)
		}
	}
}
