//go:build compat

package compat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// burrowSettings let Burrow look at one cluster, every second. It wants a ZooKeeper for itself.
const burrowSettings = `
[general]
pidfile=%[1]q
[logging]
level="error"
[zookeeper]
servers=[%[2]q]
root-path="/burrow"
[client-profile.p]
client-id="burrow"
kafka-version="2.0.0"
[cluster.local]
class-name="kafka"
servers=[%[3]q]
client-profile="p"
topic-refresh=2
offset-refresh=1
[consumer.local]
class-name="kafka"
cluster="local"
servers=[%[3]q]
client-profile="p"
[httpserver.default]
address="127.0.0.1:%[4]d"
[storage.default]
class-name="inmemory"
min-distance=0
`

// burrowLag is what Burrow tells of a group.
type burrowLag struct {
	Status struct {
		Partitions []struct {
			Topic      string
			Partition  int
			CurrentLag int `json:"current_lag"`
			End        struct{ Offset int64 }
		}
	}
}

// TestBurrow lets LinkedIn's Burrow, which reads and decodes __consumer_offsets itself, tell a group's lags.
func TestBurrow(t *testing.T) {
	t.Parallel()
	s := harness.StartSubject(t, peers, nil)
	const topic, group = "watched", "watched-group"
	producer := harness.NewClient(t, s.Address(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	harness.CreateTopic(t, producer, topic, 2, nil)
	member := harness.NewClient(t, s.Address(), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	folder, port := t.TempDir(), harness.FreePort(t)
	writeFile(t, filepath.Join(folder, "burrow.toml"),
		fmt.Sprintf(burrowSettings, filepath.Join(folder, "pid"), harness.StartZooKeeper(t).Address(), s.Address(), port))

	// 20 records to partition 0 and 40 to partition 1, committed are 15 and 30: a lag of 5 and 10. Then all.
	var records []*kgo.Record
	for i := range 60 {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(min(i%3, 1)), Value: fmt.Append(nil, i)})
	}
	harness.Produce(t, producer, records...)
	read := map[int32]int64{}
	for read[0]+read[1] < 60 {
		fetches := member.PollFetches(harness.Context(t))
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { read[r.Partition]++ })
	}
	commit := func(zero, one int64) {
		t.Helper()
		if err := member.CommitRecords(harness.Context(t), &kgo.Record{Topic: topic, Partition: 0, Offset: zero - 1}, &kgo.Record{Topic: topic, Partition: 1, Offset: one - 1}); err != nil {
			t.Fatalf("commit: %v", err)
		}
	}
	commit(15, 30)
	watcher := harness.Spawn(t, "burrow", exec.Command("Burrow", "--config-dir", folder))
	url := fmt.Sprintf("http://127.0.0.1:%d/v3/kafka/local/consumer/%s/lag", port, group)
	tells := func(offsets, lags [2]int64) {
		t.Helper()
		harness.Eventually(t, processDeadline, func() error {
			if err := watcher.Alive(); err != nil {
				t.Fatal(err)
			}
			text, err := ask(t, http.MethodGet, url, "")
			if err != nil {
				return err
			}
			var lag burrowLag
			if err := json.Unmarshal([]byte(text), &lag); err != nil {
				return err
			}
			if len(lag.Status.Partitions) != 2 {
				return fmt.Errorf("burrow tells of %d partitions: %s", len(lag.Status.Partitions), text)
			}
			for _, p := range lag.Status.Partitions {
				if p.Topic != topic || p.End.Offset != offsets[p.Partition] || int64(p.CurrentLag) != lags[p.Partition] {
					return fmt.Errorf("burrow tells %s, want offsets %v and lags %v", text, offsets, lags)
				}
			}
			return nil
		})
	}
	tells([2]int64{15, 30}, [2]int64{5, 10})
	commit(20, 40)
	tells([2]int64{20, 40}, [2]int64{0, 0})
}
