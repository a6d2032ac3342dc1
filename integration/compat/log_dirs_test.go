//go:build compat

package compat

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
)

// twoDirs chooses two log directories. The first is called log, as peers/broker has it.
func twoDirs(t *testing.T) (dirs [2]string, config map[string]string) {
	t.Helper()
	base := t.TempDir()
	dirs = [2]string{filepath.Join(base, "log"), filepath.Join(base, "other")}
	return dirs, map[string]string{
		"log.dirs": dirs[0] + "," + dirs[1], "zookeeper.session.timeout.ms": "8000",
		"offsets.topic.num.partitions": "1",
	}
}

// TestMoveBetweenDirectoriesChangesHands has Apache Kafka begin to move a log to another directory and kbroker end
// the move, and the other way round. Both are ended with SIGKILL in the middle.
func TestMoveBetweenDirectoriesChangesHands(t *testing.T) {
	t.Parallel()
	const topic = "moving"
	zookeeper := harness.StartZooKeeper(t)
	dirs, config := twoDirs(t)
	k := harness.NewKafka(t, peers, zookeeper.Address(), dirs[0], 0, config)
	k.Launch(t)
	b := harness.NewBroker(t, harness.Options{ZooKeeper: zookeeper.Address(), Dir: dirs[0] + "," + dirs[1], Config: map[string]string{
		"zookeeper.session.timeout.ms": "8000", "offsets.topic.num.partitions": "1",
	}})
	b.Port = k.Port
	m := &movedLog{topic: topic, address: k.Address()}
	c := harness.NewClient(t, m.address)
	harness.CreateTopic(t, c, topic, 1, map[string]string{"segment.bytes": "1048576"})
	m.produce(t, 12)
	here, there := m.here(t), dirs[1]
	if here == there {
		there = dirs[0]
	}

	m.begin(t, there)
	k.Kill()
	awaitGone(t, zookeeper)
	m.expectFolder(t, there)
	b.Restart(t)
	m.finish(t, there)
	m.verify(t, "kbroker after Kafka")
	if !strings.Contains(b.Output(), "copy of log found") {
		t.Error("kbroker did not go on with Kafka's copy")
	}
	m.produce(t, 3)

	m.begin(t, here)
	b.Kill()
	awaitGone(t, zookeeper)
	m.expectFolder(t, here)
	k.Launch(t)
	m.finish(t, here)
	m.verify(t, "Kafka after kbroker")
	refuseComplaints(t, "Kafka after kbroker", k.Output(), true)
	m.produce(t, 1)
	m.verify(t, "Kafka after its own")
	k.Stop(t)
}

// movedLog is partition 0 of a topic that moves between directories.
type movedLog struct {
	topic, address string
	produced       int
}

// produce writes records of 1 MB in all for each of count.
func (m *movedLog) produce(t *testing.T, count int) {
	t.Helper()
	c := harness.NewClient(t, m.address, kgo.ProducerBatchMaxBytes(1<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer c.Close()
	for range count {
		var records []*kgo.Record
		for range 16 {
			value := append(fmt.Appendf(nil, "%d ", m.produced), make([]byte, 64<<10)...)
			records = append(records, &kgo.Record{Topic: m.topic, Value: value})
			m.produced++
		}
		harness.Produce(t, c, records...)
	}
}

// verify reads everything.
func (m *movedLog) verify(t *testing.T, who string) {
	t.Helper()
	for i, r := range harness.Consume(t, m.address, m.topic, m.produced) {
		if want := fmt.Sprintf("%d ", i); !strings.HasPrefix(string(r.Value), want) || r.Offset != int64(i) {
			t.Fatalf("%s: offset %d holds %q, want %q", who, r.Offset, r.Value[:10], want)
		}
	}
}

// describe tells where the log and its copy are.
func (m *movedLog) describe(t *testing.T) (log, copied *kadm.DescribedLogDirPartition) {
	t.Helper()
	c := harness.NewClient(t, m.address)
	defer c.Close()
	described, err := kadm.NewClient(c).DescribeBrokerLogDirs(harness.Context(t), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	described.EachPartition(func(p kadm.DescribedLogDirPartition) {
		switch {
		case p.Topic != m.topic:
		case p.IsFuture:
			copied = &p
		default:
			log = &p
		}
	})
	return log, copied
}

func (m *movedLog) here(t *testing.T) string {
	t.Helper()
	log, _ := m.describe(t)
	if log == nil {
		t.Fatal("the log is in no directory")
	}
	return log.Dir
}

// begin begins a slow move and returns once a part is copied.
func (m *movedLog) begin(t *testing.T, dir string) {
	t.Helper()
	m.setRate(t, "200000")
	alterLogDir(t, m.address, m.topic, dir)
	harness.Eventually(t, time.Minute, func() error {
		_, copied := m.describe(t)
		switch {
		case copied == nil:
			return errors.New("there is no copy")
		case copied.Dir != dir || copied.Size == 0 || copied.OffsetLag <= 0:
			return fmt.Errorf("copy %+v", *copied)
		}
		return nil
	})
}

// finish lets the move go on and returns at its end.
func (m *movedLog) finish(t *testing.T, dir string) {
	t.Helper()
	harness.Eventually(t, time.Minute, func() error {
		if _, copied := m.describe(t); copied == nil || copied.Size == 0 {
			return errors.New("the copy is not gone on with")
		}
		return nil
	})
	m.setRate(t, "1000000000")
	harness.Eventually(t, time.Minute, func() error {
		if log, copied := m.describe(t); log == nil || log.Dir != dir || copied != nil {
			return fmt.Errorf("log %+v, copy %+v", log, copied)
		}
		return nil
	})
}

func (m *movedLog) setRate(t *testing.T, bytesPerSecond string) {
	t.Helper()
	c := harness.NewClient(t, m.address)
	defer c.Close()
	_, err := kadm.NewClient(c).AlterBrokerConfigs(harness.Context(t), []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "replica.alter.log.dirs.io.max.bytes.per.second", Value: &bytesPerSecond},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
}

// expectFolder looks for the folder of the copy that the broker that was killed has left.
func (m *movedLog) expectFolder(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), m.topic+"-0.") && strings.HasSuffix(e.Name(), "-future") {
			return
		}
	}
	t.Errorf("no copy in %s: %v", dir, entries)
}

