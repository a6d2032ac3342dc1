package api

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
)

func TestProduceInEveryVersionAndFetchItBack(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	for v := int16(3); v <= 11; v++ {
		for _, acks := range []int16{1, -1} {
			r := b.produceOne(v, acks, "t", batch(t, record.BatchOptions{}, "a", "b"))
			want := int64(v-3)*4 + map[int16]int64{1: 0, -1: 2}[acks]
			if r.ErrorCode != 0 || r.BaseOffset != want || r.LogAppendTime != -1 || v >= 5 && r.LogStartOffset != 0 {
				t.Errorf("v%d acks %d: %+v, want offset %d", v, acks, r, want)
			}
		}
	}
	got := values(t, b.fetchOne(12, "t", 0).RecordBatches)
	if len(got) != 9*4 || !slices.Equal(got[:4], []string{"a", "b", "a", "b"}) {
		t.Errorf("fetched %q", got)
	}
}

func TestProduceOfOldConvertsMessageSets(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	for v := int16(0); v <= 2; v++ {
		set, err := record.DownConvert(nil, batch(t, record.BatchOptions{}, "old"), int8(min(v, 1)), 0)
		if err != nil {
			t.Fatal(err)
		}
		if r := b.produceOne(v, 1, "t", set); r.ErrorCode != 0 || r.BaseOffset != int64(v) {
			t.Errorf("v%d: %+v", v, r)
		}
	}
	if got := values(t, b.fetchOne(4, "t", 0).RecordBatches); !slices.Equal(got, []string{"old", "old", "old"}) {
		t.Errorf("fetched %q", got)
	}
}

func TestProduceErrors(t *testing.T) {
	good := batch(t, record.BatchOptions{}, "x")
	bad := slices.Clone(good)
	bad[len(bad)-1] ^= 1
	two := append(slices.Clone(good), good...)
	for name, c := range map[string]struct {
		version, acks int16
		topic         string
		records       []byte
		want          protocol.ErrorCode
	}{
		"no such topic":            {9, 1, "none", good, protocol.UnknownTopicOrPartition},
		"acks":                     {9, 2, "t", good, protocol.InvalidRequiredAcks},
		"internal topic":           {9, 1, "__consumer_offsets", good, protocol.InvalidTopic},
		"corrupt":                  {9, 1, "t", bad, protocol.CorruptMessage},
		"two batches":              {9, 1, "t", two, protocol.InvalidRecord},
		"no records":               {9, 1, "t", nil, protocol.InvalidRecord},
		"zstd before v7":           {6, 1, "t", batch(t, record.BatchOptions{Codec: record.Zstd}, "x"), protocol.UnsupportedCompressionType},
		"led elsewhere":            {9, 1, "elsewhere", good, protocol.NotLeaderOrFollower},
		"too few in sync":          {9, -1, "strict", good, protocol.NotEnoughReplicas},
		"key missing":              {9, 1, "compacted", keyless(t), protocol.InvalidRecord},
		"too large":                {9, 1, "small", batch(t, record.BatchOptions{}, strings.Repeat("x", 2000)), protocol.MessageTooLarge},
		"transactional without id": {9, 1, "t", batch(t, record.BatchOptions{Transactional: true, Producer: &record.Producer{ID: 1}}, "x"), protocol.TransactionalIDAuthorizationFailed},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBroker(t)
			b.overrides["strict"] = map[string]string{"min.insync.replicas": "2"}
			b.overrides["compacted"] = map[string]string{"cleanup.policy": "compact"}
			b.overrides["small"] = map[string]string{"max.message.bytes": "1000"}
			for _, topic := range []string{"t", "__consumer_offsets", "compacted", "small"} {
				b.lead(topic, 1, 1)
			}
			b.apply("strict", 1, 1, []int32{1, 2}, []int32{1})
			b.apply("elsewhere", 1, 2, []int32{2, 1}, []int32{2, 1})
			r := b.produceOne(c.version, c.acks, c.topic, c.records)
			if r.ErrorCode != c.want || r.BaseOffset != -1 {
				t.Errorf("got %s at %d, want %s", protocol.ErrorName(r.ErrorCode), r.BaseOffset, protocol.ErrorName(c.want))
			}
		})
	}
}

