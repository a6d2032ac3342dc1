package report

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startWithin bounds the start of a worker: a Java VM on a busy machine.
const startWithin = 60 * time.Second

// event is what a worker tells, of tasks (see the package's comment) and of groups (see that of package story).
type event struct {
	Event      string
	Why        string
	Partition  int32
	Partitions []int32
	Offset     int64
	Timestamp  int64
	Key        string
	Value      string
	Headers    []string
	Count      int
}

// doer does the tasks of the package's comment. The context bounds one; after an error it goes on with the next.
type doer interface {
	do(ctx context.Context, words ...string) ([]event, error)
	close()
}

// worker is a doer whose process is started when it has a task, and again after one that took too long.
type worker struct {
	command func() *exec.Cmd

	cmd    *exec.Cmd // nil: not running
	stdin  io.WriteCloser
	events chan event // closed with the process's output
	errors *lastWords
}

// lastWords keeps the end of what a process prints on standard error.
type lastWords struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *lastWords) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	const most = 1500
	text := w.text.String()
	return text[max(0, len(text)-most):]
}

// ready starts the process unless it runs.
func (w *worker) ready(ctx context.Context) error {
	if w.cmd != nil {
		return nil
	}
	cmd := w.command()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	w.errors = &lastWords{}
	cmd.Stderr = w.errors
	var err error
	if w.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a worker: %w", err)
	}
	w.cmd, w.events = cmd, make(chan event, 64)
	go readEvents(stdout, w.events)
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	if _, err := w.await(ctx, "ready"); err != nil {
		return fmt.Errorf("start a worker: %w", err)
	}
	return nil
}

// readEvents sends what it can parse; an event nobody waits for cannot block it for long, as close ends the process.
func readEvents(stdout io.Reader, events chan<- event) {
	defer close(events)
	for lines := bufio.NewReader(stdout); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		var e event
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &e) == nil {
			events <- e
		}
	}
}

// await collects events until the one that is last, or fails with what the worker said.
func (w *worker) await(ctx context.Context, last string) ([]event, error) {
	var all []event
	for {
		select {
		case e, ok := <-w.events:
			switch {
			case !ok:
				err := fmt.Errorf("the worker has ended: %s", w.errors)
				w.close()
				return nil, err
			case e.Event == "failed":
				return nil, errors.New(e.Why)
			case e.Event == last:
				return all, nil
			}
			all = append(all, e)
		case <-ctx.Done():
			err := fmt.Errorf("%w after %d events: %s", ctx.Err(), len(all), w.errors)
			w.close()
			return nil, err
		}
	}
}

func (w *worker) do(ctx context.Context, words ...string) ([]event, error) {
	if err := w.ready(ctx); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w.stdin, strings.Join(words, " ")+"\n"); err != nil {
		w.close()
		return nil, fmt.Errorf("tell a worker to %s: %w", words[0], err)
	}
	events, err := w.await(ctx, "done")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", words[0], err)
	}
	return events, nil
}

// close ends the process.
func (w *worker) close() {
	if w.cmd == nil {
		return
	}
	_ = w.cmd.Process.Kill() // an exited process needs none
	for range w.events {
	}
	_ = w.cmd.Wait() // it was killed
	w.cmd = nil
}
