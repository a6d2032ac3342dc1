package api

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
)

// Through a real server the frames are pooled, and in race builds spoiled when they are given back: an answer that still
// aliases its request comes out spoiled.
func TestAnswersDoNotAliasFrames(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	conn := b.serve(t)
	ask := func(q kmsg.Request) kmsg.Response {
		t.Helper()
		if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, q, 1)); err != nil {
			t.Fatal(err)
		}
		var pool protocol.Buffers
		frame, err := protocol.ReadFrame(conn, 1<<20, &pool)
		if err != nil {
			t.Fatal(err)
		}
		head := len(protocol.AppendResponseHeader(nil, protocol.RequestHeader{Key: q.Key(), Version: q.GetVersion()}))
		r := q.ResponseKind()
		if err := r.ReadFrom(frame[head:]); err != nil {
			t.Fatal(err)
		}
		return r
	}

	const unknown = "a topic that does not exist"
	q := produceRequest(9, -1, unknown, map[int32][]byte{0: batch(t, record.BatchOptions{}, "x")})
	large := strings.Repeat("z", 100_000)
	for range 3 {
		r := ask(q).(*kmsg.ProduceResponse)
		if r.Topics[0].Topic != unknown || r.Topics[0].Partitions[0].ErrorCode != protocol.UnknownTopicOrPartition {
			t.Errorf("%+v", r)
		}
		ask(produceRequest(9, -1, "t", map[int32][]byte{0: batch(t, record.BatchOptions{}, "y", large)}))
	}
	f := ask(fetchRequest(12, "t", map[int32]int64{0: 0}, inSession(0, 0))).(*kmsg.FetchResponse)
	if got := values(t, f.Topics[0].Partitions[0].RecordBatches); !slices.Equal(got, []string{"y", large, "y", large, "y", large}) {
		t.Errorf("fetched %d values", len(got))
	}
	f = ask(fetchRequest(12, unknown, map[int32]int64{0: 0}, inSession(f.SessionID, 1))).(*kmsg.FetchResponse)
	if len(f.Topics) != 2 || f.Topics[1].Topic != unknown {
		t.Errorf("%+v", f)
	}
}

// serve serves the broker on a listener of its own and dials it.
func (b *broker) serve(t *testing.T) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	s := server.New(server.Options{
		Listeners: []server.Listener{{Name: "PLAINTEXT", Listener: l}}, Handler: b.Handlers,
		Limits: server.DefaultLimits, Registerer: registry, Logger: zap.NewNop(),
	})
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Error(err)
		}
		for _, f := range families {
			if f.GetName() == "kbroker_connection_panics_total" && f.GetMetric()[0].GetCounter().GetValue() != 0 {
				t.Error("a connection panicked")
			}
		}
	})
	return conn
}
