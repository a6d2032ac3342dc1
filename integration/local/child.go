package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// child is one process, which may be started again when it has ended. It is safe for concurrent use.
type child struct {
	name    string
	log     string // file
	port    int
	broker  bool
	command func() (*exec.Cmd, error)
	ready   func() bool

	mu      sync.Mutex
	cmd     *exec.Cmd     // nil before the first start
	exited  chan struct{} // closed when cmd has ended
	wanted  bool          // its end is no news
	outcome string        // how it ended
}

// start starts the process; its end, unless asked for, is sent to died.
func (p *child) start(died chan<- *child) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return fmt.Errorf("%s runs already (pid %d)", p.name, p.cmd.Process.Pid)
	}
	cmd, err := p.command()
	if err != nil {
		return fmt.Errorf("prepare %s: %w", p.name, err)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own
	cmd.Stdout, cmd.Stderr = log, log
	// Ctrl-C is for this program, which ends the others in order; they do not outlive it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	exited := make(chan struct{})
	p.cmd, p.exited, p.wanted = cmd, exited, false
	go func() { // ends with the process, which end awaits
		err := cmd.Wait()
		p.mu.Lock()
		p.outcome = "it ended by itself"
		if err != nil {
			p.outcome = err.Error()
		}
		wanted := p.wanted
		p.mu.Unlock()
		close(exited)
		if !wanted {
			died <- p
		}
	}()
	return nil
}

// running needs the lock.
func (p *child) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// await returns once the process is ready.
func (p *child) await(ctx context.Context, within time.Duration) error {
	deadline := time.Now().Add(within)
	for !p.ready() {
		p.mu.Lock()
		exited := p.exited
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-exited:
			return fmt.Errorf("%s has ended: %s; its log is %s", p.name, p.status(), p.log)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %s; its log is %s", p.name, within, p.log)
		}
	}
	return nil
}

// status is what the process does.
func (p *child) status() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.cmd == nil:
		return "not started"
	case p.running():
		return fmt.Sprintf("running, pid %d", p.cmd.Process.Pid)
	default:
		return "ended: " + p.outcome
	}
}

// errNotRunning is the answer to signals for a process that has ended.
var errNotRunning = errors.New("is not running")

// signal sends a signal. One that ends the process is noted, so that its end is no news.
func (p *child) signal(s syscall.Signal, ends bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return fmt.Errorf("%s %w", p.name, errNotRunning)
	}
	p.wanted = p.wanted || ends
	return p.cmd.Process.Signal(s)
}

// end ends the process with SIGTERM, and with SIGKILL when that takes too long.
func (p *child) end(within time.Duration) {
	_ = p.signal(syscall.SIGCONT, false) // it may be stopped, or have ended
	if p.signal(syscall.SIGTERM, true) != nil {
		return
	}
	p.mu.Lock()
	exited := p.exited
	p.mu.Unlock()
	select {
	case <-exited:
	case <-time.After(within):
		_ = p.signal(syscall.SIGKILL, true) // it may have ended just now
		<-exited
	}
}
