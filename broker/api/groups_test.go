package api

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/coordinator/journal"
	"github.com/kbroker/kbroker/protocol"
)

// through sends a request over the wire and back, as a handler gets it.
func through[T any, R request[T]](t *testing.T, q R) (*server.Call, R) {
	t.Helper()
	c := call(q)
	r, err := decode[T, R](c)
	if err != nil {
		t.Fatalf("v%d: %v", q.GetVersion(), err)
	}
	return c, r
}

// back encodes an answer in a version and reads it again.
func back[R kmsg.Response](t *testing.T, r R, version int16) R {
	t.Helper()
	r.SetVersion(version)
	out := r.RequestKind().ResponseKind()
	out.SetVersion(version)
	if err := out.ReadFrom(r.AppendTo(nil)); err != nil {
		t.Fatalf("v%d: %v", version, err)
	}
	return out.(R)
}

func TestJavaHost(t *testing.T) {
	for host, want := range map[string]string{
		"127.0.0.1": "/127.0.0.1", "::1": "/0:0:0:0:0:0:0:1", "2001:db8::a00:ff": "/2001:db8:0:0:0:0:a00:ff",
		"fe80::1%eth0": "/fe80:0:0:0:0:0:0:1%eth0", "::ffff:10.0.0.7": "/10.0.0.7", "pipe": "/pipe",
	} {
		if got := javaHost(host); got != want {
			t.Errorf("%s is written %s, want %s", host, got, want)
		}
	}
}

func TestJoinGroupInEveryVersion(t *testing.T) {
	for _, v := range versionsOf(t, 11) {
		q := kmsg.NewPtrJoinGroupRequest()
		q.Version, q.Group, q.MemberID, q.InstanceID = v, "g", "m", text("i")
		q.SessionTimeoutMillis, q.RebalanceTimeoutMillis, q.ProtocolType, q.Reason = 10_000, 20_000, "consumer", text("why")
		q.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("meta")}}
		c, q := through(t, q)
		r := joinRequest(c, q)
		clear(c.Body) // as the frame's next use does
		rebalance := 20 * time.Second
		if v == 0 {
			rebalance = 10 * time.Second
		}
		if r.MemberID != "m" || r.Client != (classic.Client{ID: "test", Host: "/127.0.0.1"}) || r.SessionTimeout != 10*time.Second ||
			r.RebalanceTimeout != rebalance || r.ProtocolType != "consumer" || len(r.Protocols) != 1 ||
			r.Protocols[0].Name != "range" || string(r.Protocols[0].Metadata) != "meta" {
			t.Errorf("v%d: %+v", v, r)
		}
		if (r.InstanceID != nil) != (v >= 5) || (r.Reason != "") != (v >= 8) || r.RequireKnownID != (v >= 4) || r.SkipAssignment != (v >= 9) {
			t.Errorf("v%d: %+v", v, r)
		}

		a := back(t, joinResponse(q, classic.JoinResponse{
			Generation: 3, ProtocolType: text("consumer"), Protocol: text("range"), Leader: "m", MemberID: "m", SkipAssignment: true,
			Members: []classic.JoinMember{{ID: "m", InstanceID: text("i"), Metadata: []byte("meta")}},
		}), v)
		if a.ErrorCode != 0 || a.Generation != 3 || *a.Protocol != "range" || a.LeaderID != "m" || a.MemberID != "m" ||
			len(a.Members) != 1 || string(a.Members[0].ProtocolMetadata) != "meta" ||
			(a.ProtocolType != nil) != (v >= 7) || (a.Members[0].InstanceID != nil) != (v >= 5) || a.SkipAssignment != (v >= 9) {
			t.Errorf("v%d: %+v", v, a)
		}
		a = back(t, joinResponse(q, classic.JoinResponse{Err: kerr.UnknownMemberID, Generation: -1, MemberID: "m"}), v)
		if a.ErrorCode != protocol.UnknownMemberID || a.Generation != -1 || (a.Protocol == nil) != (v >= 7) || orEmpty(a.Protocol) != "" || a.ProtocolType != nil {
			t.Errorf("v%d: refused %+v", v, a)
		}
	}
}

func TestSyncGroupMustSayItsProtocol(t *testing.T) {
	b := newBroker(t)
	for _, v := range versionsOf(t, 14) {
		q := kmsg.NewPtrSyncGroupRequest()
		q.Version, q.Group, q.MemberID, q.Generation = v, "g", "m", 4
		q.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: "m", MemberAssignment: []byte("a")}}
		c, decoded := through(t, q)
		r := syncRequest(decoded)
		clear(c.Body)
		if r.MemberID != "m" || r.Generation != 4 || string(r.Assignments["m"]) != "a" || r.Protocol != nil {
			t.Errorf("v%d: %+v", v, r)
		}
		if v < 5 {
			continue
		}
		for _, half := range []*string{nil, text("range")} {
			q.Protocol = half
			if a := b.ask(q).(*kmsg.SyncGroupResponse); a.ErrorCode != protocol.InconsistentGroupProtocol {
				t.Errorf("v%d: %+v", v, a)
			}
		}
	}
}

