package api

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
)

// FuzzHandle hands bodies of the calls of producers and consumers to handlers over real logs: whatever comes is answered or closes
// the connection.
func FuzzHandle(f *testing.F) {
	b := newBroker(f)
	b.lead("t", 2, 1)
	add := func(q kmsg.Request) { f.Add(q.Key(), q.GetVersion(), q.AppendTo(nil)) }
	for v := int16(0); v <= 11; v++ {
		add(produceRequest(v, 1, "t", map[int32][]byte{0: batch(f, record.BatchOptions{}, "x")}))
	}
	for v := int16(0); v <= 17; v++ {
		add(fetchRequest(v, "t", map[int32]int64{0: 0, 1: 0}))
		if v >= 7 {
			add(fetchRequest(v, "t", map[int32]int64{0: 0}, inSession(0, 0), forget("t", 1)))
		}
	}
	add(apiVersionsRequest(3))
	b.coordinate()
	for _, v := range versionsOf(f, 11) {
		add(joinOf(v, "g", ""))
	}
	for _, v := range versionsOf(f, 8)[1:] {
		add(commitOf(v))
	}
	for _, q := range []kmsg.Request{
		kmsg.NewPtrOffsetFetchRequest(), kmsg.NewPtrHeartbeatRequest(), kmsg.NewPtrSyncGroupRequest(), kmsg.NewPtrLeaveGroupRequest(),
		kmsg.NewPtrDescribeGroupsRequest(), kmsg.NewPtrListGroupsRequest(), kmsg.NewPtrDeleteGroupsRequest(), kmsg.NewPtrOffsetDeleteRequest(),
		kmsg.NewPtrFindCoordinatorRequest(), kmsg.NewPtrConsumerGroupHeartbeatRequest(), kmsg.NewPtrConsumerGroupDescribeRequest(),
		kmsg.NewPtrListOffsetsRequest(), kmsg.NewPtrMetadataRequest(), kmsg.NewPtrLeaderAndISRRequest(), kmsg.NewPtrStopReplicaRequest(),
		kmsg.NewPtrUpdateMetadataRequest(), kmsg.NewPtrDeleteRecordsRequest(), kmsg.NewPtrOffsetForLeaderEpochRequest(),
		kmsg.NewPtrDescribeLogDirsRequest(), kmsg.NewPtrDescribeProducersRequest(),
	} {
		for _, v := range versionsOf(f, q.Key()) {
			q.SetVersion(v)
			add(q)
		}
	}
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		b.t = t
		a, ok := protocol.Lookup(key)
		if !ok || !fuzzed(key) || !a.Supports(version) && key != protocol.KeyApiVersions {
			return
		}
		if version == 0 && (key == protocol.KeyOffsetCommit || key == protocol.KeyOffsetFetch) {
			return // these ask ZooKeeper
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // neither a fetch nor a join waits
		reply := b.Handle(ctx, &server.Call{
			Conn: &server.Conn{}, Header: protocol.RequestHeader{Key: key, Version: version}, Body: body,
		})
		r := reply.Response
		if reply.Await != nil {
			r = reply.Await(ctx)
		}
		if out := b.collect(r); len(out) == 0 && !r.Silent {
			t.Errorf("empty answer to %s v%d", a.Name, version)
		}
	})
}

// fuzzed tells the APIs that need nothing but logs.
func fuzzed(key int16) bool {
	switch key {
	case 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 21, 23, 35, 42, 47, 61, 68, 69:
		return true
	}
	return key <= protocol.KeyFetch || key == protocol.KeyApiVersions
}
