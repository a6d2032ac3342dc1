package replica

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/storage"
)

// Leader epochs of a Stop that any epoch gives way to (Kafka: LeaderAndIsr.NoEpoch, EpochDuringDelete).
const (
	stopAnyEpoch    int32 = -1 // the request is of a version without epochs
	stopDuringTopic int32 = -2 // the topic is being deleted, for which no epoch is made
)

// Stop is one partition of a StopReplica request.
type Stop struct {
	Topic       string
	Partition   int32
	LeaderEpoch int32 // -1 and -2 are always accepted
	Delete      bool
}

// Stop ends replicas, deleting their logs where asked. The result has an error per stop: ErrFencedLeaderEpoch, ErrStorage.
// Stopping what is not hosted is no error, and deletes a log that was left over.
func (m *Manager) Stop(ctx context.Context, stops []Stop) []error {
	m.applyMu.Lock()
	defer m.applyMu.Unlock()
	errs := make([]error, len(stops))
	deleted := 0
	var followed []*Partition
	for i := range stops {
		switch {
		case m.closed:
			errs[i] = errClosed
		case ctx.Err() != nil:
			errs[i] = fmt.Errorf("stop replica: %w", context.Cause(ctx))
		default:
			p := m.hosted(storage.TopicPartition{Topic: stops[i].Topic, Partition: stops[i].Partition})
			following := false
			if p != nil {
				following = p.isFollowed()
			}
			errs[i] = m.stop(&stops[i], p)
			if following && !p.isFollowed() {
				followed = append(followed, p)
			}
		}
		if errs[i] == nil && stops[i].Delete {
			deleted++
		}
	}
	m.unfollow(followed)
	m.log.Info("replicas stopped", zap.Int("replicas", len(stops)), zap.Int("deleted", deleted))
	return errs
}

// stop ends a replica; p is nil when it is not hosted.
func (m *Manager) stop(s *Stop, p *Partition) error {
	name := storage.TopicPartition{Topic: s.Topic, Partition: s.Partition}
	if p != nil {
		if p.offline.Load() {
			return ErrStorage
		}
		if _, current := p.Leader(); s.LeaderEpoch != stopAnyEpoch && s.LeaderEpoch != stopDuringTopic && s.LeaderEpoch < current {
			return fmt.Errorf("%w: %d, current %d", ErrFencedLeaderEpoch, s.LeaderEpoch, current)
		}
		if s.Delete {
			m.unhost(p)
		}
		p.end()
	}
	if !s.Delete {
		return nil
	}
	if p != nil && m.leadershipChanged != nil && isInternal(s.Topic) {
		_, epoch := p.Leader()
		m.leadershipChanged(s.Topic, s.Partition, epoch, false)
	}
	if _, ok := m.logs.Log(name); !ok {
		return nil
	}
	if err := m.logs.Delete(name); err != nil {
		m.log.Error("log cannot be deleted", zap.String("topic", s.Topic), zap.Int32("partition", s.Partition), zap.Error(err))
		return translate(err)
	}
	return nil
}