func TestLeaveGroupNamesOneOrMany(t *testing.T) {
	for _, v := range versionsOf(t, 13) {
		q := kmsg.NewPtrLeaveGroupRequest()
		q.Version, q.Group, q.MemberID = v, "g", "m"
		q.Members = []kmsg.LeaveGroupRequestMember{{MemberID: "a", Reason: text("why")}, {InstanceID: text("i")}}
		_, q = through(t, q)
		r := leaveRequest(q)
		switch {
		case v < 3:
			if len(r.Members) != 1 || r.Members[0].MemberID != "m" {
				t.Errorf("v%d: %+v", v, r)
			}
		case len(r.Members) != 2 || r.Members[0].MemberID != "a" || *r.Members[1].InstanceID != "i" || (r.Members[0].Reason != "") != (v >= 5):
			t.Errorf("v%d: %+v", v, r)
		}
	}
}

func commitOf(version int16) *kmsg.OffsetCommitRequest {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Version, q.Group, q.MemberID, q.Generation, q.InstanceID, q.RetentionTimeMillis = version, "g", "m", 4, text("i"), 5_000
	for _, topic := range []string{"t", "unknown"} {
		qt := kmsg.NewOffsetCommitRequestTopic()
		qt.Topic = topic
		for _, i := range []int32{0, 9} {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.Timestamp, p.LeaderEpoch, p.Metadata = i, 7, 1234, 2, text("note")
			qt.Partitions = append(qt.Partitions, p)
		}
		q.Topics = append(q.Topics, qt)
	}
	return q
}

func TestOffsetCommitInEveryVersion(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	const now = 1_000_000
	for _, v := range versionsOf(t, 8) {
		_, q := through(t, commitOf(v))
		r, known := b.commitRequest(q, now)
		if !known || len(r.Commits) != 4 || r.Version != v || (r.MemberID == "m") != (v >= 1) || (r.InstanceID != nil) != (v >= 7) {
			t.Fatalf("v%d: %+v, %t", v, r, known)
		}
		generation, at, expire, epoch := int32(-1), int64(now), int64(-1), int32(-1)
		if v >= 1 {
			generation = 4
		}
		if v == 1 {
			at = 1234
		}
		if v >= 2 && v <= 4 {
			expire = now + 5_000
		}
		if v >= 6 {
			epoch = 2
		}
		want := offsets.Offset{Offset: 7, LeaderEpoch: epoch, Metadata: "note", CommitTime: at, ExpireTime: expire}
		for i, c := range r.Commits {
			if c.Offset != want || (c.Err == nil) != (i == 0) || i > 0 && c.Err != kerr.UnknownTopicOrPartition {
				t.Errorf("v%d: commit %d is %+v", v, i, c)
			}
		}
		if r.Generation != generation {
			t.Errorf("v%d: generation %d", v, r.Generation)
		}
		r.Commits[0].Err = kerr.OffsetMetadataTooLarge
		a := back(t, commitResponse(q, r.Commits).(*kmsg.OffsetCommitResponse), v)
		if len(a.Topics) != 2 || a.Topics[0].Topic != "t" || a.Topics[0].Partitions[0].ErrorCode != protocol.OffsetMetadataTooLarge ||
			a.Topics[0].Partitions[1].Partition != 9 || a.Topics[1].Partitions[1].ErrorCode != protocol.UnknownTopicOrPartition {
			t.Errorf("v%d: %+v", v, a)
		}
	}
}

// Neither ZooKeeper nor a coordinator is there to be asked in this test.
func TestCommitOfUnknownTopicsAsksNobody(t *testing.T) {
	b := newBroker(t)
	for _, v := range versionsOf(t, 8) {
		a := b.ask(commitOf(v)).(*kmsg.OffsetCommitResponse)
		for _, topic := range a.Topics {
			for _, p := range topic.Partitions {
				if p.ErrorCode != protocol.UnknownTopicOrPartition {
					t.Errorf("v%d: %+v", v, a)
				}
			}
		}
		q := commitOf(v)
		q.Topics = nil
		if a := b.ask(q).(*kmsg.OffsetCommitResponse); len(a.Topics) != 0 {
			t.Errorf("v%d: %+v", v, a)
		}
	}
}

func TestFetchFromZooKeeperOfUnknownPartitionsAsksNobody(t *testing.T) {
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Group, q.Topics = "g", []kmsg.OffsetFetchRequestTopic{{Topic: "unknown", Partitions: []int32{0, 1}}}
	a := newBroker(t).ask(q).(*kmsg.OffsetFetchResponse)
	for i, p := range a.Topics[0].Partitions {
		if p.Partition != int32(i) || p.Offset != -1 || *p.Metadata != "" || p.ErrorCode != protocol.UnknownTopicOrPartition {
			t.Errorf("%+v", p)
		}
	}
}

