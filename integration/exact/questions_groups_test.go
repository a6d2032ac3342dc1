package exact

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// awaitGroups asks for the coordinator until it is there and has loaded all that there is: a broker leads the partitions of
// __consumer_offsets one after the other.
func (s *side) awaitGroups() error {
	describe := kmsg.NewPtrDescribeGroupsRequest()
	for i := range 500 { // names enough to fall into every partition
		describe.Groups = append(describe.Groups, fmt.Sprintf("nobody-%d", i))
	}
	loaded := func() error {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorKey = "g"
		response, err := s.ask(find)
		if err != nil {
			return err
		}
		if code := response.(*kmsg.FindCoordinatorResponse).ErrorCode; code != 0 {
			return fmt.Errorf("the coordinator is not known: error %d", code)
		}
		if response, err = s.ask(describe); err != nil {
			return err
		}
		for _, g := range response.(*kmsg.DescribeGroupsResponse).Groups {
			if g.ErrorCode != 0 {
				return fmt.Errorf("the partition of group %s is not loaded: error %d", g.Group, g.ErrorCode)
			}
		}
		return nil
	}
	late := time.Now().Add(30 * time.Second)
	err := loaded()
	for ; err != nil && time.Now().Before(late); err = loaded() {
		time.Sleep(50 * time.Millisecond) // a poll with a deadline, against another process
	}
	return err
}

// joined notes what a member knows after it joined.
func (s *side) joined(group string, r *kmsg.JoinGroupResponse) {
	if r.MemberID == "" || strings.HasPrefix(r.MemberID, "nobody") {
		return
	}
	s.member, s.generation = r.MemberID, r.Generation
	if s.speaks != "" {
		s.joins[s.speaks], s.speaks = membership{r.MemberID, r.Generation}, ""
	}
	s.named(group, r.MemberID)
}

// named gives a member, whose id the broker has made up, a name that answers can be compared by.
func (s *side) named(group, id string) {
	if _, known := s.members[id]; !known {
		s.sizes[group]++
		s.members[id] = fmt.Sprintf("member %d of %s", s.sizes[group], group)
	}
}

// subscription is the metadata of a consumer of one topic.
func subscription(topic string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = []string{topic}
	return m.AppendTo(nil)
}

// join is a JoinGroup of a consumer, changed by change.
func join(group string, change func(*side, *kmsg.JoinGroupRequest)) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		r := kmsg.NewPtrJoinGroupRequest()
		r.Group, r.SessionTimeoutMillis, r.RebalanceTimeoutMillis, r.ProtocolType = group, 30_000, 30_000, "consumer"
		for _, name := range []string{"range", "sticky"} {
			p := kmsg.NewJoinGroupRequestProtocol()
			p.Name, p.Metadata = name, subscription("one")
			r.Protocols = append(r.Protocols, p)
		}
		if change != nil {
			change(s, r)
		}
		return r
	}
}

func again(s *side, r *kmsg.JoinGroupRequest) { r.MemberID = s.member }

func syncing(group string, change func(*side, *kmsg.SyncGroupRequest)) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		r := kmsg.NewPtrSyncGroupRequest()
		r.Group, r.MemberID, r.Generation = group, s.member, s.generation
		kind, name := "consumer", "range"
		r.ProtocolType, r.Protocol = &kind, &name
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = s.member, []byte("assignment")
		r.GroupAssignment = append(r.GroupAssignment, a)
		if change != nil {
			change(s, r)
		}
		return r
	}
}

func beat(group string, change func(*side, *kmsg.HeartbeatRequest)) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		r := kmsg.NewPtrHeartbeatRequest()
		r.Group, r.MemberID, r.Generation = group, s.member, s.generation
		if change != nil {
			change(s, r)
		}
		return r
	}
}

