//go:build compat

package compat

import (
	"bytes"
	"context"
	"fmt"
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

// turnConfig lets a killed broker's registration go soon, and the start of a log be on disk soon.
var turnConfig = map[string]string{
	"zookeeper.session.timeout.ms":                  "8000",
	"log.flush.start.offset.checkpoint.interval.ms": "200",
}

// TestOneDirectory lets kbroker and Apache Kafka take turns as the same broker: the same ZooKeeper, id,
// listener and log directory. Each reads all that was written so far and writes more, producers go on
// across the change, and neither finds anything to repair that the other left in order.
func TestOneDirectory(t *testing.T) {
	for _, end := range []string{"SIGTERM", "SIGKILL"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			takeTurns(t, end == "SIGKILL")
		})
	}
}

func takeTurns(t *testing.T, killed bool) {
	zookeeper := harness.StartZooKeeper(t)
	dir := filepath.Join(t.TempDir(), "log")
	b := harness.StartBroker(t, harness.Options{
		ZooKeeper: zookeeper.Address(), Dir: dir, Config: turnConfig,
	})
	k := harness.NewKafka(t, peers, zookeeper.Address(), dir, b.Port, turnConfig)
	d := newDirectory(t, b.Address(), dir)
	d.create(t)
	d.produce(t, "by kbroker")
	d.commit(t)
	d.trim(t, 5)
	d.verify(t, "kbroker")
	endKbroker, endKafka := func() { b.Stop(t) }, func() { k.Stop(t) }
	if killed {
		endKbroker, endKafka = b.Kill, k.Kill
	}
	toKafka := func(who string) {
		t.Helper()
		before := d.facts(t)
		endKbroker()
		awaitGone(t, zookeeper)
		k.Launch(t)
		refuseComplaints(t, who, k.Output(), killed)
		d.verify(t, who)
		compareLines(t, who, d.facts(t), before)
		d.once.sendAgain(t, who)
	}

	toKafka("Kafka after kbroker")
	d.produce(t, "by Kafka")
	d.commit(t)
	d.transactions(t)
	d.trim(t, 9)
	d.verify(t, "Kafka after its own")

	before := d.facts(t)
	endKafka()
	awaitGone(t, zookeeper)
	b.Restart(t)
	refuseComplaints(t, "kbroker after Kafka", b.Output(), killed)
	d.verify(t, "kbroker after Kafka")
	compareLines(t, "kbroker after Kafka", d.facts(t), before)
	d.once.sendAgain(t, "kbroker after Kafka")
	d.produce(t, "by kbroker again")
	d.commit(t)
	d.verify(t, "kbroker after its own")

	toKafka("Kafka at the end")
	k.Stop(t)
}

// awaitGone waits until the registration of the broker that ended is gone.
func awaitGone(t *testing.T, z *harness.ZooKeeper) {
	t.Helper()
	c, _, err := zk.Connect([]string{z.Address()}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	harness.Eventually(t, 30*time.Second, func() error {
		for _, path := range []string{"/brokers/ids/1", "/controller"} {
			if there, _, err := c.Exists(path); there || err != nil {
				return fmt.Errorf("%s is still there (%v)", path, err)
			}
		}
		return nil
	})
}

// refuseComplaints fails when a broker logged that it had to repair or drop something. After SIGKILL both
// recover what is behind the recovery point, but find every batch and index in order.
func refuseComplaints(t *testing.T, who, output string, killed bool) {
	t.Helper()
	complaints := []string{
		"Found invalid messages", "corrupt", "Corrupt", "Error loading", "Error while", "unreadable", "log cut",
		"starting anew", "index without segment", "Deleting orphaned", "Could not find offset index", "Resetting",
		"kafka.server.LogDirFailureChannel", "inconsistent", "Failed to", "failed to parse",
	}
	if !killed {
		complaints = append(complaints, "Recovering unflushed", "Attempting recovery", `"clean": false`)
	}
	for line := range strings.Lines(output) {
		if strings.Contains(line, "WARN Failed to flush file") && strings.Contains(line, "-future/") {
			continue // Kafka's scheduler syncs a snapshot of a copy that takes the log's place, and its name, meanwhile
		}
		for _, complaint := range complaints {
			if strings.Contains(line, complaint) {
				t.Errorf("%s complains (%s): %s", who, complaint, strings.TrimSpace(line))
			}
		}
	}
}

// directory knows what a log directory has to hold.
type directory struct {
	address   string
	path      string
	producers map[string]*kgo.Client // by codec; each is idempotent and lives as long as the test
	admin     *kadm.Client
	committed map[string][]*kgo.Record // by topic: what read_committed consumers have to see
	aborted   map[string]int           // by topic: records of aborted transactions
	start     map[string]int64         // by topic: start offset of partition 0
	seen      map[string][2]int64      // by place of a record: timestamp and leader epoch as first read
	once      *idempotent
	commits   int64
}

const (
	plainTopic       = "plain"
	appendTimeTopic  = "append-time"
	transactionTopic = "transactions"
	openTopic        = "open" // a transaction stays open on it
)

var topics = []string{plainTopic, appendTimeTopic, transactionTopic, openTopic, onceTopic}

func newDirectory(t *testing.T, address, path string) *directory {
	d := &directory{
		address: address, path: path, producers: map[string]*kgo.Client{},
		committed: map[string][]*kgo.Record{}, aborted: map[string]int{}, start: map[string]int64{},
		seen: map[string][2]int64{},
	}
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		d.producers[name] = harness.NewClient(t, address, kgo.ProducerBatchCompression(codec),
			kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.StopProducerOnDataLossDetected())
	}
	d.admin = kadm.NewClient(d.producers["none"])
	return d
}

