package exact

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func listed(timestamp int64, change ...func(*kmsg.ListOffsetsRequest)) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrListOffsetsRequest()
		r.ReplicaID = -1
		for _, topic := range []string{"one", "two", "stamped", "unknown"} {
			if topic == "stamped" && timestamp == maxTimestamp {
				continue // batches of one millisecond or of two, as it happens
			}
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = topic
			for _, partition := range []int32{0, 1, 9} {
				p := kmsg.NewListOffsetsRequestTopicPartition()
				p.Partition, p.Timestamp, p.MaxNumOffsets, p.CurrentLeaderEpoch = partition, timestamp, 10, -1
				t.Partitions = append(t.Partitions, p)
			}
			r.Topics = append(r.Topics, t)
		}
		for _, c := range change {
			c(r)
		}
		return r
	}
}

// maxTimestamp asks for the offset of the newest record.
const maxTimestamp = -3

func askListOffsets() []question {
	var questions []question
	for _, timestamp := range []int64{-1, -2, -3, -4, -5, -6, -100, 0} {
		questions = append(questions, question{fmt.Sprintf("ListOffsets of %d", timestamp), 0, 10, listed(timestamp)})
	}
	for _, after := range []int64{0, 1, 10, 1_000_000_000} {
		questions = append(questions, question{fmt.Sprintf("ListOffsets %d ms after", after), 0, 9, listed(began + after)})
	}
	epoch := func(epoch int32) func(*kmsg.ListOffsetsRequest) {
		return func(r *kmsg.ListOffsetsRequest) {
			for i := range r.Topics {
				for j := range r.Topics[i].Partitions {
					r.Topics[i].Partitions[j].CurrentLeaderEpoch = epoch
				}
			}
		}
	}
	return append(questions,
		question{"ListOffsets, newer epoch", 4, 9, listed(-1, epoch(5))},
		question{"ListOffsets, same epoch", 4, 9, listed(-1, epoch(0))},
		question{"ListOffsets, committed", 2, 9, listed(-1, func(r *kmsg.ListOffsetsRequest) { r.IsolationLevel = 1 })},
		question{"ListOffsets, unknown isolation", 2, 9, listed(-1, func(r *kmsg.ListOffsetsRequest) { r.IsolationLevel = 7 })},
		question{"ListOffsets of a debugger", 1, 9, listed(-1, func(r *kmsg.ListOffsetsRequest) { r.ReplicaID = -2 })},
		question{"ListOffsets of a follower that is none", 1, 9, listed(-1, func(r *kmsg.ListOffsetsRequest) { r.ReplicaID = 5 })},
		question{"ListOffsets, twice in one request", 1, 9, listed(-1, func(r *kmsg.ListOffsetsRequest) { r.Topics = append(r.Topics, r.Topics[0]) })},
		question{"ListOffsets of old, few", 0, 0, listed(-1, func(r *kmsg.ListOffsetsRequest) {
			for j := range r.Topics[0].Partitions {
				r.Topics[0].Partitions[j].MaxNumOffsets = int32(j)
			}
		})},
	)
}

// fetched is a request of partitions 0 of topics, from an offset.
func fetched(offset int64, topics []string, change ...func(s *side, r *kmsg.FetchRequest)) func(*side) kmsg.Request {
	return func(s *side) kmsg.Request {
		r := kmsg.NewPtrFetchRequest()
		r.ReplicaID, r.MaxWaitMillis, r.MinBytes, r.MaxBytes = -1, 100, 1, 1<<20
		r.SessionID, r.SessionEpoch = 0, -1
		for _, topic := range topics {
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = topic, s.ids[topic]
			if topic == "unknown" {
				t.TopicID = [16]byte{1, 2, 3}
			}
			p := kmsg.NewFetchRequestTopicPartition()
			p.FetchOffset, p.CurrentLeaderEpoch, p.LastFetchedEpoch, p.LogStartOffset, p.PartitionMaxBytes = offset, -1, -1, -1, 1<<20
			t.Partitions = append(t.Partitions, p)
			r.Topics = append(r.Topics, t)
		}
		for _, c := range change {
			c(s, r)
		}
		return r
	}
}