func keyless(t *testing.T) []byte {
	n := record.NewBuilder(record.BatchOptions{})
	n.Append(time.Now().UnixMilli(), nil, []byte("x"))
	b, err := n.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestProduceSaysWhichRecordsAreRefused(t *testing.T) {
	b := newBroker(t)
	b.overrides["compacted"] = map[string]string{"cleanup.policy": "compact"}
	b.lead("compacted", 1, 1)
	for v := int16(8); v <= 11; v++ {
		r := b.produceOne(v, 1, "compacted", keyless(t))
		if len(r.ErrorRecords) != 1 || r.ErrorRecords[0].RelativeOffset != 0 || r.ErrorRecords[0].ErrorMessage == nil || r.ErrorMessage == nil {
			t.Errorf("v%d: %+v", v, r)
		}
	}
}

func TestProduceTellsTheNewLeader(t *testing.T) {
	b := newBroker(t)
	b.apply("t", 1, 2, []int32{2, 1}, []int32{2, 1})
	for v := int16(9); v <= 11; v++ {
		r := b.ask(produceRequest(v, 1, "t", map[int32][]byte{0: batch(t, record.BatchOptions{}, "x")})).(*kmsg.ProduceResponse)
		p := r.Topics[0].Partitions[0]
		if p.ErrorCode != protocol.NotLeaderOrFollower {
			t.Fatalf("v%d: %+v", v, p)
		}
		if v < 10 {
			continue
		}
		if p.CurrentLeader.LeaderID != 2 || p.CurrentLeader.LeaderEpoch != b.epoch || len(r.Brokers) != 1 || r.Brokers[0].NodeID != 2 || r.Brokers[0].Port != 9092 {
			t.Errorf("v%d: %+v, brokers %+v", v, p.CurrentLeader, r.Brokers)
		}
	}
}

func TestProduceWithoutAcksIsSilentAndClosesOnError(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	_, r := b.answer(call(produceRequest(9, 0, "t", map[int32][]byte{0: batch(t, record.BatchOptions{}, "x")})))
	if !r.Silent || r.Close {
		t.Errorf("%+v", r)
	}
	_, r = b.answer(call(produceRequest(9, 0, "none", map[int32][]byte{0: batch(t, record.BatchOptions{}, "x")})))
	if !r.Silent || !r.Close || !strings.Contains(r.Reason, "UNKNOWN_TOPIC_OR_PARTITION") {
		t.Errorf("%+v", r)
	}
}

func TestProduceWaitsForFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.lead("t", 1, 1, 2)
		c := call(produceRequest(9, -1, "t", map[int32][]byte{0: batch(t, record.BatchOptions{}, "x")}))
		reply := b.Handle(t.Context(), c)
		if reply.Await == nil {
			t.Fatal("answered before the follower has the record")
		}
		if c.Body != nil {
			t.Error("the frame is held while the call waits")
		}
		answered := make(chan server.Response)
		go func() { answered <- reply.Await(t.Context()) }()
		synctest.Wait()
		b.fetchOne(12, "t", 1, asFollower(2, b.epoch))
		if r := decodeProduce(t, 9, b.collect(<-answered)); r.ErrorCode != 0 || r.BaseOffset != 0 {
			t.Errorf("%+v", r)
		}

		// The next one gets no help and times out; it stays in the log.
		begin := time.Now()
		r := b.produceOne(9, -1, "t", batch(t, record.BatchOptions{}, "y"))
		if r.ErrorCode != protocol.RequestTimedOut || r.BaseOffset != 1 || time.Since(begin) != time.Second {
			t.Errorf("%+v after %s", r, time.Since(begin))
		}

		// A new leader fails the one that waits.
		reply = b.Handle(t.Context(), call(produceRequest(11, -1, "t", map[int32][]byte{0: batch(t, record.BatchOptions{}, "z")})))
		go func() { answered <- reply.Await(t.Context()) }()
		synctest.Wait()
		b.apply("t", 1, 2, []int32{2, 1}, []int32{2, 1})
		if r := decodeProduce(t, 11, b.collect(<-answered)); r.ErrorCode != protocol.NotLeaderOrFollower || r.CurrentLeader.LeaderID != 2 {
			t.Errorf("%+v", r)
		}
	})
}

func decodeProduce(t *testing.T, version int16, b []byte) kmsg.ProduceResponseTopicPartition {
	t.Helper()
	r := kmsg.NewPtrProduceResponse()
	r.Version = version
	if err := r.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	return r.Topics[0].Partitions[0]
}

func asFollower(id, epoch int32) fetchOptions {
	return func(q *kmsg.FetchRequest) {
		q.ReplicaID, q.ReplicaState.ID = id, id
		q.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
	}
}

func TestProduceIsNeverAnsweredWithUnknownServerError(t *testing.T) {
	b := newBroker(t)
	p := b.produces.take(b.Handlers, call(produceRequest(9, 1, "t", nil)))
	if code := p.code("t", 0, errors.New("nobody knows")); code != protocol.KafkaStorageError {
		t.Errorf("code %s", protocol.ErrorName(code))
	}
}

func TestProduceToSeveralPartitionsAnswersEach(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 3, 1)
	q := produceRequest(9, -1, "t", map[int32][]byte{
		0: batch(t, record.BatchOptions{}, "a"), 2: batch(t, record.BatchOptions{}, "c"), 7: batch(t, record.BatchOptions{}, "?"),
	})
	q.Topics = append(q.Topics, produceRequest(9, -1, "none", map[int32][]byte{0: batch(t, record.BatchOptions{}, "a")}).Topics...)
	r := b.ask(q).(*kmsg.ProduceResponse)
	var codes []int16
	for _, topic := range r.Topics {
		for _, p := range topic.Partitions {
			codes = append(codes, p.ErrorCode)
		}
	}
	if !slices.Equal(codes, []int16{0, 0, 3, 3}) || r.Topics[0].Topic != "t" || r.Topics[1].Topic != "none" || r.Topics[0].Partitions[2].Partition != 7 {
		t.Errorf("%+v", r)
	}
}

func TestMalformedProduceClosesTheConnection(t *testing.T) {
	b := newBroker(t)
	c := call(produceRequest(9, 1, "t", map[int32][]byte{0: []byte("records")}))
	c.Body = c.Body[:len(c.Body)-6]
	if _, r := b.answer(c); !r.Close || !r.Silent || !strings.Contains(r.Reason, "malformed Produce v9") {
		t.Errorf("%+v", r)
	}
}
