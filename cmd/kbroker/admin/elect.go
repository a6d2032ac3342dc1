package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v2"
)

func electCommand() *cli.Command {
	return &cli.Command{
		Name:  "elect-leaders",
		Usage: "have the controller elect leaders of partitions",
		Description: "--preferred makes the first replica lead again where it is alive and in sync. --unclean lets a replica lead that\n" +
			"is not in sync, in partitions without a leader: records that only the others had are lost.",
		ArgsUsage: "[TOPIC[:PARTITION,...]...]",
		Flags: clusterFlags(
			&cli.BoolFlag{Name: "preferred", Usage: "elect preferred replicas"},
			&cli.BoolFlag{Name: "unclean", Usage: "elect any living replica where no replica in sync is alive"},
			topicFlag(),
			&cli.StringFlag{Name: "file", Usage: "of the partitions that `FILE` lists, in the format of kafka-leader-election"},
			&cli.BoolFlag{Name: "all", Usage: "of all partitions"},
		),
		Action: action(electLeaders),
	}
}

func electLeaders(ctx context.Context, c *cli.Context, cluster *kafka) error {
	if c.Bool("preferred") == c.Bool("unclean") {
		return errors.New("say which: --preferred or --unclean")
	}
	set, err := electionScope(ctx, c, cluster)
	if err != nil {
		return err
	}
	q := kmsg.NewPtrElectLeadersRequest()
	q.TimeoutMillis = timeoutMillis(c)
	if c.Bool("unclean") {
		q.ElectionType = int8(kadm.ElectLiveReplica)
	}
	q.Topics = nil // all
	for _, t := range set.IntoList() {
		q.Topics = append(q.Topics, kmsg.ElectLeadersRequestTopic{Topic: t.Topic, Partitions: t.Partitions})
	}
	answer, err := q.RequestWith(ctx, cluster.requests)
	if err == nil {
		err = kerr.ErrorForCode(answer.ErrorCode)
	}
	if err != nil {
		return failure("elect leaders", err)
	}
	slices.SortFunc(answer.Topics, func(a, b kmsg.ElectLeadersResponseTopic) int { return cmp.Compare(a.Topic, b.Topic) })
	outcomes := []outcome{}
	for _, t := range answer.Topics {
		slices.SortFunc(t.Partitions, func(a, b kmsg.ElectLeadersResponseTopicPartition) int { return cmp.Compare(a.Partition, b.Partition) })
		for _, p := range t.Partitions {
			o := outcome{Name: fmt.Sprintf("%s-%d", t.Topic, p.Partition), Result: "elected"}
			switch err := kerr.ErrorForCode(p.ErrorCode); {
			case errors.Is(err, kerr.ElectionNotNeeded):
				o.Result = inWords(err)
			case err != nil:
				o.Error = answered(err, text(p.ErrorMessage))
			}
			outcomes = append(outcomes, o)
		}
	}
	if len(outcomes) == 0 { // asked for all, brokers leave out those that need none
		outcomes = append(outcomes, outcome{Name: "all", Result: inWords(kerr.ElectionNotNeeded)})
	}
	return showOutcomes(c, "PARTITION", outcomes)
}

// electionScope is the set of partitions that the flags name; empty for all.
func electionScope(ctx context.Context, c *cli.Context, cluster *kafka) (kadm.TopicsSet, error) {
	topics := named(c, "topic")
	given := 0
	for _, is := range []bool{len(topics) > 0, c.IsSet("file"), c.Bool("all")} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, errors.New("say of which partitions: name topics, or one of --file and --all")
	case c.Bool("all"):
		return nil, nil
	case len(topics) > 0:
		return expandTopics(ctx, cluster, topics)
	}
	path := c.String("file")
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--file: %w", err)
	}
	var list struct {
		Partitions []struct {
			Topic     string
			Partition int32
		}
	}
	if err := json.Unmarshal(content, &list); err != nil {
		return nil, fmt.Errorf("--file %s: %w", path, err)
	}
	set := kadm.TopicsSet{}
	for _, p := range list.Partitions {
		set.Add(p.Topic, p.Partition)
	}
	if len(set) == 0 {
		return nil, fmt.Errorf(`--file %s lists no partitions; it should be as {"partitions": [{"topic": "orders", "partition": 0}]}`, path)
	}
	return set, nil
}