// committing is an OffsetCommit of offsets for partitions that exist and others that do not.
func committing(group string, change func(*side, *kmsg.OffsetCommitRequest)) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		r := kmsg.NewPtrOffsetCommitRequest()
		r.Group = group
		for _, topic := range []string{"one", "unknown", "a b"} {
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic = topic
			for i, metadata := range []*string{nil, text("note"), text(strings.Repeat("x", 4097))} {
				p := kmsg.NewOffsetCommitRequestTopicPartition()
				p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = int32(i), int64(10*i), int32(i)-1, metadata
				t.Partitions = append(t.Partitions, p)
			}
			r.Topics = append(r.Topics, t)
		}
		if change != nil {
			change(s, r)
		}
		return r
	}
}

func text(s string) *string { return &s }

// fetchingOffsets asks for partitions of topics; without topics for all.
func fetchingOffsets(groups []string, stable bool, topics ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrOffsetFetchRequest()
		r.Group, r.RequireStable = groups[0], stable
		for _, topic := range topics {
			t := kmsg.NewOffsetFetchRequestTopic()
			t.Topic, t.Partitions = topic, []int32{0, 1, 2, 9}
			r.Topics = append(r.Topics, t)
		}
		for _, group := range groups {
			g := kmsg.NewOffsetFetchRequestGroup()
			g.Group = group
			for _, topic := range topics {
				t := kmsg.NewOffsetFetchRequestGroupTopic()
				t.Topic, t.Partitions = topic, []int32{0, 1, 2, 9}
				g.Topics = append(g.Topics, t)
			}
			r.Groups = append(r.Groups, g)
		}
		return r
	}
}

func described(groups ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrDescribeGroupsRequest()
		r.Groups, r.IncludeAuthorizedOperations = groups, true
		return r
	}
}

func listing(states, types []string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrListGroupsRequest()
		r.StatesFilter, r.TypesFilter = states, types
		return r
	}
}

func leaving(group string, change func(*side, *kmsg.LeaveGroupRequest)) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		r := kmsg.NewPtrLeaveGroupRequest()
		r.Group, r.MemberID = group, s.member
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = s.member
		r.Members = append(r.Members, m)
		if change != nil {
			change(s, r)
		}
		return r
	}
}

func deletingGroups(groups ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrDeleteGroupsRequest()
		r.Groups = groups
		return r
	}
}

func deletingOffsets(group string, topics ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrOffsetDeleteRequest()
		r.Group = group
		for _, topic := range topics {
			t := kmsg.NewOffsetDeleteRequestTopic()
			t.Topic = topic
			for _, partition := range []int32{0, 9} {
				p := kmsg.NewOffsetDeleteRequestTopicPartition()
				p.Partition = partition
				t.Partitions = append(t.Partitions, p)
			}
			r.Topics = append(r.Topics, t)
		}
		return r
	}
}

func find(kind int8, keys ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrFindCoordinatorRequest()
		r.CoordinatorType, r.CoordinatorKeys = kind, keys
		if len(keys) > 0 {
			r.CoordinatorKey = keys[0]
		}
		return r
	}
}

// askCoordinator asks when all groups can be asked about.
func askCoordinator() []question {
	return []question{{"FindCoordinator", 0, 6, first((*side).awaitGroups, find(0, "g", "other", ""))}}
}

func askFindCoordinator() []question {
	return append(
		askCoordinator(), []question{
			{"FindCoordinator of nobody", 0, 6, find(0)},
			{"FindCoordinator of share groups", 1, 6, find(2, "g")},
			{"FindCoordinator of an unknown kind", 1, 6, find(9, "g", "h")},
		}...)
}

