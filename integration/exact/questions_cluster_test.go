package exact

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// spot is a partition as requests name it.
type spot struct {
	topic     string
	partition int32
}

func electLeaders(kind int8, spots ...spot) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrElectLeadersRequest()
		r.ElectionType, r.TimeoutMillis = kind, 10_000
		for _, at := range spots {
			t := kmsg.NewElectLeadersRequestTopic()
			t.Topic, t.Partitions = at.topic, []int32{at.partition}
			r.Topics = append(r.Topics, t)
		}
		return r
	}
}

func askElections() []question {
	var questions []question
	for _, kind := range []int8{0, 1} {
		name := fmt.Sprintf("ElectLeaders of kind %d, ", kind)
		from := int16(kind) // version 0 has no kind
		questions = append(
			questions,
			question{name + "not needed", from, 2, electLeaders(kind, spot{"one", 0}, spot{"two", 0})},
			question{name + "unknown", from, 2, electLeaders(kind, spot{"unknown", 0}, spot{"one", 9}, spot{"one", -1}, spot{"", 0})},
			question{name + "some good", from, 2, electLeaders(kind, spot{"one", 0}, spot{"unknown", 0})},
			question{name + "all", from, 2, electLeaders(kind)},
		)
	}
	none := func(*side) kmsg.Request {
		r := kmsg.NewPtrElectLeadersRequest()
		r.Topics, r.TimeoutMillis = []kmsg.ElectLeadersRequestTopic{}, 10_000
		return r
	}
	return append(questions, question{"ElectLeaders of none", 0, 2, none}, question{"ElectLeaders, too new", 3, 3, electLeaders(0)})
}

func moveLogs(dir func(*side) string) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		r := kmsg.NewPtrAlterReplicaLogDirsRequest()
		d := kmsg.NewAlterReplicaLogDirsRequestDir()
		d.Dir = dir(s)
		for _, topic := range []string{"one", "unknown", "a b"} {
			t := kmsg.NewAlterReplicaLogDirsRequestDirTopic()
			t.Topic, t.Partitions = topic, []int32{0, 9, -1}
			d.Topics = append(d.Topics, t)
		}
		r.Dirs = append(r.Dirs, d)
		return r
	}
}

func askLogDirMoves() []question {
	fixed := func(dir string) func(*side) string { return func(*side) string { return dir } }
	return []question{
		{"AlterReplicaLogDirs to an unknown directory", 0, 2, moveLogs(fixed("/no/such/directory"))},
		{"AlterReplicaLogDirs to a relative path", 0, 2, moveLogs(fixed("log"))},
		{"AlterReplicaLogDirs to nowhere", 0, 2, moveLogs(fixed(""))},
		{"AlterReplicaLogDirs to where it is", 0, 2, moveLogs(func(s *side) string { return s.dir })},
		{"AlterReplicaLogDirs to below where it is", 0, 2, moveLogs(func(s *side) string { return filepath.Join(s.dir, "one-0") })},
		{"AlterReplicaLogDirs of nothing", 0, 2, func(*side) kmsg.Request { return kmsg.NewPtrAlterReplicaLogDirsRequest() }},
	}
}

// brokerEpoch is that of the side's broker.
func (s *side) brokerEpoch() int64 {
	server, chroot, _ := strings.Cut(s.zookeeper, "/")
	c, _, err := zk.Connect([]string{server}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		panic(err) // ends the test, as a question cannot
	}
	defer c.Close()
	_, stat, err := c.Get("/" + chroot + "/brokers/ids/1")
	if err != nil {
		panic(err)
	}
	return stat.Czxid
}

// proposal is a change of in-sync replicas by broker 1.
type proposal struct {
	spot
	leaderEpoch, partitionEpoch int32
	isr                         []int32
}

func alterPartition(broker int32, epoch func(*side) int64, proposals ...proposal) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		r := kmsg.NewPtrAlterPartitionRequest()
		r.BrokerID, r.BrokerEpoch = broker, epoch(s)
		for _, p := range proposals {
			t := kmsg.NewAlterPartitionRequestTopic()
			t.Topic, t.TopicID = p.topic, s.ids[p.topic]
			tp := kmsg.NewAlterPartitionRequestTopicPartition()
			tp.Partition, tp.LeaderEpoch, tp.PartitionEpoch, tp.NewISR = p.partition, p.leaderEpoch, p.partitionEpoch, p.isr
			for _, id := range p.isr {
				member := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
				member.BrokerID, member.BrokerEpoch = id, -1
				tp.NewEpochISR = append(tp.NewEpochISR, member)
			}
			t.Partitions = append(t.Partitions, tp)
			r.Topics = append(r.Topics, t)
		}
		return r
	}
}

