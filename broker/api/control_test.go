package api

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/protocol"
)

// leaderAndISRRequest tells of partitions 0 and 1 of a topic, led by this broker.
func leaderAndISRRequest(version int16, topic string, epoch int32) *kmsg.LeaderAndISRRequest {
	q := kmsg.NewPtrLeaderAndISRRequest()
	q.Version, q.ControllerID, q.ControllerEpoch, q.BrokerEpoch = version, 9, 10, 100
	ts := kmsg.NewLeaderAndISRRequestTopicState()
	ts.Topic, ts.TopicID = topic, topicID(topic)
	for i := range int32(2) {
		p := kmsg.NewLeaderAndISRRequestTopicPartition()
		p.Topic, p.Partition, p.ControllerEpoch = topic, i, 10
		p.Leader, p.LeaderEpoch, p.ISR, p.Replicas, p.ZKVersion, p.IsNew = 1, epoch, []int32{1}, []int32{1}, epoch, true
		ts.PartitionStates = append(ts.PartitionStates, p)
	}
	if version < 2 {
		q.PartitionStates = ts.PartitionStates
	} else {
		q.TopicStates = append(q.TopicStates, ts)
	}
	return q
}

// codesOf lists the codes of an answer's partitions, which must be keyed as the version keys them.
func codesOf(t *testing.T, topic string, r *kmsg.LeaderAndISRResponse) (codes []protocol.ErrorCode) {
	t.Helper()
	partitions := r.Partitions
	if r.Version >= 5 {
		if len(r.Topics) != 1 || r.Topics[0].TopicID != topicID(topic) {
			t.Fatalf("v%d: answer %+v", r.Version, r)
		}
		partitions = r.Topics[0].Partitions
	}
	for i, p := range partitions {
		if r.Version < 5 && p.Topic != topic || p.Partition != int32(i) {
			t.Errorf("v%d: answer for %s-%d at %d", r.Version, p.Topic, p.Partition, i)
		}
		codes = append(codes, p.ErrorCode)
	}
	return codes
}

func TestLeaderAndIsrInEveryVersion(t *testing.T) {
	for _, version := range versionsOf(t, 4) {
		b := newBroker(t)
		b.rooms.Replicas.SetBrokerEpoch(100)
		tell := func(epoch int32, change func(*kmsg.LeaderAndISRRequest)) (protocol.ErrorCode, []protocol.ErrorCode) {
			q := leaderAndISRRequest(version, "t", epoch)
			change(q)
			r := b.ask(q).(*kmsg.LeaderAndISRResponse)
			return r.ErrorCode, codesOf(t, "t", r)
		}
		for name, c := range map[string]struct {
			epoch  int32
			change func(*kmsg.LeaderAndISRRequest)
			want   protocol.ErrorCode
			since  int16
		}{
			"earlier registration": {5, func(q *kmsg.LeaderAndISRRequest) { q.BrokerEpoch = 99 }, protocol.StaleBrokerEpoch, 2},
			"old controller":       {5, func(q *kmsg.LeaderAndISRRequest) { q.ControllerEpoch = 0 }, protocol.StaleControllerEpoch, 0},
		} {
			if version < c.since {
				continue
			}
			if err := b.rooms.Replicas.CheckController(10, -1); err != nil {
				t.Fatal(err)
			}
			code, codes := tell(c.epoch, c.change)
			if code != c.want || !reflect.DeepEqual(codes, []protocol.ErrorCode{c.want, c.want}) {
				t.Errorf("v%d, %s: %d, %d", version, name, code, codes)
			}
		}
		for _, c := range []struct {
			epoch int32
			want  protocol.ErrorCode
		}{{5, protocol.None}, {5, protocol.StaleControllerEpoch}, {4, protocol.StaleControllerEpoch}, {6, protocol.None}} {
			code, codes := tell(c.epoch, func(*kmsg.LeaderAndISRRequest) {})
			if code != protocol.None || !reflect.DeepEqual(codes, []protocol.ErrorCode{c.want, c.want}) {
				t.Errorf("v%d, epoch %d: %d, %d", version, c.epoch, code, codes)
			}
		}
		p, err := b.rooms.Replicas.Partition("t", 1)
		if err != nil {
			t.Fatal(err)
		}
		if id, epoch := p.Leader(); id != 1 || epoch != 6 {
			t.Errorf("v%d: leader %d, epoch %d", version, id, epoch)
		}
		if has := p.TopicID() == topicID("t"); has != (version >= 5) {
			t.Errorf("v%d: topic id %x", version, p.TopicID())
		}
	}
}

