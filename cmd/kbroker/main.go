// Command kbroker is a Kafka broker in one binary.
package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/urfave/cli/v2"
)

// version is set at build time.
var version = "dev"

func main() {
	app := &cli.App{
		Name:    "kbroker",
		Usage:   "a Kafka broker in one binary, on ZooKeeper",
		Version: version,
		// Values hold commas of their own: --override listeners=A://:1,B://:2
		DisableSliceFlagSeparator: true,
		EnableBashCompletion:      true,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("unknown command %q; kbroker help lists them", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
		Commands: []*cli.Command{
			startCommand(),
			devCommand(),
			configCommand(),
			groupsCommand(),
			logCommand(),
			{
				Name:  "version",
				Usage: "print the version",
				Action: func(c *cli.Context) error {
					fmt.Fprintf(c.App.Writer, "kbroker %s (%s, %s/%s), speaks Apache Kafka 3.9\n",
						version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
					return nil
				},
			},
		},
	}
	if err := app.Run(os.Args); err != nil {
		fmt.Fprintf(os.Stderr, "kbroker: %v\n", err)
		os.Exit(1)
	}
}
