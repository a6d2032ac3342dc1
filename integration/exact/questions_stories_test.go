package exact

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/protocol/record"
)

// askTopicStory tells of a topic that is created, written, altered, grown, cut, deleted, and created again, and of what
// those see who still know the one before.
func askTopicStory() []question {
	one := []string{"story"}
	before := [16]byte{}
	remember := func(s *side) error { before = s.ids["story"]; return nil }
	earlier := func(s *side, r *kmsg.FetchRequest) { r.Topics[0].TopicID = before }
	producer := func(epoch int16, sequence int32) []byte {
		return batch(3, record.BatchOptions{Producer: &record.Producer{ID: 900, Epoch: epoch, Sequence: sequence}})
	}
	changed := func(changes ...change) func(*side) kmsg.Request {
		return incrementally(false, altered{topicType, "story", changes})
	}
	removed := func(*side) kmsg.Request {
		r := kmsg.NewPtrDeleteTopicsRequest()
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = text("story")
		r.TimeoutMillis, r.Topics, r.TopicNames = 5000, append(r.Topics, t), []string{"story"}
		return r
	}
	commit := committing("readers", func(_ *side, r *kmsg.OffsetCommitRequest) { r.Topics = r.Topics[:1]; r.Topics[0].Topic = "story" })
	return []question{
		{"CreateTopics, the story begins", 5, 5, createTopics(5000, false, newTopic("story", 2, 1, with("max.message.bytes", "300")))},
		{"Metadata, in the end there", 0, 12, metadata(false, one...)},
		{"Produce, first", 3, 11, produced("story", 0, -1, producer(0, 0))},
		{"Produce, next", 9, 11, produced("story", 0, -1, producer(0, 3))},
		{"Produce, more than the topic takes", 3, 11, produced("story", 1, -1, batch(20, record.BatchOptions{}))},
		{"IncrementalAlterConfigs, room for more", 1, 1, changed(change{set, "max.message.bytes", "100000"}, change{set, "message.timestamp.type", "LogAppendTime"})},
		{"DescribeConfigs after that", 1, 4, describeConfigs(true, topicType, "story", "max.message.bytes", "message.timestamp.type")},
		{"Produce, room for more", 9, 11, produced("story", 1, -1, batch(20, record.BatchOptions{}))},
		{"Fetch, stamped from now on", 4, 17, fetched(0, one, func(_ *side, r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].Partition = 1 })},
		{"CreatePartitions, one more", 3, 3, createPartitions(false, grown("story", 3))},
		{"Metadata, in the end of three", 0, 12, metadata(false, one...)},
		{"Produce, to the new one", 11, 11, produced("story", 2, -1, batch(1, record.BatchOptions{}))},
		{"OffsetCommit of readers", 2, 9, commit},
		{"DeleteRecords of the story", 0, 2, deleting("story", 3)},
		{"Fetch, below the start", 0, 17, fetched(0, one)},
		{"Fetch, from the start", 4, 17, fetched(3, one)},
		{"OffsetForLeaderEpoch of the story", 0, 4, leaderEpochsOf("story", 0)},
		{"DeleteTopics, the story ends", 6, 6, first(remember, removed)},
		{"Metadata, in the end gone", 0, 12, metadata(false, one...)},
		{"Produce, to what is gone", 3, 11, produced("story", 0, -1, producer(0, 6))},
		{"Fetch, of what is gone", 4, 12, fetched(0, one)},
		{"Fetch, by the id of what is gone", 13, 17, fetched(0, one, earlier)},
		{"OffsetFetch in the end without the story", 1, 9, fetchingOffsets([]string{"readers"}, false, "story")},
		{"DeleteTopics, again", 0, 6, removed},
		{"CreateTopics, the story in the end begins again", 5, 5, createTopics(5000, false, newTopic("story", 1, 1))},
		{"Metadata, in the end there again", 0, 12, metadata(false, one...)},
		{"Fetch, by the id of the story before", 13, 17, fetched(0, one, earlier)},
		{"Fetch, of an empty story", 4, 17, fetched(0, one)},
		{"Fetch, at the offset of the story before", 4, 17, fetched(6, one)},
		{"Produce, to a partition of the story before", 9, 11, produced("story", 2, -1, producer(0, 0))},
		{"Produce, where the story before was", 11, 11, produced("story", 0, -1, producer(0, 6))},
		{"Produce, from the beginning", 11, 11, produced("story", 0, -1, producer(1, 0))},
		{"OffsetForLeaderEpoch of the story again", 0, 4, leaderEpochsOf("story", 0)},
		{"DescribeConfigs after it began again", 4, 4, describeConfigs(true, topicType, "story", "max.message.bytes", "message.timestamp.type")},
	}
}

