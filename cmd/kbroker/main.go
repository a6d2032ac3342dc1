// Command kbroker is a Kafka broker in one binary.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/urfave/cli/v2"

	"github.com/kbroker/kbroker/cmd/kbroker/admin"
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
		Commands: append([]*cli.Command{
			startCommand(),
			devCommand(),
			configCommand(),
			logCommand(),
			versionCommand(),
		}, admin.Commands()...),
	}
	admin.RefuseUnknown(app.Commands)
	args := append(os.Args[:1:1], admin.FlagsFirst(app.Commands, os.Args[1:])...)
	if err := app.Run(args); err != nil {
		fmt.Fprintf(os.Stderr, "kbroker: %v\n", err)
		os.Exit(exitCode(err))
	}
}

// exitCode is 2 for an answer that is no, and 1 for a failure.
func exitCode(err error) int {
	if errors.Is(err, admin.ErrNo) {
		return 2
	}
	return 1
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version",
		Action: func(c *cli.Context) error {
			fmt.Fprintf(c.App.Writer, "kbroker %s (%s, %s/%s), speaks Apache Kafka 3.9\n",
				version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
