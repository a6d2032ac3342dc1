package exact

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func askAPIVersions() []question {
	ask := func(name, version string) func(*side) kmsg.Request {
		return func(*side) kmsg.Request {
			r := kmsg.NewPtrApiVersionsRequest()
			r.ClientSoftwareName, r.ClientSoftwareVersion = name, version
			return r
		}
	}
	return []question{
		{"ApiVersions", 0, 5, ask("kgo", "1.0")},
		{"ApiVersions of a bad client", 0, 4, ask("a b", "")},
	}
}

// newTopic is an element of CreateTopics.
func newTopic(name string, partitions int32, factor int16, change ...func(*kmsg.CreateTopicsRequestTopic)) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, factor
	for _, c := range change {
		c(&t)
	}
	return t
}

// placed assigns replicas to the partitions of a new topic.
func placed(replicas ...[]int32) func(*kmsg.CreateTopicsRequestTopic) {
	return func(t *kmsg.CreateTopicsRequestTopic) {
		for i, r := range replicas {
			a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			a.Partition, a.Replicas = int32(i), r
			t.ReplicaAssignment = append(t.ReplicaAssignment, a)
		}
	}
}

// with gives a new topic a config; a value of "null" is null.
func with(key, value string) func(*kmsg.CreateTopicsRequestTopic) {
	return func(t *kmsg.CreateTopicsRequestTopic) {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name = key
		if value != "null" {
			c.Value = &value
		}
		t.Configs = append(t.Configs, c)
	}
}

func createTopics(timeout int32, validateOnly bool, topics ...kmsg.CreateTopicsRequestTopic) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrCreateTopicsRequest()
		r.TimeoutMillis, r.ValidateOnly, r.Topics = timeout, validateOnly, topics
		return r
	}
}

// skipped shifts the partitions of an assignment.
func skipped(t *kmsg.CreateTopicsRequestTopic) {
	for i := range t.ReplicaAssignment {
		t.ReplicaAssignment[i].Partition += 1
	}
}

