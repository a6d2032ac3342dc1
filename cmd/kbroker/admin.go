package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/urfave/cli/v2"
)

// adminFlags are those of every command that speaks to a cluster over the Kafka protocol, whichever broker serves it.
func adminFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{
			Name: "bootstrap-server", Aliases: []string{"b"}, Value: "localhost:9092", EnvVars: []string{"KBROKER_BOOTSTRAP_SERVER"},
			Usage: "brokers to ask first, `HOST:PORT[,HOST:PORT...]`",
		},
		&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "for the command as a whole"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table or json"},
	}, more...)
}

// admin runs a command with a client of the cluster that its flags name.
func admin(run func(ctx context.Context, c *cli.Context, cluster *kadm.Client) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if o := c.String("output"); o != "table" && o != "json" {
			return fmt.Errorf("--output %s: must be table or json", o)
		}
		for _, arg := range c.Args().Slice() {
			if strings.HasPrefix(arg, "-") {
				return fmt.Errorf("%s: flags come before arguments", arg)
			}
		}
		if c.String("bootstrap-server") == "" {
			return errors.New("--bootstrap-server is empty (or KBROKER_BOOTSTRAP_SERVER is): give a broker's host:port")
		}
		servers := strings.Split(c.String("bootstrap-server"), ",")
		client, err := kgo.NewClient(kgo.SeedBrokers(servers...), kgo.ClientID("kbroker-"+c.Command.Name),
			kgo.RetryTimeout(c.Duration("timeout")), kgo.RequestTimeoutOverhead(c.Duration("timeout")))
		if err != nil {
			return fmt.Errorf("--bootstrap-server %s: %w", c.String("bootstrap-server"), err)
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
		defer cancel()
		if err := client.Ping(ctx); err != nil {
			return fmt.Errorf("no broker answers at %s: %w", c.String("bootstrap-server"), err)
		}
		if err := run(ctx, c, kadm.NewClient(client)); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("no answer within --timeout %s: %w", c.Duration("timeout"), err)
			}
			return err
		}
		return nil
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
