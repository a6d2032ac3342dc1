package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"syscall"
)

func (c *cluster) printf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, format, args...)
}

// welcome tells how to connect.
func (c *cluster) welcome() {
	var bootstrap, zookeeper []string
	for i := range c.options.brokers {
		bootstrap = append(bootstrap, fmt.Sprintf("127.0.0.1:%d", c.options.brokers[i]))
		zookeeper = append(zookeeper, fmt.Sprintf("127.0.0.1:%d", c.options.zookeepers[i]))
	}
	servers := strings.Join(bootstrap, ",")
	c.printf(`
Three brokers and three ZooKeeper servers are up. Topics get 3 replicas, of which 2 have to be in sync for acks=all.

  bootstrap.servers   %s
  zookeeper.connect   %s/kafka
  data and logs       %s

`, servers, strings.Join(zookeeper, ","), c.options.dir)
	c.list()
	c.printf(`
Try:
  kcat -b %[1]s -L                                 # brokers, topics, leaders, in-sync replicas
  seq 100 | kcat -b %[1]s -P -t numbers -X acks=all
  kcat -b %[1]s -C -t numbers -e
  %[2]s groups --bootstrap-server %[1]s list

  curl -s http://127.0.0.1:%[3]d/readyz                # and /metrics, of broker1

Kill one, here or with kill -9 PID in another shell, and see the others go on. Commands: status, kill NAME, stop NAME
(SIGTERM), pause NAME, resume NAME, start NAME. Ctrl-C ends all.
`, servers, c.options.binary, c.options.brokers[0]+1)
}

func (c *cluster) list() {
	for _, p := range c.children {
		c.printf("  %-8s port %-6d %s\n", p.name, p.port, p.status())
	}
}

// serve obeys commands, one a line, and tells of deaths until the context ends. The end of the input ends nothing.
func (c *cluster) serve(ctx context.Context, in io.Reader) {
	lines := make(chan string)
	go func() { // ends with the input, or with the program
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			c.printf("\nending all\n")
			go func() { // nobody asks any more
				for range c.died {
				}
			}()
			return
		case p := <-c.died:
			c.printf("%s has died (%s). The others go on; to have it back: start %s\n", p.name, p.status(), p.name)
		case line := <-lines:
			if err := c.obey(ctx, strings.Fields(line)); err != nil {
				c.printf("%v\n", err)
			}
		}
	}
}

// obey does what a line says.
func (c *cluster) obey(ctx context.Context, words []string) error {
	switch {
	case len(words) == 0:
		return nil
	case len(words) == 1 && words[0] == "status":
		c.list()
		return nil
	case len(words) != 2:
		return fmt.Errorf("commands: status, or kill, stop, pause, resume, start with the name of a process")
	}
	p := c.named(words[1])
	if p == nil {
		return fmt.Errorf("there is no %s", words[1])
	}
	switch words[0] {
	case "start":
		if err := p.start(c.died); err != nil {
			return err
		}
		if err := p.await(ctx, startWithin); err != nil {
			return err
		}
		c.printf("%s is ready\n", p.name)
		return nil
	case "kill":
		return p.signal(syscall.SIGKILL, false)
	case "stop":
		return p.signal(syscall.SIGTERM, false)
	case "pause":
		return p.signal(syscall.SIGSTOP, false)
	case "resume":
		return p.signal(syscall.SIGCONT, false)
	default:
		return fmt.Errorf("%s is no command", words[0])
	}
}

func (c *cluster) named(name string) *child {
	for _, p := range c.children {
		if p.name == name {
			return p
		}
	}
	return nil
}
