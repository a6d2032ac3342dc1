//go:build compat

package compat

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/integration/story"
)

// watermill builds the program of ../watermill, which is a module of its own.
func watermill(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "watermill")
	harness.Run(t, "", "go", "build", "-C", "../watermill", "-o", program, ".")
	return program
}

// TestWatermill publishes with Watermill, and tells a group's story with its subscribers.
func TestWatermill(t *testing.T) {
	t.Parallel()
	program := watermill(t)
	s := harness.StartSubject(t, peers, nil)
	const count, topic = "300", "published"
	harness.CreateTopic(t, harness.NewClient(t, s.Address()), topic, 2, nil)
	harness.Run(t, "", program, "publish", s.Address(), topic, count)
	seen := map[string]bool{}
	for _, r := range harness.Consume(t, s.Address(), topic, 300) {
		if seen[string(r.Value)] || !strings.HasPrefix(string(r.Value), "v") {
			t.Errorf("%q is published twice, or was not", r.Value)
		}
		seen[string(r.Value)] = true
	}
	story.Tell(t, s, story.Client{Name: "watermill", Mute: true, Command: func(s story.Seat) *exec.Cmd {
		return exec.Command(program, "subscribe", s.Address, s.Topic, s.Group, s.Name)
	}})
}
