package story

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// newConductor prepares a story at an address, or several with commas between them.
func newConductor(t *testing.T, address string, client Client) *conductor {
	t.Helper()
	c := &conductor{
		client: client, address: address, topic: "story-" + client.Name, group: "group-" + client.Name,
		kafka: harness.NewClient(
			t, address, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
			kgo.ProducerBatchCompression(kgo.NoCompression()), // not every client brings every codec
			kgo.UnknownTopicRetries(-1),                       // Apache Kafka, when it restarts, does not know its topics at first
		),
	}
	c.admin = kadm.NewClient(harness.NewClient(t, address, kgo.RetryTimeout(time.Second)))
	c.ledger = newLedger(partitions)
	c.ledger.restarts = client.Restarts
	return c
}

// begin starts to produce and to watch; what it returns ends both, whatever has happened.
func (c *conductor) begin(t *testing.T) (end func()) {
	ctx, stop := context.WithCancel(t.Context())
	ending, stopProducing := context.WithCancel(ctx)
	watching, stopWatching := context.WithCancel(ctx)
	c.stopProducing, c.stopWatching = stopProducing, stopWatching
	c.producing.Go(func() { c.produce(ctx, ending) })
	c.watching.Go(func() { c.watch(watching, t) })
	c.begun = time.Now()
	return func() {
		if t.Failed() { // now, as the cleanup begins with the broker
			for _, w := range c.workers {
				w.stacks()
			}
		}
		stop()
		c.producing.Wait()
		c.watching.Wait()
		stopProducing()
		stopWatching()
	}
}

// chapter logs what has been told.
func (c *conductor) chapter(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf("%5.1f s: %s", time.Since(c.begun).Seconds(), fmt.Sprintf(format, args...))
}

// conclude stops producing, waits until all is delivered and committed, lets all workers leave, and reports.
func (c *conductor) conclude(t *testing.T) {
	t.Helper()
	c.stopProducing()
	c.producing.Wait()
	c.drain(t)
	c.chapter(t, "all %d records are delivered and committed", c.ledger.produced())
	for len(c.workers) > 0 {
		c.part(0).leave(t)
	}
	harness.Eventually(t, patience, func() error { return c.shared(t, 0) })
	c.chapter(t, "all have left")
	c.stopWatching()
	c.watching.Wait()
	c.ledger.report(t)
}
