//go:build compat

package exact

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestOtherBrokersGroups asks a broker about groups of which the other one is the coordinator, of kbroker and of Apache Kafka.
func TestOtherBrokersGroups(t *testing.T) {
	t.Parallel()
	zookeeper := harness.StartZooKeeper(t)
	config := map[string]string{"offsets.topic.num.partitions": "1", "offsets.topic.replication.factor": "1", "group.initial.rebalance.delay.ms": "0"}
	var ours, theirs []string
	for id := int32(1); id <= 2; id++ {
		b := harness.StartBroker(t, harness.Options{ZooKeeper: zookeeper.Address() + "/kbroker", ID: id, Config: config})
		k := harness.NewKafka(t, peers, zookeeper.Address()+"/kafka", filepath.Join(t.TempDir(), "log"), 0, config)
		k.ID, k.Heap = id, "-Xmx300m -XX:TieredStopAtLevel=1"
		k.Launch(t)
		ours, theirs = append(ours, b.Address()), append(theirs, k.Address())
	}
	mine, other := newSide(t, bystander(t, ours)), newSide(t, bystander(t, theirs))
	mine.dir, mine.zookeeper, other.dir, other.zookeeper = "DIR", "ZOOKEEPER", "DIR", "ZOOKEEPER" // no answer names them
	b := book{chapters: []chapter{{"Bystander", askBystander}}}
	want := b.tell(t, other, nil)
	got := b.tell(t, mine, want)
	b.compare(t, got, want)
	for _, a := range got {
		// Both could have been asked the wrong way.
		lines := strings.Join(a.answers[a.to], "\n")
		if notCoordinator := strings.Contains(lines, "ErrorCode: 16"); notCoordinator == (a.question == "ListGroups") {
			t.Errorf("%s is answered\n%s", a.question, lines)
		}
	}
}

func askBystander() []question {
	return []question{
		{"JoinGroup", 0, 9, join("group", nil)},
		{"SyncGroup", 0, 5, syncing("group", nil)},
		{"Heartbeat", 0, 4, beat("group", nil)},
		{"LeaveGroup", 0, 5, leaving("group", nil)},
		{"DescribeGroups", 0, 5, described("group", "another", "")},
		{"DeleteGroups", 0, 2, deletingGroups("group", "another", "")},
		{"ListGroups", 0, 5, listing(nil, nil)},
		{"OffsetDelete", 0, 0, deletingOffsets("group", "one")},
		{"OffsetCommit", 1, 9, committing("group", nil)}, // version 0 writes to ZooKeeper
		{"OffsetFetch", 1, 9, fetchingOffsets([]string{"group"}, false, "one")},
		{"OffsetFetch of all", 2, 9, fetchingOffsets([]string{"group"}, false)},
		{"OffsetFetch of some groups", 8, 9, fetchingOffsets([]string{"group", "another"}, true, "one")},
	}
}

// settled bounds what two brokers need to agree.
const settled = 60 * time.Second

// bystander returns the broker of two that does not lead the only partition of __consumer_offsets.
func bystander(t *testing.T, addresses []string) string {
	t.Helper()
	c := harness.NewClient(t, addresses[0])
	harness.CreateTopic(t, c, "one", 3, nil)
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey = "group"
	var not string
	harness.Eventually(t, settled, func() error {
		answer, err := find.RequestWith(harness.Context(t), c)
		if err != nil {
			return err
		}
		coordinator := answer.Coordinators
		if len(coordinator) == 1 {
			answer.ErrorCode, answer.NodeID = coordinator[0].ErrorCode, coordinator[0].NodeID
		}
		if answer.ErrorCode != 0 || answer.NodeID < 1 {
			return fmt.Errorf("error %d, coordinator %d", answer.ErrorCode, answer.NodeID)
		}
		not = addresses[2-answer.NodeID]
		return nil
	})
	// Once it is the coordinator for a client, it has read its partition.
	harness.Eventually(t, settled, func() error {
		_, err := kadm.NewClient(c).FetchOffsets(harness.Context(t), "group")
		return err
	})
	// The other one has heard of the topic.
	bystanders := kadm.NewClient(harness.NewClient(t, not))
	harness.Eventually(t, settled, func() error {
		topics, err := bystanders.ListTopics(harness.Context(t), "one")
		if err == nil {
			err = topics.Error()
		}
		return err
	})
	return not
}
