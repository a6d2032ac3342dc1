package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Kafka is an Apache Kafka broker process, run by peers/broker: 3.9 in ZooKeeper mode, or a subject of another release.
type Kafka struct {
	Port int
	Dir  string // log.dirs
	ID   int32  // broker.id, 1 unless changed before Launch
	Heap string // options of the JVM, may be changed before Launch

	peers     string
	release   string // empty: 3.9
	zookeeper string
	overrides []string
	process   *process
}

// NewKafka prepares a broker with id 1 whose log directory is dir, which has to be called log. With a
// port of 0 it gets a free one. The peers folder is given relative to the test. Launch starts it.
func NewKafka(t testing.TB, peers, zookeeper, dir string, port int, config map[string]string) *Kafka {
	t.Helper()
	if filepath.Base(dir) != "log" {
		t.Fatalf("peers/broker calls its log directory log, not %s", dir)
	}
	if port == 0 {
		port = FreePort(t)
	}
	k := &Kafka{Port: port, Dir: dir, ID: 1, Heap: "-Xmx512m -XX:TieredStopAtLevel=1", peers: peers, zookeeper: zookeeper}
	for key, value := range config {
		k.overrides = append(k.overrides, key+"="+value)
	}
	return k
}

// NewKRaft is NewKafka for a release in KRaft mode, which needs no ZooKeeper.
func NewKRaft(t testing.TB, peers, release, dir string, config map[string]string) *Kafka {
	t.Helper()
	k := NewKafka(t, peers, "kraft", dir, 0, config)
	k.release = release
	return k
}

// Launch starts the process and returns when it serves.
func (k *Kafka) Launch(t testing.TB) {
	t.Helper()
	k.Begin(t)
	k.AwaitReady(t)
}

// Begin starts the process without waiting for it to serve.
func (k *Kafka) Begin(t testing.TB) {
	t.Helper()
	args := append([]string{filepath.Dir(k.Dir), fmt.Sprint(k.Port), fmt.Sprint(k.ID), k.zookeeper}, k.overrides...)
	if k.release != "" {
		args = append([]string{"-v", k.release}, args...)
	}
	cmd := exec.Command(filepath.Join(k.peers, "broker"), args...)
	cmd.Env = append(os.Environ(), "KAFKA_HEAP="+k.Heap)
	k.process = start(t, fmt.Sprintf("kafka:%d", k.Port), cmd)
}

// AwaitReady returns when the process serves.
func (k *Kafka) AwaitReady(t testing.TB) {
	t.Helper()
	if k.release == "" {
		k.process.await(t, "started (kafka.server.KafkaServer)", 0, 2*readyWithin)
		return
	}
	// 4.x logs nothing here: it serves once it tells of itself.
	c := NewClient(t, k.Address())
	defer c.Close()
	Eventually(t, 2*readyWithin, func() error {
		brokers, err := kadm.NewClient(c).ListBrokers(Context(t))
		if err == nil && len(brokers) != 1 {
			err = fmt.Errorf("%d brokers", len(brokers))
		}
		return err
	})
}

// Restart is Launch, once ZooKeeper has forgotten the process before, which refuses its successor for that long.
func (k *Kafka) Restart(t testing.TB) {
	t.Helper()
	if k.process != nil && k.release == "" {
		time.Sleep(subjectSession)
	}
	k.Launch(t)
}

// Address is host:port for bootstrap.servers.
func (k *Kafka) Address() string { return fmt.Sprintf("127.0.0.1:%d", k.Port) }

// Output is what the process has logged since its last launch.
func (k *Kafka) Output() string { return k.process.output.String() }

// PID is the process id.
func (k *Kafka) PID() int { return k.process.cmd.Process.Pid }

// Exited is closed once the process has ended.
func (k *Kafka) Exited() <-chan struct{} { return k.process.exited }

// Kill ends the process as SIGKILL does.
func (k *Kafka) Kill() { k.process.kill() }

// Pause stops the process as SIGSTOP does; Resume lets it go on.
func (k *Kafka) Pause()  { k.process.signal(syscall.SIGSTOP) }
func (k *Kafka) Resume() { k.process.signal(syscall.SIGCONT) }

// Stop ends the process with SIGTERM and fails the test unless it exits in time.
func (k *Kafka) Stop(t testing.TB) {
	t.Helper()
	k.process.signal(syscall.SIGTERM)
	select {
	case <-k.process.exited:
	case <-time.After(readyWithin):
		t.Fatalf("Apache Kafka did not stop within %s of SIGTERM:\n%s", readyWithin, tail(k.Output(), 40))
	}
}
