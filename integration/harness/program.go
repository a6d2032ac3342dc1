package harness

import (
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Program builds a command of the module into the test's temporary folder and returns its path.
func Program(t testing.TB, importPath string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), path.Base(importPath))
	if out, err := exec.Command("go", "build", "-o", file, importPath).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", importPath, err, out)
	}
	return file
}

// Child is a running program.
type Child struct{ process *process }

// Spawn runs a program until the test ends, which kills it and, when it has failed, shows the end of its output.
func Spawn(t testing.TB, name string, cmd *exec.Cmd) *Child {
	t.Helper()
	return &Child{start(t, name, cmd)}
}

// Output is what the program has printed.
func (c *Child) Output() string { return c.process.output.String() }

// Kill ends the program as SIGKILL does.
func (c *Child) Kill() { c.process.kill() }

// Terminate ends the program with SIGTERM and returns its exit code: -1 when the signal itself ended it, as without a handler.
func (c *Child) Terminate(t testing.TB) int {
	t.Helper()
	c.process.signal(syscall.SIGTERM)
	select {
	case <-c.process.exited:
	case <-time.After(stoppedWithin):
		t.Fatalf("%s did not end within %s of SIGTERM:\n%s", c.process.name, stoppedWithin, tail(c.Output(), 40))
	}
	return c.process.cmd.ProcessState.ExitCode()
}

// Alive returns an error when the program has ended.
func (c *Child) Alive() error {
	select {
	case <-c.process.exited:
		return fmt.Errorf("%s has ended (%v):\n%s", c.process.name, c.process.err, tail(c.Output(), 20))
	default:
		return nil
	}
}