func askFetch() []question {
	one := []string{"one"}
	all := []string{"one", "two", "stamped", "placed"}
	partition := func(change func(p *kmsg.FetchRequestTopicPartition)) func(*side, *kmsg.FetchRequest) {
		return func(_ *side, r *kmsg.FetchRequest) { change(&r.Topics[0].Partitions[0]) }
	}
	questions := []question{
		{"Fetch", 0, 17, fetched(0, []string{"one", "two", "placed"})},
		{"Fetch of zstd", 4, 17, fetched(0, []string{"placed"}, func(_ *side, r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].Partition = 1 })},
		{"Fetch of the middle of a batch", 4, 17, fetched(4, one)},
		{"Fetch at the end", 4, 17, fetched(0, []string{"two"})},
		{"Fetch beyond the end", 0, 17, fetched(1_000_000, one)},
		{"Fetch of a negative offset", 4, 17, fetched(-7, one)},
		{"Fetch of unknown and known", 0, 17, fetched(0, []string{"unknown", "one"})},
		{"Fetch of an unknown partition", 4, 17, fetched(0, one, partition(func(p *kmsg.FetchRequestTopicPartition) { p.Partition = 9 }))},
		{"Fetch, newer epoch", 9, 17, fetched(0, one, partition(func(p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 5 }))},
		{"Fetch, last epoch that diverges", 12, 17, fetched(7, one, partition(func(p *kmsg.FetchRequestTopicPartition) { p.LastFetchedEpoch = 5 }))},
		{"Fetch, last epoch that fits", 12, 17, fetched(3, one, partition(func(p *kmsg.FetchRequestTopicPartition) { p.LastFetchedEpoch = 0 }))},
		{"Fetch, one byte", 4, 17, fetched(0, one, func(_ *side, r *kmsg.FetchRequest) { r.MaxBytes, r.Topics[0].Partitions[0].PartitionMaxBytes = 1, 1 })},
		{"Fetch, no bytes", 4, 17, fetched(0, one, partition(func(p *kmsg.FetchRequestTopicPartition) { p.PartitionMaxBytes = 0 }))},
		{"Fetch, committed", 4, 17, fetched(0, one, func(_ *side, r *kmsg.FetchRequest) { r.IsolationLevel = 1 })},
		{"Fetch, unknown isolation", 4, 17, fetched(0, one, func(_ *side, r *kmsg.FetchRequest) { r.IsolationLevel = 7 })},
		{"Fetch of nothing", 4, 17, fetched(0, nil)},
		{"Fetch of a partition twice", 4, 17, fetched(0, []string{"placed", "placed"})},
		{"Fetch of a follower that is none", 4, 14, fetched(0, one, func(_ *side, r *kmsg.FetchRequest) { r.ReplicaID = 5 })},
		{"Fetch, too new", 18, 18, fetched(0, one)},
	}
	session := func(epoch int32, id func(s *side) int32) func(*side, *kmsg.FetchRequest) {
		return func(s *side, r *kmsg.FetchRequest) { r.SessionEpoch, r.SessionID = epoch, id(s) }
	}
	none := func(*side) int32 { return 0 }
	wrong := func(*side) int32 { return 12345 }
	same := func(s *side) int32 { return s.session }
	forget := func(s *side, r *kmsg.FetchRequest) {
		f := kmsg.NewFetchRequestForgottenTopic()
		f.Topic, f.TopicID, f.Partitions = "one", s.ids["one"], []int32{0}
		r.ForgottenTopics = append(r.ForgottenTopics, f)
	}
	for _, v := range []int16{7, 12, 13, 17} {
		for _, q := range []question{
			{"begun", v, v, fetched(0, all, session(0, none))},
			{"next", v, v, fetched(0, nil, session(1, same))},
			{"changed", v, v, fetched(6, one, session(2, same))},
			{"forgotten", v, v, fetched(0, nil, session(3, same), forget)},
			{"added", v, v, fetched(0, []string{"unknown"}, session(4, same))},
			{"wrong epoch", v, v, fetched(0, nil, session(7, same))},
			{"unknown", v, v, fetched(0, nil, session(3, wrong))},
			{"without one", v, v, fetched(0, nil, session(3, none))},
			{"begun again", v, v, fetched(0, one, session(0, none))},
			{"closed", v, v, fetched(0, one, session(-1, same))},
		} {
			q.name = "Fetch, session " + q.name
			questions = append(questions, q)
		}
	}
	return questions
}
