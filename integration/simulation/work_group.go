package simulation

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/history"
)

// Commit commits ever higher offsets of a group without members, and asks for them.
func (l *Workload) Commit(of *Ledger, group string, seed uint64) {
	c := l.raw(group)
	rng := rand.New(rand.NewPCG(seed, 3))
	offsets := make([]int64, of.Partitions)
	l.running.Go(func() {
		every(l.ctx, rng, 150*time.Millisecond, func(ctx context.Context) {
			coordinator := findCoordinator(ctx, c, l.ledgers[0], group, l.world.Nodes[rng.IntN(len(l.world.Nodes))].ID)
			if coordinator < 0 {
				return
			}
			if p := rng.Int32N(of.Partitions); commit(ctx, c, of, coordinator, group, p, offsets[p]+1) {
				offsets[p]++
			}
		})
	})
	observing := rand.New(rand.NewPCG(seed, 4))
	l.running.Go(func() {
		every(l.ctx, observing, 150*time.Millisecond, func(ctx context.Context) {
			if coordinator := findCoordinator(ctx, c, of, group, l.world.Nodes[observing.IntN(len(l.world.Nodes))].ID); coordinator >= 0 {
				fetchCommitted(ctx, c, of, coordinator, group)
			}
		})
	})
}

// findCoordinator asks a broker for the coordinator of a group; -1: none is known.
func findCoordinator(ctx context.Context, c *kgo.Client, l *Ledger, group string, broker int32) int32 {
	request := kmsg.NewPtrFindCoordinatorRequest()
	request.CoordinatorKey, request.CoordinatorKeys = group, []string{group}
	answer, _, _, ok := ask[*kmsg.FindCoordinatorResponse](ctx, l, c, broker, request)
	if !ok || len(answer.Coordinators) != 1 || answer.Coordinators[0].ErrorCode != 0 {
		return -1
	}
	return answer.Coordinators[0].NodeID
}

func commit(ctx context.Context, c *kgo.Client, l *Ledger, coordinator int32, group string, partition int32, offset int64) bool {
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Group = group
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = l.Topic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	topic.Partitions = append(topic.Partitions, p)
	request.Topics = append(request.Topics, topic)
	answer, began, ended, ok := ask[*kmsg.OffsetCommitResponse](ctx, l, c, coordinator, request)
	if !ok || len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 || answer.Topics[0].Partitions[0].ErrorCode != 0 {
		return false
	}
	l.Note(func(h *history.History) {
		h.Commits = append(h.Commits, history.Commit{Partition: partition, Offset: offset, Began: began, Ended: ended})
	})
	return true
}

func fetchCommitted(ctx context.Context, c *kgo.Client, l *Ledger, coordinator int32, group string) {
	request := kmsg.NewPtrOffsetFetchRequest()
	request.Group = group
	topic := kmsg.NewOffsetFetchRequestTopic()
	topic.Topic = l.Topic
	asked := kmsg.NewOffsetFetchRequestGroup()
	asked.Group = group
	askedTopic := kmsg.NewOffsetFetchRequestGroupTopic()
	askedTopic.Topic = l.Topic
	for p := range l.Partitions {
		topic.Partitions = append(topic.Partitions, p)
		askedTopic.Partitions = append(askedTopic.Partitions, p)
	}
	request.Topics = append(request.Topics, topic)
	asked.Topics = append(asked.Topics, askedTopic)
	request.Groups = append(request.Groups, asked)
	answer, began, ended, ok := ask[*kmsg.OffsetFetchResponse](ctx, l, c, coordinator, request)
	if !ok || len(answer.Groups) != 1 || answer.Groups[0].ErrorCode != 0 {
		return
	}
	for _, t := range answer.Groups[0].Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				continue
			}
			l.Note(func(h *history.History) {
				h.Fetched = append(h.Fetched, history.Fetched{Coordinator: coordinator, Partition: p.Partition, Offset: p.Offset, Began: began, Ended: ended})
			})
		}
	}
}

// Delivered is what the members of a group were given.
type Delivered struct {
	mu   sync.Mutex
	seen map[place]bool
}

type place struct {
	partition int32
	offset    int64
}

// Has tells whether an offset was delivered to any member.
func (d *Delivered) Has(partition int32, offset int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen[place{partition, offset}]
}

func (d *Delivered) note(r *kgo.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[place{r.Partition, r.Offset}] = true
}

// Join lets members of a group read a topic and commit what they have read.
func (l *Workload) Join(from *Ledger, group string, members ...string) *Delivered {
	d := &Delivered{seen: map[place]bool{}}
	for _, name := range members {
		c := l.client(name,
			kgo.ConsumerGroup(group), kgo.ConsumeTopics(from.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(time.Second), kgo.RebalanceTimeout(10*time.Second),
			kgo.AutoCommitInterval(500*time.Millisecond), kgo.FetchMaxWait(500*time.Millisecond), kgo.AutoCommitMarks(),
		)
		l.running.Go(func() {
			for l.ctx.Err() == nil {
				fetches := c.PollFetches(l.ctx)
				fetches.EachRecord(func(r *kgo.Record) {
					d.note(r)
					c.MarkCommitRecords(r)
				})
			}
		})
	}
	return d
}
