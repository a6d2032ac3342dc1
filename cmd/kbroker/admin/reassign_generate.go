package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/urfave/cli/v2"

	"github.com/kbroker/kbroker/cmd/kbroker/admin/placement"
)

const generateDescription = `Say which topics (names, --topics-to-move-json-file or --all-topics) and what for. --brokers evens out replicas and leaders
over these brokers. --decommission takes replicas off brokers (of all topics, if none are named); --replication-factor makes
them more or fewer; both move nothing else, unless --balance says to. Racks are respected: no rack gets a second replica of a
partition while another has none. Partitions that would stay as they are, are not proposed.`

func generateFlags() []cli.Flag {
	return []cli.Flag{
		topicNameFlag(),
		&cli.StringFlag{Name: "topics-to-move-json-file", Usage: "the topics that `FILE` lists, in the format of kafka-reassign-partitions"},
		&cli.BoolFlag{Name: "all-topics", Usage: "all topics, Kafka's own included"},
		&cli.StringFlag{Name: "brokers", Aliases: []string{"broker-list"}, Usage: "the only brokers that replicas may be on, `ID,ID...`; implies --balance"},
		&cli.StringFlag{Name: "decommission", Usage: "brokers that replicas may not be on, `ID,ID...`; alive or not"},
		&cli.IntFlag{Name: "replication-factor", Aliases: []string{"r"}, Usage: "`N` replicas of each partition"},
		&cli.BoolFlag{Name: "balance", Usage: "even out replicas and leaders"},
		&cli.BoolFlag{Name: "disable-rack-aware", Usage: "as if no broker had a rack"},
	}
}

// proposedMove is a row of the table.
type proposedMove struct {
	placement.Partition
	now     []int32
	copied  int
	removed int
}

func generate(ctx context.Context, c *cli.Context, cluster *kafka) error {
	wish, gone, err := wishOf(ctx, c, cluster)
	if err != nil {
		return err
	}
	partitions, err := partitionsToMove(ctx, c, cluster, gone)
	if err != nil {
		return err
	}
	proposed, err := placement.Propose(partitions, wish)
	if err != nil {
		if strings.Contains(err.Error(), "rack") {
			err = fmt.Errorf("%w; --disable-rack-aware passes over racks", err)
		}
		return err
	}
	moves, changed := []proposedMove{}, []placement.Partition{}
	for i, p := range proposed {
		if slices.Equal(p.Replicas, partitions[i].Replicas) {
			continue
		}
		now := partitions[i].Replicas
		moves = append(moves, proposedMove{p, now, countMissing(p.Replicas, now), countMissing(now, p.Replicas)})
		changed = append(changed, p)
	}
	if len(moves) == 0 {
		fmt.Fprintln(c.App.ErrWriter, "nothing has to move")
		if c.String("output") != "json" {
			return nil
		}
	}
	return show(c, placement.NewPlan(changed), func(w io.Writer) { printMoves(w, moves) })
}

// countMissing counts what is in a list and not in the other.
func countMissing(list, other []int32) int {
	n := 0
	for _, id := range list {
		if !slices.Contains(other, id) {
			n++
		}
	}
	return n
}

func printMoves(w io.Writer, moves []proposedMove) {
	fmt.Fprintln(w, "TOPIC\tPARTITION\tNOW\tPROPOSED\tCOPIED\tREMOVED")
	copied, removed := 0, 0
	for _, m := range moves {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\t%d\n", m.Topic, m.Partition.Partition, brokers(m.now), brokers(m.Replicas), m.copied, m.removed)
		copied, removed = copied+m.copied, removed+m.removed
	}
	fmt.Fprintf(w, "\n%d partitions change: %d replicas are copied, %d removed. -o json prints this as the file that execute takes.\n",
		len(moves), copied, removed)
}

