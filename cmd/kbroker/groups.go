package main

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
	"github.com/twmb/franz-go/pkg/kerr"
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
				Flags: adminFlags(
					&cli.StringSliceFlag{Name: "state", Usage: "only groups in this `STATE`, such as Stable or Empty; may be repeated"},
					&cli.StringSliceFlag{Name: "type", Usage: "only groups of this `TYPE`, classic or consumer; may be repeated"},
				),
				Action: admin(listGroups),
			},
			{
				Name:      "describe",
				Usage:     "show members, their partitions, committed offsets and lag",
				ArgsUsage: "[GROUP...]",
				Flags:     adminFlags(group, all, &cli.BoolFlag{Name: "members", Usage: "only the members"}),
				Action:    admin(describeGroups),
			},
			{
				Name:        "reset-offsets",
				Usage:       "set the committed offsets of groups without members",
				ArgsUsage:   "[GROUP...]",
				Description: resetDescription,
				Flags:       adminFlags(append([]cli.Flag{group, all}, resetFlags()...)...),
				Action:      admin(resetOffsets),
			},
			{
				Name:      "delete",
				Usage:     "delete groups without members, with their offsets",
				ArgsUsage: "[GROUP...]",
				Flags:     adminFlags(group),
				Action:    admin(deleteGroups),
			},
			{
				Name:      "delete-offsets",
				Usage:     "delete the committed offsets of topics that no member subscribes to",
				ArgsUsage: "[GROUP]",
				Flags:     adminFlags(group, topicFlag()),
				Action:    admin(deleteOffsets),
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

func listGroups(ctx context.Context, c *cli.Context, cluster *kadm.Client) error {
	if c.Args().Present() {
		return fmt.Errorf("%s: list takes no names of groups; describe does", c.Args().First())
	}
	found, err := cluster.ListGroupsByType(ctx, c.StringSlice("type"), c.StringSlice("state")...)
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

// outcome is what became of one thing that was asked for.
type outcome struct {
	Name  string `json:"name"`
	Error string `json:"error,omitempty"`
}

// showOutcomes prints what was done to each thing, and fails if one of them failed.
func showOutcomes(c *cli.Context, title string, outcomes []outcome) error {
	err := show(c, outcomes, func(w io.Writer) {
		fmt.Fprintf(w, "%s\tRESULT\n", title)
		for _, o := range outcomes {
			result := o.Error
			if result == "" {
				result = "done"
			}
			fmt.Fprintf(w, "%s\t%s\n", o.Name, result)
		}
	})
	failed := 0
	for _, o := range outcomes {
		if o.Error != "" {
			failed++
		}
	}
	if failed > 0 {
		return errors.Join(err, fmt.Errorf("%d of %d failed", failed, len(outcomes)))
	}
	return err
}

// inWords adds the remedy to the errors that have one.
func inWords(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, kerr.NonEmptyGroup), errors.Is(err, kerr.UnknownMemberID): // the latter from a commit without membership
		return "it has members; stop them first (" + err.Error() + ")"
	case errors.Is(err, kerr.GroupIDNotFound):
		return "there is no such group (GROUP_ID_NOT_FOUND)"
	case errors.Is(err, kerr.GroupSubscribedToTopic):
		return "a member consumes the topic; stop it first (GROUP_SUBSCRIBED_TO_TOPIC)"
	default:
		return err.Error()
	}
}

func deleteGroups(ctx context.Context, c *cli.Context, cluster *kadm.Client) error {
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
		outcomes = append(outcomes, outcome{group, inWords(d.Err)})
	}
	return showOutcomes(c, "GROUP", outcomes)
}

func deleteOffsets(ctx context.Context, c *cli.Context, cluster *kadm.Client) error {
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
			outcomes = append(outcomes, outcome{fmt.Sprintf("%s-%d", t, p), inWords(deleted[t][p])})
		}
	}
	return showOutcomes(c, "PARTITION", outcomes)
}

// expandTopics reads TOPIC[:PARTITION,...]; a topic alone means all its partitions, and must exist.
func expandTopics(ctx context.Context, cluster *kadm.Client, given []string) (kadm.TopicsSet, error) {
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
