package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/urfave/cli/v2"
)

// groupsCommand is what people do with consumer groups, over the Kafka protocol: it works on any Kafka.
func groupsCommand() *cli.Command {
	group := &cli.StringSliceFlag{Name: "group", Usage: "`GROUP`; may be repeated, or given as argument"}
	all := &cli.BoolFlag{Name: "all-groups", Usage: "every group"}
	return &cli.Command{
		Name:  "groups",
		Usage: "list, describe, reset and delete consumer groups of any Kafka",
		Subcommands: []*cli.Command{
			{
				Name:  "list",
				Usage: "list groups with their type and state",
				Flags: clusterFlags(
					&cli.StringSliceFlag{Name: "state", Usage: "only groups in this `STATE`: " + strings.Join(groupStates, ", ")},
					&cli.StringSliceFlag{Name: "type", Usage: "only groups of this `TYPE`, classic or consumer; may be repeated"},
				),
				Action: action(listGroups),
			},
			{
				Name:      "describe",
				Usage:     "show members, their partitions, committed offsets and lag",
				ArgsUsage: "[GROUP...]",
				Flags:     clusterFlags(group, all, &cli.BoolFlag{Name: "members", Usage: "only the members"}),
				Action:    action(describeGroups),
			},
			{
				Name:        "reset-offsets",
				Usage:       "set the committed offsets of groups without members",
				ArgsUsage:   "[GROUP...]",
				Description: resetDescription,
				Flags:       clusterFlags(append([]cli.Flag{group, all}, resetFlags()...)...),
				Action:      action(resetOffsets),
			},
			{
				Name:      "delete",
				Usage:     "delete groups without members, with their offsets",
				ArgsUsage: "[GROUP...]",
				Flags:     clusterFlags(group),
				Action:    action(deleteGroups),
			},
			{
				Name:      "delete-offsets",
				Usage:     "delete the committed offsets of topics that no member subscribes to",
				ArgsUsage: "[GROUP]",
				Flags:     clusterFlags(group, topicFlag()),
				Action:    action(deleteOffsets),
			},
		},
	}
}

func topicFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "topic", Usage: "`TOPIC[:PARTITION,...]`; may be repeated"}
}

// listedGroup is a row of kbroker groups list.
type listedGroup struct {
	Group       string `json:"group"`
	Type        string `json:"type"`
	Protocol    string `json:"protocolType"`
	State       string `json:"state"`
	Coordinator int32  `json:"coordinator"`
}

// The states and types that groups can have: brokers find nothing, without a word, for others.
var (
	groupStates = []string{"PreparingRebalance", "CompletingRebalance", "Stable", "Empty", "Dead", "Assigning", "Reconciling"}
	groupTypes  = []string{"classic", "consumer"}
)

// known finds the given values of a flag among the legal ones, whatever their case.
func known(flag string, given, legal []string) ([]string, error) {
	var found []string
	for _, list := range given {
		for _, g := range strings.Split(list, ",") {
			i := slices.IndexFunc(legal, func(l string) bool { return strings.EqualFold(l, strings.TrimSpace(g)) })
			if i < 0 {
				return nil, fmt.Errorf("--%s %s: must be one of %s", flag, g, strings.Join(legal, ", "))
			}
			found = append(found, legal[i])
		}
	}
	return found, nil
}

func listGroups(ctx context.Context, c *cli.Context, cluster *kafka) error {
	if c.Args().Present() {
		return fmt.Errorf("%s: list takes no names of groups; describe does", c.Args().First())
	}
	states, err := known("state", c.StringSlice("state"), groupStates)
	if err != nil {
		return err
	}
	types, err := known("type", c.StringSlice("type"), groupTypes)
	if err != nil {
		return err
	}
	found, err := cluster.ListGroupsByType(ctx, types, states...)
	if err != nil {
		return fmt.Errorf("list groups: %w", err)
	}
	groups := []listedGroup{}
	for _, g := range found.Sorted() {
		groups = append(groups, listedGroup{g.Group, g.GroupType, g.ProtocolType, g.State, g.Coordinator})
	}
	return show(c, groups, func(w io.Writer) {
		fmt.Fprintln(w, "GROUP\tTYPE\tPROTOCOL\tSTATE\tCOORDINATOR")
		for _, g := range groups {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", g.Group, orDash(g.Type), orDash(g.Protocol), orDash(g.State), g.Coordinator)
		}
	})
}

func deleteGroups(ctx context.Context, c *cli.Context, cluster *kafka) error {
	groups := named(c, "group")
	if len(groups) == 0 {
		return errors.New("name the groups to delete")
	}
	// What went wrong as a whole is in the answers of those that it went wrong for.
	deleted, err := cluster.DeleteGroups(ctx, groups...)
	if len(deleted) == 0 && err != nil {
		return fmt.Errorf("delete groups: %w", err)
	}
	outcomes := []outcome{}
	for _, group := range groups {
		d, answered := deleted[group]
		if !answered {
			d.Err = errors.Join(errors.New("no answer"), err)
		}
		outcomes = append(outcomes, outcome{Name: group, Error: inWords(d.Err)})
	}
	return showOutcomes(c, "GROUP", outcomes)
}

func deleteOffsets(ctx context.Context, c *cli.Context, cluster *kafka) error {
	groups := named(c, "group")
	if len(groups) != 1 || len(c.StringSlice("topic")) == 0 {
		return errors.New("name one group, and with --topic the topics whose offsets to delete")
	}
	partitions, err := expandTopics(ctx, cluster, c.StringSlice("topic"))
	if err != nil {
		return err
	}
	deleted, err := cluster.DeleteOffsets(ctx, groups[0], partitions)
	if err != nil {
		return fmt.Errorf("delete offsets of group %s: %s", groups[0], inWords(err))
	}
	outcomes := []outcome{}
	for _, t := range slices.Sorted(maps.Keys(deleted)) {
		for _, p := range slices.Sorted(maps.Keys(deleted[t])) {
			outcomes = append(outcomes, outcome{Name: fmt.Sprintf("%s-%d", t, p), Error: inWords(deleted[t][p])})
		}
	}
	return showOutcomes(c, "PARTITION", outcomes)
}

// expandTopics reads TOPIC[:PARTITION,...]; a topic alone means all its partitions, and must exist.
func expandTopics(ctx context.Context, cluster *kafka, given []string) (kadm.TopicsSet, error) {
	set := kadm.TopicsSet{}
	var whole []string
	for _, g := range given {
		topic, list, some := strings.Cut(g, ":")
		if !some {
			whole = append(whole, topic)
			continue
		}
		for _, field := range strings.Split(list, ",") {
			p, err := strconv.ParseInt(field, 10, 32)
			if err != nil || p < 0 {
				return nil, fmt.Errorf("--topic %s: %q is no partition", g, field)
			}
			set.Add(topic, int32(p))
		}
	}
	if len(whole) == 0 {
		return set, nil
	}
	topics, err := cluster.ListTopicsWithInternal(ctx, whole...)
	if err != nil {
		return nil, fmt.Errorf("look up topics: %w", err)
	}
	for _, topic := range whole {
		detail := topics[topic]
		if detail.Err != nil {
			return nil, fmt.Errorf("topic %s: %w", topic, detail.Err)
		}
		set.Add(topic, detail.Partitions.Numbers()...)
	}
	return set, nil
}
