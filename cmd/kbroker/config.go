package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/kbroker/kbroker/broker/config"
)

func configCommand() *cli.Command {
	return &cli.Command{
		Name:  "config",
		Usage: "print every configuration key: value, source, default and documentation",
		Description: "Prints what kbroker start would run with, given the same flags. Dynamic configuration in\n" +
			"ZooKeeper is not read: kafka-configs --describe --all shows it of a running broker.",
		Flags: append(settingFlags(), &cli.BoolFlag{Name: "set", Usage: "only keys that are set"}),
		Action: func(c *cli.Context) error {
			given, err := settings(c, nil)
			if err != nil {
				return err
			}
			if _, ok := given["zookeeper.connect"]; !ok {
				fmt.Fprintln(os.Stderr, "warning: zookeeper.connect is not given, kbroker start needs it; printing what kbroker dev uses")
				given["zookeeper.connect"] = config.Setting{Value: "127.0.0.1:0", Origin: "kbroker dev, embedded"}
			}
			store, warnings, err := config.NewStore(given)
			if err != nil {
				return err
			}
			for _, w := range warnings {
				fmt.Fprintln(os.Stderr, "warning:", w)
			}
			for _, e := range store.List() {
				if c.Bool("set") && e.Source == config.SourceDefault {
					continue
				}
				printEffective(c, e)
			}
			return nil
		},
	}
}

// printEffective prints a key in a form that is a properties file with comments.
func printEffective(c *cli.Context, e config.Effective) {
	defaults := "null"
	if e.Default != nil {
		defaults = *e.Default
	}
	source := "default"
	if e.Source != config.SourceDefault {
		source = e.Origin
	}
	fmt.Fprintf(c.App.Writer, "# %s\n# default: %s", e.Doc, defaults)
	if e.Valid != "" {
		fmt.Fprintf(c.App.Writer, "; legal: %s", e.Valid)
	}
	fmt.Fprintf(c.App.Writer, "; source: %s\n", source)
	if e.Why != "" {
		fmt.Fprintf(c.App.Writer, "# in kbroker: %s: %s\n", e.Effect, e.Why)
	}
	comment := ""
	if e.Null {
		comment = "#"
	}
	fmt.Fprintf(c.App.Writer, "%s%s=%s\n\n", comment, e.Name, e.Value)
}
