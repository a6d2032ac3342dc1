//go:build compat

package compat

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kbroker/kbroker/integration/harness"
)

const tourDeadline = 4 * time.Minute

// tourBlocks are the commands of the page and what it shows of their output.
var tourBlocks = regexp.MustCompile("(?s)```(sh|text)\n(.*?)```")

// TestTourWithConnectAndStreams runs every command of docs/tour-connect-streams.md in one shell, and looks for the lines that
// each block of the page shows, whatever their order; … stands for anything.
func TestTourWithConnectAndStreams(t *testing.T) {
	t.Parallel()
	s := harness.StartSubject(t, peers, nil)
	page, err := os.ReadFile("../../docs/tour-connect-streams.md")
	if err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("localhost:9092", s.Address(), "/tmp/tour", t.TempDir(), "localhost:8083", fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t)))
	script, shown := "set -eu\n", []string{}
	for _, block := range tourBlocks.FindAllStringSubmatch(string(page), -1) {
		if block[1] == "sh" {
			script += here.Replace(block[2])
			continue
		}
		script += fmt.Sprintf("echo; echo '-- end of %d --'\n", len(shown))
		shown = append(shown, block[2])
	}
	rest := runTour(t, script)
	for i, block := range shown {
		part, after, found := strings.Cut(rest, fmt.Sprintf("-- end of %d --\n", i))
		if !found {
			t.Fatalf("block %d is not reached:\n%s", i, rest)
		}
		for line := range strings.Lines(block) {
			pattern := regexp.QuoteMeta(strings.TrimSpace(line))
			pattern = strings.ReplaceAll(pattern, " … ", `\s(.*\s)?`)
			pattern = strings.ReplaceAll(strings.ReplaceAll(pattern, " …", `\s.*`), "…", ".*")
			if !regexp.MustCompile(`(?m)^` + pattern + `\s*$`).MatchString(part) {
				t.Errorf("the tour does not print %q:\n%s", strings.TrimSpace(line), part)
			}
		}
		rest = after
	}
}

// runTour runs a script in the repository's folder and returns what it printed.
func runTour(t *testing.T, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), tourDeadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = "../.."
	// What the script leaves running ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	end := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = end, time.Second
	text, err := cmd.CombinedOutput()
	_ = end() // when all went well, nobody is left
	if err != nil {
		t.Fatalf("the tour ends with %v:\n%s", err, text)
	}
	return string(text)
}
