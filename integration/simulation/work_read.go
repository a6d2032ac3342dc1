package simulation

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/history"
)

// Read reads every partition from its start, each from its leader or, when nearby, from any replica (KIP-392).
func (l *Workload) Read(from *Ledger, name string, nearby bool, seed uint64) {
	c := l.raw(name)
	for p := range from.Partitions {
		rng := rand.New(rand.NewPCG(seed, uint64(p)))
		r := &reader{ledger: from, client: c, name: name, partition: p, rng: rng}
		l.running.Go(func() {
			every(l.ctx, rng, 100*time.Millisecond, func(ctx context.Context) {
				source := from.leader(p)
				if nearby {
					source = leader{l.world.Nodes[rng.IntN(len(l.world.Nodes))].ID, -1}
				}
				if source.id >= 0 {
					r.fetch(ctx, source)
				}
			})
		})
	}
}

// reader reads one partition.
type reader struct {
	ledger    *Ledger
	client    *kgo.Client
	name      string
	partition int32
	next      int64
	rng       *rand.Rand
}

// fetch makes one fetch, and tells whether it was answered without an error.
func (r *reader) fetch(ctx context.Context, source leader) bool {
	answer, began, ended, ok := ask[*kmsg.FetchResponse](ctx, r.ledger, r.client, source.id, r.request(source.epoch))
	if !ok || len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
		return false
	}
	p := &answer.Topics[0].Partitions[0]
	noted := history.Answer{
		Reader: r.name, Broker: source.id, Leading: source.epoch >= 0, LeaderEpoch: source.epoch, Partition: r.partition,
		Asked: r.next, Next: r.next, HighWatermark: p.HighWatermark, Began: began, Ended: ended,
	}
	switch kerr.TypedErrorForCode(p.ErrorCode) {
	case nil:
	case kerr.OffsetOutOfRange:
		noted.OutOfRange = true
		r.ledger.Note(func(h *history.History) { h.Answers = append(h.Answers, noted) })
		return false
	default:
		return false
	}
	processed, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: r.next, Topic: r.ledger.Topic, Partition: r.partition},
		p, kgo.DefaultDecompressor(), nil)
	if processed.Err != nil {
		r.ledger.Note(func(h *history.History) { // bytes that are no records: not even our checkers expect it
			h.Reads = append(h.Reads, history.Read{Reader: r.name, Partition: r.partition, Offset: r.next, Value: processed.Err.Error(), At: ended})
		})
		return false
	}
	if next > r.next {
		r.next = next
	}
	noted.Next = r.next
	r.ledger.Note(func(h *history.History) {
		h.Answers = append(h.Answers, noted)
		for _, record := range processed.Records {
			h.Reads = append(h.Reads, history.Read{
				Reader: r.name, Partition: r.partition, Offset: record.Offset, LeaderEpoch: record.LeaderEpoch,
				Value: history.Unpad(record.Value), At: ended,
			})
		}
	})
	return true
}

func (r *reader) request(epoch int32) *kmsg.FetchRequest {
	request := kmsg.NewPtrFetchRequest()
	request.MaxWaitMillis, request.MinBytes, request.MaxBytes = 400, 1, 1<<20
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = r.ledger.Topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.CurrentLeaderEpoch, p.PartitionMaxBytes = r.partition, r.next, epoch, 64<<10
	topic.Partitions = append(topic.Partitions, p)
	request.Topics = append(request.Topics, topic)
	return request
}
