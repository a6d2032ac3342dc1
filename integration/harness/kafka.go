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
	k := &Kafka{Port: port, Dir: dir, peers: peers, zookeeper: zookeeper}
	for key, value := range config {
		k.overrides = append(k.overrides, key+"="+value)
	}
	return k
}

// Launch starts the process and returns when it serves.
func (k *Kafka) Launch(t testing.TB) {
	t.Helper()
	args := append([]string{filepath.Dir(k.Dir), fmt.Sprint(k.Port), "1", k.zookeeper}, k.overrides...)
	if k.release != "" {
		args = append([]string{"-v", k.release}, args...)
	}
	cmd := exec.Command(filepath.Join(k.peers, "broker"), args...)
	cmd.Env = append(os.Environ(), "KAFKA_HEAP=-Xmx512m -XX:TieredStopAtLevel=1")
	k.process = start(t, fmt.Sprintf("kafka:%d", k.Port), cmd)
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

// Kill ends the process as SIGKILL does.
func (k *Kafka) Kill() { k.process.kill() }

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
