package exact

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/protocol"
)

// raftAPIs are those that Kafka has in KRaft mode alone.
func raftAPIs() []protocol.API {
	return slices.DeleteFunc(protocol.APIs(), func(a protocol.API) bool { return !slices.Contains(raftOnly, a.Name) })
}

// askRaftTopics creates topics, in a version that does not tell their configs, of which 4.x has others.
func askRaftTopics() []question {
	return []question{{"CreateTopics", 4, 4, createTopics(3000, false, newTopic("one", 3, 1), newTopic("two", 1, 1), newTopic("three", 2, 1))}}
}

func describingTopics(limit int32, cursor *kmsg.DescribeTopicPartitionsRequestCursor, names ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrDescribeTopicPartitionsRequest()
		r.ResponsePartitionLimit, r.Cursor = limit, cursor
		for _, name := range names {
			t := kmsg.NewDescribeTopicPartitionsRequestTopic()
			t.Topic = name
			r.Topics = append(r.Topics, t)
		}
		return r
	}
}

func askTopicPages() []question {
	at := func(topic string, partition int32) *kmsg.DescribeTopicPartitionsRequestCursor {
		c := kmsg.NewDescribeTopicPartitionsRequestCursor()
		c.Topic, c.Partition = topic, partition
		return &c
	}
	var questions []question
	for i, ask := range []func(*side) kmsg.Request{
		describingTopics(2000, nil), describingTopics(2000, nil, "one", "two"), describingTopics(2000, nil, "two", "one", "one"),
		describingTopics(2000, nil, "unknown", "one"), describingTopics(2000, nil, ""), describingTopics(2000, nil, "a b", "."),
		describingTopics(2000, nil, strings.Repeat("x", 250)), describingTopics(2000, nil, "__consumer_offsets"),
		describingTopics(0, nil), describingTopics(-1, nil), describingTopics(1, nil), describingTopics(2, nil), describingTopics(3, nil),
		describingTopics(4, nil, "two", "three", "one"), describingTopics(2001, nil), describingTopics(1, nil, "unknown", "one"),
		describingTopics(2000, at("one", 1)), describingTopics(2, at("one", 0)), describingTopics(2000, at("one", 3)), describingTopics(2000, at("one", 9)),
		describingTopics(2000, at("one", -1)), describingTopics(2000, at("p", 0)), describingTopics(2000, at("zzz", 0)), describingTopics(2000, at("", 0)),
		describingTopics(1, at("three", 1), "one", "three"), describingTopics(1, at("three", 0), "one"), describingTopics(2000, at("unknown", 0), "unknown", "two"),
		describingTopics(2, at("p", 5), "one", "two"), describingTopics(1, at("three", 0), "two", "unknown", "three"),
	} {
		questions = append(questions, question{fmt.Sprintf("DescribeTopicPartitions %d", i), 0, 0, ask})
	}
	return questions
}

func askResources() []question {
	list := func(types ...int8) func(*side) kmsg.Request {
		return func(*side) kmsg.Request {
			r := kmsg.NewPtrListConfigResourcesRequest()
			r.ResourceTypes = types
			return r
		}
	}
	return []question{
		{"ListConfigResources", 0, 1, list()},
		{"ListConfigResources of topics", 0, 1, list(2)},
		{"ListConfigResources of brokers", 0, 1, list(4)},
		{"ListConfigResources of loggers", 0, 1, list(8)},
		{"ListConfigResources of client metrics", 0, 1, list(16)},
		{"ListConfigResources of groups", 0, 1, list(32)},
		{"ListConfigResources of topics twice", 0, 1, list(2, 2, 4)},
		{"ListConfigResources of an unknown type", 0, 1, list(2, 99)},
		{"ListConfigResources of none", 0, 1, list(0)},
		{"ListConfigResources of a negative type", 0, 1, list(-1)},
	}
}

// consumer is what a member of the new protocol knows.
type consumer struct {
	id    string
	epoch int32
}

