package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/urfave/cli/v2"

	"github.com/kbroker/kbroker/cmd/kbroker/admin/placement"
)

const reassignDescription = `generate proposes, execute starts, verify tells how far it is and, at its end, removes throttles. FILE is in the format
of kafka-reassign-partitions, which may take over at any step; - is standard input. For example, to empty broker 3:

   kbroker reassign generate --decommission 3 -o json > plan.json
   kbroker reassign execute --throttle 50M --rollback back.json --wait plan.json`

func reassignCommand() *cli.Command {
	keep := &cli.BoolFlag{Name: "preserve-throttles", Usage: "leave throttles as they are"}
	file := &cli.StringFlag{Name: "file", Aliases: []string{"reassignment-json-file"}, Usage: "`FILE` of the reassignment; may be given as argument"}
	return &cli.Command{
		Name:        "reassign",
		Usage:       "move replicas between brokers",
		Description: reassignDescription,
		Subcommands: []*cli.Command{
			{
				Name:        "generate",
				Usage:       "propose replicas for topics: a table, or with -o json the file that execute takes",
				ArgsUsage:   "[TOPIC...]",
				Description: generateDescription,
				Flags:       clusterFlags(generateFlags()...),
				Action:      action(generate),
			},
			{
				Name:      "execute",
				Usage:     "start a reassignment",
				ArgsUsage: "FILE",
				Flags: clusterFlags(
					file, waitFlag(),
					&cli.StringFlag{Name: "throttle", Usage: "let replicas be copied with at most `BYTES` a second between brokers, such as 50M"},
					&cli.StringFlag{Name: "replica-alter-log-dirs-throttle", Usage: "the same between log directories of a broker"},
					&cli.BoolFlag{Name: "additional", Usage: "although there are reassignments in progress; with --throttle, also to change theirs"},
					&cli.StringFlag{Name: "rollback", Usage: "write where partitions are now to `FILE`, for another execute to undo this one"},
				),
				Action: action(executePlan),
			},
			{
				Name:      "verify",
				Usage:     "tell how far a reassignment is, and remove throttles at its end; exit code 2 unless it is complete",
				ArgsUsage: "FILE",
				Flags:     clusterFlags(file, waitFlag(), keep),
				Action:    action(verifyPlan),
			},
			{
				Name:      "cancel",
				Usage:     "stop reassignments: replicas stay, or go back to, where they were",
				ArgsUsage: "FILE",
				Flags:     clusterFlags(file, keep, &cli.BoolFlag{Name: "all", Usage: "all that are in progress, without a file"}),
				Action:    action(cancelPlan),
			},
			{
				Name:   "list",
				Usage:  "list the reassignments in progress, and what they have yet to copy",
				Flags:  clusterFlags(),
				Action: action(listReassignments),
			},
		},
	}
}

// planFile reads the reassignment that the flags and arguments name.
func planFile(c *cli.Context) (*placement.Plan, error) {
	names := c.Args().Slice()
	if c.IsSet("file") {
		names = append(names, c.String("file"))
	}
	if len(names) != 1 {
		return nil, errors.New("name one file with the reassignment, or - for standard input")
	}
	content, err := readFile(c, names[0])
	if err != nil {
		return nil, err
	}
	plan, err := placement.ReadPlan(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", names[0], err)
	}
	return plan, nil
}

// readFile reads a file, or standard input for -.
func readFile(c *cli.Context, name string) ([]byte, error) {
	if name == "-" {
		content, err := io.ReadAll(c.App.Reader)
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		return content, nil
	}
	return os.ReadFile(name)
}

// currentPartitions are the partitions that a plan names, as they are now. All must exist.
func currentPartitions(ctx context.Context, cluster *kafka, plan *placement.Plan) ([]placement.Partition, error) {
	topics := kadm.TopicsSet{}
	for _, p := range plan.Partitions {
		topics.Add(p.Topic)
	}
	found, err := cluster.ListTopicsWithInternal(ctx, topics.Topics()...)
	if err != nil {
		return nil, failure("look up topics", err)
	}
	var current []placement.Partition
	for _, p := range plan.Partitions {
		if err := found[p.Topic].Err; err != nil {
			return nil, failure("topic "+p.Topic, err)
		}
		detail, ok := found[p.Topic].Partitions[p.Partition]
		if !ok {
			return nil, fmt.Errorf("there is no partition %s", p.Name())
		}
		current = append(current, placement.Partition{Topic: p.Topic, Partition: p.Partition, Replicas: detail.Replicas})
	}
	return current, nil
}

// bytesPerSecond reads a rate: a number of bytes, with k, M or G for powers of 1024. It is -1 for nothing.
func bytesPerSecond(flag, given string) (int64, error) {
	if given == "" {
		return -1, nil
	}
	digits, shift := given, 0
	for suffix, by := range map[string]int{"k": 10, "K": 10, "m": 20, "M": 20, "g": 30, "G": 30} {
		if d, ok := strings.CutSuffix(given, suffix); ok {
			digits, shift = d, by
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > (1<<63-1)>>shift {
		return 0, fmt.Errorf("--%s %s: must be bytes a second, such as 1000000 or 50M", flag, given)
	}
	return n << shift, nil
}
