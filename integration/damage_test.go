package integration

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// clientDeadline bounds what a test waits for through a client.
const clientDeadline = 60 * time.Second

// fill produces count numbered records to a topic of one partition.
func fill(t *testing.T, b *harness.Broker, topic string, count int) {
	t.Helper()
	c := harness.NewClient(t, b.Address(), kgo.ProducerBatchMaxBytes(4096))
	defer c.Close()
	var records []*kgo.Record
	for i := range count {
		records = append(records, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "value %d", i)})
	}
	harness.Produce(t, c, records...)
}

// expectNumbered reads the topic and expects the records of fill first.
func expectNumbered(t *testing.T, b *harness.Broker, topic string, count int) {
	t.Helper()
	for i, r := range harness.Consume(t, b.Address(), topic, count)[:count] {
		if want := fmt.Sprintf("value %d", i); string(r.Value) != want || r.Offset != int64(i) {
			t.Fatalf("offset %d holds %q, want %q at %d", r.Offset, r.Value, want, i)
		}
	}
}

// segments lists the files of a partition with a suffix, oldest first.
func segments(t *testing.T, b *harness.Broker, partition, suffix string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(b.Dir, partition, "*"+suffix))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s in %s: %v", suffix, partition, err)
	}
	return files
}

// TestTornTail cuts the last batch in the middle, as a power cut may: the whole batches are
// served, the log says what was cut, and appends go on after them.
func TestTornTail(t *testing.T) {
	b := harness.StartBroker(t, harness.Options{})
	c := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, c, "torn", 1, nil)
	fill(t, b, "torn", 2000)
	b.Kill()
	files := segments(t, b, "torn-0", ".log")
	last := files[len(files)-1]
	f, err := os.OpenFile(last, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// The head of a batch that promises more than there is.
	if _, err := f.Write(append([]byte{0, 0, 0, 0, 0, 0, 0x07, 0xd0, 0, 0, 0x10, 0, 0, 0, 0, 0, 2}, bytes.Repeat([]byte{7}, 100)...)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	b.Restart(t)
	if !strings.Contains(b.Output(), "torn") || !strings.Contains(b.Output(), "117") {
		t.Errorf("the log does not tell that 117 bytes of torn-0 were cut:\n%s", b.Output())
	}
	expectNumbered(t, b, "torn", 2000)
	if end := harness.EndOffset(t, harness.NewClient(t, b.Address()), "torn", 0); end != 2000 {
		t.Errorf("log end offset %d, want 2000", end)
	}
	harness.Produce(t, harness.NewClient(t, b.Address()), &kgo.Record{Topic: "torn", Value: []byte("value 2000")})
	expectNumbered(t, b, "torn", 2001)
	b.Kill() // and no piece of the torn batch is left in the file, where this start would find it
	b.Restart(t)
	expectNumbered(t, b, "torn", 2001)
}

// TestDeletedIndexes removes every index, after a clean stop and after SIGKILL: all is served.
func TestDeletedIndexes(t *testing.T) {
	b := harness.StartBroker(t, harness.Options{})
	harness.CreateTopic(t, harness.NewClient(t, b.Address()), "bare", 1, map[string]string{"segment.bytes": "16384", "index.interval.bytes": "512"})
	fill(t, b, "bare", 3000)
	for name, end := range map[string]func(){"clean": func() { b.Stop(t) }, "killed": b.Kill} {
		end()
		for _, suffix := range []string{".index", ".timeindex"} {
			for _, file := range segments(t, b, "bare-0", suffix) {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
		}
		b.Restart(t)
		t.Log(name)
		expectNumbered(t, b, "bare", 3000)
	}
	if n := len(segments(t, b, "bare-0", ".index")); n < 2 {
		t.Errorf("%d indexes were rebuilt, want one for each of several segments", n)
	}
}
