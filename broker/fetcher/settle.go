package fetcher

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
)

// complainAfter is the number of failures in a row after which a partition is worth a warning: those of a fail-over
// are over by then. It is repeated every so many failures.
const complainAfter = 7

// mainAnswered goes on after the main lane's fetch.
func (l *loop) mainAnswered(ctx context.Context) {
	a := &l.main
	a.busy = false
	if ctx.Err() != nil {
		return // the loop is over, and that it failed says nothing
	}
	l.metrics.fetches.Inc()
	if a.err != nil {
		l.session.restart() // whether the leader got the fetch is not known
		l.laneFailed(a, a.err)
		return
	}
	r := &a.response
	err := l.session.answered(r.ErrorCode, r.SessionID, countPartitions(r))
	switch {
	case errors.Is(err, errSessionLost) && l.session.refused == 1:
		l.log.Info("fetch session begins anew", zap.Error(err))
		return
	case err != nil:
		l.laneFailed(a, err)
		return
	}
	a.worked()
	l.settleAll(a, func(m *member) ask { return m.asked })
}

// sideAnswered goes on after the side lane's work.
func (l *loop) sideAnswered(ctx context.Context) {
	a := &l.side
	a.busy = false
	if ctx.Err() != nil {
		return
	}
	if a.repair != nil {
		l.repaired()
		return
	}
	l.metrics.fetches.Inc()
	err := a.err
	if code := a.response.ErrorCode; err == nil && code != protocol.None {
		err = fmt.Errorf("the leader refused the fetch: %w", kerr.ErrorForCode(code))
	}
	switch {
	case err == nil:
		a.worked()
		l.settleAll(a, func(m *member) ask { return m.askedAside })
	case a.failures == 0:
		// The connection may have been unused for so long that the leader closed it.
		a.failures++
		l.log.Debug("fetch aside failed, will be repeated", zap.Error(err))
	default:
		l.laneFailed(a, err)
	}
}

func countPartitions(r *kmsg.FetchResponse) (count int) {
	for i := range r.Topics {
		count += len(r.Topics[i].Partitions)
	}
	return count
}

// settleAll does what an answer asks for, partition by partition. What is not followed any more is passed over.
func (l *loop) settleAll(a *lane, asked func(*member) ask) {
	byID := a.fetch.Version >= versionByID
	r := &a.response
	for i := range r.Topics {
		t := &r.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			var m *member
			if byID {
				m = l.byID[idKey{t.TopicID, p.Partition}]
			} else {
				m = l.byName[nameKey{t.Topic, p.Partition}]
			}
			if m != nil && (m.standing == ready || m.standing == delayed) {
				l.settle(m, asked(m), p)
			}
		}
	}
}

// settle does what an answer for one partition asks for.
func (l *loop) settle(m *member, asked ask, p *kmsg.FetchResponseTopicPartition) {
	// The log may have moved on meanwhile, by the other lane's fetch or in another epoch. Records asked for in an older
	// epoch are as good as any that the leader of then had: if it has them no more, the next fetch diverges.
	if asked.at.Offset != m.at.Offset || asked.at.LastEpoch != m.at.LastEpoch {
		return
	}
	switch {
	case p.ErrorCode != protocol.None:
		if asked.epoch == m.LeaderEpoch {
			l.refused(m, p.ErrorCode)
		}
	case p.DivergingEpoch.Epoch >= 0:
		l.diverged(m, p)
	default:
		l.append(m, asked.at.Offset, p)
	}
}

