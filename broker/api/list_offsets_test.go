package api

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
)

// versionsOf lists every version of an API that is advertised.
func versionsOf(t testing.TB, key int16) []int16 {
	t.Helper()
	a, ok := protocol.Lookup(key)
	if !ok {
		t.Fatalf("key %d is not in the table", key)
	}
	var versions []int16
	for v := a.Min; v <= a.Max; v++ {
		versions = append(versions, v)
	}
	return versions
}

func listOffsetsRequest(version int16, topic string, partition int32, timestamp int64) *kmsg.ListOffsetsRequest {
	q := kmsg.NewPtrListOffsetsRequest()
	q.Version, q.ReplicaID = version, -1
	qt := kmsg.NewListOffsetsRequestTopic()
	qt.Topic = topic
	qp := kmsg.NewListOffsetsRequestTopicPartition()
	qp.Partition, qp.Timestamp, qp.MaxNumOffsets, qp.CurrentLeaderEpoch = partition, timestamp, 10, -1
	qt.Partitions = append(qt.Partitions, qp)
	q.Topics = append(q.Topics, qt)
	return q
}

func (b *broker) listOne(q *kmsg.ListOffsetsRequest) kmsg.ListOffsetsResponseTopicPartition {
	b.t.Helper()
	return b.ask(q).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
}

// produceAt appends one record of each timestamp, in batches of their own.
func (b *broker) produceAt(topic string, timestamps ...int64) {
	b.t.Helper()
	for _, timestamp := range timestamps {
		n := record.NewBuilder(record.BatchOptions{})
		n.Append(timestamp, []byte("k"), []byte("v"))
		built, err := n.Build()
		if err != nil {
			b.t.Fatal(err)
		}
		if rp := b.produceOne(9, 1, topic, built); rp.ErrorCode != protocol.None {
			b.t.Fatalf("produce: code %d", rp.ErrorCode)
		}
	}
}

func TestListOffsetsInEveryVersion(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	b.produceAt("t", 1000, 3000, 2000)
	for _, version := range versionsOf(t, 2) {
		epoch := int32(-1)
		if version >= 4 {
			epoch = b.epoch
		}
		for _, c := range []struct {
			timestamp, offset, time int64
			epoch                   int32
			since                   int16 // 0: all versions know it
		}{
			{timestamp: -1, offset: 3, time: -1, epoch: epoch},
			{timestamp: -2, offset: 0, time: -1, epoch: epoch},
			{timestamp: 1500, offset: 1, time: 3000, epoch: epoch},
			{timestamp: 3001, offset: -1, time: -1, epoch: -1},
			{timestamp: -3, offset: 1, time: 3000, epoch: epoch, since: 7},
			{timestamp: -4, offset: 0, time: -1, epoch: epoch, since: 8},
			{timestamp: -5, offset: -1, time: -1, epoch: -1, since: 9},
			{timestamp: -6, since: 100},
		} {
			rp := b.listOne(listOffsetsRequest(version, "t", 0, c.timestamp))
			switch {
			case version < c.since:
				if rp.ErrorCode != protocol.UnsupportedVersion {
					t.Errorf("v%d, timestamp %d: code %d", version, c.timestamp, rp.ErrorCode)
				}
			case rp.ErrorCode != protocol.None:
				t.Errorf("v%d, timestamp %d: code %d", version, c.timestamp, rp.ErrorCode)
			case version > 0 && (rp.Offset != c.offset || rp.Timestamp != c.time || rp.LeaderEpoch != c.epoch):
				t.Errorf("v%d, timestamp %d: %+v", version, c.timestamp, rp)
			}
		}
	}
}

func TestListOffsetsOfOldAnswersAList(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	b.produceAt("t", 1000, 3000, 2000)
	for _, c := range []struct {
		timestamp int64
		limit     int32
		want      []int64
	}{
		{-1, 1, []int64{3}},
		{-1, 10, []int64{3, 0}},
		{-2, 10, []int64{0}},
		{1500, 10, []int64{1, 0}},
		{9000, 10, []int64{3, 0}},
		{0, 10, []int64{0}},
		{-1, 0, nil},
		{-1, -7, nil},
	} {
		q := listOffsetsRequest(0, "t", 0, c.timestamp)
		q.Topics[0].Partitions[0].MaxNumOffsets = c.limit
		if rp := b.listOne(q); rp.ErrorCode != protocol.None || !slices.Equal(rp.OldStyleOffsets, c.want) {
			t.Errorf("timestamp %d: code %d, %d, want %d", c.timestamp, rp.ErrorCode, rp.OldStyleOffsets, c.want)
		}
	}
}

