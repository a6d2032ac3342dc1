package load

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/history"
)

// producer sends values to all partitions, numbered in each.
type producer struct {
	load   *Load
	name   string
	client *kgo.Client
	every  time.Duration
	counts bool // its acknowledgements are progress

	mu    sync.Mutex
	sent  []int64 // how many, by partition
	acked []int64 // the highest sequence, by partition; -1: none
}

// newProducer connects a producer that was promised something.
func (l *Load) newProducer(t testing.TB, name string, g history.Guarantee, every time.Duration) *producer {
	t.Helper()
	options := append(l.options(),
		kgo.DefaultProduceTopic(l.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(5*time.Millisecond), kgo.ProduceRequestTimeout(3*time.Second),
		kgo.MaxBufferedRecords(maxBuffered+1000),
		// Records wait as long as it takes: each has an outcome.
		kgo.RecordRetries(1<<30), kgo.UnknownTopicRetries(-1),
	)
	if !g.Durable {
		options = append(options, kgo.RequiredAcks(kgo.LeaderAck()))
	}
	if !g.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		t.Fatalf("new producer: %v", err)
	}
	l.recorder.Note(func(h *history.History) { h.Producers[name] = g })
	p := &producer{load: l, name: name, client: client, every: every, counts: g.Durable, sent: make([]int64, l.partitions), acked: make([]int64, l.partitions)}
	for i := range p.acked {
		p.acked[i] = -1
	}
	return p
}

// maxBuffered is how many records wait for their outcome before a producer holds its breath.
const maxBuffered = 3000

// run sends until the context ends.
func (p *producer) run(ctx context.Context) {
	for pause(ctx, p.every) {
		if p.client.BufferedProduceRecords() > maxBuffered {
			continue
		}
		for partition := range int32(p.load.partitions) {
			p.send(partition)
		}
	}
}

func (p *producer) send(partition int32) {
	const size = 200
	p.mu.Lock()
	sequence := p.sent[partition]
	p.sent[partition]++
	p.mu.Unlock()
	p.load.recorder.Note(func(h *history.History) {
		h.Sent = append(h.Sent, history.Send{Producer: p.name, Partition: partition, Sequence: sequence})
	})
	value := history.Value(p.name, sequence)
	p.client.Produce(context.Background(), &kgo.Record{Partition: partition, Value: history.Pad(value, size)}, func(r *kgo.Record, err error) {
		if err != nil {
			p.load.fail(fmt.Errorf("produce %s to partition %d: %w", value, partition, err))
			return
		}
		p.load.recorder.Ack(history.Ack{Producer: p.name, Partition: partition, Offset: r.Offset, Value: value})
		p.mu.Lock()
		defer p.mu.Unlock()
		p.acked[partition] = max(p.acked[partition], sequence)
	})
}

// mark returns how many records were sent to each partition.
func (p *producer) mark() []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int64(nil), p.sent...)
}

// passed returns an error unless a record sent to each of the partitions after the mark is acknowledged.
func (p *producer) passed(mark []int64, partitions []int32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range partitions {
		if p.acked[i] < mark[i] {
			return fmt.Errorf("nothing that %s sends to partition %d is acknowledged", p.name, i)
		}
	}
	return nil
}
