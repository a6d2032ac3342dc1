package admin

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/urfave/cli/v2"
)

const resetDescription = `Say which groups, which topics (--topic, --all-topics: those with a committed offset, or --from-file) and
where to (one of the --to flags, --shift-by, --by-duration or --from-file). Without --execute it only shows
what would be set. Offsets outside of the log become its nearest end.`

// The flags are those of kafka-consumer-groups --reset-offsets.
const (
	toEarliest = "to-earliest"
	toLatest   = "to-latest"
	toCurrent  = "to-current"
	toOffset   = "to-offset"
	shiftBy    = "shift-by"
	toDatetime = "to-datetime"
	byDuration = "by-duration"
	fromFile   = "from-file"
)

func resetFlags() []cli.Flag {
	return []cli.Flag{
		topicFlag(),
		&cli.BoolFlag{Name: "all-topics", Usage: "all topics that the group has committed offsets of"},
		&cli.BoolFlag{Name: toEarliest, Usage: "to the log start offset"},
		&cli.BoolFlag{Name: toLatest, Usage: "to the end of the log"},
		&cli.BoolFlag{Name: toCurrent, Usage: "to what is committed now, or to the end of the log"},
		&cli.Int64Flag{Name: toOffset, Usage: "to `OFFSET`"},
		&cli.Int64Flag{Name: shiftBy, Usage: "`N` further than what is committed now; back if negative"},
		&cli.StringFlag{Name: toDatetime, Usage: "to the first record since `TIME`, as 2026-01-31T12:00:00.000, in UTC unless +hh:mm follows"},
		&cli.StringFlag{Name: byDuration, Usage: "to the first record of the last `DURATION`, as P1DT2H30M or 26h30m"},
		&cli.StringFlag{Name: fromFile, Usage: "to what `FILE` says: lines of topic,partition,offset or group,topic,partition,offset"},
		&cli.BoolFlag{Name: "dry-run", Usage: "only show what would be set (the default)"},
		&cli.BoolFlag{Name: "execute", Usage: "set the offsets"},
		&cli.BoolFlag{Name: "export", Usage: "print lines that --from-file reads"},
	}
}

// plannedOffset is a row of the plan.
type plannedOffset struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Current   *int64 `json:"current"`
	New       int64  `json:"new"`
	Error     string `json:"error,omitempty"`
}

func resetOffsets(ctx context.Context, c *cli.Context, cluster *kafka) error {
	way, err := resetWay(c)
	if err != nil {
		return err
	}
	groups, err := groupNames(ctx, c, cluster)
	if err != nil {
		return err
	}
	if c.Bool("execute") && c.Bool("dry-run") {
		return errors.New("--execute and --dry-run exclude each other")
	}
	plan := []plannedOffset{}
	for _, group := range groups {
		rows, err := planReset(ctx, c, cluster, way, group, len(groups) == 1)
		if err != nil {
			return fmt.Errorf("group %s: %w", group, err)
		}
		plan = append(plan, rows...)
	}
	if c.Bool("execute") {
		err = execute(ctx, cluster, plan)
	}
	return errors.Join(showPlan(c, plan, len(groups) == 1), err)
}

// resetWay is the one flag that says where to.
func resetWay(c *cli.Context) (string, error) {
	way := ""
	for _, flag := range []string{toEarliest, toLatest, toCurrent, toOffset, shiftBy, toDatetime, byDuration, fromFile} {
		if !c.IsSet(flag) {
			continue
		}
		if way != "" {
			return "", fmt.Errorf("--%s and --%s exclude each other", way, flag)
		}
		way = flag
	}
	scoped := c.Bool("all-topics") || len(c.StringSlice("topic")) > 0
	switch {
	case way == "":
		return "", errors.New("say where to: --to-earliest, --to-latest, --to-current, --to-offset, --shift-by, --to-datetime, --by-duration or --from-file")
	case c.Bool("all-topics") && len(c.StringSlice("topic")) > 0:
		return "", errors.New("--all-topics and --topic exclude each other")
	case way == fromFile && scoped:
		return "", errors.New("--from-file says which topics: --topic and --all-topics exclude it")
	case way != fromFile && !scoped:
		return "", errors.New("say which topics: --topic or --all-topics")
	}
	return way, nil
}