// askMemberships goes through the life of a member, in each version of JoinGroup in a group of its own.
func askMemberships() (questions []question) {
	for v := int16(0); v <= 9; v++ {
		group := fmt.Sprintf("life-%d", v)
		s := min(v, 5)
		// What members share is asked in every version where they are of the first or the last, in the newest else.
		every := func(name string, from, to int16, ask func(*side) kmsg.Request) question {
			if v != 0 && v != 9 {
				from = to
			}
			return question{name, from, to, ask}
		}
		questions = append(
			questions,
			question{"JoinGroup", v, v, join(group, nil)},
			question{"JoinGroup again", v, v, join(group, again)},
			question{"SyncGroup of another generation", s, s, syncing(group, func(_ *side, r *kmsg.SyncGroupRequest) { r.Generation += 5 })},
			question{"SyncGroup of nobody", s, s, syncing(group, func(_ *side, r *kmsg.SyncGroupRequest) { r.MemberID = "nobody" })},
			question{"SyncGroup of another protocol", s, s, syncing(group, func(_ *side, r *kmsg.SyncGroupRequest) { r.Protocol = text("other") })},
			question{"SyncGroup of another type", s, s, syncing(group, func(_ *side, r *kmsg.SyncGroupRequest) { r.ProtocolType = text("other") })},
			question{"SyncGroup without protocol", s, s, syncing(group, func(_ *side, r *kmsg.SyncGroupRequest) { r.Protocol = nil })},
			every("Heartbeat before the sync", 0, 4, beat(group, nil)),
			every("DescribeGroups before the sync", 0, 5, described(group)),
			question{"SyncGroup", s, s, syncing(group, nil)},
			question{"SyncGroup again", s, s, syncing(group, nil)},
			every("Heartbeat", 0, 4, beat(group, nil)),
			every("Heartbeat of another generation", 0, 4, beat(group, func(_ *side, r *kmsg.HeartbeatRequest) { r.Generation++ })),
			every("Heartbeat of nobody", 0, 4, beat(group, func(_ *side, r *kmsg.HeartbeatRequest) { r.MemberID = "nobody" })),
			every("Heartbeat of another instance", 3, 4, beat(group, func(_ *side, r *kmsg.HeartbeatRequest) { r.InstanceID = text("i") })),
			every("DescribeGroups", 0, 5, described(group)),
			every("OffsetCommit of a member", 1, 9, committing(group, func(s *side, r *kmsg.OffsetCommitRequest) { r.MemberID, r.Generation = s.member, s.generation })),
			every("OffsetCommit of another generation", 1, 9, committing(group, func(s *side, r *kmsg.OffsetCommitRequest) { r.MemberID, r.Generation = s.member, s.generation+1 })),
			every("OffsetCommit of nobody", 1, 9, committing(group, func(s *side, r *kmsg.OffsetCommitRequest) { r.MemberID, r.Generation = "nobody", s.generation })),
			every("OffsetCommit beside the members", 1, 9, committing(group, nil)),
			every("OffsetFetch of a member's group", 1, 9, fetchingOffsets([]string{group}, true, "one", "two", "unknown")),
			question{"OffsetDelete of what is subscribed", 0, 0, deletingOffsets(group, "one", "two", "unknown")},
			every("DeleteGroups with members", 0, 2, deletingGroups(group)),
			question{"JoinGroup of another type", v, v, join(group, func(_ *side, r *kmsg.JoinGroupRequest) { r.MemberID, r.ProtocolType = "nobody", "other" })},
			every("LeaveGroup of nobody", 0, 5, leaving(group, func(_ *side, r *kmsg.LeaveGroupRequest) { r.MemberID, r.Members[0].MemberID = "nobody", "nobody" })),
			every("LeaveGroup of no member", 3, 5, leaving(group, func(_ *side, r *kmsg.LeaveGroupRequest) { r.Members = nil })),
			question{"LeaveGroup of an instance", 3, 5, leaving(group, func(_ *side, r *kmsg.LeaveGroupRequest) {
				r.Members[0].MemberID, r.Members[0].InstanceID = "", text("i")
			})},
			question{"LeaveGroup", s, s, leaving(group, nil)},
			question{"LeaveGroup again", s, s, leaving(group, nil)},
			every("DescribeGroups without members", 0, 5, described(group)),
			every("Heartbeat of who left", 0, 4, beat(group, nil)),
			question{"OffsetDelete", 0, 0, deletingOffsets(group, "one", "unknown")},
			every("OffsetFetch after it", 1, 9, fetchingOffsets([]string{group}, false, "one")),
		)
	}
	return append(
		questions,
		question{"ListGroups", 0, 5, listing(nil, nil)},
		question{"DeleteGroups", 0, 0, deletingGroups("life-0", "life-0", "unknown", "")},
		question{"DeleteGroups again", 0, 2, deletingGroups("life-0", "unknown")},
		question{"DescribeGroups of what was deleted", 0, 5, described("life-0", "unknown", "")},
		question{"OffsetFetch of what was deleted", 1, 9, fetchingOffsets([]string{"life-0"}, false, "one")},
	)
}

