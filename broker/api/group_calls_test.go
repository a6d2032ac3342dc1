package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/protocol"
)

// coordinate makes the broker the coordinator of all groups, and waits until it is.
func (b *broker) coordinate() {
	b.t.Helper()
	b.lead(groupTopic, 2, 1)
	for deadline := time.Now().Add(5 * time.Second); ; {
		r := b.ask(kmsg.NewPtrListGroupsRequest()).(*kmsg.ListGroupsResponse)
		if r.ErrorCode == 0 {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("the groups are not loaded: %d", r.ErrorCode)
		}
	}
}

func joinOf(version int16, group, member string) *kmsg.JoinGroupRequest {
	q := kmsg.NewPtrJoinGroupRequest()
	q.Version, q.Group, q.MemberID, q.ProtocolType = version, group, member, "consumer"
	q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = 10_000, 10_000
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = []string{"t"}
	q.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: m.AppendTo(nil)}}
	return q
}

// join makes a member the leader of a group of its own.
func (b *broker) join(version int16, group string) (member string, generation int32) {
	b.t.Helper()
	r := b.ask(joinOf(version, group, "")).(*kmsg.JoinGroupResponse)
	if version >= 4 {
		if r.ErrorCode != protocol.MemberIDRequired || r.MemberID == "" {
			b.t.Fatalf("v%d: %+v", version, r)
		}
		r = b.ask(joinOf(version, group, r.MemberID)).(*kmsg.JoinGroupResponse)
	}
	if r.ErrorCode != 0 || r.LeaderID != r.MemberID || len(r.Members) != 1 || orEmpty(r.Protocol) != "range" {
		b.t.Fatalf("v%d: %+v", version, r)
	}
	return r.MemberID, r.Generation
}

func TestLifeOfAMemberInEveryVersion(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 2, 1)
	b.coordinate()
	for _, v := range versionsOf(t, 11) {
		group := fmt.Sprint("g", v)
		member, generation := b.join(v, group)
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Version, sync.Group, sync.MemberID, sync.Generation = min(v, 5), group, member, generation
		sync.ProtocolType, sync.Protocol = text("consumer"), text("range")
		sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: member, MemberAssignment: []byte("yours")}}
		if r := b.ask(sync).(*kmsg.SyncGroupResponse); r.ErrorCode != 0 || string(r.MemberAssignment) != "yours" || sync.Version >= 5 && *r.Protocol != "range" {
			t.Fatalf("v%d: %+v", v, r)
		}
		for _, hv := range versionsOf(t, 12) {
			q := kmsg.NewPtrHeartbeatRequest()
			q.Version, q.Group, q.MemberID, q.Generation = hv, group, member, generation
			if r := b.ask(q).(*kmsg.HeartbeatResponse); r.ErrorCode != 0 {
				t.Errorf("Heartbeat v%d: %d", hv, r.ErrorCode)
			}
			q.Generation++
			if r := b.ask(q).(*kmsg.HeartbeatResponse); r.ErrorCode != protocol.IllegalGeneration {
				t.Errorf("Heartbeat v%d of another generation: %d", hv, r.ErrorCode)
			}
		}
		b.commitAndFetch(group, member, generation)
		b.describes(group, "Stable", 1)
		del := kmsg.NewPtrDeleteGroupsRequest()
		del.Groups = []string{group}
		if r := b.ask(del).(*kmsg.DeleteGroupsResponse); r.Groups[0].ErrorCode != protocol.NonEmptyGroup {
			t.Errorf("DeleteGroups with a member: %+v", r)
		}
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Version, leave.Group, leave.MemberID = min(v, 5), group, member
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: member}}
		for _, want := range []protocol.ErrorCode{0, protocol.UnknownMemberID} {
			r := b.ask(leave).(*kmsg.LeaveGroupResponse)
			code := r.ErrorCode
			if leave.Version >= 3 {
				if code != 0 || len(r.Members) != 1 {
					t.Fatalf("v%d: %+v", v, r)
				}
				code = r.Members[0].ErrorCode
			}
			if code != want {
				t.Errorf("LeaveGroup v%d: %d, want %d", leave.Version, code, want)
			}
		}
		b.describes(group, "Empty", 0)
		if r := b.ask(del).(*kmsg.DeleteGroupsResponse); r.Groups[0].ErrorCode != 0 {
			t.Errorf("DeleteGroups: %+v", r)
		}
		b.describes(group, "Dead", 0)
	}
}

