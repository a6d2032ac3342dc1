package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/kbroker/kbroker/integration/harness"
)

// Kind is what a broker is.
type Kind string

const (
	KBroker Kind = "kbroker"
	Kafka   Kind = "kafka" // Apache Kafka 3.9
)

// process is what kbroker and Apache Kafka have in common.
type process interface {
	PID() int
	Kill()
	Pause()
	Resume()
	Stop(t testing.TB)
	Exited() <-chan struct{}
	Output() string
	AwaitReady(t testing.TB)
}

// Node is a broker of a cluster.
type Node struct {
	ID   int32
	Kind Kind

	cluster  *Cluster
	process  process
	begin    func(t testing.TB)
	dir      string
	launches []time.Time
	earlier  string // what launches before the last have logged
	internal *door
	external *door
}

// Name is the broker's in links.
func (n *Node) Name() string { return fmt.Sprintf("broker %d", n.ID) }

// Address is host:port of the listener for clients, as clients of the cluster reach it.
func (n *Node) Address() string { return n.external.address() }

// Dir is log.dirs.
func (n *Node) Dir() string { return n.dir }

// Launches are when the process was started.
func (n *Node) Launches() []time.Time { return n.launches }

// PID is the process id of the last launch.
func (n *Node) PID() int { return n.process.PID() }

// Output is what the process has logged since its last launch.
func (n *Node) Output() string { return n.process.Output() }

// Log is what all launches have logged.
func (n *Node) Log() string {
	if len(n.launches) == 0 {
		return ""
	}
	return n.earlier + n.Output()
}

// Kill ends the process as SIGKILL does.
func (n *Node) Kill() { n.process.Kill() }

// Pause stops the process as SIGSTOP does; Resume lets it go on.
func (n *Node) Pause()  { n.process.Pause() }
func (n *Node) Resume() { n.process.Resume() }

// Stop ends the process with SIGTERM, which hands its partitions over, and fails the test unless it ends in time.
func (n *Node) Stop(t testing.TB) { n.process.Stop(t) }

// Dead returns whether the process has ended.
func (n *Node) Dead() bool {
	select {
	case <-n.process.Exited():
		return true
	default:
		return false
	}
}

// Restart launches the process again and returns when it is ready.
func (n *Node) Restart(t testing.TB) {
	t.Helper()
	n.Launch(t)
	n.AwaitReady(t)
}

// AwaitReady returns once the process that was launched last serves.
func (n *Node) AwaitReady(t testing.TB) {
	t.Helper()
	n.process.AwaitReady(t)
}

// Launch starts the process (again) without waiting for it to be ready. Apache Kafka ends when it finds the registration of
// its life before, so ZooKeeper has to have forgotten that.
func (n *Node) Launch(t testing.TB) {
	t.Helper()
	if n.Kind == Kafka && len(n.launches) > 0 {
		harness.Eventually(t, 30*time.Second, func() error {
			if n.cluster.Registered(t, n.ID) {
				return fmt.Errorf("broker %d is still registered", n.ID)
			}
			return nil
		})
	}
	n.earlier = n.Log()
	n.launches = append(n.launches, time.Now())
	n.begin(t)
	n.cluster.know(n)
}
