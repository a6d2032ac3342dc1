package load

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/history"
)

// view is the newest that any broker has told of the partitions' leaders.
type view struct {
	mu     sync.Mutex
	states map[int32]leadership
}

type leadership struct {
	leader int32
	epoch  int32
}

// of returns who leads a partition; an epoch of -1 when nobody knows.
func (v *view) of(partition int32) leadership {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s, known := v.states[partition]; known {
		return s
	}
	return leadership{-1, -1}
}

func (v *view) learn(partition int32, s leadership) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if before, known := v.states[partition]; !known || s.epoch > before.epoch || s.epoch == before.epoch && s.leader >= 0 {
		v.states[partition] = s
	}
}

// watchLeaders asks a broker for its metadata until the context ends.
func (l *Load) watchLeaders(ctx context.Context, broker int32) {
	const every = 150 * time.Millisecond
	w := &wire{address: l.brokers[broker]}
	defer w.close()
	for pause(ctx, every) {
		q := kmsg.NewPtrMetadataRequest()
		q.Version = 8
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &l.topic
		q.Topics = append(q.Topics, topic)
		answer, err := w.ask(q)
		if err != nil {
			continue // dead, paused or cut off
		}
		now := l.recorder.Now()
		for _, t := range answer.(*kmsg.MetadataResponse).Topics {
			for _, p := range t.Partitions {
				if p.LeaderEpoch < 0 {
					continue // not told
				}
				l.view.learn(p.Partition, leadership{p.Leader, p.LeaderEpoch})
				l.recorder.Note(func(h *history.History) {
					h.Leaders = append(h.Leaders, history.Leader{Broker: broker, Partition: p.Partition, Leader: p.Leader, Epoch: p.LeaderEpoch, At: now})
				})
			}
		}
	}
}

// pause waits for a time and returns false when the context ends.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
