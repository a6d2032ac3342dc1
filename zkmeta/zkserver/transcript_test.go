package zkserver_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/zkmeta/zkserver"
	"github.com/kbroker/kbroker/zkmeta/zkserver/zktest"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew, from the server that "+realServer+" names")

// TestAnswersAsRecorded compares every answer to random requests with those of ZooKeeper 3.8.4
// in testdata.
func TestAnswersAsRecorded(t *testing.T) {
	const steps = 400
	s := start(t, zkserver.Options{})
	for seed := range uint64(3) {
		file := filepath.Join("testdata", fmt.Sprintf("transcript-%d.txt", seed))
		if *rewrite {
			text := zktest.Transcript(t, os.Getenv(realServer), seed, steps)
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, zktest.Transcript(t, s.Addr().String(), seed, steps), string(want))
	}
}

// TestAnswersAsZooKeeper does the same with new seeds and a real server, for whoever changes the answers. The server must
// be of the recorded line (3.8.1 or newer): older ones answer a create2 in a multi differently.
func TestAnswersAsZooKeeper(t *testing.T) {
	connect := os.Getenv(realServer)
	if connect == "" {
		t.Skipf("%s names no server", realServer)
	}
	s := start(t, zkserver.Options{})
	for seed := range uint64(10) {
		seed += 100
		t.Run(fmt.Sprint(seed), func(t *testing.T) { // sessions end with it
			compare(t, zktest.Transcript(t, s.Addr().String(), seed, 400), zktest.Transcript(t, connect, seed, 400))
		})
	}
}

func compare(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Errorf("line %d is\n%s\nwant\n%s\nafter\n%s", i+1, g[i], w[i], strings.Join(w[max(0, i-6):i], "\n"))
			return
		}
	}
	if len(g) != len(w) {
		t.Errorf("%d lines, want %d", len(g), len(w))
	}
}