func (d *directory) create(t *testing.T) {
	t.Helper()
	c := d.producers["none"]
	harness.CreateTopic(t, c, plainTopic, 3, map[string]string{"segment.bytes": "8192", "index.interval.bytes": "512"})
	harness.CreateTopic(t, c, appendTimeTopic, 1, map[string]string{"message.timestamp.type": "LogAppendTime", "segment.bytes": "4096"})
	harness.CreateTopic(t, c, transactionTopic, 1, map[string]string{"segment.bytes": "4096"})
	harness.CreateTopic(t, c, openTopic, 1, nil)
	harness.CreateTopic(t, c, onceTopic, 1, nil)
	d.once = newIdempotent(t, c)
}

// produce writes every shape of record with every codec and notes what was acknowledged.
func (d *directory) produce(t *testing.T, by string) {
	t.Helper()
	at := time.Now() // producers whose newest record is old are forgotten at the next start
	for codec, c := range d.producers {
		var records []*kgo.Record
		for i := range 120 {
			r := &kgo.Record{
				Topic: plainTopic, Partition: int32(i % 3), Timestamp: at.Add(time.Duration(i) * time.Millisecond),
				Key: fmt.Appendf(nil, "%s-%d", codec, i), Value: fmt.Appendf(nil, "%s %s %d %d", by, codec, i, i*i*i),
				Headers: []kgo.RecordHeader{{Key: "codec", Value: []byte(codec)}, {Key: "null"}},
			}
			switch i % 20 {
			case 3:
				r.Value = nil
			case 4:
				r.Key, r.Headers = nil, nil
			case 5:
				r.Topic, r.Partition = appendTimeTopic, 0
			case 6:
				r.Topic, r.Partition = transactionTopic, 0
			case 7:
				r.Value = bytes.Repeat(r.Value, 50)
			}
			records = append(records, r)
		}
		// In two calls, so that there are several batches.
		harness.Produce(t, c, records[:70]...)
		harness.Produce(t, c, records[70:]...)
		for _, r := range records {
			d.committed[r.Topic] = append(d.committed[r.Topic], r)
		}
	}
	for range 2 {
		d.committed[onceTopic] = append(d.committed[onceTopic], d.once.send(t, by)...)
	}
	d.once.sendAgain(t, by)
}

// transactions commits two transactions, aborts one and leaves one open.
func (d *directory) transactions(t *testing.T) {
	t.Helper()
	c := harness.NewClient(t, d.address, kgo.TransactionalID("turns"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			r := &kgo.Record{Topic: transactionTopic, Value: fmt.Appendf(nil, "transaction %v %d", end, i)}
			harness.Produce(t, c, r)
			if end == kgo.TryAbort {
				d.aborted[r.Topic]++
			} else {
				d.committed[r.Topic] = append(d.committed[r.Topic], r)
			}
		}
		if err := c.EndTransaction(harness.Context(t), end); err != nil {
			t.Fatalf("end transaction: %v", err)
		}
	}
	// The coordinator ends it after its timeout; that is more than the test takes.
	open := harness.NewClient(t, d.address, kgo.TransactionalID("open"), kgo.TransactionTimeout(10*time.Minute))
	if err := open.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	harness.Produce(t, open, &kgo.Record{Topic: openTopic, Value: []byte("undecided")})
}

// trim deletes the records of partition 0 below an offset.
func (d *directory) trim(t *testing.T, offset int64) {
	t.Helper()
	var to kadm.Offsets
	to.AddOffset(plainTopic, 0, offset, -1)
	responses, err := d.admin.DeleteRecords(harness.Context(t), to)
	if err == nil {
		err = responses.Error()
	}
	if err != nil {
		t.Fatalf("delete records: %v", err)
	}
	d.start[plainTopic] = offset
	harness.Eventually(t, 30*time.Second, func() error {
		text, err := os.ReadFile(filepath.Join(d.path, "log-start-offset-checkpoint"))
		if want := fmt.Sprintf("\n%s 0 %d\n", plainTopic, offset); err != nil || !strings.Contains(string(text), want) {
			return fmt.Errorf("the checkpoint of log starts holds %q (%v)", text, err)
		}
		return nil
	})
}