func deleting(topic string, offset int64) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		r := deleteRecords(offset)(s).(*kmsg.DeleteRecordsRequest)
		r.Topics = r.Topics[:1]
		r.Topics[0].Topic = topic
		return r
	}
}

func leaderEpochsOf(topic string, epoch int32) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		r := leaderEpochs(-1, -1, epoch)(s).(*kmsg.OffsetForLeaderEpochRequest)
		r.Topics = r.Topics[:1]
		r.Topics[0].Topic = topic
		return r
	}
}

// askProducerStory tells of producers: their epochs, sequences, and what is remembered of them.
func askProducerStory() []question {
	own := func(partition int32, epoch int16, sequence int32, count int) func(*side) kmsg.Request {
		return func(s *side) kmsg.Request {
			records := batch(count, record.BatchOptions{Producer: &record.Producer{ID: s.producer[0], Epoch: int16(s.producer[1]) + epoch, Sequence: sequence}})
			return produced("producers", partition, -1, records)(s)
		}
	}
	renewed := func(epoch int16) func(*side) kmsg.Request {
		return func(s *side) kmsg.Request {
			r := kmsg.NewPtrInitProducerIDRequest()
			r.TransactionTimeoutMillis, r.ProducerID, r.ProducerEpoch = 1000, s.producer[0], int16(s.producer[1])+epoch
			return r
		}
	}
	fresh := func(*side) kmsg.Request {
		r := kmsg.NewPtrInitProducerIDRequest()
		r.TransactionTimeoutMillis, r.ProducerID, r.ProducerEpoch = 1000, -1, -1
		return r
	}
	look := func(*side) kmsg.Request {
		r := kmsg.NewPtrDescribeProducersRequest()
		t := kmsg.NewDescribeProducersRequestTopic()
		t.Topic, t.Partitions = "producers", []int32{0, 1}
		r.Topics = append(r.Topics, t)
		return r
	}
	const wraps = 1<<31 - 2
	return []question{
		{"CreateTopics for producers", 5, 5, createTopics(5000, false, newTopic("producers", 2, 1))},
		{"Metadata, in the end with producers", 9, 9, metadata(false, "producers")},
		{"InitProducerId of a story", 4, 4, fresh},
		{"Produce, sequences 0 to 2", 11, 11, own(0, 0, 0, 3)},
		{"Produce, sequences 3 to 5", 9, 9, own(0, 0, 3, 3)},
		{"Produce, 3 to 5 once more", 3, 11, own(0, 0, 3, 3)},
		{"Produce, 0 to 2 once more", 3, 11, own(0, 0, 0, 3)},
		{"Produce, part of what is there", 8, 11, own(0, 0, 4, 1)},
		{"Produce, a gap", 3, 11, own(0, 0, 7, 1)},
		{"Produce, sequences 6 to 8 of another partition", 8, 11, own(1, 0, 6, 3)},
		{"Produce, negative sequence", 8, 11, own(0, 0, -5, 1)},
		{"InitProducerId with what it has", 4, 4, renewed(0)},
		{"Produce, where the epoch before was", 8, 11, own(0, 0, 6, 1)},
		{"Produce, epoch from 0", 11, 11, own(0, 0, 0, 1)},
		{"Produce, the epoch before", 3, 11, own(0, -1, 6, 1)},
		{"Produce, five more", 11, 11, own(0, 0, 1, 1)},
		{"Produce, five more", 11, 11, own(0, 0, 2, 1)},
		{"Produce, five more", 11, 11, own(0, 0, 3, 1)},
		{"Produce, five more", 11, 11, own(0, 0, 4, 1)},
		{"Produce, five more", 11, 11, own(0, 0, 5, 1)},
		{"Produce, one of the last five", 8, 11, own(0, 0, 1, 1)},
		{"Produce, one before the last five", 8, 11, own(0, 0, 0, 1)},
		{"DescribeProducers of the story", 0, 0, look},
		{"InitProducerId, an epoch too far", 3, 5, renewed(7)},
		{"InitProducerId of another", 4, 4, fresh},
		{"Produce, begun at the end of sequences", 11, 11, own(1, 0, wraps, 4)},
		{"Produce, wrapped", 11, 11, own(1, 0, 2, 1)},
		{"DeleteRecords under producers", 2, 2, deleting("producers", -1)},
		{"Produce, with no record left", 11, 11, own(0, 0, 0, 1)},
		{"DescribeProducers with no record left", 0, 0, look},
		{"Produce, epoch -1", 8, 11, own(0, -1, 0, 1)},
	}
}

// membership is what a member of a classic group knows.
type membership struct {
	id         string
	generation int32
}

