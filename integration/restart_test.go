package integration

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestRestartUnderLoad restarts the broker several times while an idempotent producer writes: every acknowledged record is
// there, in order, exactly once. SIGKILL comes after answers were lost, so that the producer sends again what was
// appended. SIGTERM waits for the answers; snapshots, in Kafka's format, hold only the last batch of a producer.
func TestRestartUnderLoad(t *testing.T) {
	t.Run("SIGTERM", func(t *testing.T) {
		t.Parallel()
		restartUnderLoad(t, func(b *harness.Broker, _ *harness.Proxy) { b.Stop(t) })
	})
	t.Run("SIGKILL", func(t *testing.T) {
		t.Parallel()
		restartUnderLoad(t, func(b *harness.Broker, p *harness.Proxy) {
			p.LoseAnswers()
			harness.Eventually(t, clientDeadline, func() error {
				if p.Lost() == 0 {
					return errors.New("no answer was lost")
				}
				return nil
			})
			b.Kill()
			p.Cut()
		})
	})
}

func restartUnderLoad(t *testing.T, end func(*harness.Broker, *harness.Proxy)) {
	const topic, partitions, restarts = "load", 3, 3
	b := harness.NewBroker(t, harness.Options{})
	proxy := harness.StartProxy(t, b.Address())
	b.Advertise(proxy.Address())
	b.Restart(t)
	harness.CreateTopic(t, harness.NewClient(t, b.Address()), topic, partitions, map[string]string{"segment.bytes": "262144"})

	load := startLoad(t, b.Address(), topic, partitions)
	for range restarts {
		load.awaitMore(t, 500)
		end(b, proxy)
		b.Restart(t)
	}
	load.awaitMore(t, 500)
	acked := load.stop()

	total := 0
	for _, n := range acked {
		total += n
	}
	seen := make([]int, partitions)
	for _, r := range harness.Consume(t, b.Address(), topic, total) {
		if want := fmt.Sprintf("%d", seen[r.Partition]); string(r.Value) != want {
			t.Fatalf("partition %d offset %d holds %q, want %q: lost, repeated or out of order", r.Partition, r.Offset, r.Value, want)
		}
		seen[r.Partition]++
	}
	for p, n := range acked {
		if seen[p] < n {
			t.Errorf("partition %d: %d records acknowledged, %d read", p, n, seen[p])
		}
	}
}

// load produces the numbers 0, 1, 2, ... to every partition, each after the one before was
// acknowledged or given to the client to retry.
type load struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	acked []int
	moved chan struct{} // closed and renewed at every acknowledgement
	fault error
}

func startLoad(t *testing.T, address, topic string, partitions int32) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{cancel: cancel, done: make(chan struct{}), acked: make([]int, partitions), moved: make(chan struct{})}
	c := harness.NewClient(t, address, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordRetries(1<<30),
		kgo.MaxBufferedRecords(64), kgo.RetryTimeout(2*time.Minute), kgo.ProducerLinger(0))
	t.Cleanup(cancel)
	go func() {
		defer close(l.done)
		for i := 0; ctx.Err() == nil; i++ {
			for p := range partitions {
				// The record's own context is not ours: it must be settled even after stop.
				c.Produce(t.Context(), &kgo.Record{Topic: topic, Partition: p, Value: fmt.Appendf(nil, "%d", i)}, l.settle)
			}
		}
		if err := c.Flush(t.Context()); err != nil {
			l.settle(nil, err)
		}
	}()
	return l
}

func (l *load) settle(r *kgo.Record, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.fault = err
		return
	}
	l.acked[r.Partition]++
	close(l.moved)
	l.moved = make(chan struct{})
}

// awaitMore waits until count more records are acknowledged.
func (l *load) awaitMore(t *testing.T, count int) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for start := -1; ; {
		l.mu.Lock()
		sum, moved, fault := 0, l.moved, l.fault
		for _, n := range l.acked {
			sum += n
		}
		l.mu.Unlock()
		if fault != nil {
			t.Fatalf("produce: %v", fault)
		}
		if start < 0 {
			start = sum
		}
		if sum >= start+count {
			return
		}
		select {
		case <-moved:
		case <-deadline:
			t.Fatalf("%d of %d records acknowledged in time", sum-start, count)
		}
	}
}

// stop ends the load when every record is settled and returns the acknowledged count by partition.
func (l *load) stop() []int {
	l.cancel()
	<-l.done
	return l.acked
}