func askCreateTopics() []question {
	long := strings.Repeat("x", 250)
	config := map[string]string{"retention.ms": "1000000", "cleanup.policy": "compact,delete"}
	var configs []func(*kmsg.CreateTopicsRequestTopic)
	for key, value := range config {
		configs = append(configs, with(key, value))
	}
	return []question{
		{"CreateTopics, good", 7, 7, createTopics(3000, false,
			newTopic("one", 2, 1), newTopic("two", 1, 1, configs...), newTopic("placed", -1, -1, placed([]int32{1}, []int32{1})),
			newTopic("stamped", 1, 1, with("message.timestamp.type", "LogAppendTime")))},
		{"CreateTopics, defaults", 4, 7, createTopics(3000, true, newTopic("defaults", -1, -1))},
		{"CreateTopics, no defaults", 0, 3, createTopics(3000, true, newTopic("defaults", -1, -1))},
		{"CreateTopics, there already", 0, 7, createTopics(3000, false, newTopic("one", 1, 1))},
		{"CreateTopics, only validated", 1, 7, createTopics(3000, true, newTopic("valid", 3, 1, with("segment.bytes", "1048576")))},
		{"CreateTopics, bad names", 0, 7, createTopics(3000, false, newTopic("", 1, 1), newTopic(".", 1, 1), newTopic("..", 1, 1),
			newTopic("a b", 1, 1), newTopic("ü", 1, 1), newTopic(long, 1, 1))},
		{"CreateTopics, collision", 7, 7, createTopics(3000, false, newTopic("under_score", 1, 1))},
		{"CreateTopics, collides", 7, 7, createTopics(3000, false, newTopic("under.score", 1, 1))},
		{"CreateTopics, twice in one request", 0, 7, createTopics(3000, false, newTopic("twice", 1, 1), newTopic("twice", 2, 1), newTopic("valid", 1, 2))},
		{"CreateTopics, KRaft's own", 7, 7, createTopics(3000, false, newTopic("__cluster_metadata", 1, 1))},
		{"CreateTopics, assignment and counts", 0, 7, createTopics(3000, false, newTopic("both", 1, 1, placed([]int32{1})), newTopic("both-2", -1, 1, placed([]int32{1})))},
		{"CreateTopics, bad assignments", 0, 7, createTopics(3000, false,
			newTopic("gap", -1, -1, placed([]int32{1}), skipped),
			newTopic("uneven", -1, -1, placed([]int32{1}, []int32{1, 2})), newTopic("doubled", -1, -1, placed([]int32{1, 1})),
			newTopic("unknown-broker", -1, -1, placed([]int32{99})))},
		{"CreateTopics, impossible assignments", 1, 7, createTopics(3000, true,
			newTopic("empty", -1, -1, placed([]int32{})), newTopic("negative", -1, -1, placed([]int32{-1})))},
		{"CreateTopics, bad counts", 0, 7, createTopics(3000, false, newTopic("factor", 1, 2), newTopic("no-factor", 1, 0), newTopic("none", 0, 1),
			newTopic("less", -2, 1), newTopic("less-factor", 1, -2))},
		{"CreateTopics, bad configs", 0, 7, createTopics(3000, false, newTopic("unknown-key", 1, 1, with("no.such.key", "1")),
			newTopic("null-value", 1, 1, with("retention.ms", "null")), newTopic("not-a-number", 1, 1, with("retention.ms", "soon")),
			newTopic("out-of-range", 1, 1, with("retention.ms", "-2")), newTopic("bad-list", 1, 1, with("cleanup.policy", "forget")),
			newTopic("not-a-bool", 1, 1, with("preallocate", "maybe")), newTopic("too-small", 1, 1, with("segment.bytes", "1")),
			newTopic("bad-ratio", 1, 1, with("min.cleanable.dirty.ratio", "2")), newTopic("bad-codec", 1, 1, with("compression.type", "rar")),
			newTopic("lag", 1, 1, with("min.compaction.lag.ms", "10"), with("max.compaction.lag.ms", "5")))},
		{"CreateTopics, no time", 7, 7, createTopics(0, false, newTopic("hurried", 1, 1))},
		{"CreateTopics, no topics", 0, 7, createTopics(3000, false)},
		{"CreateTopics, too new", 8, 8, createTopics(3000, false)},
	}
}

func metadata(auto bool, names ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrMetadataRequest()
		r.AllowAutoTopicCreation, r.IncludeTopicAuthorizedOperations, r.IncludeClusterAuthorizedOperations = auto, true, true
		r.Topics = []kmsg.MetadataRequestTopic{}
		for _, name := range names {
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = &name
			r.Topics = append(r.Topics, t)
		}
		return r
	}
}

func askMetadata() []question {
	byID := func(names ...string) func(s *side) kmsg.Request {
		return func(s *side) kmsg.Request {
			r := kmsg.NewPtrMetadataRequest()
			r.Topics = []kmsg.MetadataRequestTopic{}
			for _, name := range names {
				t := kmsg.NewMetadataRequestTopic()
				t.TopicID = s.ids[name]
				if name == "unknown" {
					t.TopicID = [16]byte{1, 2, 3}
				}
				r.Topics = append(r.Topics, t)
			}
			return r
		}
	}
	all := func(*side) kmsg.Request { return kmsg.NewPtrMetadataRequest() }
	return []question{
		{"Metadata of all", 1, 12, all},
		{"Metadata of none", 0, 12, metadata(false)},
		{"Metadata of some", 0, 12, metadata(false, "one", "placed", "one")},
		{"Metadata of unknown", 0, 12, metadata(false, "unknown", "one")},
		{"Metadata of unknown, to be created", 4, 12, metadata(true, "unknown")},
		{"Metadata of bad names", 0, 12, metadata(false, "", ".", "a b", strings.Repeat("x", 250))},
		{"Metadata of internal topics", 12, 12, metadata(false, "__consumer_offsets")},
		{"Metadata by id", 10, 12, byID("one", "two")},
		{"Metadata by unknown id", 12, 12, byID("unknown", "one")},
		{"Metadata by no id", 12, 12, byID("none")},
		{"Metadata, too new", 13, 13, all},
	}
}

