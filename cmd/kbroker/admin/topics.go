package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/urfave/cli/v2"
)

func topicsCommand() *cli.Command {
	return &cli.Command{
		Name:  "topics",
		Usage: "list, describe, create, alter and delete topics",
		Subcommands: []*cli.Command{
			{
				Name:   "list",
				Usage:  "list topics with their partitions and replicas",
				Flags:  clusterFlags(&cli.BoolFlag{Name: "exclude-internal", Usage: "without Kafka's own topics"}),
				Action: action(listTopics),
			},
			{
				Name:        "describe",
				Usage:       "show partitions with leader, replicas and in-sync replicas, and the topic's own configuration",
				ArgsUsage:   "[TOPIC...]",
				Description: "Without names, all topics. The filters show only partitions that one of them finds, and no configuration.",
				Flags:       clusterFlags(append(conditionFilters(), topicNameFlag())...),
				Action:      action(describeTopics),
			},
			{
				Name:        "create",
				Usage:       "create topics",
				ArgsUsage:   "TOPIC...",
				Description: createDescription,
				Flags: clusterFlags(
					topicNameFlag(),
					&cli.IntFlag{Name: "partitions", Aliases: []string{"p"}, Usage: "`N` partitions; num.partitions of the broker when absent"},
					&cli.IntFlag{Name: "replication-factor", Aliases: []string{"r"}, Usage: "`N` replicas of each; default.replication.factor of the broker when absent"},
					&cli.StringFlag{Name: "replica-assignment", Usage: "`BROKER:BROKER,BROKER:BROKER`: the replicas of each partition, the preferred leader first"},
					&cli.StringSliceFlag{Name: "config", Aliases: []string{"c"}, Usage: "`KEY=VALUE`; may be repeated"},
					&cli.BoolFlag{Name: "if-not-exists", Usage: "pass over topics that exist"},
					validateFlag(),
				),
				Action: action(createTopics),
			},
			{
				Name:      "alter",
				Usage:     "add partitions to topics",
				ArgsUsage: "TOPIC...",
				Flags: clusterFlags(
					topicNameFlag(),
					&cli.IntFlag{Name: "partitions", Aliases: []string{"p"}, Usage: "`N` partitions in all, more than there are"},
					&cli.StringFlag{Name: "replica-assignment", Usage: "`BROKER:BROKER,BROKER:BROKER`: the replicas of all partitions; those of the new ones count"},
					&cli.BoolFlag{Name: "if-exists", Usage: "pass over topics that do not exist"},
					validateFlag(),
				),
				Action: action(alterTopics),
			},
			{
				Name:      "delete",
				Usage:     "delete topics",
				ArgsUsage: "TOPIC...",
				Flags:     clusterFlags(topicNameFlag(), &cli.BoolFlag{Name: "if-exists", Usage: "pass over topics that do not exist"}),
				Action:    action(deleteTopics),
			},
		},
	}
}

func topicNameFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "topic", Aliases: []string{"t"}, Usage: "`TOPIC`; may be repeated, or given as argument"}
}

func validateFlag() cli.Flag {
	return &cli.BoolFlag{Name: "validate-only", Usage: "have the cluster say whether it would do it"}
}

// listedTopic is a row of kbroker topics list.
type listedTopic struct {
	Topic             string `json:"topic"`
	Partitions        int    `json:"partitions"`
	ReplicationFactor int    `json:"replicationFactor"`
	Internal          bool   `json:"internal"`
	Error             string `json:"error,omitempty"`
}

func listTopics(ctx context.Context, c *cli.Context, cluster *kafka) error {
	if c.Args().Present() {
		return fmt.Errorf("%s: list takes no names of topics; describe does", c.Args().First())
	}
	found, err := cluster.ListTopicsWithInternal(ctx)
	if err != nil {
		return failure("list topics", err)
	}
	topics := []listedTopic{}
	for _, t := range found.Sorted() {
		if t.IsInternal && c.Bool("exclude-internal") {
			continue
		}
		topics = append(topics, listedTopic{t.Topic, len(t.Partitions), replicationFactor(t.Partitions), t.IsInternal, inWords(t.Err)})
	}
	return show(c, topics, func(w io.Writer) {
		fmt.Fprintln(w, "TOPIC\tPARTITIONS\tREPLICATION-FACTOR\tINTERNAL")
		for _, t := range topics {
			fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", t.Topic, t.Partitions, t.ReplicationFactor, yes(t.Internal))
		}
	})
}

// replicationFactor is that of the partition with the smallest number, as Kafka's tools tell it: a reassignment may be changing it.
func replicationFactor(partitions kadm.PartitionDetails) int {
	for _, p := range partitions.Sorted() {
		return len(p.Replicas)
	}
	return 0
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "-"
}

// topicDetails are the topics that the flags and arguments name, or all.
func topicDetails(ctx context.Context, c *cli.Context, cluster *kafka) ([]kadm.TopicDetail, error) {
	names := named(c, "topic")
	found, err := cluster.ListTopicsWithInternal(ctx, names...)
	if err != nil {
		return nil, failure("look up topics", err)
	}
	if len(names) == 0 {
		return found.Sorted(), nil
	}
	var details []kadm.TopicDetail
	for _, name := range names {
		t, ok := found[name]
		if !ok {
			t.Err = kerr.UnknownTopicOrPartition
		}
		if t.Err != nil {
			return nil, failure("topic "+name, t.Err)
		}
		details = append(details, t)
	}
	return details, nil
}

func deleteTopics(ctx context.Context, c *cli.Context, cluster *kafka) error {
	topics := named(c, "topic")
	if len(topics) == 0 {
		return errors.New("name the topics to delete")
	}
	deleted, err := cluster.DeleteTopics(ctx, topics...)
	if err != nil {
		return failure("delete topics", err)
	}
	outcomes := []outcome{}
	for _, topic := range topics {
		d, ok := deleted[topic]
		switch {
		case !ok:
			outcomes = append(outcomes, outcome{Name: topic, Error: "no answer"})
		case c.Bool("if-exists") && errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			outcomes = append(outcomes, outcome{Name: topic, Result: "did not exist"})
		default:
			outcomes = append(outcomes, outcome{Name: topic, Result: "deleted", Error: answered(d.Err, d.ErrMessage)})
		}
	}
	return showOutcomes(c, "TOPIC", slices.Clip(outcomes))
}
