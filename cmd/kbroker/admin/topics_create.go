package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v2"
)

const createDescription = `For example: kbroker topics create orders --partitions 6 --replication-factor 3 --config retention.ms=86400000
kbroker topics create small --replica-assignment 1:2,2:3 makes two partitions, on brokers 1 and 2, and 2 and 3.`

func createTopics(ctx context.Context, c *cli.Context, cluster *kafka) error {
	topics := named(c, "topic")
	if len(topics) == 0 {
		return errors.New("name the topics to create")
	}
	partitions, err := partitionCount(c)
	if err != nil {
		return err
	}
	replicas := -1 // the broker's default
	if c.IsSet("replication-factor") {
		if replicas = c.Int("replication-factor"); replicas < 1 || replicas > 1<<15-1 {
			return fmt.Errorf("--replication-factor %d: must be at least 1", replicas)
		}
	}
	assignment, err := parseAssignment(c.String("replica-assignment"))
	if err != nil {
		return err
	}
	if assignment != nil {
		if c.IsSet("partitions") || c.IsSet("replication-factor") {
			return errors.New("--replica-assignment says how many: --partitions and --replication-factor exclude it")
		}
		partitions, replicas = -1, -1
	}
	configs, err := keyValues("config", c.StringSlice("config"))
	if err != nil {
		return err
	}
	q := kmsg.NewPtrCreateTopicsRequest()
	q.TimeoutMillis, q.ValidateOnly = timeoutMillis(c), c.Bool("validate-only")
	for _, name := range topics {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, int16(replicas)
		for p, brokers := range assignment {
			t.ReplicaAssignment = append(t.ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: int32(p), Replicas: brokers})
		}
		for _, kv := range configs {
			t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: kv.key, Value: &kv.value})
		}
		q.Topics = append(q.Topics, t)
	}
	answer, err := q.RequestWith(ctx, cluster.requests)
	if err != nil {
		return failure("create topics", err)
	}
	outcomes := []outcome{}
	for _, t := range answer.Topics {
		err := kerr.ErrorForCode(t.ErrorCode)
		if c.Bool("if-not-exists") && errors.Is(err, kerr.TopicAlreadyExists) {
			outcomes = append(outcomes, outcome{Name: t.Topic, Result: "existed already"})
			continue
		}
		o := outcome{Name: t.Topic, Result: "created", Error: answered(err, text(t.ErrorMessage))}
		if q.ValidateOnly {
			o.Result = "would be created"
		}
		outcomes = append(outcomes, o)
	}
	return showOutcomes(c, "TOPIC", outcomes)
}

func alterTopics(ctx context.Context, c *cli.Context, cluster *kafka) error {
	topics := named(c, "topic")
	if len(topics) == 0 {
		return errors.New("name the topics to add partitions to")
	}
	partitions, err := partitionCount(c)
	if err != nil {
		return err
	}
	assignment, err := parseAssignment(c.String("replica-assignment"))
	switch {
	case err != nil:
		return err
	case partitions < 0 && assignment == nil:
		return errors.New("say how many there shall be, with --partitions; configurations are altered by kbroker configs, replicas by kbroker reassign")
	case partitions < 0:
		partitions = int32(len(assignment))
	case assignment != nil && int(partitions) != len(assignment):
		return fmt.Errorf("--partitions %d, but --replica-assignment is of %d", partitions, len(assignment))
	}
	found, err := cluster.ListTopicsWithInternal(ctx, topics...)
	if err != nil {
		return failure("look up topics", err)
	}
	outcomes := []outcome{}
	q := kmsg.NewPtrCreatePartitionsRequest()
	q.TimeoutMillis, q.ValidateOnly = timeoutMillis(c), c.Bool("validate-only")
	for _, name := range topics {
		detail := found[name]
		switch have := len(detail.Partitions); {
		case errors.Is(detail.Err, kerr.UnknownTopicOrPartition) && c.Bool("if-exists"):
			outcomes = append(outcomes, outcome{Name: name, Result: "does not exist"})
		case detail.Err != nil:
			outcomes = append(outcomes, outcome{Name: name, Error: inWords(detail.Err)})
		case assignment != nil && have >= len(assignment):
			outcomes = append(outcomes, outcome{Name: name, Error: fmt.Sprintf("it has %d partitions, and cannot become smaller", have)})
		default:
			t := kmsg.NewCreatePartitionsRequestTopic()
			t.Topic, t.Count = name, partitions
			if assignment != nil {
				for _, replicas := range assignment[have:] {
					t.Assignment = append(t.Assignment, kmsg.CreatePartitionsRequestTopicAssignment{Replicas: replicas})
				}
			}
			q.Topics = append(q.Topics, t)
		}
	}
	if len(q.Topics) == 0 {
		return showOutcomes(c, "TOPIC", outcomes)
	}
	answer, err := q.RequestWith(ctx, cluster.requests)
	if err != nil {
		return failure("add partitions", err)
	}
	for _, t := range answer.Topics {
		o := outcome{Name: t.Topic, Error: answered(kerr.ErrorForCode(t.ErrorCode), text(t.ErrorMessage))}
		o.Result = fmt.Sprintf("has %d partitions", partitions)
		if q.ValidateOnly {
			o.Result = fmt.Sprintf("would have %d partitions", partitions)
		}
		outcomes = append(outcomes, o)
	}
	return showOutcomes(c, "TOPIC", outcomes)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func timeoutMillis(c *cli.Context) int32 {
	return int32(min(c.Duration("timeout").Milliseconds(), 1<<31-1))
}

// partitionCount is -1 when --partitions is absent.
func partitionCount(c *cli.Context) (int32, error) {
	if !c.IsSet("partitions") {
		return -1, nil
	}
	n := c.Int("partitions")
	if n < 1 || n > 1<<31-1 {
		return 0, fmt.Errorf("--partitions %d: must be at least 1", n)
	}
	return int32(n), nil
}

// parseAssignment reads kafka-topics' form, 1:2,2:3: the brokers of partition 0, then those of partition 1. It is nil for nothing.
func parseAssignment(given string) ([][]int32, error) {
	if given == "" {
		return nil, nil
	}
	var assignment [][]int32
	for p, list := range strings.Split(given, ",") {
		var replicas []int32
		seen := map[int32]bool{}
		for _, field := range strings.Split(list, ":") {
			id, err := strconv.ParseInt(strings.TrimSpace(field), 10, 32)
			if err != nil || id < 0 {
				return nil, fmt.Errorf("--replica-assignment: %q of partition %d is no broker id", field, p)
			}
			if seen[int32(id)] {
				return nil, fmt.Errorf("--replica-assignment: partition %d has broker %d twice", p, id)
			}
			seen[int32(id)] = true
			replicas = append(replicas, int32(id))
		}
		if p > 0 && len(replicas) != len(assignment[0]) {
			return nil, fmt.Errorf("--replica-assignment: partition %d has %d replicas, partition 0 has %d", p, len(replicas), len(assignment[0]))
		}
		assignment = append(assignment, replicas)
	}
	return assignment, nil
}

type keyValue struct{ key, value string }

// keyValues reads KEY=VALUE of a flag or argument.
func keyValues(flag string, given []string) ([]keyValue, error) {
	var list []keyValue
	for _, g := range given {
		key, value, ok := strings.Cut(g, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil, fmt.Errorf("--%s %q is not KEY=VALUE", flag, g)
		}
		list = append(list, keyValue{key, value})
	}
	return list, nil
}