func createPartitions(validateOnly bool, topics ...kmsg.CreatePartitionsRequestTopic) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrCreatePartitionsRequest()
		r.TimeoutMillis, r.ValidateOnly, r.Topics = 3000, validateOnly, topics
		return r
	}
}

func grown(name string, count int32, assignment ...[]int32) kmsg.CreatePartitionsRequestTopic {
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = name, count
	for _, replicas := range assignment {
		a := kmsg.NewCreatePartitionsRequestTopicAssignment()
		a.Replicas = replicas
		t.Assignment = append(t.Assignment, a)
	}
	return t
}

func askCreatePartitions() []question {
	return []question{
		{"CreatePartitions, good", 3, 3, createPartitions(false, grown("two", 2), grown("hurried", 3, []int32{1}, []int32{1}))},
		{"CreatePartitions, fewer and same", 0, 3, createPartitions(false, grown("one", 1), grown("two", 2), grown("placed", 0), grown("stamped", -1))},
		{"CreatePartitions, unknown", 0, 3, createPartitions(false, grown("unknown", 4), grown("a b", 4))},
		{"CreatePartitions, bad assignments", 0, 3, createPartitions(false, grown("one", 4, []int32{1}), grown("two", 3, []int32{99}),
			grown("placed", 3, []int32{1, 1}), grown("stamped", 2, []int32{}), grown("hurried", 4, []int32{1, 2}))},
		{"CreatePartitions, twice in one request", 0, 3, createPartitions(false, grown("one", 3), grown("one", 4))},
		{"CreatePartitions, only validated", 0, 3, createPartitions(true, grown("one", 5))},
	}
}

func askDeleteTopics() []question {
	ask := func(change func(s *side, r *kmsg.DeleteTopicsRequest)) func(*side) kmsg.Request {
		return func(s *side) kmsg.Request {
			r := kmsg.NewPtrDeleteTopicsRequest()
			r.TimeoutMillis = 3000
			change(s, r)
			return r
		}
	}
	names := func(names ...string) func(*side) kmsg.Request {
		return ask(func(_ *side, r *kmsg.DeleteTopicsRequest) {
			r.TopicNames = names
			for _, name := range names {
				t := kmsg.NewDeleteTopicsRequestTopic()
				t.Topic = &name
				r.Topics = append(r.Topics, t)
			}
		})
	}
	id := func(name string, too bool) func(*side) kmsg.Request {
		return ask(func(s *side, r *kmsg.DeleteTopicsRequest) {
			t := kmsg.NewDeleteTopicsRequestTopic()
			t.TopicID = s.ids[name]
			if name == "unknown" {
				t.TopicID = [16]byte{1, 2, 3}
			}
			if too {
				t.Topic = &name
			}
			r.Topics = append(r.Topics, t)
		})
	}
	return []question{
		{"DeleteTopics, unknown", 0, 6, names("unknown", "a b")},
		{"DeleteTopics, twice in one request", 0, 6, names("unknown", "unknown")},
		{"DeleteTopics, by unknown id", 6, 6, id("unknown", false)},
		{"DeleteTopics, by no id", 6, 6, id("none", false)},
		{"DeleteTopics, by id and name", 6, 6, id("one", true)},
		{"DeleteTopics, by id", 6, 6, id("two", false)},
		{"DeleteTopics, by name", 5, 6, names("placed")},
		{"DeleteTopics, none", 0, 6, names()},
	}
}