// beating is a ConsumerGroupHeartbeat of a member that has a name here, and the id and epoch that it was given. Without a
// change it says nothing new.
func beating(group, name string, changes ...func(*side, *kmsg.ConsumerGroupHeartbeatRequest)) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		c := s.consumers[name]
		r.Group, r.MemberID, r.MemberEpoch, r.RebalanceTimeoutMillis = group, c.id, c.epoch, -1
		for _, change := range changes {
			change(s, r)
		}
		s.speaks = name
		return r
	}
}

// joining makes a heartbeat one that joins, subscribed to topics.
func joining(id string, topics ...string) func(*side, *kmsg.ConsumerGroupHeartbeatRequest) {
	return func(_ *side, r *kmsg.ConsumerGroupHeartbeatRequest) {
		r.MemberID, r.MemberEpoch, r.RebalanceTimeoutMillis = id, 0, 30_000
		r.SubscribedTopicNames, r.Topics = topics, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	}
}

// owning says which partitions of a topic the member has.
func owning(topic string, partitions ...int32) func(*side, *kmsg.ConsumerGroupHeartbeatRequest) {
	return func(s *side, r *kmsg.ConsumerGroupHeartbeatRequest) {
		r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		if topic == "" {
			return
		}
		t := kmsg.NewConsumerGroupHeartbeatRequestTopic()
		t.TopicID, t.Partitions = s.ids[topic], partitions
		r.Topics = append(r.Topics, t)
	}
}

func changed(change func(*kmsg.ConsumerGroupHeartbeatRequest)) func(*side, *kmsg.ConsumerGroupHeartbeatRequest) {
	return func(_ *side, r *kmsg.ConsumerGroupHeartbeatRequest) { change(r) }
}

func inEpoch(epoch int32) func(*side, *kmsg.ConsumerGroupHeartbeatRequest) {
	return changed(func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = epoch })
}

// beaten notes what a heartbeat was answered.
func (s *side) beaten(group string, r *kmsg.ConsumerGroupHeartbeatResponse) {
	if r.ErrorCode != 0 || r.MemberID == nil {
		return
	}
	if _, begun := s.begins[group]; !begun {
		s.begins[group] = r.MemberEpoch
	}
	if s.speaks == "" {
		return
	}
	s.named(group, *r.MemberID)
	s.consumers[s.speaks] = consumer{id: *r.MemberID, epoch: r.MemberEpoch}
}

// sinceBegin makes epochs count from the group's first, which is 1 or 2, depending on the release.
func (s *side) sinceBegin(group string, epochs ...*int32) {
	for _, epoch := range epochs {
		if begin, known := s.begins[group]; known && *epoch >= begin {
			*epoch -= begin - 1
		}
	}
}

func describingConsumers(groups ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrConsumerGroupDescribeRequest()
		r.Groups, r.IncludeAuthorizedOperations = groups, true
		return r
	}
}

