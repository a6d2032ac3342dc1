package integration

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestFetchSession consumes 100 partitions: everything arrives, in one session, and a fetch that finds nothing new costs
// no more than its header.
func TestFetchSession(t *testing.T) {
	t.Parallel()
	const partitions, rounds = 100, 5
	b := harness.StartBroker(t, harness.Options{})
	c := harness.NewClient(t, b.Address(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	harness.CreateTopic(t, c, "many", partitions, nil)
	consumer := harness.NewClient(t, b.Address(), kgo.ConsumeTopics("many"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(50*time.Millisecond))
	seen := make([]int, partitions)
	for round := range rounds {
		var records []*kgo.Record
		for p := int32(round); p < partitions; p += rounds { // each partition in one round
			records = append(records, &kgo.Record{Topic: "many", Partition: p, Value: fmt.Appendf(nil, "%d", p)})
		}
		harness.Produce(t, c, records...)
		for got := 0; got < len(records); {
			fetches := consumer.PollFetches(harness.Context(t))
			if err := fetches.Err(); err != nil {
				t.Fatal(err)
			}
			for _, r := range fetches.Records() {
				if string(r.Value) != fmt.Sprint(r.Partition) {
					t.Fatalf("partition %d holds %q", r.Partition, r.Value)
				}
				seen[r.Partition]++
				got++
			}
		}
	}
	for p, n := range seen {
		if n != 1 {
			t.Errorf("partition %d was consumed %d times", p, n)
		}
	}
	if n := b.Metric(t, "kbroker_fetch_sessions"); n != 1 {
		t.Errorf("%v fetch sessions, want 1", n)
	}
	fetches := func() (count, bytes float64) {
		return b.Metric(t, `kbroker_requests_total{api="Fetch"}`), b.Metric(t, `kbroker_response_bytes_total{api="Fetch"}`)
	}
	count, bytes := fetches()
	harness.Eventually(t, clientDeadline, func() error {
		if now, _ := fetches(); now < count+10 {
			return fmt.Errorf("%v fetches", now-count)
		}
		return nil
	})
	laterCount, laterBytes := fetches()
	if each := (laterBytes - bytes) / (laterCount - count); each > 100 {
		t.Errorf("an answer without news has %.0f bytes: it lists partitions that did not change", each)
	}
}

// TestIdleConnections opens 1,000 connections that do nothing: they cost little, hinder nobody, and are closed when
// connections.max.idle.ms has passed.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	const count = 1000
	b := harness.StartBroker(t, harness.Options{Plain: true, Config: map[string]string{"connections.max.idle.ms": "15000"}})
	c := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, c, "busy", 1, nil)
	before := rss(t, b)
	hello := kmsg.NewRequestFormatter().AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 1)
	conns := make([]net.Conn, count)
	for i := range conns {
		conns[i] = dial(t, b)
		if _, err := conns[i].Write(hello); err != nil {
			t.Fatal(err)
		}
	}
	harness.Eventually(t, clientDeadline, func() error {
		answered, open := b.Metric(t, `kbroker_requests_total{api="ApiVersions"}`), b.Metric(t, `kbroker_connections{listener="PLAINTEXT"}`)
		if answered < count || open < count {
			return fmt.Errorf("%v of %d connections are open, %v answered", open, count, answered)
		}
		return nil
	})
	each := (rss(t, b) - before) / count
	t.Logf("a connection takes %d bytes", each)
	if each > 64<<10 {
		t.Errorf("a connection takes %d bytes", each)
	}
	fill(t, b, "busy", 100)
	expectNumbered(t, b, "busy", 100)
	for _, conn := range conns {
		if err := conn.SetDeadline(time.Now().Add(clientDeadline)); err != nil {
			t.Fatal(err)
		}
		expectClosed(t, conn)
	}
	expectNumbered(t, b, "busy", 100)
}
