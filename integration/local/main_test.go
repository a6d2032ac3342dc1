package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.RemoveBinaries()
	os.Exit(code)
}

// screen is what the command prints.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	harness.Eventually(t, 2*startWithin, func() error {
		if !strings.Contains(s.String(), text) {
			return fmt.Errorf("%q is not printed:\n%s", text, s)
		}
		return nil
	})
}

// TestClusterLocal starts the cluster, kills a broker and a ZooKeeper server with a client at work, starts them again, and
// ends all: no record is refused, none is missing, and no process is left.
func TestClusterLocal(t *testing.T) {
	o := options{binary: harness.Binary(t, false), dir: t.TempDir(), zookeepers: freePorts(t, 3), brokers: freePorts(t, 2)}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	in, keyboard := io.Pipe()
	defer keyboard.Close()
	out := &screen{}
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, o, in, out)
		if err != nil {
			fmt.Fprintln(out, "ended:", err) // for whoever awaits something else
		}
		ended <- err
	}()
	out.await(t, "Ctrl-C ends all")

	client := harness.NewClient(t, fmt.Sprintf("127.0.0.1:%d", o.brokers[0]))
	harness.Eventually(t, startWithin, func() error { return createTopic(t, client) })
	produced := 0
	produce := func() {
		t.Helper()
		harness.Produce(t, client, &kgo.Record{Topic: "t", Value: fmt.Append(nil, produced)})
		produced++
	}
	for _, name := range []string{"broker2", "zk1"} {
		produce()
		fmt.Fprintln(keyboard, "kill "+name)
		out.await(t, name+" has died (ended: signal: killed)")
		for range 10 {
			produce()
		}
		fmt.Fprintln(keyboard, "start "+name)
		out.await(t, name+" is ready")
	}
	got := harness.Consume(t, fmt.Sprintf("127.0.0.1:%d", o.brokers[1]), "t", produced)
	for i, r := range got {
		if string(r.Value) != fmt.Sprint(i) {
			t.Errorf("record %d is %q", i, r.Value)
		}
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(2 * stopWithin):
		t.Fatalf("the cluster does not end:\n%s", out)
	}
	if err := free(o); err != nil {
		t.Errorf("a process is left: %v", err)
	}
}

func createTopic(t *testing.T, client *kgo.Client) error {
	t.Helper()
	_, err := kadm.NewClient(client).CreateTopic(harness.Context(t), 1, 3, nil, "t")
	return err
}

// freePorts returns three ports, each followed by some more that are free.
func freePorts(t *testing.T, more int) []int {
	t.Helper()
	var all []int
	for len(all) < 3 {
		port := harness.FreePort(t)
		if free(options{zookeepers: []int{port}}) == nil && !slices.ContainsFunc(all, func(p int) bool { return p-port <= more && port-p <= more }) {
			all = append(all, port)
		}
	}
	return all
}

// TestComposeIsTheSame compares the settings of docker-compose.yml's brokers with these.
func TestComposeIsTheSame(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	services := strings.Split(string(text), "\n  kbroker")[1:]
	if len(services) != 3 {
		t.Fatalf("%d brokers in docker-compose.yml, want 3", len(services))
	}
	for i, service := range services {
		var got []string
		for _, m := range regexp.MustCompile(`(?m)--override=(\S+)$`).FindAllStringSubmatch(service, -1) {
			// Containers have a name for their peers and another for clients on the host; here both are 127.0.0.1.
			if !strings.HasPrefix(m[1], "listener.security.protocol.map=") && !strings.HasPrefix(m[1], "inter.broker.listener.name=") {
				got = append(got, m[1])
			}
		}
		if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(settings()))) {
			t.Errorf("kbroker%d is set %q, here %q", i+1, got, settings())
		}
	}
	if n := strings.Count(string(text), "ZOO_MY_ID"); n != 3 {
		t.Errorf("%d ZooKeeper servers in docker-compose.yml, want 3", n)
	}
}

// TestMissingPrerequisites: what is missing is said before anything is started.
func TestMissingPrerequisites(t *testing.T) {
	err := run(t.Context(), options{binary: filepath.Join(t.TempDir(), "kbroker")}, strings.NewReader(""), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("without a binary: %v", err)
	}
}