func TestFindCoordinatorInEveryVersion(t *testing.T) {
	b := newBroker(t)
	b.apply(groupTopic, 4, 2, []int32{2, 1}, []int32{2})
	find := func(v int16, kind int8, keys ...string) *kmsg.FindCoordinatorResponse {
		q := kmsg.NewPtrFindCoordinatorRequest()
		q.Version, q.CoordinatorType, q.CoordinatorKey, q.CoordinatorKeys = v, kind, keys[0], keys
		return b.ask(q).(*kmsg.FindCoordinatorResponse)
	}
	for _, v := range versionsOf(t, 10) {
		for kind, want := range map[int8]protocol.ErrorCode{
			groupCoordinator: protocol.None, transactionCoordinator: protocol.CoordinatorNotAvailable, -1: protocol.InvalidRequest,
			shareCoordinator: protocol.InvalidRequest, 3: protocol.InvalidRequest,
		} {
			if v == 0 && kind != groupCoordinator {
				continue // it cannot be said
			}
			if kind == shareCoordinator && v >= 6 {
				want = protocol.CoordinatorNotAvailable
			}
			id, host, port := int32(-1), "", int32(-1)
			if want == protocol.None {
				id, host, port = 2, "host", 9092
			}
			r := find(v, kind, "a", "b")
			if v < 4 {
				if r.ErrorCode != want || r.NodeID != id || r.Host != host || r.Port != port || v >= 1 && orEmpty(r.ErrorMessage) == "" {
					t.Errorf("v%d, kind %d: %+v", v, kind, r)
				}
				continue
			}
			if len(r.Coordinators) != 2 {
				t.Fatalf("v%d, kind %d: %+v", v, kind, r)
			}
			for i, c := range r.Coordinators {
				if c.Key != []string{"a", "b"}[i] || c.ErrorCode != want || c.NodeID != id || c.Host != host || c.Port != port {
					t.Errorf("v%d, kind %d: %+v", v, kind, c)
				}
			}
		}
	}
}

func TestTheCoordinatorIsThePartitionsLeader(t *testing.T) {
	b := newBroker(t)
	b.apply(groupTopic, 1, -1, []int32{2, 1}, []int32{2})
	q := kmsg.NewPtrFindCoordinatorRequest()
	q.CoordinatorKey = "g"
	if r := b.ask(q).(*kmsg.FindCoordinatorResponse); r.ErrorCode != protocol.CoordinatorNotAvailable || r.NodeID != -1 {
		t.Errorf("without a leader: %+v", r)
	}
	b.apply(groupTopic, 1, 1, []int32{1}, []int32{1})
	if r := b.ask(q).(*kmsg.FindCoordinatorResponse); r.ErrorCode != 0 || r.NodeID != 1 || r.Port != 9091 {
		t.Errorf("%+v", r)
	}
	if p := journal.PartitionFor("g", 1); p != 0 {
		t.Errorf("partition %d", p)
	}
}

func TestTopicsOfCoordinatorsHaveTheirOwnSettings(t *testing.T) {
	b := newBroker(t).rooms.Config.Broker()
	o := autoTopic(b, groupTopic)
	if o.Partitions != 50 || o.ReplicationFactor != 3 || *o.Config["cleanup.policy"] != "compact" ||
		*o.Config["compression.type"] != "producer" || *o.Config["segment.bytes"] != "104857600" || len(o.Config) != 3 {
		t.Errorf("%+v", o)
	}
	x := autoTopic(b, transactionTopic)
	if x.Partitions != 50 || x.ReplicationFactor != 3 || *x.Config["min.insync.replicas"] != "2" || len(x.Config) != 5 {
		t.Errorf("%+v", x)
	}
	if other := autoTopic(b, "t"); other.Partitions != -1 || other.ReplicationFactor != -1 || other.Config != nil {
		t.Errorf("%+v", other)
	}
}

