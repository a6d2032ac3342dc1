package load

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/history"
)

// watchEnds asks a broker for the ends of the partitions that it leads, until the context ends.
func (l *Load) watchEnds(ctx context.Context, broker int32) {
	const every = 100 * time.Millisecond
	w := &wire{address: l.brokers[broker]}
	defer w.close()
	for pause(ctx, every) {
		led := map[int32]int32{} // epoch by partition
		for partition := range int32(l.partitions) {
			if s := l.view.of(partition); s.leader == broker {
				led[partition] = s.epoch
			}
		}
		if len(led) > 0 {
			l.askLatest(w, led)
			l.askEpochs(w, led)
		}
	}
}

// askLatest asks for the latest offsets, fenced: who answers leads under the epoch.
func (l *Load) askLatest(w *wire, led map[int32]int32) {
	q := kmsg.NewPtrListOffsetsRequest()
	q.Version, q.ReplicaID = 5, -1 // from 5 on a new leader says OFFSET_NOT_AVAILABLE
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = l.topic
	for partition, epoch := range led {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch, p.Timestamp = partition, epoch, -1
		t.Partitions = append(t.Partitions, p)
	}
	q.Topics = append(q.Topics, t)
	began := l.recorder.Now()
	answer, err := w.ask(q)
	if err != nil {
		return
	}
	for _, t := range answer.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode == 0 {
				l.watermark(history.ListOffsets, p.Partition, led[p.Partition], p.Offset, began)
			}
		}
	}
}

// askEpochs asks where the epochs before the leader's end.
func (l *Load) askEpochs(w *wire, led map[int32]int32) {
	q := kmsg.NewPtrOffsetForLeaderEpochRequest()
	q.Version, q.ReplicaID = 3, -1
	t := kmsg.NewOffsetForLeaderEpochRequestTopic()
	t.Topic = l.topic
	for partition, epoch := range led {
		if epoch == 0 {
			continue
		}
		p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = partition, epoch, epoch-1
		t.Partitions = append(t.Partitions, p)
	}
	if len(t.Partitions) == 0 {
		return
	}
	q.Topics = append(q.Topics, t)
	began := l.recorder.Now()
	answer, err := w.ask(q)
	if err != nil {
		return
	}
	for _, t := range answer.(*kmsg.OffsetForLeaderEpochResponse).Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode == 0 && p.EndOffset >= 0 {
				l.watermark(history.EpochEnd, p.Partition, led[p.Partition]-1, p.EndOffset, began)
			}
		}
	}
}

func (l *Load) watermark(source history.Source, partition, epoch int32, offset int64, began time.Duration) {
	ended := l.recorder.Now()
	l.recorder.Note(func(h *history.History) {
		h.Watermarks = append(h.Watermarks, history.Watermark{
			Source: source, Partition: partition, LeaderEpoch: epoch, Offset: offset, Began: began, Ended: ended,
		})
	})
}