// planReset computes what a group's offsets would become. Only a group without members may be reset.
func planReset(ctx context.Context, c *cli.Context, cluster *kafka, way, group string, only bool) ([]plannedOffset, error) {
	switch g, err := describeGroup(ctx, cluster, group); {
	case errors.Is(err, kerr.GroupIDNotFound): // committing makes it
	case err != nil:
		return nil, err
	case g.State != "Empty":
		return nil, fmt.Errorf("it is %s: offsets can be reset only while a group has no members; stop them first", g.State)
	}
	committed, err := cluster.FetchOffsets(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("fetch its offsets: %w", err)
	}
	current := map[string]map[int32]int64{}
	committed.Each(func(o kadm.OffsetResponse) {
		if o.Err == nil && o.At >= 0 {
			put(current, o.Topic, o.Partition, o.At)
		}
	})
	if way == fromFile {
		return planFromFile(ctx, c, cluster, group, only, current)
	}
	partitions := kadm.TopicsSet{}
	if c.Bool("all-topics") {
		for topic, offsets := range current {
			partitions.Add(topic, slices.Collect(maps.Keys(offsets))...)
		}
	} else if partitions, err = expandTopics(ctx, cluster, c.StringSlice("topic")); err != nil {
		return nil, err
	}
	wanted, err := wantedOffsets(ctx, c, cluster, way, partitions, current)
	if err != nil {
		return nil, err
	}
	return inRange(ctx, cluster, group, wanted, current)
}

func put(m map[string]map[int32]int64, topic string, partition int32, offset int64) {
	if m[topic] == nil {
		m[topic] = map[int32]int64{}
	}
	m[topic][partition] = offset
}

// wantedOffsets is where the flag says to, before the log's ends are looked at.
func wantedOffsets(
	ctx context.Context, c *cli.Context, cluster *kafka, way string, partitions kadm.TopicsSet, current map[string]map[int32]int64,
) (map[string]map[int32]int64, error) {
	const end = int64(1<<63 - 1)
	wanted := map[string]map[int32]int64{}
	set := func(to func(topic string, partition int32) (int64, error)) error {
		for topic, list := range partitions {
			for p := range list {
				offset, err := to(topic, p)
				if err != nil {
					return err
				}
				put(wanted, topic, p, offset)
			}
		}
		return nil
	}
	fixed := func(offset int64) error { return set(func(string, int32) (int64, error) { return offset, nil }) }
	committed := func(topic string, p int32) (int64, bool) { o, ok := current[topic][p]; return o, ok }
	switch way {
	case toEarliest:
		return wanted, fixed(0)
	case toLatest:
		return wanted, fixed(end)
	case toOffset:
		return wanted, fixed(c.Int64(toOffset))
	case toCurrent:
		return wanted, set(func(topic string, p int32) (int64, error) {
			if o, ok := committed(topic, p); ok {
				return o, nil
			}
			return end, nil
		})
	case shiftBy:
		return wanted, set(func(topic string, p int32) (int64, error) {
			o, ok := committed(topic, p)
			if !ok {
				return 0, fmt.Errorf("%s-%d has no committed offset to shift", topic, p)
			}
			return shifted(o, c.Int64(shiftBy)), nil
		})
	}
	since, err := resetTime(c, way, time.Now())
	if err != nil {
		return nil, err
	}
	if len(partitions) == 0 {
		return wanted, nil
	}
	found, err := cluster.ListOffsetsAfterMilli(ctx, since.UnixMilli(), partitions.Topics()...)
	if err != nil {
		return nil, fmt.Errorf("list offsets by time: %w", err)
	}
	return wanted, set(func(topic string, p int32) (int64, error) {
		o, ok := found.Lookup(topic, p)
		switch {
		case !ok:
			return 0, fmt.Errorf("there is no partition %s-%d", topic, p)
		case o.Err != nil:
			return 0, fmt.Errorf("%s-%d: %w", topic, p, o.Err)
		case o.Offset < 0: // nothing is that young
			return end, nil
		}
		return o.Offset, nil
	})
}

// shifted adds, and stays at the end of what an offset can be.
func shifted(offset, by int64) int64 {
	sum := offset + by
	switch {
	case by > 0 && sum < offset:
		return math.MaxInt64
	case by < 0 && sum > offset:
		return math.MinInt64
	}
	return sum
}

