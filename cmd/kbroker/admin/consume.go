package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/urfave/cli/v2"
)

const consumeDescription = `Prints values, a line each, and goes on until it is interrupted, or as --until-end and --count say. With --group it is a member
of a consumer group: it starts where the group is, and commits what it has printed.

--until-end stops at the ends that the partitions had at the start. Where the last offsets hold nothing that can be read,
such as records of aborted transactions, it gives up after five seconds without a record, and says so.`

func consumeCommand() *cli.Command {
	return &cli.Command{
		Name:        "consume",
		Usage:       "print records",
		ArgsUsage:   "TOPIC...",
		Description: consumeDescription,
		Flags: connectFlags(
			&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "for each request"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "value", Usage: "`FORMAT`: value, or json with an object on each line"},
			&cli.StringFlag{Name: "show", Usage: "`FIELD,FIELD...` before the value: " + strings.Join(fields[:len(fields)-1], ", ")},
			&cli.StringFlag{Name: "separator", Value: `\t`, Usage: "what stands between fields"},
			&cli.StringFlag{Name: "null", Value: "null", Usage: "how null is shown"},
			&cli.StringFlag{Name: "from", Value: "beginning", Usage: "`WHERE`: beginning, end, an offset, -N for the last N of each partition, a time, or how long ago"},
			&cli.StringFlag{Name: "partition", Aliases: []string{"p"}, Usage: "only `PARTITION,PARTITION...`"},
			&cli.Int64Flag{Name: "count", Aliases: []string{"n"}, Usage: "stop after `N` records"},
			&cli.BoolFlag{Name: "until-end", Aliases: []string{"e"}, Usage: "stop at the end"},
			&cli.StringFlag{Name: "group", Aliases: []string{"g"}, Usage: "as a member of `GROUP`; --from is for partitions it has not committed"},
			&cli.BoolFlag{Name: "read-committed", Usage: "only records of committed transactions, and those of none"},
		),
		Action: consume,
	}
}

// consumption is what the flags ask for.
type consumption struct {
	topics     []string
	partitions []int32
	from       startAt
	write      func(io.Writer, *kgo.Record) error
	count      int64 // 0: no limit
	untilEnd   bool
	group      string
	committed  bool
}

func consume(c *cli.Context) error {
	want, err := parseConsumption(c)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	asking, err := connect(ctx, c)
	if err != nil {
		return err
	}
	defer asking.Close()
	ends, err := want.look(ctx, c, kadm.NewClient(asking))
	if err != nil {
		return err
	}
	if want.untilEnd && len(ends.short()) == 0 {
		return nil
	}
	client, err := connect(ctx, c, want.options(ends)...)
	if err != nil {
		return err
	}
	defer client.Close()
	out := bufio.NewWriterSize(c.App.Writer, 1<<16)
	err = want.run(ctx, client, ends, out, c.App.ErrWriter)
	if want.group != "" {
		if commit := client.CommitMarkedOffsets(context.WithoutCancel(ctx)); commit != nil {
			err = errors.Join(err, failure("commit to group "+want.group, commit))
		}
	}
	return errors.Join(err, out.Flush())
}

func parseConsumption(c *cli.Context) (*consumption, error) {
	w := &consumption{
		topics: c.Args().Slice(), count: c.Int64("count"), untilEnd: c.Bool("until-end"), group: c.String("group"),
		committed: c.Bool("read-committed"),
	}
	if len(w.topics) == 0 {
		return nil, errors.New("name the topics to consume")
	}
	if w.count < 0 {
		return nil, fmt.Errorf("--count %d: must not be negative", w.count)
	}
	if given := c.String("partition"); given != "" {
		for _, field := range strings.Split(given, ",") {
			p, err := strconv.ParseInt(strings.TrimSpace(field), 10, 32)
			if err != nil || p < 0 {
				return nil, fmt.Errorf("--partition %s: %q is no partition", given, field)
			}
			w.partitions = append(w.partitions, int32(p))
		}
		if w.group != "" {
			return nil, errors.New("a group decides which partitions a member reads: --group and --partition exclude each other")
		}
	}
	var err error
	if w.from, err = parseStart(c.String("from"), time.Now()); err != nil {
		return nil, err
	}
	switch o := c.String("output"); o {
	case "json":
		w.write = writeJSON
	case "value", "table":
		format, err := newLineFormat(c.String("show"), c.String("separator"), c.String("null"))
		if err != nil {
			return nil, err
		}
		w.write = format.write
	default:
		return nil, fmt.Errorf("--output %s: must be value or json", o)
	}
	return w, nil
}

// look finds what there is to read of the partitions.
func (w *consumption) look(ctx context.Context, c *cli.Context, cluster *kadm.Client) (spans, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Duration("timeout"))
	defer cancel()
	ends, err := findSpans(ctx, cluster, w.topics, w.partitions, w.from, w.committed)
	if err != nil || w.group == "" {
		return ends, err
	}
	var committed kadm.OffsetResponses
	err = awaitCoordinator(ctx, func() (err error) {
		committed, err = cluster.FetchOffsets(ctx, w.group)
		return err
	})
	if err != nil {
		return nil, failure("fetch offsets of group "+w.group, err)
	}
	for topic, list := range ends {
		for p, at := range list {
			if o, ok := committed.Lookup(topic, p); ok && o.Err == nil && o.At >= 0 {
				at.next = o.At
			}
		}
	}
	return ends, nil
}

func (w *consumption) options(ends spans) []kgo.Opt {
	options := []kgo.Opt{kgo.KeepControlRecords()} // the end of a transaction counts as an offset that has been reached
	if w.committed {
		options = append(options, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	if w.group == "" {
		return append(options, kgo.ConsumePartitions(ends.offsets()))
	}
	return append(options, kgo.ConsumerGroup(w.group), kgo.ConsumeTopics(w.topics...), kgo.ConsumeResetOffset(w.from.forGroup()),
		kgo.AutoCommitMarks())
}

// giveUpAfter is how long --until-end waits for a record.
const giveUpAfter = 5 * time.Second

// run prints records until it is enough, or ctx ends, which is no error.
func (w *consumption) run(ctx context.Context, client *kgo.Client, ends spans, out *bufio.Writer, notes io.Writer) error {
	heard := troubles{notes: notes, group: w.group}
	for printed := int64(0); ; {
		polling, cancel := ctx, context.CancelFunc(func() {})
		if w.untilEnd {
			polling, cancel = context.WithTimeout(ctx, giveUpAfter)
		}
		fetches := client.PollFetches(polling)
		gaveUp := polling.Err() != nil && ctx.Err() == nil
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			r := iter.Next()
			if wanted := ends.read(r) || !w.untilEnd; wanted && !r.Attrs.IsControl() {
				if err := w.write(out, r); err != nil {
					return fmt.Errorf("print: %w", err)
				}
				printed++
				client.MarkCommitRecords(r)
			}
			if w.count > 0 && printed == w.count {
				return nil
			}
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		if w.untilEnd && len(ends.short()) == 0 {
			return nil
		}
		if gaveUp && fetches.NumRecords() == 0 {
			fmt.Fprintf(notes, "no record for %s: stopping before the end of %s\n", giveUpAfter, strings.Join(ends.short(), ", "))
			return nil
		}
		if err := heard.fatal(fetches); err != nil {
			return err
		}
	}
}