// askConsumers goes through the life of a group of the new protocol, in each version of the heartbeat in a group of its own.
func askConsumers() (questions []question) {
	for v := int16(0); v <= 1; v++ {
		group := fmt.Sprintf("new-%d", v)
		id := func(name string) string {
			if v == 0 {
				return "" // the broker's choice
			}
			return group + "-" + name
		}
		beat := func(name, member string, changes ...func(*side, *kmsg.ConsumerGroupHeartbeatRequest)) {
			questions = append(questions, question{"ConsumerGroupHeartbeat, " + name, v, v, beating(group, group+member, changes...)})
		}
		look := func(name string) {
			questions = append(
				questions, question{"ConsumerGroupDescribe " + name, 0, 1, describingConsumers(group)},
				question{"DescribeGroups " + name, 0, 5, described(group)}, question{"ListGroups " + name, 4, 5, listing(nil, nil)},
			)
		}
		beat("first of the group", "a", joining(id("a"), "one"))
		look("of one member")
		beat("nothing new", "a")
		beat("owning what it was given", "a", owning("one", 0, 1, 2))
		beat("second of the group", "b", joining(id("b"), "one"))
		beat("second, before the first gives up", "b", owning(""))
		look("in a rebalance")
		beat("first, told to give up", "a", owning("one", 0, 1, 2))
		beat("first, giving up", "a", owning("one", 0, 1))
		beat("second, after the first gave up", "b", owning(""))
		beat("second, with what it got", "b", owning("one", 2))
		look("of two members")
		beat("owning more than it may", "b", owning("one", 0, 1, 2))
		beat("owning an unknown topic", "b", owning("unknown", 0))
		beat("an older epoch", "a", inEpoch(1), owning("one", 7))
		beat("a newer epoch", "a", inEpoch(99))
		beat("a stranger", "c", changed(func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberID, r.MemberEpoch = "nobody", 3 }))
		questions = append(questions, consumersCommit(group)...)
		beat("another subscription", "b", changed(func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = []string{"two", "unknown"} }))
		beat("another subscription, giving up", "b", owning(""))
		beat("a subscription to nothing", "b", changed(func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = []string{} }))
		look("with a member without subscription")
		questions = append(questions,
			question{"JoinGroup in a consumer group", 0, 9, join(group, func(_ *side, r *kmsg.JoinGroupRequest) { r.Protocols = nil })},
			question{"JoinGroup of another type in a consumer group", 0, 9, join(group, func(_ *side, r *kmsg.JoinGroupRequest) { r.ProtocolType = "other" })},
			question{"SyncGroup in a consumer group", 0, 5, syncing(group, func(_ *side, r *kmsg.SyncGroupRequest) { r.MemberID, r.Generation = "nobody", 3 })},
			question{"Heartbeat in a consumer group", 0, 4, beatClassic(group)},
			question{"LeaveGroup of a consumer group", 0, 5, leaving(group, func(_ *side, r *kmsg.LeaveGroupRequest) { r.MemberID, r.Members[0].MemberID = "nobody", "nobody" })},
			question{"DeleteGroups of a consumer group", 0, 2, deletingGroups(group)},
			question{"OffsetDelete of a consumer group", 0, 0, deletingOffsets(group, "one", "three")},
		)
		beat("leaving", "b", inEpoch(-1))
		beat("leaving again", "b", inEpoch(-1))
		beat("leaving for a while, though not static", "a", inEpoch(-2))
		beat("last of the group", "a", inEpoch(-1))
		look("without members")
		questions = append(questions, question{"DeleteGroups of an empty consumer group", v, v, deletingGroups(group)})
		beat("of a group that was deleted", "a", inEpoch(3))
	}
	return questions
}

func beatClassic(group string) func(*side) kmsg.Request {
	return beat(group, func(_ *side, r *kmsg.HeartbeatRequest) { r.MemberID, r.Generation = "nobody", 3 })
}

// consumersCommit commits and fetches offsets as members with the right epoch and others.
func consumersCommit(group string) (questions []question) {
	as := func(name string, epoch int32) func(*side, *kmsg.OffsetCommitRequest) {
		return func(s *side, r *kmsg.OffsetCommitRequest) {
			r.MemberID, r.Generation = "nobody", epoch
			if c, known := s.consumers[name]; known {
				r.MemberID, r.Generation = c.id, c.epoch+epoch
			}
		}
	}
	fetch := func(name string, epoch int32) func(*side) kmsg.Request {
		return func(s *side) kmsg.Request {
			r := fetchingOffsets([]string{group}, false, "one")(s).(*kmsg.OffsetFetchRequest)
			id := "nobody"
			if c, known := s.consumers[name]; known {
				id, epoch = c.id, c.epoch+epoch
			}
			r.Groups[0].MemberID, r.Groups[0].MemberEpoch = &id, epoch
			return r
		}
	}
	return []question{
		{"OffsetCommit of a consumer", 2, 9, committing(group, as(group+"a", 0))},
		{"OffsetCommit of a consumer in another epoch", 2, 9, committing(group, as(group+"a", 1))},
		{"OffsetCommit of a consumer in an old epoch", 2, 9, committing(group, as(group+"a", -1))},
		{"OffsetCommit of a stranger", 2, 9, committing(group, as("c", 3))},
		{"OffsetCommit beside the consumers", 2, 9, committing(group, nil)},
		{"OffsetFetch of a consumer", 9, 9, fetch(group+"a", 0)},
		{"OffsetFetch of a consumer in another epoch", 9, 9, fetch(group+"a", 1)},
		{"OffsetFetch of a consumer in an old epoch", 9, 9, fetch(group+"a", -1)},
		{"OffsetFetch of a stranger", 9, 9, fetch("c", 3)},
		{"OffsetFetch beside the consumers", 1, 9, fetchingOffsets([]string{group}, true, "one", "unknown")},
	}
}

