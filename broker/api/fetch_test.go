package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
)

// ask decodes each answer with kmsg and encodes it again, so this also tests the encoder of every version.
func TestFetchInEveryVersion(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 2, 1)
	for range 3 {
		b.produceOne(9, 1, "t", batch(t, record.BatchOptions{}, "a", "b"))
	}
	for v := int16(0); v <= 17; v++ {
		r := b.ask(fetchRequest(v, "t", map[int32]int64{0: 2, 1: 0})).(*kmsg.FetchResponse)
		if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 2 || r.ErrorCode != 0 {
			t.Fatalf("v%d: %+v", v, r)
		}
		if topic := &r.Topics[0]; v < 13 && topic.Topic != "t" || v >= 13 && topic.TopicID != topicID("t") {
			t.Errorf("v%d: topic %q %x", v, topic.Topic, topic.TopicID)
		}
		p, empty := r.Topics[0].Partitions[0], r.Topics[0].Partitions[1]
		if got := values(t, p.RecordBatches); p.ErrorCode != 0 || p.HighWatermark != 6 || !slices.Equal(got, []string{"a", "b", "a", "b"}) {
			t.Errorf("v%d: code %d, high watermark %d, values %q", v, p.ErrorCode, p.HighWatermark, got)
		}
		if v >= 4 && p.LastStableOffset != 6 || v >= 5 && p.LogStartOffset != 0 || v >= 11 && p.PreferredReadReplica != -1 {
			t.Errorf("v%d: %+v", v, p)
		}
		if empty.ErrorCode != 0 || empty.HighWatermark != 0 || empty.RecordBatches == nil || len(empty.RecordBatches) != 0 {
			t.Errorf("v%d: empty partition %+v", v, empty)
		}
	}
}

func TestFetchErrorsInEveryVersion(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	b.lead("t", 1, 1) // epoch 2
	b.apply("elsewhere", 1, 2, []int32{2, 1}, []int32{2, 1})
	for v := int16(0); v <= 17; v++ {
		unknown := protocol.UnknownTopicOrPartition
		if v >= 13 {
			unknown = protocol.UnknownTopicID
		}
		for _, c := range []struct {
			topic  string
			offset int64
			epoch  int32
			want   protocol.ErrorCode
		}{
			{"none", 0, -1, unknown},
			{"t", 1, -1, protocol.OffsetOutOfRange},
			{"t", -5, -1, protocol.OffsetOutOfRange},
			{"t", 0, 1, protocol.FencedLeaderEpoch},
			{"t", 0, 9, protocol.UnknownLeaderEpoch},
			{"elsewhere", 0, -1, protocol.NotLeaderOrFollower},
		} {
			if c.epoch >= 0 && v < 9 || c.topic == "elsewhere" && v >= 11 {
				continue
			}
			p := b.fetchOne(v, c.topic, c.offset, func(q *kmsg.FetchRequest) { q.Topics[0].Partitions[0].CurrentLeaderEpoch = c.epoch })
			if p.ErrorCode != c.want || p.HighWatermark != -1 || p.RecordBatches == nil {
				t.Errorf("v%d %s at %d, epoch %d: %s, %+v", v, c.topic, c.offset, c.epoch, protocol.ErrorName(p.ErrorCode), p)
			}
			if leads := v >= 16 && c.want == protocol.FencedLeaderEpoch; leads != (p.CurrentLeader.LeaderID == 1 && p.CurrentLeader.LeaderEpoch == 2) {
				t.Errorf("v%d: leader %+v", v, p.CurrentLeader)
			}
		}
	}
	for v := int16(16); v <= 17; v++ {
		r := b.ask(fetchRequest(v, "elsewhere", map[int32]int64{0: 0}, func(q *kmsg.FetchRequest) { q.Topics[0].Partitions[0].CurrentLeaderEpoch = 1 })).(*kmsg.FetchResponse)
		if p := r.Topics[0].Partitions[0]; p.CurrentLeader.LeaderID != 2 || len(r.Brokers) != 1 || r.Brokers[0].NodeID != 2 || r.Brokers[0].Host != "host" {
			t.Errorf("v%d: %+v, brokers %+v", v, p, r.Brokers)
		}
	}
}