// askStatics goes through the life of a static member (KIP-345).
func askStatics() (questions []question) {
	instance := func(s *side, r *kmsg.JoinGroupRequest) { r.InstanceID = text("instance") }
	for v := int16(5); v <= 9; v++ {
		group := fmt.Sprintf("static-%d", v)
		questions = append(
			questions,
			question{"JoinGroup of a static member", v, v, join(group, instance)},
			question{"SyncGroup of a static member", 3, 3, syncing(group, func(_ *side, r *kmsg.SyncGroupRequest) { r.InstanceID = text("instance") })},
			question{"JoinGroup of a static member that returns", v, v, join(group, instance)},
			question{"SyncGroup of a static member that returned", 5, 5, syncing(group, func(_ *side, r *kmsg.SyncGroupRequest) { r.InstanceID = text("instance") })},
			question{"JoinGroup of another with the instance", v, v, join(group, func(_ *side, r *kmsg.JoinGroupRequest) { r.MemberID, r.InstanceID = "nobody", text("instance") })},
			question{"Heartbeat of another with the instance", 3, 4, beat(group, func(_ *side, r *kmsg.HeartbeatRequest) { r.MemberID, r.InstanceID = "nobody", text("instance") })},
			question{"OffsetCommit of another with the instance", 7, 9, committing(group, func(s *side, r *kmsg.OffsetCommitRequest) {
				r.MemberID, r.InstanceID, r.Generation = "nobody", text("instance"), s.generation
			})},
			question{"DescribeGroups of static members", 0, 5, described(group)},
			question{"LeaveGroup of another with the instance", 3, 5, leaving(group, func(_ *side, r *kmsg.LeaveGroupRequest) {
				r.Members[0].MemberID, r.Members[0].InstanceID = "nobody", text("instance")
			})},
			question{"LeaveGroup of the instance", 3, 5, leaving(group, func(_ *side, r *kmsg.LeaveGroupRequest) {
				r.Members[0].MemberID, r.Members[0].InstanceID, r.Members[0].Reason = "", text("instance"), text("it must")
			})},
		)
	}
	return questions
}

