package integration

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
)

// twoDirs starts a broker with two log directories.
func twoDirs(t *testing.T, config map[string]string) (b *harness.Broker, dirs [2]string) {
	t.Helper()
	base := t.TempDir()
	dirs = [2]string{filepath.Join(base, "a"), filepath.Join(base, "b")}
	return harness.StartBroker(t, harness.Options{Dir: dirs[0] + "," + dirs[1], Config: config}), dirs
}

// TestReplicasMoveUnderLoad moves the partitions of a topic from one log directory to the other while an idempotent producer
// writes, ends the broker in the middle with SIGKILL, and has the moves go on: nothing acknowledged is lost or repeated.
func TestReplicasMoveUnderLoad(t *testing.T) {
	t.Parallel()
	const topic, partitions = "moving", 3
	b, dirs := twoDirs(t, nil)
	c := harness.NewClient(t, b.Address(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	harness.CreateTopic(t, c, topic, partitions, map[string]string{"segment.bytes": "1048576"})
	addBulk(t, c, topic, partitions)
	load := startLoad(t, b.Address(), topic, partitions)
	load.awaitMore(t, 1000)

	setMoveRate(t, c, "1") // so that each thread stands still after its first chunk
	b.AwaitOutput(t, "dynamic config changed", clientDeadline)
	moveTo(t, c, topic, partitions, dirs[1])
	harness.Eventually(t, clientDeadline, func() error {
		copies, _ := whereabouts(t, c, topic)
		for _, at := range copies {
			if at.OffsetLag > 0 && at.Size > 0 {
				return nil
			}
		}
		return errors.New("no copy is under way")
	})
	load.awaitMore(t, 500)
	b.Kill()
	b.Restart(t)
	load.awaitMore(t, 500)
	copies, logs := whereabouts(t, c, topic)
	if len(copies)+count(logs, dirs[1]) != partitions || len(copies) == 0 {
		t.Errorf("after the restart copies %+v, logs %+v", copies, logs)
	}

	setMoveRate(t, c, "100000000")
	awaitMoved(t, c, topic, partitions, dirs[1])
	load.awaitMore(t, 500)
	moveTo(t, c, topic, partitions, dirs[0]) // and back, without a break
	awaitMoved(t, c, topic, partitions, dirs[0])
	load.awaitMore(t, 500)
	expectLoad(t, b, topic, load.stop())
	b.Stop(t)
	b.Restart(t)
	expectLoad(t, b, topic, load.acked)
}

// bulk is records of each partition that make its log longer than what a move copies at once.
const bulk = 4

func addBulk(t *testing.T, c *kgo.Client, topic string, partitions int32) {
	t.Helper()
	value := bytes.Repeat([]byte("bulk"), 150_000)
	for p := range partitions * bulk {
		harness.Produce(t, c, &kgo.Record{Topic: topic, Partition: p % partitions, Key: []byte("bulk"), Value: value})
	}
}

// expectLoad reads everything that a load was acknowledged behind the bulk, once and in order.
func expectLoad(t *testing.T, b *harness.Broker, topic string, acked []int) {
	t.Helper()
	total := 0
	for _, n := range acked {
		total += n
	}
	seen := make([]int, len(acked))
	for _, r := range harness.Consume(t, b.Address(), topic, total+bulk*len(acked)) {
		if r.Key != nil {
			continue
		}
		if want := fmt.Sprint(seen[r.Partition]); string(r.Value) != want {
			t.Fatalf("partition %d offset %d holds %q, want %q: lost, repeated or out of order", r.Partition, r.Offset, r.Value, want)
		}
		seen[r.Partition]++
	}
	for p, n := range acked {
		if seen[p] < n {
			t.Errorf("partition %d: %d records acknowledged, %d read", p, n, seen[p])
		}
	}
}

func setMoveRate(t *testing.T, c *kgo.Client, bytesPerSecond string) {
	t.Helper()
	_, err := kadm.NewClient(c).AlterBrokerConfigs(harness.Context(t), []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "replica.alter.log.dirs.io.max.bytes.per.second", Value: &bytesPerSecond},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
}

func moveTo(t *testing.T, c *kgo.Client, topic string, partitions int32, dir string) {
	t.Helper()
	q := kmsg.NewPtrAlterReplicaLogDirsRequest()
	d := kmsg.NewAlterReplicaLogDirsRequestDir()
	d.Dir = dir
	dt := kmsg.NewAlterReplicaLogDirsRequestDirTopic()
	dt.Topic = topic
	for p := range partitions {
		dt.Partitions = append(dt.Partitions, p)
	}
	d.Topics = append(d.Topics, dt)
	q.Dirs = append(q.Dirs, d)
	r, err := q.RequestWith(harness.Context(t), c.Broker(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, rt := range r.Topics {
		for _, p := range rt.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				t.Fatalf("move %s-%d to %s: %v", topic, p.Partition, dir, err)
			}
		}
	}
}

// whereabouts tells where the logs of a topic's partitions are, and the copies of those that move.
func whereabouts(t *testing.T, c *kgo.Client, topic string) (copies, logs map[int32]kadm.DescribedLogDirPartition) {
	t.Helper()
	described, err := kadm.NewClient(c).DescribeBrokerLogDirs(harness.Context(t), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	copies, logs = map[int32]kadm.DescribedLogDirPartition{}, map[int32]kadm.DescribedLogDirPartition{}
	described.EachPartition(func(p kadm.DescribedLogDirPartition) {
		switch {
		case p.Topic != topic:
		case p.IsFuture:
			copies[p.Partition] = p
		default:
			logs[p.Partition] = p
		}
	})
	return copies, logs
}

func count(logs map[int32]kadm.DescribedLogDirPartition, dir string) (n int) {
	for _, l := range logs {
		if l.Dir == dir {
			n++
		}
	}
	return n
}

func awaitMoved(t *testing.T, c *kgo.Client, topic string, partitions int, dir string) {
	t.Helper()
	harness.Eventually(t, 2*clientDeadline, func() error {
		if copies, logs := whereabouts(t, c, topic); count(logs, dir) != partitions || len(copies) != 0 {
			return fmt.Errorf("logs %+v, copies %+v", logs, copies)
		}
		return nil
	})
}

// spread is a topic with logs in two directories.
type spread struct {
	b    *harness.Broker
	c    *kgo.Client
	dirs [2]string
	logs map[int32]kadm.DescribedLogDirPartition
}

const spreadPartitions = 4

func startSpread(t *testing.T) *spread {
	t.Helper()
	b, dirs := twoDirs(t, map[string]string{"replica.high.watermark.checkpoint.interval.ms": "200"})
	s := &spread{b: b, dirs: dirs}
	s.c = harness.NewClient(t, b.Address(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordRetries(0))
	harness.CreateTopic(t, s.c, "spread", spreadPartitions, nil)
	s.produce(t)
	_, s.logs = whereabouts(t, s.c, "spread")
	if count(s.logs, dirs[0]) != 2 || count(s.logs, dirs[1]) != 2 {
		t.Fatalf("logs %+v", s.logs)
	}
	return s
}

// produce produces a record to every partition.
func (s *spread) produce(t *testing.T) {
	t.Helper()
	for p := range int32(spreadPartitions) {
		harness.Produce(t, s.c, &kgo.Record{Topic: "spread", Partition: p, Value: []byte("v")})
	}
}

// breakDir breaks a directory, and writes what does not fit it any more: an idle one is not missed.
func (s *spread) breakDir(t *testing.T, dir string) (repair func()) {
	t.Helper()
	repair = breakDir(t, dir)
	// Without idempotence, since with it a client whose broker is gone waits for a producer id for ever.
	c := harness.NewClient(t, s.b.Address(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordRetries(0), kgo.DisableIdempotentWrite())
	for p := range s.logs {
		c.ProduceSync(harness.Context(t), &kgo.Record{Topic: "spread", Partition: p, Value: []byte("v")})
	}
	return repair
}

// expectFailed looks whether a directory is offline and its partitions alone are refused.
func (s *spread) expectFailed(t *testing.T, dir string) {
	t.Helper()
	harness.Eventually(t, clientDeadline, func() error {
		r, err := kmsg.NewPtrDescribeLogDirsRequest().RequestWith(harness.Context(t), s.c.Broker(1))
		if err != nil {
			return err
		}
		for _, d := range r.Dirs {
			if failed := d.ErrorCode == kerr.KafkaStorageError.Code; failed != (d.Dir == dir) {
				return fmt.Errorf("%s: code %d", d.Dir, d.ErrorCode)
			}
		}
		return nil
	})
	for p, l := range s.logs {
		want := error(nil)
		if l.Dir == dir {
			want = kerr.KafkaStorageError
		}
		if got := fetchCode(t, s.b, "spread", p); !errors.Is(got, want) {
			t.Errorf("partition %d in %s: %v, want %v", p, l.Dir, got, want)
		}
	}
	// The controller takes the leaders away.
	harness.Eventually(t, clientDeadline, func() error {
		topics, err := kadm.NewClient(s.c).ListTopics(harness.Context(t), "spread")
		if err != nil {
			return err
		}
		for p, d := range topics["spread"].Partitions {
			if offline := d.Leader < 0; offline != (s.logs[p].Dir == dir) {
				return fmt.Errorf("partition %d has leader %d", p, d.Leader)
			}
		}
		return nil
	})
}

// TestFailedLogDirectory breaks one log directory of two: the other goes on, also after a restart, and all is there again
// when the directory is repaired.
func TestFailedLogDirectory(t *testing.T) {
	t.Parallel()
	s := startSpread(t)
	repair := s.breakDir(t, s.dirs[1])
	s.expectFailed(t, s.dirs[1])
	harness.CreateTopic(t, s.c, "after", 2, nil)
	if _, after := whereabouts(t, s.c, "after"); count(after, s.dirs[0]) != 2 {
		t.Errorf("new logs in %+v", after)
	}
	harness.Produce(t, s.c, &kgo.Record{Topic: "after", Value: []byte("v")})

	s.b.Stop(t)
	s.b.Restart(t) // with the directory as broken as it was
	s.expectFailed(t, s.dirs[1])
	s.b.Stop(t)
	repair()
	s.b.Restart(t)
	s.produce(t)
	if got := harness.Consume(t, s.b.Address(), "spread", 2*spreadPartitions); len(got) < 2*spreadPartitions {
		t.Errorf("%d records", len(got))
	}
	s.b.Stop(t)
}

func TestLastLogDirectoryEndsTheBroker(t *testing.T) {
	t.Parallel()
	s := startSpread(t)
	s.breakDir(t, s.dirs[1])
	s.b.AwaitOutput(t, "log directory failed, its partitions are offline", clientDeadline)
	s.breakDir(t, s.dirs[0])
	if code := s.b.AwaitExit(t, clientDeadline); code != 1 {
		t.Errorf("exit code %d with no log directory left", code)
	}
	if !strings.Contains(s.b.Output(), "no log directory is left online") {
		t.Errorf("the reason is not told:\n%s", s.b.Output())
	}
}

// breakDir puts a file in the place of a directory, so that nothing in it can be opened any more; repair undoes it.
func breakDir(t *testing.T, dir string) (repair func()) {
	t.Helper()
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
	}
}

// fetchCode fetches from the start of a partition, whatever the metadata says of its leader.
func fetchCode(t *testing.T, b *harness.Broker, topic string, partition int32) error {
	t.Helper()
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.ReplicaID, q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.SessionEpoch = 11, -1, 100, 1, 1<<20, -1
	ft := kmsg.NewFetchRequestTopic()
	ft.Topic = topic
	fp := kmsg.NewFetchRequestTopicPartition()
	fp.Partition, fp.PartitionMaxBytes = partition, 1<<20
	ft.Partitions = append(ft.Partitions, fp)
	q.Topics = append(q.Topics, ft)
	conn, err := net.Dial("tcp", b.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := harness.RoundTrip(t, conn, q).(*kmsg.FetchResponse)
	return kerr.ErrorForCode(r.Topics[0].Partitions[0].ErrorCode)
}