// stopReplicaBody builds the body of a StopReplica in the layout of Kafka, from which that of kmsg differs in version 4.
func stopReplicaBody(version int16, brokerEpoch int64, topic string, leaderEpoch int32, remove bool) []byte {
	q := kmsg.NewPtrStopReplicaRequest()
	q.Version, q.ControllerID, q.ControllerEpoch, q.BrokerEpoch, q.DeletePartitions = version, 9, 0x01020304, brokerEpoch, remove
	for i := range int32(2) {
		qt := kmsg.NewStopReplicaRequestTopic()
		qt.Topic, qt.Partition, qt.Partitions = topic, i, []int32{i}
		ps := kmsg.NewStopReplicaRequestTopicPartitionState()
		ps.Partition, ps.LeaderEpoch, ps.Delete = i, leaderEpoch, remove
		qt.PartitionStates = append(qt.PartitionStates, ps)
		q.Topics = append(q.Topics, qt)
	}
	body := q.AppendTo(nil)
	if version >= 4 {
		copy(body[4:9], []byte{0, 1, 2, 3, 4}) // isKRaftController before the epoch
	}
	return body
}

func TestStopReplicaInEveryVersion(t *testing.T) {
	for _, version := range versionsOf(t, 5) {
		b := newBroker(t)
		b.rooms.Replicas.SetBrokerEpoch(100)
		b.lead("t", 2, 1)
		tell := func(brokerEpoch int64, topic string, leaderEpoch int32, remove bool) *kmsg.StopReplicaResponse {
			c := call(kmsg.NewPtrStopReplicaRequest())
			c.Header.Version = version
			c.Body = stopReplicaBody(version, brokerEpoch, topic, leaderEpoch, remove)
			out, _ := b.answer(c)
			r := kmsg.NewPtrStopReplicaResponse()
			r.Version = version
			if err := r.ReadFrom(out); err != nil {
				t.Fatalf("v%d: %v", version, err)
			}
			return r
		}
		want := func(name string, r *kmsg.StopReplicaResponse, code protocol.ErrorCode, each ...protocol.ErrorCode) {
			t.Helper()
			var codes []protocol.ErrorCode
			for i, p := range r.Partitions {
				if p.Topic == "" || p.Partition != int32(i) {
					t.Errorf("v%d, %s: %+v", version, name, p)
				}
				codes = append(codes, p.ErrorCode)
			}
			if r.ErrorCode != code || !reflect.DeepEqual(codes, each) {
				t.Errorf("v%d, %s: %d, %d", version, name, r.ErrorCode, codes)
			}
		}
		if version >= 1 {
			want("earlier registration", tell(99, "t", 1, true), protocol.StaleBrokerEpoch)
		}
		if version >= 3 {
			want("older epoch", tell(100, "t", 0, true), protocol.None, protocol.FencedLeaderEpoch, protocol.FencedLeaderEpoch)
		}
		want("stop", tell(100, "t", 1, false), protocol.None, protocol.None, protocol.None)
		if _, err := b.rooms.Replicas.Partition("t", 0); err != nil {
			t.Errorf("v%d: %v after a stop without deletion", version, err)
		}
		want("delete", tell(100, "t", -2, true), protocol.None, protocol.None, protocol.None)
		if n := len(b.rooms.Replicas.Dirs()[0].Logs); n != 0 {
			t.Errorf("v%d: %d logs left", version, n)
		}
		want("delete again", tell(100, "t", -2, true), protocol.None, protocol.None, protocol.None)
		if err := b.rooms.Replicas.CheckController(0x01020303, -1); codeOf(err) != protocol.StaleControllerEpoch {
			t.Errorf("v%d: the controller's epoch was not read: %v", version, err)
		}
	}
}