// askWrongGroups asks what is refused, and what no member asks.
func askWrongGroups() []question {
	change := func(group string, change func(*kmsg.JoinGroupRequest)) func(*side) kmsg.Request {
		return join(group, func(_ *side, r *kmsg.JoinGroupRequest) { change(r) })
	}
	questions := []question{
		{"JoinGroup without a name", 0, 9, join("", nil)},
		{"JoinGroup, short session", 0, 9, change("wrong", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 5_999 })},
		{"JoinGroup, long session", 0, 9, change("wrong", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1_800_001 })},
		{"JoinGroup, unknown member", 0, 9, change("wrong", func(r *kmsg.JoinGroupRequest) { r.MemberID = "nobody" })},
		{"JoinGroup without a type", 0, 3, change("wrong", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "" })},
		{"JoinGroup without protocols", 0, 3, change("wrong", func(r *kmsg.JoinGroupRequest) { r.Protocols = nil })},
		{"JoinGroup without protocols, late", 4, 9, change("wrong", func(r *kmsg.JoinGroupRequest) { r.Protocols = nil })},
		{"SyncGroup without a name", 0, 5, syncing("", nil)},
		{"SyncGroup of an unknown group", 0, 5, syncing("unknown", nil)},
		{"Heartbeat without a name", 0, 4, beat("", nil)},
		{"Heartbeat of an unknown group", 0, 4, beat("unknown", nil)},
		{"LeaveGroup without a name", 0, 5, leaving("", nil)},
		{"LeaveGroup of an unknown group", 0, 5, leaving("unknown", nil)},
		{"DeleteGroups of none", 0, 2, deletingGroups()},
		{"DescribeGroups of none", 0, 5, described()},
		{"OffsetDelete without a name", 0, 0, deletingOffsets("", "one")},
		{"OffsetDelete of an unknown group", 0, 0, deletingOffsets("unknown", "one")},
		{"OffsetDelete of an unknown topic", 0, 0, deletingOffsets("unknown", "unknown")},
		{"OffsetFetch of an unknown group", 0, 9, fetchingOffsets([]string{"unknown"}, true, "one", "unknown")},
		{"OffsetFetch of all of an unknown group", 2, 9, fetchingOffsets([]string{"unknown"}, false)},

		{"OffsetCommit of an unknown group with a generation", 1, 9, committing("unknown", func(_ *side, r *kmsg.OffsetCommitRequest) { r.Generation = 3 })},
		{"OffsetCommit of unknown topics", 0, 9, committing("simple", func(_ *side, r *kmsg.OffsetCommitRequest) { r.Topics = r.Topics[1:] })},
		{"OffsetCommit of nothing", 0, 9, committing("simple", func(_ *side, r *kmsg.OffsetCommitRequest) { r.Topics = nil })},
		{"OffsetCommit", 0, 9, committing("simple", nil)},
		{"OffsetCommit without a name", 1, 9, committing("", nil)},
		{"OffsetCommit with a retention", 2, 4, committing("kept", func(_ *side, r *kmsg.OffsetCommitRequest) { r.RetentionTimeMillis = 1_000_000 })},
		{"OffsetFetch", 0, 9, fetchingOffsets([]string{"simple"}, true, "one", "two", "unknown")},
		{"OffsetFetch of all", 2, 9, fetchingOffsets([]string{"simple"}, false)},
		{"OffsetFetch without a name", 1, 9, fetchingOffsets([]string{""}, false, "one")},
		{"OffsetFetch of some groups", 8, 9, fetchingOffsets([]string{"simple", "unknown", "simple", "kept"}, false, "one")},
		{"OffsetFetch of all of some groups", 8, 9, fetchingOffsets([]string{"simple", "unknown", "kept"}, true)},
		{"DescribeGroups of a simple group", 0, 5, described("simple", "kept")},
		{"OffsetDelete of a simple group", 0, 0, deletingOffsets("simple", "one")},
		{"ListGroups by state", 4, 5, listing([]string{"Empty"}, nil)},
		{"ListGroups by state, any case", 4, 5, listing([]string{"eMPty", "STABLE"}, nil)},
		{"ListGroups by unknown state", 4, 5, listing([]string{"Asleep"}, nil)},
		{"ListGroups by type", 5, 5, listing(nil, []string{"classic"})},
		{"ListGroups by type, any case", 5, 5, listing(nil, []string{"CLASSIC"})},
		{"ListGroups by the other type", 5, 5, listing(nil, []string{"consumer"})},
		{"ListGroups by unknown type", 5, 5, listing(nil, []string{"none"})},
		{"DeleteGroups of a simple group", 2, 2, deletingGroups("simple", "kept")},
	}
	return questions
}

// askNewProtocol asks what Kafka 3.9 refuses on ZooKeeper.
func askNewProtocol() []question {
	return []question{
		{"ConsumerGroupHeartbeat", 0, 0, func(*side) kmsg.Request {
			r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
			r.Group, r.RebalanceTimeoutMillis, r.SubscribedTopicNames = "new", 10_000, []string{"one"}
			r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			return r
		}},
		{"ConsumerGroupDescribe", 0, 0, func(*side) kmsg.Request {
			r := kmsg.NewPtrConsumerGroupDescribeRequest()
			r.Groups = []string{"unknown"}
			return r
		}},
	}
}