// teller makes the questions of one group's story; a seat is a member, by its name here.
type teller struct {
	group   string
	version int16 // of JoinGroup
}

// enter joins, or joins again.
func (t teller) enter(seat, topic string) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		r := join(t.group, nil)(s).(*kmsg.JoinGroupRequest)
		r.MemberID = s.joins[t.group+seat].id
		for i := range r.Protocols {
			r.Protocols[i].Metadata = subscription(topic)
		}
		s.speaks = t.group + seat
		return r
	}
}

// post is enter whose answer has to wait for the other members; take reads it.
func (t teller) post(seat, topic string) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request { return posted{t.enter(seat, topic)(s), seat} }
}

func (t teller) take(seat string) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request { return collected{t.enter(seat, "one")(s), seat} }
}

// as has a member ask.
func (t teller) as(seat string, ask func(*side) kmsg.Request) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		s.member, s.generation = s.joins[t.group+seat].id, s.joins[t.group+seat].generation
		return ask(s)
	}
}

// sync is a SyncGroup that gives shares to seats.
func (t teller) sync(seat string, seats ...string) func(*side) kmsg.Request {
	return t.as(seat, syncing(t.group, func(s *side, r *kmsg.SyncGroupRequest) {
		r.GroupAssignment = nil
		for _, seat := range seats {
			a := kmsg.NewSyncGroupRequestGroupAssignment()
			a.MemberID, a.MemberAssignment = s.joins[t.group+seat].id, []byte("share of "+seat)
			r.GroupAssignment = append(r.GroupAssignment, a)
		}
	}))
}

func (t teller) pulse(seat string) func(*side) kmsg.Request { return t.as(seat, beat(t.group, nil)) }

func (t teller) leave(seat string) func(*side) kmsg.Request {
	return t.as(seat, leaving(t.group, nil))
}

func (t teller) commit(seat string) func(*side) kmsg.Request {
	return t.as(seat, committing(t.group, func(s *side, r *kmsg.OffsetCommitRequest) { r.MemberID, r.Generation = s.member, s.generation }))
}

// askGroupStory tells of members that come and go: joins that wait for the others, who leads, and what those see who
// are late.
func askGroupStory() (questions []question) {
	for _, v := range []int16{2, 5, 9} {
		t := teller{fmt.Sprintf("tale-%d", v), v}
		s, h, group := min(v, 5), min(v, 4), t.group
		if v >= 4 {
			questions = append(questions, question{"JoinGroup of a, given an id", v, v, t.enter("a", "one")}, question{"JoinGroup of b, given an id", v, v, t.enter("b", "two")})
		}
		questions = append(
			questions,
			question{"JoinGroup of a", v, v, t.enter("a", "one")},
			question{"SyncGroup of a", s, s, t.sync("a", "a")},
			question{"JoinGroup of b waits", v, v, t.post("b", "two")},
			question{"Heartbeat of a, in the end told of b", h, h, t.pulse("a")},
			question{"DescribeGroups while b waits", 0, 5, described(group)},
			question{"OffsetCommit of a while b waits", 2, 9, t.commit("a")},
			question{"SyncGroup of a while b waits", s, s, t.sync("a", "a")},
			question{"JoinGroup of a with b", v, v, t.enter("a", "one")},
			question{"JoinGroup of b is answered", v, v, t.take("b")},
			question{"Heartbeat of b before the leader's sync", h, h, t.pulse("b")},
			question{"SyncGroup of a with b", s, s, t.sync("a", "a", "b", "nobody")},
			question{"SyncGroup of b", s, s, t.sync("b")},
			question{"SyncGroup of b once more", s, s, t.sync("b")},
			question{"Heartbeat of both", h, h, t.pulse("b")},
			question{"DescribeGroups of both", 0, 5, described(group)},
			question{"OffsetCommit of b", 2, 9, t.commit("b")},
			question{"JoinGroup of b as it is", v, v, t.enter("b", "two")},
			question{"JoinGroup of b, subscribed to something else, waits", v, v, t.post("b", "stamped")},
			question{"Heartbeat of a, in the end told of the change", h, h, t.pulse("a")},
			question{"LeaveGroup of a, the leader", s, s, t.leave("a")},
			question{"JoinGroup of b, left alone", v, v, t.take("b")},
			question{"Heartbeat of a, that has left", h, h, t.pulse("a")},
			question{"SyncGroup of a, that has left", s, s, t.sync("a", "a")},
			question{"SyncGroup of b, left alone", s, s, t.sync("b", "b")},
			question{"DescribeGroups of b, left alone", 0, 5, described(group)},
			question{"LeaveGroup of b", s, s, t.leave("b")},
			question{"DescribeGroups of nobody", 0, 5, described(group)},
		)
	}
	return questions
}
