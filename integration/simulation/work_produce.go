package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/history"
)

// Sender is how a producer sends.
type Sender struct {
	Name      string
	Guarantee history.Guarantee
	Pause     time.Duration // between two records, about
	Options   []kgo.Opt
}

// safely is acks=all with idempotence, fast is acks=1 without.
func safely(name string, pause time.Duration) Sender {
	return Sender{Name: name, Guarantee: history.Guarantee{Idempotent: true, Durable: true}, Pause: pause, Options: []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(10 * time.Millisecond),
	}}
}

func fast(name string, pause time.Duration) Sender {
	return Sender{Name: name, Pause: pause, Options: []kgo.Opt{
		kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1),
		kgo.ProducerLinger(5 * time.Millisecond),
	}}
}

// Produce sends to a topic until Settle.
func (l *Workload) Produce(to *Ledger, s Sender, seed uint64) {
	p := &producer{workload: l, ledger: to, sender: s, rng: rand.New(rand.NewPCG(seed, 1))}
	p.renew()
	l.senders.Go(func() { every(l.sending, p.rng, s.Pause, p.send) })
}

// producer sends the records of one Sender. Where a broker says that it does not know what came before a batch, the client
// library cannot go on without repeating records or leaving them out; then it goes on with a new client, under a new
// name. A broker may say so after a restart, as it knows only the last batch of each producer then, as Kafka does.
type producer struct {
	workload *Workload
	ledger   *Ledger
	sender   Sender
	rng      *rand.Rand

	client *kgo.Client
	name   string
	next   []int64     // sequence by partition
	broken atomic.Bool // of client
	terms  int
}

func (p *producer) renew() {
	if p.client != nil {
		p.client.Close()
		p.workload.world.Journal.Note("%s was told that its sequence is out of order", p.name)
		p.workload.resets.Add(1)
	}
	p.terms++
	p.name = fmt.Sprintf("%s.%d", p.sender.Name, p.terms)
	p.next = make([]int64, p.ledger.Partitions)
	p.broken.Store(false)
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.NoCompression(), kgo.Lz4Compression(), kgo.SnappyCompression()}
	p.client = p.workload.client(p.name, append([]kgo.Opt{
		kgo.DefaultProduceTopic(p.ledger.Topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(200),
		kgo.ProducerBatchCompression(codecs[p.rng.IntN(len(codecs))]), kgo.StopProducerOnDataLossDetected(),
		// The answer comes when the followers have it: not within this while one of two is away.
		kgo.ProduceRequestTimeout(5 * time.Second),
	}, p.sender.Options...)...)
	p.ledger.Note(func(h *history.History) { h.Producers[p.name] = p.sender.Guarantee })
}

func (p *producer) send(ctx context.Context) {
	if p.broken.Load() {
		p.renew()
	}
	partition := p.rng.Int32N(p.ledger.Partitions)
	value := history.Value(p.name, p.next[partition])
	sent := history.Send{Producer: p.name, Partition: partition, Sequence: p.next[partition]}
	p.next[partition]++
	p.ledger.Note(func(h *history.History) { h.Sent = append(h.Sent, sent) })
	record := &kgo.Record{Partition: partition, Value: history.Pad(value, 20+p.rng.IntN(300))}
	name := p.name
	p.client.Produce(ctx, record, func(r *kgo.Record, err error) {
		switch {
		case err == nil:
			p.ledger.Ack(history.Ack{Producer: name, Partition: r.Partition, Offset: r.Offset, Value: value})
		case errors.Is(err, kerr.OutOfOrderSequenceNumber), errors.Is(err, kerr.UnknownProducerID):
			p.broken.Store(true)
		}
	})
}

// Settle ends the producers and waits until the fate of all they sent is known.
func (l *Workload) Settle(ctx context.Context) error {
	l.pause()
	l.senders.Wait()
	for _, c := range l.snapshot() {
		if err := c.Flush(ctx); err != nil {
			return err
		}
	}
	return nil
}