func TestFetchKeepsTheLimits(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 2, 1)
	one := batch(t, record.BatchOptions{}, strings.Repeat("x", 1000))
	for range 4 {
		b.ask(produceRequest(9, 1, "t", map[int32][]byte{0: one, 1: one}))
	}
	size := int32(len(one))
	for name, c := range map[string]struct {
		version        int16
		partition, all int32
		want           []int32 // bytes of each partition
	}{
		"everything":                     {12, 1 << 20, 1 << 20, []int32{4 * size, 4 * size}},
		"partition limit":                {12, 2 * size, 1 << 20, []int32{2 * size, 2 * size}},
		"cut batch is sent":              {12, 2*size + 5, 1 << 20, []int32{2*size + 5, 2*size + 5}},
		"limit of all":                   {12, 1 << 20, 6 * size, []int32{4 * size, 2 * size}},
		"first batch whatever the limit": {12, 10, 10, []int32{size, 0}},
		"only the first":                 {12, 10, 1 << 20, []int32{size, 0}},
		"no part of a batch alone":       {12, 1 << 20, 4*size + 100, []int32{4 * size, 0}},
	} {
		r := b.ask(fetchRequest(c.version, "t", map[int32]int64{0: 0, 1: 0}, func(q *kmsg.FetchRequest) {
			q.MaxBytes = c.all
			for i := range q.Topics[0].Partitions {
				q.Topics[0].Partitions[i].PartitionMaxBytes = c.partition
			}
		})).(*kmsg.FetchResponse)
		var got []int32
		for _, p := range r.Topics[0].Partitions {
			got = append(got, int32(len(p.RecordBatches)))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %d bytes, want %d", name, got, c.want)
		}
	}
}

func TestFetchDownConvertsUnlessForbidden(t *testing.T) {
	b := newBroker(t)
	b.overrides["forbidden"] = map[string]string{"message.downconversion.enable": "false"}
	b.overrides["zstd"] = map[string]string{"compression.type": "zstd"}
	for _, topic := range []string{"t", "forbidden", "zstd"} {
		b.lead(topic, 1, 1)
		b.produceOne(9, 1, topic, batch(t, record.BatchOptions{Codec: record.Gzip}, "a", "b"))
	}
	for v := int16(0); v <= 10; v++ {
		records := b.fetchOne(v, "t", 0).RecordBatches
		if got := values(t, records); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("v%d: %q", v, got)
		}
		if want := []byte{0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2}[v]; records[16] != want {
			t.Errorf("v%d: magic %d, want %d", v, records[16], want)
		}
		want := protocol.None
		if v < 4 {
			want = protocol.UnsupportedVersion
		}
		if p := b.fetchOne(v, "forbidden", 0); p.ErrorCode != want {
			t.Errorf("v%d: %s where conversion is forbidden", v, protocol.ErrorName(p.ErrorCode))
		}
		want = protocol.None
		if v < 10 {
			want = protocol.UnsupportedCompressionType
		}
		if p := b.fetchOne(v, "zstd", 0); p.ErrorCode != want {
			t.Errorf("v%d: %s for zstd", v, protocol.ErrorName(p.ErrorCode))
		}
	}
}

func TestReadCommittedGetsTheAbortedTransactions(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	transactional := func(sequence int32) []byte {
		return batch(t, record.BatchOptions{Transactional: true, Producer: &record.Producer{ID: 7, Sequence: sequence}}, "x")
	}
	q := produceRequest(9, 1, "t", map[int32][]byte{0: transactional(0)})
	id := "txn"
	q.TransactionID = &id
	if p := b.ask(q).(*kmsg.ProduceResponse).Topics[0].Partitions[0]; p.ErrorCode != 0 {
		t.Fatalf("produce: %s", protocol.ErrorName(p.ErrorCode))
	}
	committed := func(q *kmsg.FetchRequest) { q.IsolationLevel = 1 }
	if p := b.fetchOne(12, "t", 0, committed); len(p.RecordBatches) != 0 || p.HighWatermark != 1 || p.LastStableOffset != 0 || p.AbortedTransactions == nil {
		t.Errorf("open transaction: %+v", p)
	}
	if p := b.fetchOne(12, "t", 0); len(p.RecordBatches) == 0 || p.AbortedTransactions != nil {
		t.Errorf("read_uncommitted: %+v", p)
	}

	marker, err := record.BuildMarker(record.Marker{Type: record.AbortMarker}, 7, 0, time.Now().UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.rooms.Replicas.Partition("t", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.AppendAsLeader(record.Trust(marker), 1, storage.FromCoordinator); err != nil {
		t.Fatal(err)
	}
	for v := int16(4); v <= 17; v++ {
		p := b.fetchOne(v, "t", 0, committed)
		if len(p.AbortedTransactions) != 1 || p.AbortedTransactions[0].ProducerID != 7 || p.AbortedTransactions[0].FirstOffset != 0 || p.LastStableOffset != 2 {
			t.Errorf("v%d: %+v", v, p)
		}
	}
}

func TestFetchWaitsForBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.lead("t", 2, 1)
		wait := func(q *kmsg.FetchRequest) { q.MaxWaitMillis, q.MinBytes = 500, 100 }

		begin := time.Now()
		if p := b.fetchOne(12, "t", 0, wait); p.ErrorCode != 0 || len(p.RecordBatches) != 0 || time.Since(begin) != 500*time.Millisecond {
			t.Errorf("%+v after %s", p, time.Since(begin))
		}

		reply := b.Handle(t.Context(), call(fetchRequest(12, "t", map[int32]int64{0: 0, 1: 0}, wait)))
		answered := make(chan server.Response, 1)
		go func() { answered <- reply.Await(t.Context()) }()
		b.produceOne(9, 1, "t", batch(t, record.BatchOptions{}, "few"))
		synctest.Wait()
		if len(answered) != 0 {
			t.Error("answered with fewer than min bytes")
		}
		begin = time.Now()
		b.produceOne(9, 1, "t", batch(t, record.BatchOptions{}, strings.Repeat("enough", 20)))
		out := b.collect(<-answered)
		if time.Since(begin) != 0 || len(out) < 250 {
			t.Errorf("%d bytes after %s", len(out), time.Since(begin))
		}
		b.noWaiters("t")
	})
}

func TestFetchEndsWithItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.lead("t", 1, 1)
		ctx, cancel := context.WithCancel(t.Context())
		reply := b.Handle(ctx, call(fetchRequest(12, "t", map[int32]int64{0: 0}, func(q *kmsg.FetchRequest) { q.MaxWaitMillis = 1 << 30 })))
		done := make(chan struct{})
		go func() {
			b.collect(reply.Await(ctx))
			close(done)
		}()
		synctest.Wait()
		cancel()
		<-done
		b.noWaiters("t")
	})
}

// noWaiters fetches with a cancelled context and counts allocations of none: the partitions have to be free of waiters, or
// an append would go on waking them.
func (b *broker) noWaiters(topic string) {
	b.t.Helper()
	for _, p := range b.rooms.Replicas.Partitions() {
		if s := fmt.Sprintf("%+v", p); p.Topic() == topic && (!strings.Contains(s, "waiters:[]") || !strings.Contains(s, "watches:[]")) {
			b.t.Errorf("%s-%d still has waiters", topic, p.Index())
		}
	}
}

// Errors, and what the answer has to say at once, do not wait.
func TestFetchAnswersErrorsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.lead("t", 2, 1)
		begin := time.Now()
		b.ask(fetchRequest(12, "t", map[int32]int64{0: 0, 1: 99}, func(q *kmsg.FetchRequest) { q.MaxWaitMillis = 500 }))
		b.ask(fetchRequest(12, "none", map[int32]int64{0: 0}, func(q *kmsg.FetchRequest) { q.MaxWaitMillis = 500 }))
		if d := time.Since(begin); d != 0 {
			t.Errorf("answered after %s", d)
		}
	})
}

func TestFollowerLearnsOfDivergence(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1, 2)
	b.produceOne(9, 1, "t", batch(t, record.BatchOptions{}, "x"))
	b.lead("t", 1, 1, 2)
	for v := int16(12); v <= 17; v++ {
		p := b.fetchOne(v, "t", 5, asFollower(2, b.epoch), func(q *kmsg.FetchRequest) { q.Topics[0].Partitions[0].LastFetchedEpoch = 1 })
		if p.ErrorCode != 0 || p.DivergingEpoch.Epoch != 1 || p.DivergingEpoch.EndOffset != 1 || len(p.RecordBatches) != 0 {
			t.Errorf("v%d: %+v", v, p)
		}
	}
	// A follower reads beyond the high watermark, a consumer does not.
	if p := b.fetchOne(12, "t", 0); len(p.RecordBatches) != 0 || p.HighWatermark != 0 {
		t.Errorf("consumer got %+v", p)
	}
	if p := b.fetchOne(12, "t", 0, asFollower(2, b.epoch)); len(p.RecordBatches) == 0 {
		t.Errorf("follower got %+v", p)
	}
}

func TestFetchOfARecreatedTopicIsInconsistent(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	c := call(fetchRequest(13, "t", map[int32]int64{0: 0}))
	f := b.fetches.take(b.Handlers, c)
	if err := f.request.ReadFrom(c.Body); err != nil {
		t.Fatal(err)
	}
	f.begin()
	f.items[0].key.topicID = topicID("another") // the metadata moved on between two looks
	f.read()
	if f.items[0].code != protocol.InconsistentTopicID {
		t.Errorf("code %s", protocol.ErrorName(f.items[0].code))
	}
}

func TestSmallFetchAllocatesLittle(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	b.produceOne(9, 1, "t", batch(t, record.BatchOptions{}, strings.Repeat("x", 10_000)))
	c := call(fetchRequest(17, "t", map[int32]int64{0: 0}))
	body := c.Body
	allocs := testing.AllocsPerRun(200, func() {
		c.Body = body
		r := b.Handle(t.Context(), c).Response
		for _, chunk := range r.Chunks {
			if chunk.Piece != nil {
				chunk.Piece.Release()
			}
		}
		r.Done()
	})
	// Three without the race detector, of which one is here: the topics of the request. With it pools forget.
	if allocs > 15 {
		t.Errorf("%v allocations", allocs)
	}
}
