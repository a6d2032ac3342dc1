package api

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/txn"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
)

func deleteRecordsRequest(version int16, timeout int32, topic string, offset int64) *kmsg.DeleteRecordsRequest {
	q := kmsg.NewPtrDeleteRecordsRequest()
	q.Version, q.TimeoutMillis = version, timeout
	qt := kmsg.NewDeleteRecordsRequestTopic()
	qt.Topic = topic
	qp := kmsg.NewDeleteRecordsRequestTopicPartition()
	qp.Offset = offset
	qt.Partitions = append(qt.Partitions, qp)
	q.Topics = append(q.Topics, qt)
	return q
}

func (b *broker) deleteOne(q *kmsg.DeleteRecordsRequest) kmsg.DeleteRecordsResponseTopicPartition {
	b.t.Helper()
	return b.ask(q).(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]
}

func TestDeleteRecordsInEveryVersion(t *testing.T) {
	b := newBroker(t)
	b.overrides["compacted"] = map[string]string{"cleanup.policy": "compact"}
	b.lead("t", 1, 1)
	b.lead("compacted", 1, 1)
	b.lead("__consumer_offsets", 1, 1)
	b.apply("led-by-2", 1, 2, []int32{2, 1}, []int32{2, 1})
	b.produceAt("t", 1, 2, 3, 4, 5)
	for i, version := range versionsOf(t, 21) {
		for _, c := range []struct {
			topic  string
			offset int64
			low    int64
			code   protocol.ErrorCode
		}{
			{"t", int64(i + 1), int64(i + 1), protocol.None},
			{"t", 6, -1, protocol.OffsetOutOfRange},
			{"t", -2, -1, protocol.OffsetOutOfRange},
			{"compacted", 0, -1, protocol.PolicyViolation},
			{"__consumer_offsets", 0, -1, protocol.InvalidTopic},
			{"led-by-2", 0, -1, protocol.NotLeaderOrFollower},
			{"nowhere", 0, -1, protocol.UnknownTopicOrPartition},
		} {
			if rp := b.deleteOne(deleteRecordsRequest(version, 1000, c.topic, c.offset)); rp.LowWatermark != c.low || rp.ErrorCode != c.code {
				t.Errorf("v%d, %s below %d: %+v", version, c.topic, c.offset, rp)
			}
		}
	}
	if rp := b.deleteOne(deleteRecordsRequest(2, 1000, "t", -1)); rp.LowWatermark != 5 || rp.ErrorCode != protocol.None {
		t.Errorf("below the high watermark: %+v", rp)
	}
}

func TestDeleteRecordsTimesOutWhenAFollowerDoesNotFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.lead("t", 1, 1, 2)
		b.produceAt("t", 1, 2)
		follow := fetchRequest(12, "t", map[int32]int64{0: 2}, asFollower(2, b.epoch))
		follow.Topics[0].Partitions[0].LogStartOffset = 0
		b.ask(follow)
		start := time.Now()
		rp := b.deleteOne(deleteRecordsRequest(2, 3000, "t", 1))
		if rp.ErrorCode != protocol.RequestTimedOut || rp.LowWatermark != 0 || time.Since(start) != 3*time.Second {
			t.Errorf("%+v after %v", rp, time.Since(start))
		}
		if rp := b.deleteOne(deleteRecordsRequest(2, -1, "t", 1)); rp.ErrorCode != protocol.RequestTimedOut {
			t.Errorf("no time at all: %+v", rp)
		}
	})
}

func TestInitProducerIdInEveryVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.rooms.ProducerIDs = txn.NewProducerIDs(func(context.Context) (int64, int32, error) { return 4000, 1000, nil })
		ask := func(version int16, change func(*kmsg.InitProducerIDRequest)) *kmsg.InitProducerIDResponse {
			q := kmsg.NewPtrInitProducerIDRequest()
			q.Version, q.TransactionTimeoutMillis = version, 60000
			change(q)
			return b.ask(q).(*kmsg.InitProducerIDResponse)
		}
		empty, name := "", "name"
		next := int64(4000)
		for _, version := range versionsOf(t, 22) {
			r := ask(version, func(*kmsg.InitProducerIDRequest) {})
			if r.ErrorCode != protocol.None || r.ProducerID != next || r.ProducerEpoch != 0 {
				t.Errorf("v%d: %+v", version, r)
			}
			next++
			r = ask(version, func(q *kmsg.InitProducerIDRequest) { q.TransactionalID = &name })
			if r.ErrorCode != protocol.CoordinatorNotAvailable || r.ProducerID != -1 || r.ProducerEpoch != -1 {
				t.Errorf("v%d, transactional: %+v", version, r)
			}
			r = ask(version, func(q *kmsg.InitProducerIDRequest) { q.TransactionalID = &empty })
			if r.ErrorCode != protocol.InvalidRequest {
				t.Errorf("v%d, empty transactional id: %+v", version, r)
			}
			r = ask(version, func(q *kmsg.InitProducerIDRequest) { q.ProducerID = 4000 })
			if version >= 3 && r.ErrorCode != protocol.InvalidRequest {
				t.Errorf("v%d, an id without an epoch: %+v", version, r)
			} else if version < 3 {
				next++
			}
		}

		b.rooms.ProducerIDs.Close()
		for _, fail := range []error{errors.New("no controller"), context.Canceled} {
			b.rooms.ProducerIDs = txn.NewProducerIDs(func(ctx context.Context) (int64, int32, error) {
				if errors.Is(fail, context.Canceled) {
					<-ctx.Done() // a controller that does not answer
				}
				return 0, 0, fail
			})
			start := time.Now()
			r := ask(5, func(*kmsg.InitProducerIDRequest) {})
			if r.ErrorCode != protocol.CoordinatorLoadInProgress || r.ProducerID != -1 || time.Since(start) > producerIDWait {
				t.Errorf("%v: %+v after %v", fail, r, time.Since(start))
			}
			b.rooms.ProducerIDs.Close()
		}
	})
}