func alterLogDir(t *testing.T, address, topic, dir string) {
	t.Helper()
	c := harness.NewClient(t, address)
	defer c.Close()
	q := kmsg.NewPtrAlterReplicaLogDirsRequest()
	d := kmsg.NewAlterReplicaLogDirsRequestDir()
	d.Dir = dir
	d.Topics = []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: topic, Partitions: []int32{0}}}
	q.Dirs = append(q.Dirs, d)
	r, err := q.RequestWith(harness.Context(t), c.Broker(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(r.Topics[0].Partitions[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
}

// TestLogDirTools compares what Kafka's tools print of two directories on kbroker and on Apache Kafka, before, while and after a log moves.
func TestLogDirTools(t *testing.T) {
	t.Parallel()
	const topic = "tools"
	kafka, kafkaDirs := func() (string, [2]string) {
		dirs, config := twoDirs(t)
		k := harness.NewKafka(t, peers, harness.StartZooKeeper(t).Address(), dirs[0], 0, config)
		k.Launch(t)
		return k.Address(), dirs
	}()
	ours, ourDirs := func() (string, [2]string) {
		dirs, _ := twoDirs(t)
		b := harness.StartBroker(t, harness.Options{ZooKeeper: harness.StartZooKeeper(t).Address(), Dir: dirs[0] + "," + dirs[1]})
		return b.Address(), dirs
	}()
	run := func(address string, dirs [2]string) []string {
		m := &movedLog{topic: topic, address: address}
		c := harness.NewClient(t, address)
		harness.CreateTopic(t, c, topic, 1, nil)
		m.produce(t, 3)
		from, to := m.here(t), dirs[1]
		if from == to {
			to = dirs[0]
		}
		blur := strings.NewReplacer(from, "FROM", to, "TO")
		describe := func() string {
			out := tool(t, versions[0], "", "kafka-log-dirs", "--bootstrap-server", address, "--describe", "--topic-list", topic)
			return blur.Replace(logDirsOf(t, out))
		}
		plan := filepath.Join(t.TempDir(), "plan.json")
		reassign := func(action ...string) string {
			out := tool(t, versions[0], "", "kafka-reassign-partitions", append([]string{"--bootstrap-server", address, "--reassignment-json-file", plan}, action...)...)
			return blur.Replace(out)
		}
		content := fmt.Sprintf(`{"version":1,"partitions":[{"topic":%q,"partition":0,"replicas":[1],"log_dirs":[%q]}]}`, topic, to)
		if err := os.WriteFile(plan, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		seen := []string{describe(), reassign("--execute", "--replica-alter-log-dirs-throttle", "100000")}
		harness.Eventually(t, time.Minute, func() error {
			if _, copied := m.describe(t); copied == nil || copied.Size == 0 || copied.OffsetLag <= 0 {
				return fmt.Errorf("copy %+v", copied)
			}
			return nil
		})
		seen = append(seen, reassign("--verify", "--preserve-throttles"))
		m.setRate(t, "1000000000")
		harness.Eventually(t, time.Minute, func() error {
			if m.here(t) != to {
				return errors.New("the log has not moved")
			}
			return nil
		})
		return append(seen, describe(), reassign("--verify"))
	}
	want, got := run(kafka, kafkaDirs), run(ours, ourDirs)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("step %d: kbroker\n%s\nApache Kafka\n%s", i, got[i], want[i])
		}
	}
}

// logDirsOf is the JSON that kafka-log-dirs prints, without what differs from volume to volume.
func logDirsOf(t *testing.T, out string) string {
	t.Helper()
	var found struct {
		Brokers []struct {
			Broker  int
			LogDirs []struct {
				LogDir     string
				Error      *string
				Partitions []struct {
					Partition string
					Size      int64
					OffsetLag int64
					IsFuture  bool
				}
			}
		}
	}
	_, text, _ := strings.Cut(out, "{")
	if err := json.Unmarshal([]byte("{"+text), &found); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	lines := ""
	for _, b := range found.Brokers {
		for _, d := range b.LogDirs {
			for _, p := range d.Partitions {
				lines += fmt.Sprintf("%d %s %+v\n", b.Broker, d.LogDir, p)
			}
		}
	}
	return lines
}