func updateMetadataRequest(version int16) *kmsg.UpdateMetadataRequest {
	q := kmsg.NewPtrUpdateMetadataRequest()
	q.Version, q.ControllerID, q.ControllerEpoch, q.BrokerEpoch = version, 9, 10, 100
	p := kmsg.NewUpdateMetadataRequestTopicPartition()
	p.Topic, p.Partition, p.ControllerEpoch, p.Leader, p.LeaderEpoch, p.ZKVersion = "t", 0, 10, 2, 7, 8
	p.ISR, p.Replicas, p.OfflineReplicas = []int32{2}, []int32{1, 2}, []int32{1}
	if version < 5 {
		q.PartitionStates = append(q.PartitionStates, p)
	} else {
		ts := kmsg.NewUpdateMetadataRequestTopicState()
		ts.Topic, ts.TopicID, ts.PartitionStates = "t", topicID("t"), append(ts.PartitionStates, p)
		q.TopicStates = append(q.TopicStates, ts)
	}
	rack := "r"
	lb := kmsg.NewUpdateMetadataRequestLiveBroker()
	lb.ID, lb.Host, lb.Port, lb.Rack = 2, "two", 9093, &rack
	for security, name := range []string{"inside", "OUTSIDE"} {
		e := kmsg.NewUpdateMetadataRequestLiveBrokerEndpoint()
		e.Host, e.Port, e.ListenerName, e.SecurityProtocol = "two", 9093+int32(security), name, int16(security)
		lb.Endpoints = append(lb.Endpoints, e)
	}
	q.LiveBrokers = append(q.LiveBrokers, lb)
	return q
}

func TestUpdateMetadataInEveryVersion(t *testing.T) {
	for _, version := range versionsOf(t, 6) {
		b := newBroker(t)
		b.rooms.Replicas.SetBrokerEpoch(100)
		if r := b.ask(updateMetadataRequest(version)).(*kmsg.UpdateMetadataResponse); r.ErrorCode != protocol.None {
			t.Fatalf("v%d: code %d", version, r.ErrorCode)
		}
		image := b.rooms.Metadata.Load()
		topic, ok := image.Topic("t")
		if !ok || image.ControllerID != 9 || (topic.ID == topicID("t")) != (version >= 7) {
			t.Fatalf("v%d: %+v", version, topic)
		}
		want := metadata.Partition{
			Leader: 2, LeaderEpoch: 7, ISR: []int32{2}, Replicas: []int32{1, 2}, ControllerEpoch: 10, PartitionEpoch: 8,
		}
		if version >= 4 {
			want.Offline = []int32{1}
		}
		if got := topic.Partitions[0]; !reflect.DeepEqual(got, want) {
			t.Errorf("v%d: %+v", version, got)
		}
		live, _ := image.Broker(2)
		endpoints := []metadata.Endpoint{
			{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: "two", Port: 9093}, {Listener: "SSL", Protocol: "SSL", Host: "two", Port: 9094},
		}
		switch {
		case version == 0:
			endpoints = endpoints[:1]
		case version >= 3:
			endpoints[0].Listener, endpoints[1].Listener = "INSIDE", "OUTSIDE"
		}
		if !reflect.DeepEqual(live.Endpoints, endpoints) || (live.Rack != nil) != (version >= 2) {
			t.Errorf("v%d: broker %+v", version, live)
		}

		old := updateMetadataRequest(version)
		old.ControllerEpoch, old.ControllerID = 9, 8
		if r := b.ask(old).(*kmsg.UpdateMetadataResponse); r.ErrorCode != protocol.StaleControllerEpoch || b.rooms.Metadata.Load() != image {
			t.Errorf("v%d, old controller: code %d", version, r.ErrorCode)
		}
		old = updateMetadataRequest(version)
		old.BrokerEpoch = 99
		if r := b.ask(old).(*kmsg.UpdateMetadataResponse); version >= 5 && r.ErrorCode != protocol.StaleBrokerEpoch {
			t.Errorf("v%d, earlier registration: code %d", version, r.ErrorCode)
		}
	}
}

func TestUpdateMetadataRemovesWhatIsBeingDeleted(t *testing.T) {
	b := newBroker(t)
	b.ask(updateMetadataRequest(8))
	q := updateMetadataRequest(8)
	q.TopicStates[0].PartitionStates[0].Leader = metadata.LeaderDeleting
	b.ask(q)
	if _, ok := b.rooms.Metadata.Load().Topic("t"); ok {
		t.Error("the topic is still there")
	}
}

func TestAStateOfAnotherTopicIDIsRefused(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 2, 1)
	q := leaderAndISRRequest(7, "t", 9)
	q.TopicStates[0].TopicID = topicID("other")
	r := b.ask(q).(*kmsg.LeaderAndISRResponse)
	for _, code := range codesOf(t, "other", r) {
		if code != protocol.InconsistentTopicID {
			t.Errorf("code %d", code)
		}
	}
	q = leaderAndISRRequest(7, "u", 9)
	q.TopicStates[0].PartitionStates[0].Replicas = []int32{2}
	if codes := codesOf(t, "u", b.ask(q).(*kmsg.LeaderAndISRResponse)); codes[0] != protocol.UnknownTopicOrPartition || codes[1] != protocol.None {
		t.Errorf("codes %d", codes)
	}
}
