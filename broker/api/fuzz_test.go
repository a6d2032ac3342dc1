package api

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
)

// FuzzHandle hands bodies of the data plane's calls to handlers over real logs: whatever comes is answered or closes
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
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		b.t = t
		a, ok := protocol.Lookup(key)
		if !ok || key > protocol.KeyFetch && key != protocol.KeyApiVersions || !a.Supports(version) && key != protocol.KeyApiVersions {
			return
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // a fetch does not wait
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
