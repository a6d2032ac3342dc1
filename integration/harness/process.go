package harness

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// process is a child whose output is kept and that the end of the test kills.
type process struct {
	name   string
	cmd    *exec.Cmd
	output *output
	exited chan struct{} // closed once it is reaped
	err    error         // of Wait; read after exited
}

// output collects what a process prints. Lines may be waited for.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed and renewed at every write
}

func newOutput() *output { return &output{more: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	close(o.more)
	o.more = make(chan struct{})
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs a command; the test's end kills it and fails the test when it printed a panic or
// a data race.
func start(t testing.TB, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, output: newOutput(), exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	// The child dies with the test binary, even when that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill()
		text := p.output.String()
		if strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic:") || strings.Contains(text, "goroutine 1 [") {
			t.Errorf("%s panicked or raced", name)
		}
		if t.Failed() {
			t.Logf("output of %s (the end):\n%s", name, tail(text, 60))
		}
	})
	return p
}

func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) } // an exited process needs none

func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// await waits until the process has printed text (from position from on), and fails the test
// when it exits or the time passes before.
func (p *process) await(t testing.TB, text string, from int, within time.Duration) {
	t.Helper()
	deadline := time.After(within)
	for {
		p.output.mu.Lock()
		more := p.output.more
		found := bytes.Contains(p.output.text.Bytes()[from:], []byte(text))
		p.output.mu.Unlock()
		if found {
			return
		}
		select {
		case <-more:
		case <-p.exited:
			if strings.Contains(p.output.String()[from:], text) {
				return
			}
			t.Fatalf("%s exited (%v) before it printed %q:\n%s", p.name, p.err, text, tail(p.output.String(), 40))
		case <-deadline:
			t.Fatalf("%s did not print %q within %s:\n%s", p.name, text, within, tail(p.output.String(), 40))
		}
	}
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// The ports of FreePort lie below those that systems give to outgoing connections and to listeners without a port, which would be
// taken by anybody before their server has them, or while that restarts. Between two of them some are left for servers
// that take the next ones as well.
const firstPort, portCount, portStep = 11_000, 20_000, 7

// nextPort is where FreePort goes on: no port is given twice, and each process begins somewhere else.
var nextPort = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(uint32(rand.IntN(portCount)))
	return &n
}()

// FreePort returns a port that was free on 127.0.0.1 a moment ago, and that this process has not been given before.
func FreePort(t testing.TB) int {
	t.Helper()
	err := errors.New("not tried")
	for range 100 {
		port := firstPort + int(nextPort.Add(portStep)%portCount)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatalf("find a free port: %v", err)
	return 0
}

// Eventually polls until done returns nil, and fails the test with its last error after a time.
func Eventually(t testing.TB, within time.Duration, done func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := done()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", within, err)
		}
		time.Sleep(20 * time.Millisecond) // a poll with a deadline, against another process
	}
}

// Run runs a program to its end and returns its standard output; a failure fails the test.
func Run(t testing.TB, stdin string, name string, args ...string) string {
	t.Helper()
	out, err := TryRun(stdin, name, args...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return out
}

// TryRun is Run for programs that may fail; the error holds what they printed.
func TryRun(stdin string, name string, args ...string) (string, error) {
	out, _, err := RunApart(stdin, name, args...)
	return out, err
}

// RunApart is TryRun that returns what the program printed on standard output and standard error apart.
func RunApart(stdin string, name string, args ...string) (stdout, stderr string, err error) {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out.String(), problems.String())
	}
	return out.String(), problems.String(), err
}