func TestListOffsetsErrors(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	b.apply("led-by-2", 1, 2, []int32{2, 1}, []int32{2, 1})
	for _, version := range versionsOf(t, 2) {
		for topic, want := range map[string]protocol.ErrorCode{
			"nowhere": protocol.UnknownTopicOrPartition, "led-by-2": protocol.NotLeaderOrFollower,
		} {
			rp := b.listOne(listOffsetsRequest(version, topic, 0, -1))
			if rp.ErrorCode != want || version > 0 && (rp.Offset != -1 || rp.Timestamp != -1) {
				t.Errorf("v%d, %s: %+v", version, topic, rp)
			}
		}
		if version < 4 {
			continue
		}
		for epoch, want := range map[int32]protocol.ErrorCode{
			b.epoch - 1: protocol.None, b.epoch - 2: protocol.FencedLeaderEpoch, b.epoch: protocol.UnknownLeaderEpoch, -1: protocol.None,
		} {
			q := listOffsetsRequest(version, "t", 0, -1) // t has the epoch before led-by-2's
			q.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
			if rp := b.listOne(q); rp.ErrorCode != want {
				t.Errorf("v%d, epoch %d: code %d, want %d", version, epoch, rp.ErrorCode, want)
			}
		}
	}
	q := listOffsetsRequest(7, "t", 0, -1)
	q.Topics[0].Partitions = append(q.Topics[0].Partitions, q.Topics[0].Partitions[0])
	for _, rp := range b.ask(q).(*kmsg.ListOffsetsResponse).Topics[0].Partitions {
		if rp.ErrorCode != protocol.InvalidRequest {
			t.Errorf("named twice: code %d", rp.ErrorCode)
		}
	}
}

// TestListOffsetsWhileTheHighWatermarkLags: versions that do not know OFFSET_NOT_AVAILABLE are told of a leader election.
func TestListOffsetsWhileTheHighWatermarkLags(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1, 2)
	b.produceAt("t", 1000)
	b.lead("t", 1, 1, 2) // the epoch starts at 1, nobody knows what 2 has
	for _, version := range versionsOf(t, 2) {
		want := protocol.LeaderNotAvailable
		if version >= 5 {
			want = protocol.OffsetNotAvailable
		}
		if rp := b.listOne(listOffsetsRequest(version, "t", 0, -1)); rp.ErrorCode != want {
			t.Errorf("v%d: code %d, want %d", version, rp.ErrorCode, want)
		}
		q := listOffsetsRequest(version, "t", 0, -1)
		q.ReplicaID = 2
		if rp := b.listOne(q); version > 0 && (rp.ErrorCode != protocol.None || rp.Offset != 1) {
			t.Errorf("v%d as follower: %+v", version, rp)
		}
	}
}

func TestListOffsetsIsolation(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	open := batch(t, record.BatchOptions{Transactional: true, Producer: &record.Producer{ID: 7, Epoch: 0, Sequence: 0}}, "a", "b")
	txn := "txn"
	q := produceRequest(9, -1, "t", map[int32][]byte{0: open})
	q.TransactionID = &txn
	if rp := b.ask(q).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; rp.ErrorCode != protocol.None {
		t.Fatalf("produce: code %d", rp.ErrorCode)
	}
	for _, version := range versionsOf(t, 2)[1:] {
		for isolation, want := range map[int8]int64{0: 2, 1: 0} {
			if version < 2 {
				want = 2
			}
			q := listOffsetsRequest(version, "t", 0, -1)
			q.IsolationLevel = isolation
			if rp := b.listOne(q); rp.Offset != want {
				t.Errorf("v%d, isolation %d: offset %d, want %d", version, isolation, rp.Offset, want)
			}
		}
	}
}

func TestOffsetForLeaderEpochInEveryVersion(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	b.produceAt("t", 1, 2)
	b.lead("t", 1, 1)
	b.produceAt("t", 3)
	for _, version := range versionsOf(t, 23) {
		ask := func(topic string, current, epoch int32) kmsg.OffsetForLeaderEpochResponseTopicPartition {
			q := kmsg.NewPtrOffsetForLeaderEpochRequest()
			q.Version = version
			qt := kmsg.NewOffsetForLeaderEpochRequestTopic()
			qt.Topic = topic
			qp := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			qp.CurrentLeaderEpoch, qp.LeaderEpoch = current, epoch
			qt.Partitions = append(qt.Partitions, qp)
			q.Topics = append(q.Topics, qt)
			return b.ask(q).(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]
		}
		for _, c := range []struct {
			epoch, found int32
			end          int64
		}{{1, 1, 2}, {2, 2, 3}, {3, -1, -1}, {-1, -1, -1}} {
			rp := ask("t", -1, c.epoch)
			if rp.ErrorCode != protocol.None || rp.EndOffset != c.end || version >= 1 && rp.LeaderEpoch != c.found {
				t.Errorf("v%d, epoch %d: %+v", version, c.epoch, rp)
			}
		}
		if rp := ask("nowhere", -1, 0); rp.ErrorCode != protocol.UnknownTopicOrPartition || rp.EndOffset != -1 {
			t.Errorf("v%d: %+v", version, rp)
		}
		if rp := ask("t", 1, 0); version >= 2 && rp.ErrorCode != protocol.FencedLeaderEpoch {
			t.Errorf("v%d: %+v", version, rp)
		}
	}
}
