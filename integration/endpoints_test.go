package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestEndpoints asks the metrics listener for what it serves.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	z := harness.StartZooKeeper(t)
	b := harness.StartBroker(t, harness.Options{ZooKeeper: z.Address(), Config: map[string]string{"zookeeper.session.timeout.ms": "60000"}})
	for path, want := range map[string]string{
		"/healthz": `"process":"ok"`, "/readyz": `"zookeeper":"ok"`, "/metrics": "kbroker_zookeeper_connected 1",
		"/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile:", "/debug/pprof/cmdline": "--metrics-listen",
	} {
		if status, body := b.HTTP(t, path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s answers %d without %q: %s", path, status, want, body)
		}
	}
	if status, _ := b.HTTP(t, "/nothing"); status != http.StatusNotFound {
		t.Errorf("/nothing answers %d", status)
	}

	z.Kill()
	harness.Eventually(t, clientDeadline, func() error { return expectReadyWithout(t, b, "zookeeper") })
	if status, _ := b.HTTP(t, "/healthz"); status != http.StatusOK {
		t.Errorf("without ZooKeeper /healthz answers %d: the process is well", status)
	}
	z.Start(t)
	harness.Eventually(t, clientDeadline, func() error {
		if status, body := b.HTTP(t, "/readyz"); status != http.StatusOK {
			return fmt.Errorf("/readyz answers %d: %s", status, body)
		}
		return nil
	})
}

// expectReadyWithout expects that /readyz tells what is wrong with a part, and that clients are served all the same.
func expectReadyWithout(t *testing.T, b *harness.Broker, part string) error {
	status, body := b.HTTP(t, "/readyz")
	var state map[string]string
	if err := json.Unmarshal([]byte(body), &state); err != nil {
		return fmt.Errorf("/readyz answers %s: %w", body, err)
	}
	if status != http.StatusOK || state[part] == "ok" || state[part] == "" {
		return fmt.Errorf("/readyz answers %d: %s", status, body)
	}
	return nil
}

// TestMetricsAreDocumented compares the names, types and labels of docs/metrics.md with those of a broker that has
// seen every kind of traffic.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	b := harness.StartBroker(t, harness.Options{Config: withoutDelay})
	c := harness.NewClient(t, b.Address(), kgo.AllowAutoTopicCreation())
	harness.Produce(t, c, &kgo.Record{Topic: "t", Value: []byte("v")})
	harness.Consume(t, b.Address(), "t", 1)
	consumeAll(t, groupClients()[0], 1, b.Address(), "g", "t", 1)
	conn := dial(t, b)
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	expectClosed(t, conn)

	_, text := b.HTTP(t, "/metrics")
	exposed, documented := exposedMetrics(text), documentedMetrics(t)
	for _, name := range slices.Sorted(maps.Keys(exposed)) {
		if documented[name] == "" {
			t.Errorf("%s (%s) is exposed, but not documented in docs/metrics.md", name, exposed[name])
		} else if documented[name] != exposed[name] {
			t.Errorf("%s is documented as %s, but it is %s", name, documented[name], exposed[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		if exposed[name] == "" {
			t.Errorf("%s is documented in docs/metrics.md, but not exposed", name)
		}
	}
}

// exposedMetrics returns "type label,label" of every metric of ours.
func exposedMetrics(text string) map[string]string {
	series := regexp.MustCompile(`^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? `)
	label := regexp.MustCompile(`(\w+)="`)
	found := map[string]string{}
	for line := range strings.Lines(text) {
		if declared, ok := strings.CutPrefix(line, "# TYPE kbroker_"); ok {
			name, kind, _ := strings.Cut(strings.TrimSpace(declared), " ")
			found["kbroker_"+name] = kind
		}
	}
	labels := map[string]string{}
	for line := range strings.Lines(text) {
		m := series.FindStringSubmatch(line)
		if m == nil || found[m[1]] == "" || labels[m[1]] != "" {
			continue
		}
		var names []string
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			if l[1] != "le" { // a histogram's own
				names = append(names, l[1])
			}
		}
		labels[m[1]] = strings.Join(names, ",")
	}
	for name := range found {
		found[name] = strings.TrimSpace(found[name] + " " + labels[name])
	}
	return found
}

// documentedMetrics reads the rows of the tables: | `name` | type | labels | ...
func documentedMetrics(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| `(kbroker_\\w+)` \\| (\\w+) \\|([^|]*)\\|")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		labels := strings.NewReplacer("`", "", " ", "").Replace(m[3])
		found[m[1]] = strings.TrimSpace(m[2] + " " + labels)
	}
	return found
}
