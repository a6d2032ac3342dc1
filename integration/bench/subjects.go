package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Names of the subjects, as the table heads its columns.
const (
	floorName   = "floor"
	kbrokerName = "kbroker"
	kafkaName   = "Kafka"
)

// startWithin bounds the start of a server.
const startWithin = time.Minute

// subject is a server that is measured.
type subject struct {
	name    string
	address string
	command func() *exec.Cmd // that runs it; after a stop it continues with the same data
	helper  func()           // stops what the server needs beside itself, or nil

	pid     int
	process *os.Process
	exited  chan struct{}
	ready   time.Duration // from exec to the first answer
	idleRSS float64       // MB
	topics  []string      // to be deleted after the round
}

// startSubjects starts the servers; those started are returned with an error too.
func startSubjects(ctx context.Context, o options, dir string) ([]*subject, error) {
	var subjects []*subject
	for _, start := range starters(o) {
		s, err := start(ctx, o, dir)
		if s != nil {
			subjects = append(subjects, s)
		}
		if err != nil {
			return subjects, err
		}
	}
	return subjects, nil
}

type starter func(ctx context.Context, o options, dir string) (*subject, error)

func starters(o options) []starter {
	if o.kafka {
		return []starter{startFloor, startKbroker, startKafka}
	}
	return []starter{startFloor, startKbroker}
}

func startFloor(ctx context.Context, _ options, dir string) (*subject, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address := freeAddress()
	s := &subject{name: floorName, address: address, command: func() *exec.Cmd {
		return exec.Command(own, "-floor", address, "-floor-dir", dir)
	}}
	return s, s.boot(ctx)
}

// soonDeleted lets the files of deleted topics go at once: the next round needs the space.
const soonDeleted = "log.segment.delete.delay.ms=100"

func startKbroker(ctx context.Context, o options, dir string) (*subject, error) {
	address := freeAddress()
	args := []string{
		"dev", "--log-dirs", filepath.Join(dir, "kbroker"), "--listeners", "PLAINTEXT://" + address,
		"--log-level", "error", "--override", soonDeleted, "--override", soonCleaned,
	}
	for _, override := range append(groupOverrides(), consumerOverrides()...) {
		args = append(args, "--override", override)
	}
	if o.override != "" {
		args = append(args, "--override", o.override)
	}
	if o.profile != "" {
		args = append(args, "--metrics-listen", o.profile)
	}
	s := &subject{name: kbrokerName, address: address, command: func() *exec.Cmd { return exec.Command(o.broker, args...) }}
	return s, s.boot(ctx)
}

// kafkaPossible says why Apache Kafka cannot be run here.
func kafkaPossible(o options) error {
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	cmd := exec.Command(filepath.Join(o.peers, "jars"))
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

func startKafka(ctx context.Context, o options, dir string) (*subject, error) {
	zookeeper, address := freeAddress(), freeAddress()
	_, zkPort, err := net.SplitHostPort(zookeeper)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	zk := exec.Command(filepath.Join(o.peers, "zookeeper"), filepath.Join(dir, "zk"), zkPort)
	zk.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := zk.Start(); err != nil {
		return nil, err
	}
	s := &subject{
		name: kafkaName, address: address,
		command: func() *exec.Cmd {
			return exec.Command(filepath.Join(o.peers, "broker"), append([]string{
				filepath.Join(dir, "kafka"), port, "1", zookeeper,
				"log.retention.check.interval.ms=600000", "zookeeper.session.timeout.ms=6000", soonDeleted, soonCleaned,
			}, groupOverrides()...)...)
		},
		helper: func() { _ = zk.Process.Kill(); _ = zk.Wait() }, // it may be gone already
	}
	if err := await(ctx, func() error {
		c, err := net.DialTimeout("tcp", zookeeper, time.Second)
		if err == nil {
			err = c.Close()
		}
		return err
	}); err != nil {
		return s, fmt.Errorf("start ZooKeeper: %w", err)
	}
	return s, s.boot(ctx)
}

// boot starts the server and waits until it answers Metadata.
func (s *subject) boot(ctx context.Context) error {
	cmd := s.command()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if s.name == floorName {
		cmd.Stderr = os.Stderr
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }() // its exit code after a signal says nothing
	s.process, s.pid, s.exited = cmd.Process, cmd.Process.Pid, exited
	err := await(ctx, func() error {
		select {
		case <-exited:
			return errGone
		default:
		}
		return answers(ctx, s.address)
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.ready, s.idleRSS = time.Since(began), rssNow(s.pid)
	return nil
}

// signal ends the server and returns how long that took.
func (s *subject) signal(sig os.Signal) time.Duration {
	began := time.Now()
	_ = s.process.Signal(sig) // it may be gone already
	<-s.exited
	return time.Since(began)
}

func (s *subject) stop() {
	if s.process != nil {
		s.signal(syscall.SIGKILL)
	}
	if s.helper != nil {
		s.helper()
	}
}

// client makes a client that ends with the scenario that asked for it.
func (s *subject) client(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.address)}, more...)...)
}

// createTopic creates a topic of the round and waits until its partitions have leaders.
func (s *subject) createTopic(ctx context.Context, topic string, partitions int) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	s.topics = append(s.topics, topic)
	if _, err := kadm.NewClient(c).CreateTopic(ctx, int32(partitions), 1, nil, topic); err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return await(ctx, func() error { return led(ctx, c, topic, partitions) })
}

// led reports nil once every partition of the topic has a leader.
func led(ctx context.Context, c *kgo.Client, topic string, partitions int) error {
	req, t := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	response, err := req.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	count := 0
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			if p.Leader >= 0 && p.ErrorCode == 0 {
				count++
			}
		}
	}
	if count != partitions {
		return fmt.Errorf("%d of %d partitions of %s have a leader", count, partitions, topic)
	}
	return nil
}

// deleteTopics gives back the space of the round's topics.
func (s *subject) deleteTopics(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	deleted, err := kadm.NewClient(c).DeleteTopics(ctx, s.topics...)
	if err != nil {
		return err
	}
	s.topics = nil
	return deleted.Error()
}

var errGone = errors.New("the process ended")

// answers asks for the brokers and expects one.
func answers(ctx context.Context, address string) error {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	if err := c.Close(); err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RetryTimeout(time.Second))
	if err != nil {
		return err
	}
	defer client.Close()
	response, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
	if err == nil && len(response.Brokers) == 0 {
		err = errors.New("no broker in the metadata")
	}
	return err
}

// await polls until done succeeds.
func await(ctx context.Context, done func() error) error {
	deadline := time.Now().Add(startWithin)
	for {
		err := done()
		if err == nil || errors.Is(err, errGone) || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		time.Sleep(2 * time.Millisecond) // a poll with a deadline, against another process
	}
}

// freeAddress is one that was free a moment ago, below the ports that systems give to outgoing connections, which others
// would take before the server has it.
func freeAddress() string {
	const first, count = 11_000, 20_000
	for range 100 {
		address := fmt.Sprint("127.0.0.1:", first+rand.IntN(count))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	return "127.0.0.1:0" // the server's own error will tell
}
