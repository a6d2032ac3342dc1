package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// startOffset returns the log start offset of partition 0 as consumers see it.
func startOffset(t *testing.T, c *kgo.Client, topic string) int64 {
	t.Helper()
	offsets, err := kadm.NewClient(c).ListStartOffsets(harness.Context(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	o, ok := offsets.Lookup(topic, 0)
	if !ok || o.Err != nil {
		t.Fatalf("start offset of %s: %v", topic, o.Err)
	}
	return o.Offset
}

// TestRetention deletes by size and by time, while a consumer looks.
func TestRetention(t *testing.T) {
	t.Parallel()
	b := harness.StartBroker(t, harness.Options{Config: map[string]string{
		"log.retention.check.interval.ms": "100", "log.segment.delete.delay.ms": "100",
	}})
	c := harness.NewClient(t, b.Address())

	t.Run("size", func(t *testing.T) {
		const count, retained = 3000, 20_000
		harness.CreateTopic(t, c, "size", 1, map[string]string{"segment.bytes": "8192", "retention.bytes": fmt.Sprint(retained)})
		fill(t, b, "size", count)
		var start int64
		harness.Eventually(t, clientDeadline, func() error {
			start = startOffset(t, c, "size")
			size := 0
			for _, file := range segments(t, b, "size-0", ".log") {
				info, err := os.Stat(file)
				if err != nil {
					return err // deleted meanwhile
				}
				size += int(info.Size())
			}
			if start == 0 || size > retained+8192 {
				return fmt.Errorf("%d bytes are left, the log starts at %d", size, start)
			}
			return nil
		})
		for i, r := range harness.Consume(t, b.Address(), "size", int(count-start)) {
			if want := fmt.Sprintf("value %d", start+int64(i)); string(r.Value) != want || r.Offset != start+int64(i) {
				t.Fatalf("offset %d holds %q, want %q", r.Offset, r.Value, want)
			}
		}
	})
	t.Run("time", func(t *testing.T) {
		harness.CreateTopic(t, c, "time", 1, map[string]string{"retention.ms": "60000"})
		old := time.Now().Add(-time.Hour)
		for range 5 {
			harness.Produce(t, c, &kgo.Record{Topic: "time", Value: []byte("old"), Timestamp: old})
		}
		harness.Eventually(t, clientDeadline, func() error {
			if start := startOffset(t, c, "time"); start != 5 {
				return fmt.Errorf("the log starts at %d, want 5: all records are an hour old", start)
			}
			return nil
		})
		harness.Produce(t, c, &kgo.Record{Topic: "time", Value: []byte("new")})
		if r := harness.Consume(t, b.Address(), "time", 1)[0]; string(r.Value) != "new" || r.Offset != 5 {
			t.Errorf("offset %d holds %q, want the new record at 5", r.Offset, r.Value)
		}
		harness.Eventually(t, clientDeadline, func() error {
			if files := segments(t, b, "time-0", ".log"); len(files) != 1 {
				return fmt.Errorf("files are left: %v", files)
			}
			return nil
		})
	})
}

// TestDeletedRecordsStayDeleted deletes records and ends the broker: by SIGTERM at once, and by SIGKILL after
// log-start-offset-checkpoint was written, which is when Kafka promises it.
func TestDeletedRecordsStayDeleted(t *testing.T) {
	t.Parallel()
	b := harness.StartBroker(t, harness.Options{Config: map[string]string{"log.flush.start.offset.checkpoint.interval.ms": "100"}})
	c := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, c, "cut", 1, nil)
	fill(t, b, "cut", 100)
	deleteTo := func(offset int64) {
		t.Helper()
		var offsets kadm.Offsets
		offsets.AddOffset("cut", 0, offset, -1)
		answers, err := kadm.NewClient(c).DeleteRecords(harness.Context(t), offsets)
		if err != nil || answers.Error() != nil {
			t.Fatalf("delete records: %v, %v", err, answers.Error())
		}
		if a, _ := answers.Lookup("cut", 0); a.LowWatermark != offset {
			t.Errorf("low watermark %d, want %d", a.LowWatermark, offset)
		}
	}
	expectStart := func(want int64) {
		t.Helper()
		if start := startOffset(t, harness.NewClient(t, b.Address()), "cut"); start != want {
			t.Errorf("the log starts at %d, want %d", start, want)
		}
		if r := harness.Consume(t, b.Address(), "cut", 1)[0]; r.Offset != want {
			t.Errorf("the first record is at %d, want %d", r.Offset, want)
		}
	}
	deleteTo(40)
	expectStart(40)
	b.Stop(t)
	b.Restart(t)
	expectStart(40)
	deleteTo(60)
	awaitCheckpoint(t, b, "log-start-offset-checkpoint", "cut 0 60")
	b.Kill()
	b.Restart(t)
	expectStart(60)
}

// awaitCheckpoint waits until a checkpoint file of the broker has a line.
func awaitCheckpoint(t *testing.T, b *harness.Broker, name, line string) {
	t.Helper()
	harness.Eventually(t, clientDeadline, func() error {
		text, err := os.ReadFile(filepath.Join(b.Dir, name))
		if err == nil && !strings.Contains(string(text), line+"\n") {
			err = fmt.Errorf("%s has no line %q:\n%s", name, line, text)
		}
		return err
	})
}

// TestFlushMessages: with flush.messages=1 what is acknowledged is on the disk, so the recovery point follows at once and a
// start after SIGKILL reads nothing again; without it nothing is flushed.
func TestFlushMessages(t *testing.T) {
	t.Parallel()
	b := harness.StartBroker(t, harness.Options{Config: map[string]string{"log.flush.offset.checkpoint.interval.ms": "100"}})
	c := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, c, "flushed", 1, map[string]string{"flush.messages": "1"})
	harness.CreateTopic(t, c, "lazy", 1, nil)
	for range 2 {
		fill(t, b, "lazy", 200)
		fill(t, b, "flushed", 200)
	}
	awaitCheckpoint(t, b, "recovery-point-offset-checkpoint", "flushed 0 400")
	awaitCheckpoint(t, b, "recovery-point-offset-checkpoint", "lazy 0 0")
	b.Kill()
	b.Restart(t)
	for _, topic := range []string{"flushed", "lazy"} {
		for i, r := range harness.Consume(t, b.Address(), topic, 400) {
			if want := fmt.Sprintf("value %d", i%200); string(r.Value) != want {
				t.Fatalf("%s: offset %d holds %q, want %q", topic, r.Offset, r.Value, want)
			}
		}
	}
}