func askBrokers() []question {
	stale := func(*side) int64 { return 5 }
	none := func(*side) int64 { return -1 }
	bad := []proposal{
		{spot{"unknown", 0}, 0, 0, []int32{1}},
		{spot{"two", 9}, 0, 0, []int32{1}},
		{spot{"two", 0}, 7, 0, []int32{1}},
		{spot{"two", 0}, 0, 7, []int32{1}},
	}
	questions := []question{
		{"AlterPartition of an unknown broker", 0, 3, alterPartition(9, none, bad[3])},
		{"AlterPartition of a life before", 0, 3, alterPartition(1, stale, bad[3])},
		{"AlterPartition of nothing", 0, 3, alterPartition(1, (*side).brokerEpoch)},
		{"AlterPartition, too new", 4, 4, alterPartition(1, stale)},
	}
	for _, p := range bad {
		questions = append(questions, question{
			fmt.Sprintf("AlterPartition of %s-%d in %d %d", p.topic, p.partition, p.leaderEpoch, p.partitionEpoch), 0, 3,
			alterPartition(1, (*side).brokerEpoch, p),
		})
	}
	shutdown := func(broker int32, epoch int64) func(*side) kmsg.Request {
		return func(*side) kmsg.Request {
			r := kmsg.NewPtrControlledShutdownRequest()
			r.BrokerID, r.BrokerEpoch = broker, epoch
			return r
		}
	}
	allocate := func(broker int32, epoch func(*side) int64) func(*side) kmsg.Request {
		return func(s *side) kmsg.Request {
			r := kmsg.NewPtrAllocateProducerIDsRequest()
			r.BrokerID, r.BrokerEpoch = broker, epoch(s)
			return r
		}
	}
	return append(
		questions,
		question{"ControlledShutdown of an unknown broker", 1, 3, shutdown(9, -1)},
		question{"ControlledShutdown of a life before", 2, 3, shutdown(1, 5)}, // earlier versions have no epoch, and would be obeyed
		question{"AllocateProducerIds of an unknown broker", 0, 0, allocate(9, none)},
		question{"AllocateProducerIds of a life before", 0, 0, allocate(1, stale)},
		question{"AllocateProducerIds of none", 0, 0, allocate(-1, none)},
	)
}

func updateFeatures(dry bool, updates ...kmsg.UpdateFeaturesRequestFeatureUpdate) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrUpdateFeaturesRequest()
		r.ValidateOnly, r.FeatureUpdates = dry, updates
		return r
	}
}

func feature(name string, level int16, downgrade bool) kmsg.UpdateFeaturesRequestFeatureUpdate {
	u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
	u.Feature, u.MaxVersionLevel, u.AllowDowngrade, u.UpgradeType = name, level, downgrade, 1
	if downgrade {
		u.UpgradeType = 2
	}
	return u
}

func askFeatures() []question {
	var questions []question
	for _, dry := range []bool{false, true} {
		name := fmt.Sprintf("UpdateFeatures (only validated: %v) ", dry)
		questions = append(
			questions,
			question{name + "of nothing", 0, 1, updateFeatures(dry)},
			question{name + "of no name", 0, 1, updateFeatures(dry, feature("", 1, false))},
			question{name + "of an unknown one", 0, 1, updateFeatures(dry, feature("unknown", 3, false))},
			question{name + "of metadata.version", 0, 1, updateFeatures(dry, feature("metadata.version", 20, false))},
			question{name + "down", 0, 1, updateFeatures(dry, feature("metadata.version", 1, true))},
			question{name + "to zero", 0, 1, updateFeatures(dry, feature("metadata.version", 0, false))},
			question{name + "to zero, down", 0, 1, updateFeatures(dry, feature("metadata.version", 0, true))},
			question{name + "twice", 0, 1, updateFeatures(dry, feature("unknown", 3, false), feature("unknown", 4, false))},
		)
	}
	return questions
}