// wishOf reads what is wanted, and the brokers to be emptied.
func wishOf(ctx context.Context, c *cli.Context, cluster *kafka) (wish placement.Wish, gone []int32, err error) {
	only, err := brokerIDs("brokers", c.String("brokers"))
	if err != nil {
		return wish, nil, err
	}
	if gone, err = brokerIDs("decommission", c.String("decommission")); err != nil {
		return wish, nil, err
	}
	if c.IsSet("replication-factor") {
		if wish.ReplicationFactor = c.Int("replication-factor"); wish.ReplicationFactor < 1 {
			return wish, nil, fmt.Errorf("--replication-factor %d: must be at least 1", wish.ReplicationFactor)
		}
	}
	wish.Balance = c.Bool("balance") || len(only) > 0
	if !wish.Balance && len(gone) == 0 && wish.ReplicationFactor == 0 {
		return wish, nil, errors.New("say what for: --brokers, --decommission, --replication-factor or --balance")
	}
	alive, err := cluster.ListBrokers(ctx)
	if err != nil {
		return wish, nil, failure("list brokers", err)
	}
	for _, id := range only {
		if !slices.ContainsFunc(alive, func(b kadm.BrokerDetail) bool { return b.NodeID == id }) {
			return wish, nil, fmt.Errorf("--brokers: broker %d is not alive", id)
		}
	}
	for _, b := range alive {
		if slices.Contains(gone, b.NodeID) || len(only) > 0 && !slices.Contains(only, b.NodeID) {
			continue
		}
		broker := placement.Broker{ID: b.NodeID}
		if !c.Bool("disable-rack-aware") {
			broker.Rack = deref(b.Rack)
		}
		wish.Brokers = append(wish.Brokers, broker)
	}
	return wish, gone, nil
}

func brokerIDs(flag, given string) ([]int32, error) {
	if given == "" {
		return nil, nil
	}
	var ids []int32
	for _, field := range strings.Split(given, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(field), 10, 32)
		if err != nil || id < 0 || slices.Contains(ids, int32(id)) {
			return nil, fmt.Errorf("--%s %s: %q is no broker id, or there twice", flag, given, field)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}

// partitionsToMove are those of the topics that the flags name: all with a replica on a broker to be emptied, if there are no names.
func partitionsToMove(ctx context.Context, c *cli.Context, cluster *kafka, gone []int32) ([]placement.Partition, error) {
	names := named(c, "topic")
	if path := c.String("topics-to-move-json-file"); path != "" {
		content, err := readFile(c, path)
		if err != nil {
			return nil, fmt.Errorf("--topics-to-move-json-file: %w", err)
		}
		listed, err := placement.ReadTopics(content)
		if err != nil {
			return nil, fmt.Errorf("--topics-to-move-json-file %s: %w", path, err)
		}
		names = append(names, listed...)
	}
	switch all := c.Bool("all-topics"); {
	case all && len(names) > 0:
		return nil, errors.New("--all-topics and names of topics exclude each other")
	case !all && len(names) == 0 && len(gone) == 0:
		return nil, errors.New("name topics, or say --all-topics")
	}
	found, err := cluster.ListTopicsWithInternal(ctx, names...)
	if err != nil {
		return nil, failure("look up topics", err)
	}
	now, err := ongoing(ctx, cluster)
	if err != nil {
		return nil, err
	}
	var partitions []placement.Partition
	for _, t := range found.Sorted() {
		if t.Err != nil {
			return nil, failure("topic "+t.Topic, t.Err)
		}
		for _, p := range t.Partitions.Sorted() {
			if _, moving := now[t.Topic][p.Partition]; moving {
				return nil, fmt.Errorf("%s-%d is being reassigned: wait for the end of that, or cancel it", t.Topic, p.Partition)
			}
			partitions = append(partitions, placement.Partition{Topic: t.Topic, Partition: p.Partition, Replicas: p.Replicas})
		}
	}
	return partitions, nil
}

// writePlan writes a plan to a file that must not exist: it may be the only memory of where partitions were.
func writePlan(path string, plan *placement.Plan) error {
	content, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(content, '\n'))
	return errors.Join(err, f.Close())
}