// verify reads everything, with both isolation levels, and compares.
func (d *directory) verify(t *testing.T, who string) {
	t.Helper()
	for topic, list := range d.committed {
		var kept []*kgo.Record
		for _, r := range list {
			if r.Partition > 0 || r.Offset >= d.start[topic] {
				kept = append(kept, r)
			}
		}
		// In this order, as reading notes what the acknowledgement does not tell.
		got := d.read(t, topic, len(kept), kgo.ReadCommitted())
		want := make([]string, len(kept))
		for i, r := range kept {
			want[i] = d.line(r)
		}
		compareLines(t, who+": "+topic, got, want)
		count := len(kept) + d.aborted[topic]
		if all := d.read(t, topic, count, kgo.ReadUncommitted()); len(all) != count {
			t.Errorf("%s: %s shows %d records to read_uncommitted, want %d", who, topic, len(all), count)
		}
	}
}

func (d *directory) read(t *testing.T, topic string, count int, isolation kgo.IsolationLevel) []string {
	t.Helper()
	var lines []string
	for _, r := range harness.Consume(t, d.address, topic, count, kgo.FetchIsolationLevel(isolation)) {
		place := fmt.Sprintf("%s-%d %06d", r.Topic, r.Partition, r.Offset)
		first, known := d.seen[place]
		if !known {
			first = [2]int64{r.Timestamp.UnixMilli(), int64(r.LeaderEpoch)}
			d.seen[place] = first
		}
		if int64(r.LeaderEpoch) != first[1] {
			t.Errorf("%s has leader epoch %d, was %d", place, r.LeaderEpoch, first[1])
		}
		lines = append(lines, d.line(r))
	}
	return lines
}

// line writes a record down. A record that was just acknowledged does not yet have its append time.
func (d *directory) line(r *kgo.Record) string {
	place := fmt.Sprintf("%s-%d %06d", r.Topic, r.Partition, r.Offset)
	at := r.Timestamp.UnixMilli()
	if r.Topic == appendTimeTopic {
		at = d.seen[place][0]
	}
	headers := make([]string, 0, len(r.Headers))
	for _, h := range r.Headers {
		headers = append(headers, fmt.Sprintf("%s=%s/%t", h.Key, h.Value, h.Value == nil))
	}
	return fmt.Sprintf("%s at %d: %q/%t = %q/%t %v", place, at, r.Key, r.Key == nil, r.Value, r.Value == nil, headers)
}

// facts are what a broker tells of the logs: offsets, producers, topic ids, ends of leader epochs; and of groups.
func (d *directory) facts(t *testing.T) []string {
	t.Helper()
	ctx := harness.Context(t)
	facts := append(d.groupFacts(t), d.epochFacts(t)...)
	for name, list := range map[string]func(context.Context, ...string) (kadm.ListedOffsets, error){
		"start": d.admin.ListStartOffsets, "end": d.admin.ListEndOffsets, "stable": d.admin.ListCommittedOffsets,
	} {
		offsets, err := list(ctx, topics...)
		if err == nil {
			err = offsets.Error()
		}
		if err != nil {
			t.Fatalf("list offsets: %v", err)
		}
		offsets.Each(func(o kadm.ListedOffset) {
			facts = append(facts, fmt.Sprintf("%s of %s-%d: %d", name, o.Topic, o.Partition, o.Offset))
		})
	}
	details, err := d.admin.ListTopics(ctx, topics...)
	if err != nil {
		t.Fatal(err)
	}
	var partitions kadm.TopicsSet
	for _, topic := range details.Sorted() {
		facts = append(facts, fmt.Sprintf("id of %s: %s", topic.Topic, topic.ID))
		partitions.Add(topic.Topic, topic.Partitions.Numbers()...)
	}
	producers, err := d.admin.DescribeProducers(ctx, partitions)
	if err != nil {
		t.Fatalf("describe producers: %v", err)
	}
	producers.EachProducer(func(p kadm.DescribedProducer) {
		facts = append(facts, fmt.Sprintf("producer on %s-%d: %+v", p.Topic, p.Partition, p))
	})
	return facts
}

// compareLines compares two lists whatever their order.
func compareLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if slices.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s: %d lines, want %d; sorted line %d is\n%.300s, want\n%.300s", what, len(got), len(want), i, got[i], want[i])
			return
		}
	}
	t.Errorf("%s: %d lines, want %d", what, len(got), len(want))
}
