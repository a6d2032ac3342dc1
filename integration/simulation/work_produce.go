package simulation

import (
	"context"
	"math/rand/v2"
	"time"

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
	rng := rand.New(rand.NewPCG(seed, 1))
	compression := []kgo.CompressionCodec{kgo.NoCompression(), kgo.NoCompression(), kgo.Lz4Compression(), kgo.SnappyCompression()}
	c := l.client(s.Name, append([]kgo.Opt{
		kgo.DefaultProduceTopic(to.Topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(200),
		kgo.ProducerBatchCompression(compression[rng.IntN(len(compression))]),
		// The answer comes when the followers have it: not within this while one of two is away.
		kgo.ProduceRequestTimeout(5 * time.Second),
	}, s.Options...)...)
	to.Note(func(h *history.History) { h.Producers[s.Name] = s.Guarantee })
	next := make([]int64, to.Partitions)
	l.senders.Go(func() {
		every(l.sending, rng, s.Pause, func(ctx context.Context) {
			partition := rng.Int32N(to.Partitions)
			value := history.Value(s.Name, next[partition])
			sent := history.Send{Producer: s.Name, Partition: partition, Sequence: next[partition]}
			next[partition]++
			to.Note(func(h *history.History) { h.Sent = append(h.Sent, sent) })
			c.Produce(ctx, &kgo.Record{Partition: partition, Value: history.Pad(value, 20+rng.IntN(300))}, func(r *kgo.Record, err error) {
				if err == nil {
					to.Ack(history.Ack{Producer: s.Name, Partition: r.Partition, Offset: r.Offset, Value: value})
				}
			})
		})
	})
}

// Settle ends the producers and waits until the fate of all they sent is known.
func (l *Workload) Settle(ctx context.Context) error {
	l.pause()
	l.senders.Wait()
	for _, c := range l.clients {
		if err := c.Flush(ctx); err != nil {
			return err
		}
	}
	return nil
}
