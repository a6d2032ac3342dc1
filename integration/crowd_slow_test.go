package integration

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestCrowd has 10,000 connections that do nothing and 200 that are slow in every way, and a client that works as if it were alone.
func TestCrowd(t *testing.T) {
	idle := crowdSize(t)
	b := harness.StartBroker(t, harness.Options{Plain: true})
	c := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, c, "busy", 1, nil)
	harness.CreateTopic(t, c, "bulk", 1, nil)
	for range 8 {
		harness.Produce(t, c, &kgo.Record{Topic: "bulk", Value: make([]byte, 900_000)})
	}
	alone := work(t, c, 50)
	before := rss(t, b)
	for range idle {
		dial(t, b)
	}
	slow(t, b, 200)
	harness.Eventually(t, clientDeadline, func() error {
		if open := b.Metric(t, `kbroker_connections{listener="PLAINTEXT"}`); open < float64(idle+200) {
			return fmt.Errorf("%v connections are open, want %d", open, idle+200)
		}
		return nil
	})
	crowded := work(t, c, 200)
	each := (rss(t, b) - before) / (idle + 200)
	t.Logf("%d connections of %d bytes each; a produce takes %s alone and %s in the crowd", idle+200, each, alone, crowded)
	if each > 64<<10 {
		t.Errorf("a connection takes %d bytes", each)
	}
	if crowded > 10*alone+100*time.Millisecond {
		t.Errorf("a produce takes %s in the crowd, %s alone", crowded, alone)
	}
	if got := len(harness.Consume(t, b.Address(), "busy", 250)); got != 250 {
		t.Errorf("%d records, want 250", got)
	}
	if n := b.Metric(t, "kbroker_connection_panics_total"); n != 0 {
		t.Errorf("%v connections panicked", n)
	}
	b.Stop(t) // in time, whatever the slow ones are about
}

// crowdSize is 10,000, or what the file descriptors of this process, half of which are for other tests, allow.
func crowdSize(t *testing.T) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(min(10_000, limit.Cur/2))
}

// work produces records one by one and returns the median of the times.
func work(t *testing.T, c *kgo.Client, count int) time.Duration {
	t.Helper()
	times := make([]time.Duration, count)
	for i := range times {
		began := time.Now()
		harness.Produce(t, c, &kgo.Record{Topic: "busy", Value: []byte("work")})
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return times[count/2]
}

// slow opens connections that are slow until the test ends: a byte a second, half a frame, a giant that does not come,
// and requests whose answers nobody reads.
func slow(t *testing.T, b *harness.Broker, count int) {
	t.Helper()
	hello := kmsg.NewRequestFormatter().AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 1)
	stop := make(chan struct{})
	var dripping sync.WaitGroup
	t.Cleanup(dripping.Wait)
	t.Cleanup(func() { close(stop) })
	for i := range count {
		conn := dial(t, b)
		switch i % 4 {
		case 0:
			dripping.Go(func() { drip(conn, hello, stop) })
		case 1:
			write(t, conn, hello[:len(hello)/2])
		case 2:
			write(t, conn, binary.BigEndian.AppendUint32(nil, 100<<20))
		case 3:
			write(t, conn, fetchesOfBulk())
		}
	}
}

// drip sends a byte a second.
func drip(conn net.Conn, bytes []byte, stop <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for i := range bytes {
		if _, err := conn.Write(bytes[i : i+1]); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

func write(t *testing.T, conn net.Conn, bytes []byte) {
	t.Helper()
	if _, err := conn.Write(bytes); err != nil {
		t.Fatal(err)
	}
}

// fetchesOfBulk asks 20 times for 7 MB.
func fetchesOfBulk() []byte {
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.MaxBytes, q.ReplicaID = 4, 50<<20, -1
	part := kmsg.NewFetchRequestTopicPartition()
	part.PartitionMaxBytes = 50 << 20
	q.Topics = []kmsg.FetchRequestTopic{{Topic: "bulk", Partitions: []kmsg.FetchRequestTopicPartition{part}}}
	var all []byte
	for range 20 {
		all = kmsg.NewRequestFormatter().AppendRequest(all, q, 1)
	}
	return all
}
