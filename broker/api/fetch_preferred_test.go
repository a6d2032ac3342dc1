package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/protocol/record"
)

func TestConsumersAreSentToAReplicaInTheirRack(t *testing.T) {
	b := newBroker(t, func(s map[string]config.Setting) {
		s["replica.selector.class"] = config.Setting{Value: config.RackAwareReplicaSelector}
	})
	b.lead("t", 1, 1, 2)
	racks := map[int32]string{1: "a", 2: "b"}
	var u metadata.Update
	for id, rack := range racks {
		u.Brokers = append(u.Brokers, metadata.Broker{ID: id, Rack: &rack, Endpoints: []metadata.Endpoint{{Listener: "PLAINTEXT"}}})
	}
	b.rooms.Metadata.Apply(u)
	b.produceOne(9, 1, "t", batch(t, record.BatchOptions{}, "x", "y"))
	b.fetchOne(11, "t", 2, func(q *kmsg.FetchRequest) { q.ReplicaID = 2 })

	from := func(rack string) fetchOptions { return func(q *kmsg.FetchRequest) { q.Rack = rack } }
	for v := int16(4); v <= 17; v++ {
		p := b.fetchOne(v, "t", 0, from("b"))
		if want := v >= 11; want != (p.PreferredReadReplica == 2) || want != (len(p.RecordBatches) == 0) {
			t.Errorf("v%d: preferred replica %d, %d bytes", v, p.PreferredReadReplica, len(p.RecordBatches))
		}
		if p.ErrorCode != 0 || p.HighWatermark != 2 || p.LastStableOffset != 2 {
			t.Errorf("v%d: %+v", v, p)
		}
		for _, rack := range []string{"a", "c", ""} {
			if p := b.fetchOne(v, "t", 0, from(rack)); p.PreferredReadReplica != -1 || len(p.RecordBatches) == 0 {
				t.Errorf("v%d, rack %q: preferred replica %d, %d bytes", v, rack, p.PreferredReadReplica, len(p.RecordBatches))
			}
		}
	}

	// It is answered at once, and in a session every time, however often it was told.
	q := fetchRequest(17, "t", map[int32]int64{0: 2}, from("b"), func(q *kmsg.FetchRequest) { q.SessionEpoch, q.MaxWaitMillis = 0, 60_000 })
	r := b.ask(q).(*kmsg.FetchResponse)
	for epoch := int32(1); epoch < 3; epoch++ {
		again := fetchRequest(17, "t", nil, from("b"), func(q *kmsg.FetchRequest) { q.SessionID, q.SessionEpoch, q.MaxWaitMillis = r.SessionID, epoch, 60_000 })
		next := b.ask(again).(*kmsg.FetchResponse)
		if len(next.Topics) != 1 || next.Topics[0].Partitions[0].PreferredReadReplica != 2 {
			t.Errorf("in the session: %+v", next)
		}
	}
}
