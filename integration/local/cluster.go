package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/kbroker/kbroker/integration/harness"
)

// settings are those of every broker that differ from Kafka's defaults; docker-compose.yml has the same.
func settings() []string {
	return []string{
		"default.replication.factor=3", "min.insync.replicas=2", "offsets.topic.replication.factor=3",
		"zookeeper.session.timeout.ms=6000",
	}
}

// startWithin bounds the start of each part.
const startWithin = 60 * time.Second

// cluster is the processes, ZooKeeper's first.
type cluster struct {
	options  options
	children []*child
	died     chan *child

	mu  sync.Mutex // of out
	out io.Writer
}

func newCluster(o options, out io.Writer) *cluster {
	c := &cluster{options: o, died: make(chan *child), out: out}
	var connect []string
	for i, port := range o.zookeepers {
		dir := filepath.Join(o.dir, fmt.Sprintf("zk%d", i+1))
		connect = append(connect, fmt.Sprintf("127.0.0.1:%d", port))
		c.children = append(c.children, &child{
			name: fmt.Sprintf("zk%d", i+1), log: dir + ".log", port: port,
			command: func() (*exec.Cmd, error) { return c.zookeeper(dir, i+1) },
			ready:   func() bool { return strings.Contains(harness.FourLetterWord(connect[i], "srvr"), "Mode: ") },
		})
	}
	for i, port := range o.brokers {
		dir := filepath.Join(o.dir, fmt.Sprintf("broker%d", i+1))
		c.children = append(c.children, &child{
			name: fmt.Sprintf("broker%d", i+1), log: dir + ".log", port: port, broker: true,
			command: func() (*exec.Cmd, error) { return c.broker(dir, i+1, strings.Join(connect, ",")), nil },
			ready:   func() bool { return ready(port + 1) },
		})
	}
	return c
}

func (c *cluster) zookeeper(dir string, id int) (*exec.Cmd, error) {
	var members []harness.MemberPorts
	for _, port := range c.options.zookeepers {
		members = append(members, harness.MemberPorts{Client: port, Quorum: port + 1, Election: port + 2})
	}
	if err := harness.WriteMember(dir, id, members); err != nil {
		return nil, err
	}
	return harness.MemberCommand(dir), nil
}

func (c *cluster) broker(dir string, id int, connect string) *exec.Cmd {
	port := c.options.brokers[id-1]
	args := []string{
		"start", fmt.Sprintf("--broker-id=%d", id), "--log-dirs=" + dir, "--zookeeper=" + connect + "/kafka",
		fmt.Sprintf("--listeners=PLAINTEXT://127.0.0.1:%d", port), fmt.Sprintf("--metrics-listen=127.0.0.1:%d", port+1),
	}
	for _, s := range settings() {
		args = append(args, "--override="+s)
	}
	return exec.Command(c.options.binary, args...)
}

// ready asks a broker whether it serves.
func ready(metricsPort int) bool {
	client := http.Client{Timeout: time.Second}
	r, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", metricsPort))
	if err != nil {
		return false
	}
	r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// free returns an error that names the first port that somebody has.
func free(o options) error {
	var all []int
	for _, p := range o.zookeepers {
		all = append(all, p, p+1, p+2)
	}
	for _, p := range o.brokers {
		all = append(all, p, p+1)
	}
	for _, p := range all {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			return fmt.Errorf("%w (another cluster? see -broker-ports and -zookeeper-ports)", err)
		}
		l.Close()
	}
	return nil
}

// start starts all processes, the brokers once the ensemble serves, and returns when all are ready.
func (c *cluster) start(ctx context.Context) error {
	for _, brokers := range []bool{false, true} {
		for _, p := range c.children {
			if p.broker == brokers {
				if err := p.start(c.died); err != nil {
					return err
				}
			}
		}
		for _, p := range c.children {
			if p.broker == brokers {
				if err := p.await(ctx, startWithin); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// end ends all processes: brokers first, which hand their partitions over to nobody, but close their logs.
func (c *cluster) end() {
	for _, brokers := range []bool{true, false} {
		var ending sync.WaitGroup
		for _, p := range c.children {
			if p.broker == brokers {
				ending.Go(func() { p.end(stopWithin) })
			}
		}
		ending.Wait()
	}
}

// stopWithin is how long a process has to end by itself.
const stopWithin = 20 * time.Second
