package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Names of the subjects, as the table heads its columns.
const (
	floorName   = "floor"
	kbrokerName = "kbroker"
	kafkaName   = "Kafka 3.9"
)

// startWithin bounds the start of a server; Maven may bring Kafka's jars first.
const startWithin = 5 * time.Minute

// subject is a server that is measured.
type subject struct {
	name    string
	address string
	pid     int
	floor   bool
	ready   time.Duration // from exec to the first answer
	idleRSS float64       // MB
	stops   []func()
}

func (s *subject) stop() {
	for _, stop := range s.stops {
		stop()
	}
}

// startSubjects starts the servers; those started are returned with an error too.
func startSubjects(ctx context.Context, o options, dir string) ([]*subject, error) {
	starters := []func(context.Context, options, string) (*subject, error){startFloor, startKbroker}
	if o.kafka {
		if err := kafkaPossible(o); err != nil {
			fmt.Fprintln(os.Stderr, "bench: without Apache Kafka:", err)
		} else {
			starters = append(starters, startKafka)
		}
	}
	var subjects []*subject
	for _, start := range starters {
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

func startFloor(ctx context.Context, _ options, dir string) (*subject, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address := freeAddress()
	return launch(ctx, floorName, address, exec.Command(own, "-floor", address, "-floor-dir", dir))
}

func startKbroker(ctx context.Context, o options, dir string) (*subject, error) {
	address := freeAddress()
	return launch(ctx, kbrokerName, address, exec.Command(o.broker, "dev", "--log-dirs", filepath.Join(dir, "kbroker"),
		"--listeners", "PLAINTEXT://"+address, "--log-level", "warn"))
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
	_, zkPort, _ := net.SplitHostPort(zookeeper)
	_, port, _ := net.SplitHostPort(address)
	zk := exec.Command(filepath.Join(o.peers, "zookeeper"), filepath.Join(dir, "zk"), zkPort)
	zk.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := zk.Start(); err != nil {
		return nil, err
	}
	stopZooKeeper := func() { _ = zk.Process.Kill(); _ = zk.Wait() } // it may be gone already
	if err := await(ctx, func() error {
		c, err := net.DialTimeout("tcp", zookeeper, time.Second)
		if err == nil {
			err = c.Close()
		}
		return err
	}); err != nil {
		stopZooKeeper()
		return nil, err
	}
	s, err := launch(ctx, kafkaName, address, exec.Command(filepath.Join(o.peers, "broker"),
		filepath.Join(dir, "kafka"), port, "1", zookeeper, "log.retention.check.interval.ms=600000"))
	if s != nil {
		s.stops = append(s.stops, stopZooKeeper)
	} else {
		stopZooKeeper()
	}
	return s, err
}

// launch starts a server and waits until it answers ApiVersions and Metadata.
func launch(ctx context.Context, name, address string, cmd *exec.Cmd) (*subject, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if name != kafkaName {
		cmd.Stderr = os.Stderr
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &subject{name: name, address: address, pid: cmd.Process.Pid, floor: name == floorName}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }() // it is killed in the end
	s.stops = append(s.stops, func() { _ = cmd.Process.Kill(); <-exited })
	err := await(ctx, func() error {
		select {
		case <-exited:
			return errGone
		default:
		}
		return answers(ctx, address)
	})
	if err != nil {
		return s, fmt.Errorf("start %s: %w", name, err)
	}
	s.ready = time.Since(began)
	s.idleRSS = rssNow(s.pid)
	return s, nil
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

func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0" // the server's own error will tell
	}
	defer l.Close()
	return l.Addr().String()
}

// cpuSeconds is the user and system time of a process so far, by the operating system's accounting.
func cpuSeconds(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The fields after the command's closing parenthesis: state is the third field of all.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const userField, systemField, ticks = 11, 12, 100
	user, _ := strconv.ParseFloat(fields[userField], 64)     // the kernel writes numbers
	system, _ := strconv.ParseFloat(fields[systemField], 64) // the kernel writes numbers
	return (user + system) / ticks
}

func rssNow(pid int) float64  { return statusMB(pid, "VmRSS:") }
func peakRSS(pid int) float64 { return statusMB(pid, "VmHWM:") }

func statusMB(pid int, key string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), key)
	kilobytes, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64) // the kernel writes numbers
	return kilobytes / 1024
}
