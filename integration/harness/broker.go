package harness

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// readyWithin and stoppedWithin bound the start and the clean stop of a broker, with the race detector, on a busy machine.
const (
	readyWithin   = 60 * time.Second
	stoppedWithin = 60 * time.Second
)

// Options choose how a Broker runs; the zero value is `kbroker dev`.
type Options struct {
	ZooKeeper string            // host:port/chroot; empty: the embedded server
	Config    map[string]string // overrides
	Dir       string            // log.dirs; empty: a temporary folder
	Plain     bool              // without the race detector
	Args      []string          // further arguments
	Wrap      []string          // a command that runs the one it is given, in the same process
	ID        int32             // broker.id in a ZooKeeper of one's own; 0: 1
	Listeners string            // empty: PLAINTEXT on Port
}

// Broker is a kbroker process.
type Broker struct {
	Port        int
	MetricsPort int
	Dir         string

	options Options
	process *process
}

// StartBroker starts a broker and returns when it is ready.
func StartBroker(t testing.TB, o Options) *Broker {
	t.Helper()
	b := NewBroker(t, o)
	b.Restart(t)
	return b
}

// NewBroker chooses ports and a folder for a broker; Launch or Restart starts it.
func NewBroker(t testing.TB, o Options) *Broker {
	t.Helper()
	b := &Broker{Port: FreePort(t), MetricsPort: FreePort(t), Dir: o.Dir, options: o}
	if b.Dir == "" {
		b.Dir = filepath.Join(t.TempDir(), "logs")
	}
	return b
}

// Advertise makes the next launch tell clients to connect to an address.
func (b *Broker) Advertise(address string) {
	b.options.Args = append(slices.Clone(b.options.Args), "--advertised-listeners", "PLAINTEXT://"+address)
}

// Launch starts the process (again, after Kill or Stop) without waiting for it to be ready.
func (b *Broker) Launch(t testing.TB) {
	t.Helper()
	command := "dev"
	if b.options.ZooKeeper != "" {
		command = "start"
	}
	listeners := cmp.Or(b.options.Listeners, fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", b.Port))
	args := []string{
		command, "--log-dirs", b.Dir, "--listeners", listeners, "--metrics-listen", fmt.Sprintf("127.0.0.1:%d", b.MetricsPort),
	}
	if b.options.ZooKeeper != "" {
		args = append(args, "--zookeeper", b.options.ZooKeeper, "--override", fmt.Sprintf("broker.id=%d", cmp.Or(b.options.ID, 1)))
		for _, key := range []string{"offsets.topic.replication.factor", "transaction.state.log.replication.factor"} {
			args = append(args, "--override", key+"=1")
		}
	}
	for key, value := range b.options.Config {
		args = append(args, "--override", key+"="+value)
	}
	args = slices.Concat(b.options.Wrap, []string{Binary(t, !b.options.Plain)}, args, b.options.Args)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1 atexit_sleep_ms=0")
	b.process = start(t, fmt.Sprintf("kbroker:%d", b.Port), cmd)
}

// AwaitReady returns when the process has logged that it is ready.
func (b *Broker) AwaitReady(t testing.TB) {
	t.Helper()
	b.process.await(t, "INFO  ready  {", 0, readyWithin) // not "controller  ready as controller"
}

// Restart launches the process again and waits until it is ready.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	b.Launch(t)
	b.AwaitReady(t)
}

// Address is host:port for bootstrap.servers.
func (b *Broker) Address() string { return fmt.Sprintf("127.0.0.1:%d", b.Port) }

// PID is the process id.
func (b *Broker) PID() int { return b.process.cmd.Process.Pid }

// Exited is closed once the process has ended.
func (b *Broker) Exited() <-chan struct{} { return b.process.exited }

// Output is what the process has printed since its last launch.
func (b *Broker) Output() string { return b.process.output.String() }

// AwaitOutput waits until the process has printed text since its last launch.
func (b *Broker) AwaitOutput(t testing.TB, text string, within time.Duration) {
	t.Helper()
	b.process.await(t, text, 0, within)
}

// Kill ends the process as SIGKILL does.
func (b *Broker) Kill() { b.process.kill() }

// Stop ends the process with SIGTERM and fails the test unless it exits cleanly in time.
func (b *Broker) Stop(t testing.TB) {
	t.Helper()
	b.process.signal(syscall.SIGTERM)
	select {
	case <-b.process.exited:
	case <-time.After(stoppedWithin):
		b.process.signal(syscall.SIGQUIT) // prints the stacks
		<-b.process.exited
		before, stacks, _ := strings.Cut(b.Output(), "SIGQUIT: quit")
		t.Fatalf("kbroker did not stop within %s of SIGTERM:\n%s\n%s", stoppedWithin, tail(before, 20), stacks)
	}
	if b.process.err != nil {
		t.Fatalf("kbroker stopped uncleanly: %v\n%s", b.process.err, tail(b.Output(), 40))
	}
}

// AwaitExit waits for the process to end by itself and returns its exit code.
func (b *Broker) AwaitExit(t testing.TB, within time.Duration) int {
	t.Helper()
	select {
	case <-b.process.exited:
		return b.process.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("kbroker did not exit within %s:\n%s", within, tail(b.Output(), 40))
		return 0
	}
}

// binaries are built once per run of a test binary.
var binaries struct {
	plain, race sync.Once
	err         [2]error
}

// Binary builds kbroker, with or without the race detector, and returns its path.
func Binary(t testing.TB, race bool) string {
	t.Helper()
	once, name, flag, i := &binaries.plain, "kbroker", "-race=false", 0
	if race {
		once, name, flag, i = &binaries.race, "kbroker-race", "-race=true", 1
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("kbroker-test-%d", os.Getpid()), name)
	once.Do(func() {
		out, err := exec.Command("go", "build", flag, "-o", path, "github.com/kbroker/kbroker/cmd/kbroker").CombinedOutput()
		if err != nil {
			binaries.err[i] = fmt.Errorf("build kbroker: %w\n%s", err, out)
		}
	})
	if binaries.err[i] != nil {
		t.Fatal(binaries.err[i])
	}
	return path
}

// RemoveBinaries removes what Binary built; TestMain calls it last.
func RemoveBinaries() {
	_ = os.RemoveAll(filepath.Join(os.TempDir(), fmt.Sprintf("kbroker-test-%d", os.Getpid()))) // a leftover in the temporary folder does no harm
}

// Signal sends a signal to the process.
func (b *Broker) Signal(s os.Signal) { b.process.signal(s) }

// Pause stops the process as SIGSTOP does; Resume lets it go on.
func (b *Broker) Pause()  { b.process.signal(syscall.SIGSTOP) }
func (b *Broker) Resume() { b.process.signal(syscall.SIGCONT) }
