package exact

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	topicType  = kmsg.ConfigResourceTypeTopic
	brokerType = kmsg.ConfigResourceTypeBroker
)

func describeConfigs(more bool, kind kmsg.ConfigResourceType, name string, keys ...string) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		q := kmsg.NewPtrDescribeConfigsRequest()
		q.IncludeSynonyms, q.IncludeDocumentation = more, more
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.ConfigNames = kind, name, keys
		q.Resources = append(q.Resources, r)
		return q
	}
}

func askDescribeConfigs() []question {
	return []question{
		{"DescribeConfigs of a topic", 0, 4, describeConfigs(false, topicType, "two")},
		{"DescribeConfigs of a topic with synonyms", 1, 4, describeConfigs(true, topicType, "two")},
		{"DescribeConfigs, named keys", 0, 4, describeConfigs(true, topicType, "two", "retention.ms", "no.such.key", "segment.bytes")},
		{"DescribeConfigs, no keys", 0, 4, describeConfigs(true, topicType, "two", []string{}...)},
		{"DescribeConfigs of an unknown topic", 0, 4, describeConfigs(true, topicType, "unknown")},
		{"DescribeConfigs of a bad name", 0, 4, describeConfigs(true, topicType, "a b")},
		{"DescribeConfigs of no topic", 0, 4, describeConfigs(true, topicType, "")},
		{"DescribeConfigs of the broker", 4, 4, describeConfigs(true, brokerType, "1")},
		{"DescribeConfigs of the broker, named keys", 0, 4, describeConfigs(true, brokerType, "1", "log.dirs", "log.retention.ms", "broker.id", "auto.create.topics.enable",
			"zookeeper.connect", "listeners", "log.cleanup.policy", "ssl.keystore.password", "log.cleaner.min.cleanable.ratio", "num.io.threads", "unknown")},
		{"DescribeConfigs of all brokers", 0, 4, describeConfigs(true, brokerType, "")},
		{"DescribeConfigs of another broker", 0, 4, describeConfigs(true, brokerType, "2")},
		{"DescribeConfigs of no number", 0, 4, describeConfigs(true, brokerType, "one")},
		{"DescribeConfigs of an unknown type", 0, 4, describeConfigs(true, 77, "one")},
		{"DescribeConfigs of client metrics", 4, 4, describeConfigs(true, kmsg.ConfigResourceTypeClientMetrics, "one")},
		{"DescribeConfigs of a group", 4, 4, describeConfigs(true, kmsg.ConfigResourceTypeGroupConfig, "one")},
	}
}

// change is a key of an alteration; a value of "null" is null.
type change struct {
	op    kmsg.IncrementalAlterConfigOp
	key   string
	value string
}

func (c change) pointer() *string {
	if c.value == "null" {
		return nil
	}
	return &c.value
}

// altered is a resource with its changes.
type altered struct {
	kind    kmsg.ConfigResourceType
	name    string
	changes []change
}

func alter(validateOnly bool, resources ...altered) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		q := kmsg.NewPtrAlterConfigsRequest()
		q.ValidateOnly = validateOnly
		for _, a := range resources {
			r := kmsg.NewAlterConfigsRequestResource()
			r.ResourceType, r.ResourceName = a.kind, a.name
			for _, c := range a.changes {
				k := kmsg.NewAlterConfigsRequestResourceConfig()
				k.Name, k.Value = c.key, c.pointer()
				r.Configs = append(r.Configs, k)
			}
			q.Resources = append(q.Resources, r)
		}
		return q
	}
}

func incrementally(validateOnly bool, resources ...altered) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		q := kmsg.NewPtrIncrementalAlterConfigsRequest()
		q.ValidateOnly = validateOnly
		for _, a := range resources {
			r := kmsg.NewIncrementalAlterConfigsRequestResource()
			r.ResourceType, r.ResourceName = a.kind, a.name
			for _, c := range a.changes {
				k := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
				k.Name, k.Op, k.Value = c.key, c.op, c.pointer()
				r.Configs = append(r.Configs, k)
			}
			q.Resources = append(q.Resources, r)
		}
		return q
	}
}

const (
	set      = kmsg.IncrementalAlterConfigOpSet
	del      = kmsg.IncrementalAlterConfigOpDelete
	add      = kmsg.IncrementalAlterConfigOpAppend
	subtract = kmsg.IncrementalAlterConfigOpSubtract
)

// badChanges are refused, each for itself.
func badChanges(kind kmsg.ConfigResourceType, name, list, number string) []altered {
	one := func(changes ...change) altered { return altered{kind, name, changes} }
	return []altered{
		one(change{set, "no.such.key", "1"}), one(change{set, number, "soon"}), one(change{set, number, "null"}),
		one(change{add, number, "1"}), one(change{subtract, number, "1"}), one(change{set, list, "wrong"}), one(change{add, list, "wrong"}),
		one(change{set, number, "1000"}, change{set, number, "2000"}), one(change{9, number, "1"}), one(change{del, "no.such.key", ""}),
		one(change{add, "no.such.key", "1"}), one(change{add, list, "null"}), one(change{set, "", "1"}),
	}
}

