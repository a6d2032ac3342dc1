package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/protocol"
)

func TestAlterReplicaLogDirsInEveryVersion(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 2, 1)
	b.rooms.Metadata.Apply(metadata.Update{
		ControllerID: 1, Brokers: []metadata.Broker{{ID: 1}, {ID: 2}},
		Topics: []metadata.Topic{{Name: "elsewhere", Partitions: []metadata.Partition{{Index: 0, Leader: 2, ISR: []int32{2}, Replicas: []int32{2}}}}},
	})
	for _, version := range versionsOf(t, 34) {
		q := kmsg.NewPtrAlterReplicaLogDirsRequest()
		q.Version = version
		for _, move := range []struct {
			dir, topic string
			partitions []int32
		}{
			{"/logs", "t", []int32{0, 7}}, {"/logs", "elsewhere", []int32{0}}, {"/none", "t", []int32{1}},
		} {
			d := kmsg.NewAlterReplicaLogDirsRequestDir()
			d.Dir = move.dir
			dt := kmsg.NewAlterReplicaLogDirsRequestDirTopic()
			dt.Topic, dt.Partitions = move.topic, move.partitions
			d.Topics = append(d.Topics, dt)
			q.Dirs = append(q.Dirs, d)
		}
		r := b.ask(q).(*kmsg.AlterReplicaLogDirsResponse)
		got := map[string]map[int32]protocol.ErrorCode{}
		for _, rt := range r.Topics {
			if got[rt.Topic] != nil {
				t.Errorf("v%d: %s twice", version, rt.Topic)
			}
			got[rt.Topic] = map[int32]protocol.ErrorCode{}
			for _, p := range rt.Partitions {
				got[rt.Topic][p.Partition] = p.ErrorCode
			}
		}
		for _, want := range []struct {
			topic     string
			partition int32
			code      protocol.ErrorCode
		}{
			{"t", 0, protocol.None},
			{"t", 7, protocol.UnknownTopicOrPartition},
			{"elsewhere", 0, protocol.ReplicaNotAvailable},
			{"t", 1, protocol.LogDirNotFound},
		} {
			if code, ok := got[want.topic][want.partition]; !ok || code != want.code {
				t.Errorf("v%d: %s-%d: %d %v, want %d", version, want.topic, want.partition, code, ok, want.code)
			}
		}
	}
}