// commitAndFetch goes through every version of OffsetCommit and OffsetFetch that the coordinator answers.
func (b *broker) commitAndFetch(group, member string, generation int32) {
	b.t.Helper()
	for _, v := range versionsOf(b.t, 8)[1:] {
		c := commitOf(v)
		c.Group, c.MemberID, c.Generation, c.InstanceID = group, member, generation, nil
		c.Topics[0].Partitions[0].Offset = int64(100 + v)
		r := b.ask(c).(*kmsg.OffsetCommitResponse)
		if r.Topics[0].Partitions[0].ErrorCode != 0 || r.Topics[0].Partitions[1].ErrorCode != protocol.UnknownTopicOrPartition {
			b.t.Errorf("OffsetCommit v%d: %+v", v, r)
		}
		f := kmsg.NewPtrOffsetFetchRequest()
		f.Version, f.Group, f.Topics = v, group, []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0, 1}}}
		f.Groups = []kmsg.OffsetFetchRequestGroup{{Group: group, MemberEpoch: -1, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", Partitions: []int32{0, 1}}}}}
		a := b.ask(f).(*kmsg.OffsetFetchResponse)
		if v >= 8 {
			g := a.Groups[0]
			if g.Group != group || g.ErrorCode != 0 || len(g.Topics) != 1 || g.Topics[0].Partitions[0].Offset != int64(100+v) || g.Topics[0].Partitions[1].Offset != -1 {
				b.t.Errorf("OffsetFetch v%d: %+v", v, a)
			}
			continue
		}
		p := a.Topics[0].Partitions
		if a.ErrorCode != 0 || p[0].Offset != int64(100+v) || *p[0].Metadata != "note" || p[1].Offset != -1 || p[1].ErrorCode != 0 {
			b.t.Errorf("OffsetFetch v%d: %+v", v, a)
		}
		if epoch := p[0].LeaderEpoch; v >= 6 && epoch != 2 || v < 6 && epoch != -1 {
			b.t.Errorf("OffsetFetch v%d: leader epoch %d", v, epoch)
		}
	}
}

// describes checks what DescribeGroups and ListGroups tell of a group.
func (b *broker) describes(group, state string, members int) {
	b.t.Helper()
	for _, v := range versionsOf(b.t, 15) {
		q := kmsg.NewPtrDescribeGroupsRequest()
		q.Version, q.Groups, q.IncludeAuthorizedOperations = v, []string{group}, true
		g := b.ask(q).(*kmsg.DescribeGroupsResponse).Groups[0]
		if g.Group != group || g.ErrorCode != 0 || g.State != state || len(g.Members) != members || v >= 3 && g.AuthorizedOperations != 328 {
			b.t.Errorf("DescribeGroups v%d: %+v", v, g)
		}
		if members > 0 && (g.Members[0].ClientHost != "/127.0.0.1" || string(g.Members[0].MemberAssignment) != "yours") {
			b.t.Errorf("DescribeGroups v%d: %+v", v, g)
		}
	}
	for _, v := range versionsOf(b.t, 16) {
		q := kmsg.NewPtrListGroupsRequest()
		q.Version, q.StatesFilter, q.TypesFilter = v, []string{state}, []string{"classic"}
		found := false
		for _, g := range b.ask(q).(*kmsg.ListGroupsResponse).Groups {
			found = found || g.Group == group && (v < 4 || g.GroupState == state) && (v < 5 || g.GroupType == "classic")
		}
		if found != (state != "Dead") {
			b.t.Errorf("ListGroups v%d: %t in state %s", v, found, state)
		}
	}
}

// A broker that coordinates nothing says so, in the way of each API and version.
func TestElsewhereCoordinated(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	b.apply(groupTopic, 2, 2, []int32{2, 1}, []int32{2})
	for _, v := range versionsOf(t, 9)[1:] {
		f := kmsg.NewPtrOffsetFetchRequest()
		f.Version, f.Group, f.Topics = v, "g", []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0}}}
		f.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", MemberEpoch: -1}}
		a := b.ask(f).(*kmsg.OffsetFetchResponse)
		var code protocol.ErrorCode
		switch {
		case v == 1:
			code = a.Topics[0].Partitions[0].ErrorCode
		case v < 8:
			code = a.ErrorCode
		default:
			code = a.Groups[0].ErrorCode
		}
		if code != protocol.NotCoordinator || v > 1 && len(a.Topics) > 0 {
			t.Errorf("OffsetFetch v%d: %+v", v, a)
		}
	}
	for _, v := range versionsOf(t, 8)[1:] {
		r := b.ask(commitOf(v)).(*kmsg.OffsetCommitResponse)
		if p := r.Topics[0].Partitions; p[0].ErrorCode != protocol.NotCoordinator || p[1].ErrorCode != protocol.UnknownTopicOrPartition {
			t.Errorf("OffsetCommit v%d: %+v", v, r)
		}
	}
	for _, v := range versionsOf(t, 11) {
		if r := b.ask(joinOf(v, "g", "")).(*kmsg.JoinGroupResponse); r.ErrorCode != protocol.NotCoordinator || r.Generation != -1 {
			t.Errorf("JoinGroup v%d: %+v", v, r)
		}
	}
	d := kmsg.NewPtrOffsetDeleteRequest()
	d.Group, d.Topics = "g", []kmsg.OffsetDeleteRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}}}
	if r := b.ask(d).(*kmsg.OffsetDeleteResponse); r.ErrorCode != protocol.NotCoordinator || len(r.Topics) > 0 {
		t.Errorf("OffsetDelete: %+v", r)
	}
}

func TestOffsetDeleteKeepsWhatIsSubscribed(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	b.lead("other", 1, 1)
	b.coordinate()
	b.join(5, "g")
	q := kmsg.NewPtrOffsetDeleteRequest()
	q.Group = "g"
	for _, topic := range []string{"t", "unknown", "other"} {
		q.Topics = append(q.Topics, kmsg.OffsetDeleteRequestTopic{Topic: topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}})
	}
	r := b.ask(q).(*kmsg.OffsetDeleteResponse)
	for i, want := range []protocol.ErrorCode{protocol.GroupSubscribedToTopic, protocol.UnknownTopicOrPartition, 0} {
		if r.ErrorCode != 0 || r.Topics[i].Topic != q.Topics[i].Topic || r.Topics[i].Partitions[0].ErrorCode != want {
			t.Errorf("%+v", r)
		}
	}
}