func askAlterConfigs() []question {
	topic := func(changes ...change) altered { return altered{topicType, "two", changes} }
	questions := []question{
		{"IncrementalAlterConfigs, good", 0, 1, incrementally(false, topic(change{set, "retention.ms", "500000"}, change{del, "cleanup.policy", "null"}, change{del, "segment.ms", "null"}))},
		{"IncrementalAlterConfigs, append", 0, 1, incrementally(false, topic(change{add, "cleanup.policy", "compact"}))},
		{"IncrementalAlterConfigs, subtract", 0, 1, incrementally(false, topic(change{subtract, "cleanup.policy", "delete"}))},
		{"IncrementalAlterConfigs, only validated", 0, 1, incrementally(true, topic(change{set, "retention.ms", "7"}))},
		{"DescribeConfigs after it", 4, 4, describeConfigs(true, topicType, "two", "retention.ms", "cleanup.policy", "segment.ms", "max.message.bytes")},
		{"AlterConfigs, good", 0, 2, alter(false, topic(change{set, "max.message.bytes", "123456"}))},
		{"AlterConfigs, only validated", 0, 2, alter(true, topic(change{set, "max.message.bytes", "7"}))},
		{"DescribeConfigs after that", 4, 4, describeConfigs(true, topicType, "two", "retention.ms", "cleanup.policy", "segment.ms", "max.message.bytes")},
		{"IncrementalAlterConfigs, resources twice", 0, 1, incrementally(false, topic(), topic(change{set, "retention.ms", "7"}), altered{topicType, "one", nil})},
		{"AlterConfigs, resources twice", 2, 2, alter(false, topic(), topic(), altered{topicType, "one", nil})},
		{"IncrementalAlterConfigs of others", 0, 1, incrementally(false, altered{topicType, "unknown", nil}, altered{topicType, "", nil}, altered{topicType, "a b", nil},
			altered{brokerType, "2", nil}, altered{brokerType, "one", nil}, altered{77, "one", nil}, altered{kmsg.ConfigResourceTypeClientMetrics, "m", nil}, altered{kmsg.ConfigResourceTypeGroupConfig, "g", nil})},
		{"AlterConfigs of others", 0, 2, alter(false, altered{topicType, "unknown", nil}, altered{topicType, "", nil}, altered{topicType, "a b", nil},
			altered{brokerType, "2", nil}, altered{brokerType, "one", nil}, altered{77, "one", nil}, altered{kmsg.ConfigResourceTypeClientMetrics, "m", nil})},
		{"IncrementalAlterConfigs of the broker", 1, 1, incrementally(false, altered{brokerType, "1", []change{{set, "log.cleaner.threads", "2"}}}, altered{brokerType, "", []change{{set, "log.retention.ms", "7200000"}}})},
		{"IncrementalAlterConfigs of read-only keys", 1, 1, incrementally(false, altered{brokerType, "1", []change{{set, "zookeeper.connect", "x:1"}}},
			altered{brokerType, "", []change{{set, "advertised.listeners", "PLAINTEXT://x:1"}}})},
		{"DescribeConfigs of the broker after it", 4, 4, describeConfigs(true, brokerType, "1", "log.cleaner.threads", "log.retention.ms", "log.retention.hours")},
		{"DescribeConfigs of all brokers after it", 4, 4, describeConfigs(true, brokerType, "")},
		{"DescribeConfigs of a topic after it", 4, 4, describeConfigs(true, topicType, "one")},
		{"IncrementalAlterConfigs, back", 1, 1, incrementally(false, altered{brokerType, "1", []change{{del, "log.cleaner.threads", "null"}}}, altered{brokerType, "", []change{{del, "log.retention.ms", "null"}}},
			topic(change{del, "max.message.bytes", "null"}))},
	}
	for _, bad := range badChanges(topicType, "two", "cleanup.policy", "retention.ms") {
		questions = append(questions, alsoAtOnce(bad)...)
	}
	for _, bad := range badChanges(brokerType, "1", "log.cleanup.policy", "log.cleaner.threads") {
		questions = append(questions, alsoAtOnce(bad)...)
	}
	for _, bad := range badChanges(brokerType, "", "log.cleanup.policy", "log.retention.ms") {
		questions = append(questions, alsoAtOnce(bad)...)
	}
	return questions
}

// alsoAtOnce asks for a bad change incrementally and, where that can be, as a whole.
func alsoAtOnce(bad altered) []question {
	c := bad.changes[0]
	name := " refused: " + bad.name + " " + c.key + " " + string(rune('0'+c.op)) + " " + c.value
	questions := []question{{"IncrementalAlterConfigs" + name, 1, 1, incrementally(false, bad)}}
	if c.op == set {
		questions = append(questions, question{"AlterConfigs" + name, 2, 2, alter(false, bad)})
	}
	return questions
}