// inRange moves offsets into the logs of their partitions, and makes the rows of the plan.
func inRange(ctx context.Context, cluster *kafka, group string, wanted, current map[string]map[int32]int64) ([]plannedOffset, error) {
	topics := slices.Sorted(maps.Keys(wanted))
	if len(topics) == 0 {
		return nil, nil
	}
	starts, err := cluster.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	ends, err := cluster.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	var plan []plannedOffset
	for _, topic := range topics {
		for _, p := range slices.Sorted(maps.Keys(wanted[topic])) {
			start, found := starts.Lookup(topic, p)
			end, alsoFound := ends.Lookup(topic, p)
			if !found || !alsoFound {
				return nil, fmt.Errorf("there is no partition %s-%d", topic, p)
			}
			if err := errors.Join(start.Err, end.Err); err != nil {
				return nil, fmt.Errorf("%s-%d: %w", topic, p, err)
			}
			row := plannedOffset{Group: group, Topic: topic, Partition: p, New: min(max(wanted[topic][p], start.Offset), end.Offset)}
			if o, ok := current[topic][p]; ok {
				row.Current = &o
			}
			plan = append(plan, row)
		}
	}
	return plan, nil
}

// planFromFile reads the plan that --export printed.
func planFromFile(
	ctx context.Context, c *cli.Context, cluster *kafka, group string, only bool, current map[string]map[int32]int64,
) ([]plannedOffset, error) {
	path := c.String(fromFile)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--from-file: %w", err)
	}
	defer f.Close()
	reader := csv.NewReader(f)
	reader.FieldsPerRecord, reader.TrimLeadingSpace, reader.Comment = -1, true, '#'
	wanted := map[string]map[int32]int64{}
	for {
		fields, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("--from-file %s: %w", path, err)
		}
		line, _ := reader.FieldPos(0)
		switch {
		case len(fields) == 4 && fields[0] != group:
			continue
		case len(fields) == 4:
			fields = fields[1:]
		case len(fields) != 3 || !only:
			return nil, fmt.Errorf("--from-file %s, line %d: must be group,topic,partition,offset, or topic,partition,offset for one group", path, line)
		}
		partition, err := strconv.ParseInt(fields[1], 10, 32)
		if err != nil || partition < 0 {
			return nil, fmt.Errorf("--from-file %s, line %d: %q is no partition", path, line, fields[1])
		}
		offset, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("--from-file %s, line %d: %q is no offset", path, line, fields[2])
		}
		put(wanted, fields[0], int32(partition), offset)
	}
	if len(wanted) == 0 {
		return nil, fmt.Errorf("--from-file %s says nothing of the group", path)
	}
	return inRange(ctx, cluster, group, wanted, current)
}

// execute commits the plan, group by group, and notes in its rows what failed.
func execute(ctx context.Context, cluster *kafka, plan []plannedOffset) error {
	byGroup := map[string]*kadm.Offsets{}
	for _, row := range plan {
		if byGroup[row.Group] == nil {
			byGroup[row.Group] = &kadm.Offsets{}
		}
		byGroup[row.Group].AddOffset(row.Topic, row.Partition, row.New, -1)
	}
	failed := 0
	for group, offsets := range byGroup {
		answers, err := cluster.CommitOffsets(ctx, group, *offsets)
		for i := range plan {
			if plan[i].Group != group {
				continue
			}
			answer, ok := answers.Lookup(plan[i].Topic, plan[i].Partition)
			if !ok {
				answer.Err = errors.Join(errors.New("no answer"), err)
			}
			if answer.Err != nil {
				plan[i].Error = inWords(answer.Err)
				failed++
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d offsets were not set", failed, len(plan))
	}
	return nil
}

func showPlan(c *cli.Context, plan []plannedOffset, only bool) error {
	if c.Bool("export") {
		w := csv.NewWriter(c.App.Writer)
		for _, row := range plan {
			fields := []string{row.Group, row.Topic, fmt.Sprint(row.Partition), fmt.Sprint(row.New)}
			if only {
				fields = fields[1:]
			}
			w.Write(fields)
		}
		w.Flush()
		return w.Error()
	}
	return show(c, plan, func(w io.Writer) {
		fmt.Fprintln(w, "GROUP\tTOPIC\tPARTITION\tCURRENT-OFFSET\tNEW-OFFSET\tRESULT")
		for _, row := range plan {
			result := row.Error
			switch {
			case result != "":
			case c.Bool("execute"):
				result = "set"
			default:
				result = "dry run: --execute sets it"
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\n", row.Group, row.Topic, row.Partition, number(row.Current), row.New, result)
		}
	})
}
