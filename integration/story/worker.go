package story

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Seat is what a worker has to know.
type Seat struct{ Address, Topic, Group, Name string }

// Client is a library whose workers take part.
type Client struct {
	Name string
	// Command is the program of one worker.
	Command func(s Seat) *exec.Cmd
	// Consumer says that its groups are of the consumer protocol of KIP-848.
	Consumer bool
	// Read turns a line of output into events; nil reads JSON, as the package's comment describes it.
	Read func(line string) ([]Event, error)
	// Drops is how many records a worker may commit and not show when it leaves while records come.
	Drops int
	// Restarts says that a worker may, by a fault of its library, read a partition from its start again, whatever is committed.
	Restarts bool
	// Mute says that workers do not tell what they own.
	Mute bool
}

// Event is what a worker tells.
type Event struct {
	Event      string
	Generation int32
	Partitions []int32
	Partition  int32
	Offset     int64
	Value      string
}

// worker is a process of a client.
type worker struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of Wait; read after exited

	mu      sync.Mutex // guards what follows
	owns    []int32
	records int
	other   bytes.Buffer // what of its output is not an event
}

// start starts a worker; hear is given each of its events, in order.
func start(t *testing.T, c Client, seat Seat, hear func(w *worker, e Event)) *worker {
	t.Helper()
	w := &worker{name: seat.Name, cmd: c.Command(seat), exited: make(chan struct{})}
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, stdout := io.Pipe()
	problems, stderr := io.Pipe()
	w.cmd.Stdout, w.cmd.Stderr = stdout, stderr
	if err := w.cmd.Start(); err != nil {
		t.Fatalf("start worker %s: %v", w.name, err)
	}
	var reading sync.WaitGroup
	// Standard error is heard, too: kcat tells there of its partitions.
	reading.Go(func() { w.read(t, c, out, hear) })
	reading.Go(func() { w.read(t, c, problems, hear) })
	go func() {
		w.err = w.cmd.Wait()
		stdout.Close()
		stderr.Close()
		reading.Wait()
		close(w.exited)
	}()
	t.Cleanup(func() {
		w.kill()
		if t.Failed() {
			t.Logf("worker %s printed besides its events:\n%s", w.name, w.complaints())
		}
	})
	return w
}

func (w *worker) read(t *testing.T, c Client, out io.Reader, hear func(w *worker, e Event)) {
	read := c.Read
	if read == nil {
		read = ReadJSON
	}
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return // what a killed worker had begun to print is not an event
		}
		line = strings.TrimSuffix(line, "\n")
		events, err := read(line)
		if err != nil {
			t.Errorf("worker %s prints %q: %v", w.name, line, err)
		}
		if len(events) == 0 {
			w.mu.Lock()
			w.other.WriteString(line + "\n")
			w.mu.Unlock()
		}
		for _, e := range events {
			w.mu.Lock()
			switch e.Event {
			case "owns":
				w.owns = e.Partitions
			case "record":
				w.records++
			}
			w.mu.Unlock()
			hear(w, e)
		}
	}
}

// ReadJSON reads a line as the package's comment describes it; other lines are no events.
func ReadJSON(line string) ([]Event, error) {
	if !strings.HasPrefix(line, "{\"event\"") {
		return nil, nil
	}
	var e Event
	err := json.Unmarshal([]byte(line), &e)
	return []Event{e}, err
}

// complaints are the end of what a worker printed besides its events.
func (w *worker) complaints() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	const most = 40_000
	text := w.other.String()
	return text[max(0, len(text)-most):]
}

// state is what a worker owns now and how many records it has shown.
func (w *worker) state() (owns []int32, records int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.owns, w.records
}

func (w *worker) kill() {
	_ = w.cmd.Process.Kill() // an exited process needs none
	<-w.exited
}

// stacks lets a worker that hangs print where: Go and Java do so at SIGQUIT.
func (w *worker) stacks() {
	if w.cmd.Process.Signal(syscall.SIGQUIT) != nil {
		return // it has ended
	}
	select {
	case <-w.exited:
	case <-time.After(time.Second):
	}
}

// leave ends a worker with SIGTERM; it has to exit with 0 in time.
func (w *worker) leave(t *testing.T) {
	t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("worker %s: %v", w.name, err)
	}
	select {
	case <-w.exited:
	case <-time.After(patience):
		t.Errorf("worker %s does not leave within %s of SIGTERM", w.name, patience)
		w.stacks()
		w.kill()
	}
	if w.err != nil {
		t.Errorf("worker %s: %v", w.name, w.err)
	}
}

// alive fails the test when a worker has ended by itself.
func (w *worker) alive() error {
	select {
	case <-w.exited:
		return fmt.Errorf("worker %s has ended: %w", w.name, w.err)
	default:
		return nil
	}
}