// append appends what the leader answered to a fetch at offset.
func (l *loop) append(m *member, offset int64, p *kmsg.FetchResponseTopicPartition) {
	before := m.at
	after, err := m.Partition.AppendAsFollower(m.LeaderEpoch, replica.Fetched{
		Offset: offset, Batches: p.RecordBatches, HighWatermark: p.HighWatermark, LogStartOffset: p.LogStartOffset,
	})
	if after != (replica.Position{}) {
		m.at = after // also beside an error: a part may have been appended
	}
	if l.troubled(m, err) {
		return
	}
	size := len(p.RecordBatches)
	lag := max(p.HighWatermark-after.Offset, 0)
	m.lag.Store(lag)
	m.caughtUp = lag == 0
	switch {
	case size == 0:
	case after.Offset == before.Offset:
		// Less than one batch; the same again would spin.
		l.log.Error("the leader's answer has no whole batch", m.fields(zap.Int("bytes", size))...)
		l.delay(m)
		return
	default:
		l.metrics.bytes.Add(float64(size))
		if m.Partition.ThrottledAsFollower() {
			l.quota.Record(int64(size))
			l.metrics.throttled.Add(float64(size))
		}
	}
	m.failures = 0
	if m.standing != ready || !m.inSession || m.asked != m.wanted() {
		l.activate(m)
	}
}

// diverged cuts what the leader does not have (KIP-595).
func (l *loop) diverged(m *member, p *kmsg.FetchResponseTopicPartition) {
	before := m.at
	after, err := m.Partition.TruncateToLeader(m.LeaderEpoch, p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset)
	if l.troubled(m, err) {
		return
	}
	l.log.Info("truncated to the leader", m.fields(zap.Int32("diverging_epoch", p.DivergingEpoch.Epoch),
		zap.Int64("diverging_end", p.DivergingEpoch.EndOffset), zap.Int64("to", after.Offset))...)
	l.moved(m, before, after)
}

// moved goes on where a truncation led. One that changed nothing is not repeated at once.
func (l *loop) moved(m *member, before, after replica.Position) {
	m.at = after
	if before == after {
		l.delay(m)
		return
	}
	m.failures = 0
	l.activate(m)
}

// refused acts upon a leader's error (Kafka: AbstractFetcherThread.processFetchRequest).
func (l *loop) refused(m *member, code protocol.ErrorCode) {
	switch {
	case code == protocol.OffsetOutOfRange && m.standing != repairing:
		l.suspend(m, repairing)
		l.repairs = append(l.repairs, m)
	case code == protocol.FencedLeaderEpoch:
		// Another epoch began; the controller is about to tell of it.
		l.log.Info("the leader knows a newer epoch, waiting to be told of it", m.fields()...)
		l.fail(m)
	case passes(code):
		l.delay(m)
		l.complain(m, "the leader does not serve the partition, will ask again", code)
	default:
		l.delay(m)
		l.metrics.errors.Inc()
		if m.failures == 1 {
			l.log.Error("the leader answered with an error, will ask again", m.fields(zap.Error(kerr.ErrorForCode(code)))...)
		}
	}
}

// passes reports whether a leader's error is over once the leader has heard what the follower has.
func passes(code protocol.ErrorCode) bool {
	switch code {
	case protocol.UnknownLeaderEpoch, protocol.NotLeaderOrFollower, protocol.UnknownTopicOrPartition,
		protocol.UnknownTopicID, protocol.InconsistentTopicID:
		return true
	default:
		return false
	}
}

// complain warns of a partition that is refused for long.
func (l *loop) complain(m *member, message string, code protocol.ErrorCode) {
	write := l.log.Debug
	if m.failures%complainAfter == 0 {
		write = l.log.Warn
	}
	write(message, m.fields(zap.Int("failures", m.failures), zap.Error(kerr.ErrorForCode(code)))...)
}

// troubled acts upon an error of the log here, and reports whether there is one.
func (l *loop) troubled(m *member, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, replica.ErrNotFollower):
		l.log.Debug("partition is not followed any more", m.fields()...)
		l.leave(m)
	case errors.Is(err, replica.ErrDiskFull):
		l.metrics.errors.Inc()
		l.delay(m)
		if m.failures%complainAfter == 1 {
			l.log.Error("fetched records have no space on disk, will fetch them again", m.fields(zap.Error(err))...)
		}
	case errors.Is(err, record.ErrCorrupt):
		l.metrics.errors.Inc()
		l.delay(m)
		l.log.Error("fetched records are corrupt, will fetch them again", m.fields(zap.Error(err))...)
	default:
		l.fail(m)
		l.log.Error("partition failed, it is not replicated here until its leader changes", m.fields(zap.Error(err))...)
	}
	return true
}