// askWrongConsumers asks what the new protocol refuses.
func askWrongConsumers() (questions []question) {
	type change = func(*kmsg.ConsumerGroupHeartbeatRequest)
	wrong := func(name string, from int16, c change) {
		questions = append(questions, question{"ConsumerGroupHeartbeat, " + name, from, 1, beating("wrong", "", joining("wrong-a", "one"), changed(c))})
	}
	wrong("no group", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Group = "" })
	wrong("a blank group", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Group = " " })
	wrong("no member", 1, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberID = "" })
	wrong("no member, later", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberID, r.MemberEpoch = "", 3 })
	wrong("an impossible epoch", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -3 })
	wrong("no rebalance timeout", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RebalanceTimeoutMillis = -1 })
	wrong("a rebalance timeout of nothing", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RebalanceTimeoutMillis = 0 })
	wrong("no subscription", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = nil })
	wrong("no list of owned partitions", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Topics = nil })
	wrong("owning while joining", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) {
		r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: [16]byte{1}, Partitions: []int32{0}}}
	})
	wrong("an empty instance", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = text("") })
	wrong("an empty rack", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RackID = text("") })
	wrong("an unknown assignor", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.ServerAssignor = text("unknown") })
	wrong("an empty assignor", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.ServerAssignor = text("") })
	wrong("a bad pattern", 1, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicRegex = text("a[") })
	wrong("an unknown group", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Group, r.MemberEpoch = "unknown", 3 })
	wrong("leaving an unknown group", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Group, r.MemberEpoch = "unknown", -1 })
	wrong("leaving without an instance", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -2 })
	wrong("a long name", 0, func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberID, r.MemberEpoch = strings.Repeat("m", 300), 4 })
	return append(
		questions,
		question{"ConsumerGroupDescribe of nothing", 0, 1, describingConsumers()},
		question{"ConsumerGroupDescribe of unknown groups", 0, 1, describingConsumers("unknown", "", "unknown")},
		question{"ConsumerGroupDescribe of what is left", 0, 1, describingConsumers("wrong")},
	)
}

// askStaticConsumers goes through the life of static members of the new protocol, and of subscriptions by pattern.
func askStaticConsumers() (questions []question) {
	instance := func(name string) func(*side, *kmsg.ConsumerGroupHeartbeatRequest) {
		return changed(func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = &name })
	}
	add := func(name, member string, changes ...func(*side, *kmsg.ConsumerGroupHeartbeatRequest)) {
		questions = append(questions, question{"ConsumerGroupHeartbeat, " + name, 1, 1, beating("static", member, changes...)})
	}
	add("static member", "s", joining("static-a", "one"), instance("i"))
	add("another with the instance", "t", joining("static-b", "one"), instance("i"))
	add("static member goes for a while", "s", instance("i"), inEpoch(-2))
	questions = append(questions, question{"ConsumerGroupDescribe of an absent static member", 0, 1, describingConsumers("static")})
	add("static member returns with another id", "t", joining("static-b", "one"), instance("i"))
	add("who had the instance before", "s", instance("i"))
	add("static member without its instance", "t", owning("one", 0, 1, 2))
	add("static member with another instance", "t", instance("j"))
	questions = append(questions, question{"ConsumerGroupDescribe of a static member", 0, 1, describingConsumers("static")})
	add("static member leaves", "t", instance("i"), inEpoch(-1))
	add("both assignors, range", "r", joining("range-a", "one"), changed(func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.ServerAssignor = text("range") }))
	add("both assignors, uniform", "u", joining("range-b", "one"), changed(func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.ServerAssignor = text("uniform") }))
	questions = append(questions, question{"ConsumerGroupDescribe of two assignors", 0, 1, describingConsumers("static")})
	return questions
}
