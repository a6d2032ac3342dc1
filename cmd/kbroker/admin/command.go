package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/urfave/cli/v2"
)

// Commands are all commands that speak to a cluster.
func Commands() []*cli.Command {
	commands := []*cli.Command{
		clusterCommand(),
		topicsCommand(),
		configsCommand(),
		electCommand(),
		reassignCommand(),
		produceCommand(),
		consumeCommand(),
		groupsCommand(),
	}
	for _, c := range commands {
		c.Category = "any Kafka cluster"
		leaves(c, func(leaf *cli.Command) { leaf.HideHelpCommand = true }) // a topic may be called help
	}
	return commands
}

// leaves calls f for the commands at the ends of the tree.
func leaves(c *cli.Command, f func(*cli.Command)) {
	if len(c.Subcommands) == 0 {
		f(c)
	}
	for _, sub := range c.Subcommands {
		leaves(sub, f)
	}
}

// RefuseUnknown lets commands that only hold others say so when they are given a name that none of these has. Without a name they
// show their help.
func RefuseUnknown(commands []*cli.Command) {
	for _, command := range commands {
		if len(command.Subcommands) == 0 || command.Action != nil {
			continue
		}
		command.UsageText = "kbroker " + command.Name + " command [command options]"
		command.Action = func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("unknown command %q; kbroker %s --help lists them", command.Name+" "+c.Args().First(), command.Name)
			}
			return cli.ShowSubcommandHelp(c)
		}
	}
}

// kafka is a client of the cluster that a command is about.
type kafka struct {
	*kadm.Client
	requests *kgo.Client // for what kadm has no words for
}

// connectFlags say which cluster.
func connectFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{
			Name: "bootstrap-server", Aliases: []string{"b"}, Value: "localhost:9092", EnvVars: []string{"KBROKER_BOOTSTRAP_SERVER"},
			Usage: "brokers to ask first, `HOST:PORT[,HOST:PORT...]`",
		},
	}, more...)
}

// clusterFlags are those of every command that asks, shows the answer and ends.
func clusterFlags(more ...cli.Flag) []cli.Flag {
	return connectFlags(append([]cli.Flag{
		&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "for the command as a whole"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table or json"},
	}, more...)...)
}

// waitFlag lifts the limit of --timeout from the command as a whole; it still holds for each request.
func waitFlag() cli.Flag {
	return &cli.BoolFlag{Name: "wait", Usage: "return when it is done, showing progress meanwhile; --timeout is then for each request"}
}

// action runs a command with a client of the cluster that its flags name. SIGINT and SIGTERM cancel its context.
func action(run func(ctx context.Context, c *cli.Context, cluster *kafka) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if o := c.String("output"); o != "table" && o != "json" {
			return fmt.Errorf("--output %s: must be table or json", o)
		}
		ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
		defer stop()
		if !c.Bool("wait") {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, c.Duration("timeout"))
			defer cancel()
		}
		client, err := connect(ctx, c)
		if err != nil {
			return err
		}
		defer client.Close()
		admin := kadm.NewClient(client)
		admin.SetTimeoutMillis(int32(min(c.Duration("timeout").Milliseconds(), 1<<31-1)))
		err = run(ctx, c, &kafka{admin, client})
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("no answer within --timeout %s: %w", c.Duration("timeout"), err)
		}
		return err
	}
}

// show prints a value as JSON, or as the table that rows writes: cells end with a tab, rows with a newline.
func show(c *cli.Context, value any, rows func(w io.Writer)) error {
	if c.String("output") == "json" {
		encoder := json.NewEncoder(c.App.Writer)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(value)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	rows(w)
	return w.Flush()
}

// named collects the names that a command is about, given as arguments or with a flag that may be repeated, as Kafka's commands
// take them.
func named(c *cli.Context, flag string) []string {
	return append(c.StringSlice(flag), c.Args().Slice()...)
}

// orDash is how a table shows what is not there.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
