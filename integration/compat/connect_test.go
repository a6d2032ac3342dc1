//go:build compat

package compat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kbroker/kbroker/integration/harness"
)

// connectors are a cluster of Kafka Connect that copies a file through a topic into another file.
type connectors struct {
	subject harness.Subject
	release string
	id      string
	folder  string
}

// TestConnect copies lines with the distributed Kafka Connect: a second worker takes over from one that was killed.
func TestConnect(t *testing.T) {
	t.Parallel()
	s := harness.StartSubject(t, peers, nil)
	for _, release := range versions {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			c := connectors{s, release, "connect-" + release, t.TempDir()}
			harness.CreateTopic(t, harness.NewClient(t, s.Address()), c.id+".lines", 1, nil)
			c.tell(t)
		})
	}
}

func (c connectors) tell(t *testing.T) {
	c.append(t, 0, 100)
	worker, rest := c.start(t)
	c.put(t, worker, rest, c.id+"-source", map[string]string{
		"connector.class": "FileStreamSource", "tasks.max": "1", "file": c.path("in"), "topic": c.id + ".lines",
	})
	c.put(t, worker, rest, c.id+"-sink", map[string]string{
		"connector.class": "FileStreamSink", "tasks.max": "1", "file": c.path("out"), "topics": c.id + ".lines",
	})
	c.copied(t, worker, rest, 100)
	second, rest2 := c.start(t)
	worker.Kill()
	c.append(t, 100, 100)
	c.copied(t, second, rest2, 200)
	second.Terminate(t)
}

func (c connectors) path(name string) string { return filepath.Join(c.folder, name) }

// append writes lines to the source's file.
func (c connectors) append(t *testing.T, first, count int) {
	t.Helper()
	f, err := os.OpenFile(c.path("in"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	for i := range count {
		_, failed := fmt.Fprintf(f, "line %d\n", first+i)
		err = errors.Join(err, failed)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// start starts a worker and returns it with the address of its REST interface.
func (c connectors) start(t *testing.T) (worker *harness.Child, rest string) {
	t.Helper()
	port := harness.FreePort(t)
	file := filepath.Join(t.TempDir(), "connect.properties")
	settings := []string{
		"bootstrap.servers=" + c.subject.Address(), "group.id=" + c.id, fmt.Sprintf("listeners=http://127.0.0.1:%d", port),
		"key.converter=org.apache.kafka.connect.storage.StringConverter", "value.converter=org.apache.kafka.connect.storage.StringConverter",
		"config.storage.topic=" + c.id + ".configs", "offset.storage.topic=" + c.id + ".offsets", "status.storage.topic=" + c.id + ".status",
		"config.storage.replication.factor=1", "offset.storage.replication.factor=1", "status.storage.replication.factor=1",
		"offset.storage.partitions=3", "status.storage.partitions=2", "offset.flush.interval.ms=500", "plugin.discovery=service_load",
		"session.timeout.ms=3000", "heartbeat.interval.ms=300", "scheduled.rebalance.max.delay.ms=0",
		"consumer.session.timeout.ms=3000", "consumer.heartbeat.interval.ms=300",
	}
	writeFile(t, file, strings.Join(settings, "\n")+"\n")
	worker = harness.Spawn(t, c.id, exec.Command("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", jars(t, c.release),
		"org.apache.kafka.connect.cli.ConnectDistributed", file))
	rest = fmt.Sprintf("http://127.0.0.1:%d", port)
	harness.Eventually(t, processDeadline, func() error {
		if err := worker.Alive(); err != nil {
			t.Fatal(err)
		}
		_, err := ask(t, http.MethodGet, rest+"/connectors", "")
		return err
	})
	return worker, rest
}

// put creates a connector.
func (c connectors) put(t *testing.T, worker *harness.Child, rest, name string, config map[string]string) {
	t.Helper()
	body, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, processDeadline, func() error { // a worker that rebalances refuses
		if err := worker.Alive(); err != nil {
			t.Fatal(err)
		}
		_, err := ask(t, http.MethodPut, rest+"/connectors/"+name+"/config", string(body))
		return err
	})
}

// copied waits until the sink's file has each line once, and source and sink have committed that.
func (c connectors) copied(t *testing.T, worker *harness.Child, rest string, lines int) {
	t.Helper()
	in, err := os.ReadFile(c.path("in"))
	if err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, processDeadline, func() error {
		if err := worker.Alive(); err != nil {
			t.Fatal(err)
		}
		out, err := os.ReadFile(c.path("out"))
		if err != nil || string(out) != string(in) {
			return fmt.Errorf("of %d bytes, %d are copied (%w)", len(in), len(out), err)
		}
		for name, want := range map[string]string{
			c.id + "-source": fmt.Sprintf(`"position":%d`, len(in)), c.id + "-sink": fmt.Sprintf(`"kafka_offset":%d`, lines),
		} {
			offsets, err := ask(t, http.MethodGet, rest+"/connectors/"+name+"/offsets", "")
			if err != nil || !strings.Contains(offsets, want) {
				return fmt.Errorf("%s has the offsets %s (%w), want %s", name, offsets, err, want)
			}
		}
		return nil
	})
}

// ask sends a request to a worker and returns the answer's body.
func ask(t *testing.T, method, url, body string) (string, error) {
	t.Helper()
	q, err := http.NewRequestWithContext(shortly(t), method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	q.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, url, answer.Status, text)
	}
	return string(text), err
}

// shortly is a context for one of many tries.
func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	t.Cleanup(cancel)
	return ctx
}
