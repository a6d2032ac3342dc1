package fetcher

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/peer"
	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/protocol"
)

const (
	versionListOffsets = 9
	// repairAtOnce bounds the partitions in one question.
	repairAtOnce = 1000
)

// repair asks where the leader's logs end and start, for partitions whose fetch is out of its range.
type repair struct {
	members  []*member
	replica  int32
	topics   []kmsg.ListOffsetsRequestTopic
	latest   map[nameKey]found
	earliest map[nameKey]found
}

// found is an answer for one partition.
type found struct {
	offset int64
	code   protocol.ErrorCode
}

// newRepair takes members that wait.
func (l *loop) newRepair() *repair {
	count := min(len(l.repairs), repairAtOnce)
	r := &repair{replica: l.options.BrokerID}
	for _, m := range l.repairs[:count] {
		if m.gone || m.standing != repairing {
			continue
		}
		r.members = append(r.members, m)
		topic := m.Partition.Topic()
		last := len(r.topics) - 1
		if last < 0 || r.topics[last].Topic != topic {
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = topic
			r.topics = append(r.topics, t)
			last++
		}
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch = m.Partition.Index(), m.LeaderEpoch
		r.topics[last].Partitions = append(r.topics[last].Partitions, p)
	}
	l.repairs = append(l.repairs[:0], l.repairs[count:]...)
	return r
}

// ask asks the leader. It runs on the lane's goroutine.
func (r *repair) ask(ctx context.Context, c *peer.Connection) (err error) {
	if len(r.members) == 0 {
		return nil
	}
	if r.latest, err = r.list(ctx, c, replica.TimestampLatest); err != nil {
		return err
	}
	r.earliest, err = r.list(ctx, c, replica.TimestampEarliest)
	return err
}

func (r *repair) list(ctx context.Context, c *peer.Connection, timestamp int64) (map[nameKey]found, error) {
	q := kmsg.NewPtrListOffsetsRequest()
	q.Version, q.ReplicaID, q.Topics = versionListOffsets, r.replica, r.topics
	for i := range q.Topics {
		for j := range q.Topics[i].Partitions {
			q.Topics[i].Partitions[j].Timestamp = timestamp
		}
	}
	response, err := c.Request(ctx, q)
	if err != nil {
		return nil, err
	}
	answers := make(map[nameKey]found)
	for _, t := range response.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			answers[nameKey{t.Topic, p.Partition}] = found{p.Offset, p.ErrorCode}
		}
	}
	return answers, nil
}

// repaired goes on after the leader told its offsets, or did not.
func (l *loop) repaired() {
	a := &l.side
	r := a.repair
	a.repair = nil
	if a.err != nil {
		l.repairs = append(l.repairs, r.members...)
		l.laneFailed(a, a.err)
		return
	}
	a.worked()
	for _, m := range r.members {
		if m.gone || m.standing != repairing {
			continue
		}
		key := nameKey{m.Partition.Topic(), m.Partition.Index()}
		latest, known := r.latest[key]
		earliest, alsoKnown := r.earliest[key]
		if !known || !alsoKnown || latest.code == protocol.None && latest.offset < 0 {
			l.log.Error("the leader does not tell where the partition starts and ends", m.fields()...)
			l.delay(m)
			continue
		}
		code := latest.code
		if code == protocol.None {
			code = earliest.code
		}
		if code != protocol.None {
			l.refused(m, code)
			continue
		}
		l.backInRange(m, earliest.offset, latest.offset)
	}
}

// backInRange brings a log into the leader's range: one that is longer is cut, and one that ends before the leader's
// starts begins anew there.
func (l *loop) backInRange(m *member, start, end int64) {
	before := m.at
	var after replica.Position
	var err error
	switch {
	case end < before.Offset:
		l.log.Warn("the log is longer than the leader's, it is cut", m.fields(zap.Int64("to", end))...)
		after, err = m.Partition.TruncateTo(m.LeaderEpoch, end)
	case start > before.Offset:
		l.log.Warn("the log ends before the leader's starts, it begins anew there", m.fields(zap.Int64("at", start))...)
		after, err = m.Partition.StartAt(m.LeaderEpoch, start)
	default:
		after, err = m.Partition.Position(m.LeaderEpoch)
	}
	if !l.troubled(m, err) {
		l.moved(m, before, after)
	}
}
