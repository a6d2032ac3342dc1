package simulation

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/history"
)

// Observe asks every broker again and again who leads, and every leader for the latest offset.
func (l *Workload) Observe(name string, seed uint64) {
	c := l.raw(name)
	for _, n := range l.world.Nodes {
		rng := rand.New(rand.NewPCG(seed, uint64(n.ID)))
		l.running.Go(func() {
			every(l.ctx, rng, 200*time.Millisecond, func(ctx context.Context) {
				for _, ledger := range l.ledgers {
					observeLeaders(ctx, c, ledger, n.ID)
				}
			})
		})
	}
	for i, ledger := range l.ledgers {
		for p := range ledger.Partitions {
			rng := rand.New(rand.NewPCG(seed, uint64(i)<<32|uint64(p)<<16))
			l.running.Go(func() {
				every(l.ctx, rng, 250*time.Millisecond, func(ctx context.Context) { observeEnd(ctx, c, ledger, p) })
			})
		}
	}
}

// observeLeaders notes what one broker's metadata says.
func observeLeaders(ctx context.Context, c *kgo.Client, l *Ledger, broker int32) {
	request := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(l.Topic)
	request.Topics = append(request.Topics, topic)
	answer, _, ended, ok := ask[*kmsg.MetadataResponse](ctx, l, c, broker, request)
	if !ok {
		return
	}
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			l.learn(p.Partition, leader{p.Leader, p.LeaderEpoch})
			l.Note(func(h *history.History) {
				h.Leaders = append(h.Leaders, history.Leader{Broker: broker, Partition: p.Partition, Leader: p.Leader, Epoch: p.LeaderEpoch, At: ended})
			})
		}
	}
}

// observeEnd notes the latest offset as the leader of the newest epoch that is known tells it.
func observeEnd(ctx context.Context, c *kgo.Client, l *Ledger, partition int32) {
	source := l.leader(partition)
	if source.id < 0 {
		return
	}
	request := kmsg.NewPtrListOffsetsRequest()
	request.ReplicaID = -1
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = l.Topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp, p.CurrentLeaderEpoch = partition, -1, source.epoch
	topic.Partitions = append(topic.Partitions, p)
	request.Topics = append(request.Topics, topic)
	answer, began, ended, ok := ask[*kmsg.ListOffsetsResponse](ctx, l, c, source.id, request)
	if !ok || len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 || answer.Topics[0].Partitions[0].ErrorCode != 0 {
		return
	}
	end := answer.Topics[0].Partitions[0]
	l.Note(func(h *history.History) {
		h.Watermarks = append(h.Watermarks, history.Watermark{
			Source: history.ListOffsets, Partition: partition, LeaderEpoch: source.epoch, Offset: end.Offset, Began: began, Ended: ended,
		})
	})
}
