package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/history"
)

// reader reads the topic from its start from one broker, whatever replicas that has.
type reader struct {
	load   *Load
	name   string
	broker int32

	mu   sync.Mutex
	next map[int32]int64 // offset by partition
}

// position is the offset after the last record of a partition that was read.
func (r *reader) position(partition int32) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next[partition]
}

// run fetches until the context ends.
func (r *reader) run(ctx context.Context) {
	w := &wire{address: r.load.brokers[r.broker]}
	defer w.close()
	for ctx.Err() == nil {
		asked := map[int32]leadership{}
		q := r.request(asked)
		began := r.load.recorder.Now()
		answer, err := w.ask(q)
		if err != nil {
			pause(ctx, 50*time.Millisecond)
			continue
		}
		ended := r.load.recorder.Now()
		failed := true
		for _, t := range answer.(*kmsg.FetchResponse).Topics {
			for i := range t.Partitions {
				p := &t.Partitions[i]
				if r.take(p, asked[p.Partition], began, ended) {
					failed = false
				}
			}
		}
		if failed {
			pause(ctx, 30*time.Millisecond)
		}
	}
}

// request asks for all partitions, under the epochs that it notes.
func (r *reader) request(asked map[int32]leadership) *kmsg.FetchRequest {
	q := kmsg.NewPtrFetchRequest()
	q.Version = 11 // from here on a follower answers
	q.ReplicaID, q.MaxWaitMillis, q.MinBytes, q.MaxBytes = -1, 100, 1, 8<<20
	q.SessionEpoch = -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = r.load.topic
	for partition := range int32(r.load.partitions) {
		asked[partition] = r.load.view.of(partition)
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch = partition, asked[partition].epoch
		p.FetchOffset, p.PartitionMaxBytes = r.position(partition), 1<<20
		t.Partitions = append(t.Partitions, p)
	}
	q.Topics = append(q.Topics, t)
	return q
}

// take notes what the broker answered, and returns false when that was an error.
func (r *reader) take(p *kmsg.FetchResponseTopicPartition, asked leadership, began, ended time.Duration) bool {
	position := r.position(p.Partition)
	a := history.Answer{
		Reader: r.name, Broker: r.broker, Leading: asked.leader == r.broker, LeaderEpoch: asked.epoch, Partition: p.Partition,
		Asked: position, Next: position, HighWatermark: p.HighWatermark, Began: began, Ended: ended,
	}
	switch err := kerr.ErrorForCode(p.ErrorCode); err {
	case nil:
	case kerr.OffsetOutOfRange:
		a.OutOfRange = true
		r.load.recorder.Note(func(h *history.History) { h.Answers = append(h.Answers, a) })
		return false
	default:
		return false // no leader, not yet a follower, ...
	}
	parsed, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: position, Topic: r.load.topic, Partition: p.Partition},
		p, kgo.DefaultDecompressor(), nil)
	if parsed.Err != nil {
		r.load.fail(fmt.Errorf("%s: records of partition %d at offset %d: %w", r.name, p.Partition, position, parsed.Err))
		return false
	}
	a.Next = next
	r.mu.Lock()
	r.next[p.Partition] = next
	r.mu.Unlock()
	r.load.recorder.Note(func(h *history.History) {
		h.Answers = append(h.Answers, a)
		for _, record := range parsed.Records {
			h.Reads = append(h.Reads, read(r.name, record, ended))
		}
	})
	return true
}

func read(reader string, r *kgo.Record, at time.Duration) history.Read {
	return history.Read{
		Reader: reader, Partition: r.Partition, Offset: r.Offset, LeaderEpoch: r.LeaderEpoch, Value: history.Unpad(r.Value), At: at,
	}
}
