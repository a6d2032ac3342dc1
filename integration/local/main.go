// Command local runs a cluster of three kbrokers and three Apache ZooKeeper servers as plain processes on loopback, in the
// foreground: the cluster of docker-compose.yml without containers. It tells when a process dies, lets the others go on, and
// starts, stops and kills them on command. Ctrl-C ends all. `make cluster-local` builds kbroker and runs it.
//
//   - main.go     flags, and the cluster's life
//   - cluster.go  which processes there are, and their settings
//   - child.go    one process
//   - console.go  what is printed, and the commands
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/kbroker/kbroker/integration/harness"
)

func main() {
	o := options{zookeepers: []int{12181, 22181, 32181}, brokers: []int{19092, 29092, 39092}}
	flag.StringVar(&o.binary, "broker", "bin/kbroker", "the kbroker `binary`")
	flag.StringVar(&o.dir, "dir", "", "`folder` of data and logs, which is kept; a temporary one, which is removed, if empty")
	flag.Func("broker-ports", "`ports` of the brokers (default 19092,29092,39092); the metrics are at the port after each", ports(&o.brokers))
	flag.Func("zookeeper-ports", "`ports` of the ZooKeeper servers (default 12181,22181,32181); each takes the two after it, too", ports(&o.zookeepers))
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cluster-local:", err)
		os.Exit(1)
	}
}

// options of the command.
type options struct {
	binary              string
	dir                 string
	zookeepers, brokers []int // ports
}

func ports(into *[]int) func(string) error {
	return func(value string) error {
		*into = nil
		for text := range strings.SplitSeq(value, ",") {
			port, err := strconv.ParseUint(text, 10, 16)
			if err != nil {
				return fmt.Errorf("%q is no port", text)
			}
			*into = append(*into, int(port))
		}
		if len(*into) != 3 {
			return errors.New("three ports are needed")
		}
		return nil
	}
}

// run starts the cluster, serves commands from in until the context ends, and ends the cluster.
func run(ctx context.Context, o options, in io.Reader, out io.Writer) error {
	if err := harness.ZooKeeperInstalled(); err != nil {
		return err
	}
	if _, err := os.Stat(o.binary); err != nil {
		return fmt.Errorf("%w: run make build", err)
	}
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "kbroker-cluster-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.dir = dir
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	o.dir = dir
	if err := free(o); err != nil {
		return err
	}
	c := newCluster(o, out)
	defer c.end()
	if err := c.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // Ctrl-C while it starts
		}
		return err
	}
	c.welcome()
	c.serve(ctx, in)
	return nil
}
