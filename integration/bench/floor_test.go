package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The floor is worth comparing with only if a client gets back from it what it produced.
func TestFloorKeepsRecords(t *testing.T) {
	s := &subject{name: floorName, address: freeAddress()}
	dir := t.TempDir()
	go func() { _ = serveFloor(s.address, dir) }() // serves until the test's process ends
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := await(ctx, func() error { return answers(ctx, s.address) }); err != nil {
		t.Fatal(err)
	}
	if err := s.createTopic(ctx, "t", fewPartitions); err != nil {
		t.Fatal(err)
	}
	c, err := s.client(kgo.DefaultProduceTopic("t"), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(),
		kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxPartitionBytes(5000), kgo.ProducerBatchMaxBytes(3000))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const count = 5000
	for i := range count {
		c.Produce(ctx, kgo.StringRecord(fmt.Sprint(i)), func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := c.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	next := map[int32]int64{}
	for len(seen) < count {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d records: %v", len(seen), err)
		}
		for r := range fetches.RecordsAll() {
			if seen[string(r.Value)] || r.Offset != next[r.Partition] {
				t.Fatalf("record %s of partition %d at offset %d, want %d", r.Value, r.Partition, r.Offset, next[r.Partition])
			}
			seen[string(r.Value)] = true
			next[r.Partition]++
		}
	}
	c.Close() // or it would ask for the topic again
	if err := s.deleteTopics(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestMedian(t *testing.T) {
	r := newResults()
	for _, v := range []float64{5, 1, 9, 3} {
		r.add("s", kbrokerName, figures{"f": v})
	}
	if m, ok := r.median("s", kbrokerName, "f"); !ok || m != 4 {
		t.Errorf("median of an even count is %v", m)
	}
	if _, ok := r.median("s", kafkaName, "f"); ok {
		t.Error("a median of nothing")
	}
}