func TestConsumerGroupHeartbeatInEveryVersion(t *testing.T) {
	b := newBroker(t)
	for _, v := range versionsOf(t, 68) {
		q := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		q.Version, q.Group, q.MemberID, q.MemberEpoch, q.RebalanceTimeoutMillis = v, "g", "m", 3, -1
		c, first := through(t, q)
		if r := consumerHeartbeat(c, first); r.Topics != nil || r.Owned != nil || r.TopicRegex != nil || r.RebalanceTimeout >= 0 || r.Version != v {
			t.Errorf("v%d: %+v", v, r)
		}
		id := topicID("t")
		q.SubscribedTopicNames, q.SubscribedTopicRegex = []string{"t"}, text("t.*")
		q.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: id, Partitions: []int32{3, 1}}, {TopicID: id, Partitions: []int32{1, 2}}}
		c, full := through(t, q)
		r := consumerHeartbeat(c, full)
		if !slices.Equal(r.Topics, []string{"t"}) || !slices.Equal(r.Owned[id], []int32{1, 2, 3}) || (r.TopicRegex != nil) != (v >= 1) {
			t.Errorf("v%d: %+v", v, r)
		}
		q.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		c, empty := through(t, q)
		if r := consumerHeartbeat(c, empty); r.Owned == nil || len(r.Owned) != 0 {
			t.Errorf("v%d: owning nothing is %v", v, r.Owned)
		}
	}
	classicOnly(t, b)
	for _, v := range versionsOf(t, 68) {
		q := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		q.Version = v
		if r := b.ask(q).(*kmsg.ConsumerGroupHeartbeatResponse); r.ErrorCode != protocol.UnsupportedVersion {
			t.Errorf("v%d: %+v", v, r)
		}
		d := kmsg.NewPtrConsumerGroupDescribeRequest()
		d.Version, d.Groups = v, []string{"a", "b"}
		if r := b.ask(d).(*kmsg.ConsumerGroupDescribeResponse); len(r.Groups) != 2 || r.Groups[1].Group != "b" || r.Groups[1].ErrorCode != protocol.UnsupportedVersion {
			t.Errorf("v%d: %+v", v, r)
		}
	}
}

// classicOnly makes a broker one that offers the classic protocol alone.
func classicOnly(t *testing.T, b *broker) {
	t.Helper()
	store, _, err := config.NewStore(map[string]config.Setting{
		"broker.id": {Value: "1"}, "zookeeper.connect": {Value: "127.0.0.1:1"}, "log.dirs": {Value: "/logs"},
		"group.coordinator.rebalance.protocols": {Value: "classic"},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.rooms.Config = store
}

func TestConsumerGroupDescribeNamesTopics(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 3, 1)
	d := consumer.Description{
		State: "Stable", Epoch: 5, AssignmentEpoch: 4, Assignor: "uniform",
		Members: []consumer.Member{{
			ID: "m", Epoch: 5, Client: classic.Client{ID: "c", Host: "/h"}, Topics: []string{"t"}, Classic: true,
			Assignment: assign.Partitions{topicID("t"): {0, 2}, topicID("gone"): {1}},
		}},
	}
	rg := kmsg.NewConsumerGroupDescribeResponseGroup()
	describedConsumers(&rg, d, b.rooms.Metadata.Load())
	for _, v := range versionsOf(t, 69) {
		resp := kmsg.NewPtrConsumerGroupDescribeResponse()
		resp.Groups = append(resp.Groups, rg)
		g := back(t, resp, v).Groups[0]
		m := g.Members[0]
		if g.State != "Stable" || g.Epoch != 5 || g.AssignmentEpoch != 4 || g.AssignorName != "uniform" || m.ClientHost != "/h" || m.MemberID != "m" {
			t.Errorf("v%d: %+v", v, g)
		}
		if tp := m.Assignment.TopicPartitions; len(tp) != 1 || tp[0].Topic != "t" || !slices.Equal(tp[0].Partitions, []int32{0, 2}) || len(m.TargetAssignment.TopicPartitions) != 0 {
			t.Errorf("v%d: %+v", v, m)
		}
		if v >= 1 && m.MemberType != classicMember {
			t.Errorf("v%d: type %d", v, m.MemberType)
		}
	}
}

func TestTopicsOfCoordinatorsAsConfigured(t *testing.T) {
	static := map[string]config.Setting{"broker.id": {Value: "1"}, "zookeeper.connect": {Value: "z:1"}}
	for key, value := range map[string]string{
		"offsets.topic.num.partitions": "3", "offsets.topic.replication.factor": "1", "offsets.topic.segment.bytes": "4000",
		"transaction.state.log.num.partitions": "5", "transaction.state.log.replication.factor": "2",
		"transaction.state.log.min.isr": "1", "transaction.state.log.segment.bytes": "6000",
	} {
		static[key] = config.Setting{Value: value}
	}
	s, _, err := config.NewStore(static)
	if err != nil {
		t.Fatal(err)
	}
	o := autoTopic(s.Broker(), groupTopic)
	if o.Partitions != 3 || o.ReplicationFactor != 1 || *o.Config["segment.bytes"] != "4000" {
		t.Errorf("%+v", o)
	}
	x := autoTopic(s.Broker(), transactionTopic)
	if x.Partitions != 5 || x.ReplicationFactor != 2 || *x.Config["min.insync.replicas"] != "1" || *x.Config["segment.bytes"] != "6000" {
		t.Errorf("%+v", x)
	}
}