func TestDescribeProducers(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 2, 1)
	sent := batch(t, record.BatchOptions{Producer: &record.Producer{ID: 7, Epoch: 3, Sequence: 0}}, "a", "b")
	if rp := b.produceOne(9, -1, "t", sent); rp.ErrorCode != protocol.None {
		t.Fatalf("produce: code %d", rp.ErrorCode)
	}
	for _, version := range versionsOf(t, 61) {
		q := kmsg.NewPtrDescribeProducersRequest()
		q.Version = version
		for _, name := range []string{"t", "nowhere", "not/legal"} {
			qt := kmsg.NewDescribeProducersRequestTopic()
			qt.Topic, qt.Partitions = name, []int32{0, 1, 2}
			q.Topics = append(q.Topics, qt)
		}
		r := b.ask(q).(*kmsg.DescribeProducersResponse)
		known := r.Topics[0].Partitions
		if len(known[0].ActiveProducers) != 1 || len(known[1].ActiveProducers) != 0 || known[0].ErrorCode != 0 || known[1].ErrorCode != 0 {
			t.Fatalf("%+v", known)
		}
		p := known[0].ActiveProducers[0]
		if p.ProducerID != 7 || p.ProducerEpoch != 3 || p.LastSequence != 1 || p.CoordinatorEpoch != -1 || p.CurrentTxnStartOffset != -1 || p.LastTimestamp <= 0 {
			t.Errorf("%+v", p)
		}
		if p := known[2]; p.ErrorCode != protocol.UnknownTopicOrPartition || p.ErrorMessage != nil {
			t.Errorf("%+v", p)
		}
		if p := r.Topics[1].Partitions[0]; p.ErrorCode != protocol.UnknownTopicOrPartition || p.ErrorMessage == nil {
			t.Errorf("%+v", p)
		}
		if p := r.Topics[2].Partitions[0]; p.ErrorCode != protocol.InvalidTopic || p.ErrorMessage == nil {
			t.Errorf("%+v", p)
		}
	}
}

func TestDescribeLogDirsInEveryVersion(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 2, 1)
	b.lead("u", 1, 1)
	b.produceAt("t", 1)
	for _, version := range versionsOf(t, 35) {
		q := kmsg.NewPtrDescribeLogDirsRequest()
		q.Version = version
		r := b.ask(q).(*kmsg.DescribeLogDirsResponse)
		if len(r.Dirs) != 1 || r.Dirs[0].Dir != "/logs" || r.Dirs[0].ErrorCode != protocol.None || r.ErrorCode != protocol.None {
			t.Fatalf("v%d: %+v", version, r)
		}
		partitions := 0
		for _, topic := range r.Dirs[0].Topics {
			for _, p := range topic.Partitions {
				partitions++
				if has := p.Size > 0; has != (topic.Topic == "t" && p.Partition == 0) || p.OffsetLag != 0 || p.IsFuture {
					t.Errorf("v%d: %s: %+v", version, topic.Topic, p)
				}
			}
		}
		if partitions != 3 || len(r.Dirs[0].Topics) != 2 {
			t.Errorf("v%d: %d partitions of %d topics", version, partitions, len(r.Dirs[0].Topics))
		}
		if version >= 4 && (r.Dirs[0].TotalBytes <= 0 || r.Dirs[0].UsableBytes <= 0) {
			t.Errorf("v%d: %d of %d bytes usable", version, r.Dirs[0].UsableBytes, r.Dirs[0].TotalBytes)
		}

		qt := kmsg.NewDescribeLogDirsRequestTopic()
		qt.Topic, qt.Partitions = "t", []int32{1, 9}
		q.Topics = append(q.Topics, qt)
		r = b.ask(q).(*kmsg.DescribeLogDirsResponse)
		if topics := r.Dirs[0].Topics; len(topics) != 1 || len(topics[0].Partitions) != 1 || topics[0].Partitions[0].Partition != 1 {
			t.Errorf("v%d: asked for one partition, told of %+v", version, topics)
		}
		q.Topics = []kmsg.DescribeLogDirsRequestTopic{}
		if r = b.ask(q).(*kmsg.DescribeLogDirsResponse); len(r.Dirs[0].Topics) != 0 {
			t.Errorf("v%d: asked for none, told of %+v", version, r.Dirs[0].Topics)
		}
	}
}
