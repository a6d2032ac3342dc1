package api

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol/record"
)

func BenchmarkFetch(b *testing.B) {
	x := newBroker(b)
	x.lead("t", 1, 1)
	x.produceOne(9, 1, "t", batch(b, record.BatchOptions{}, strings.Repeat("x", 10_000)))
	repeat(b, x, fetchRequest(17, "t", map[int32]int64{0: 0}))
}

func BenchmarkProduce(b *testing.B) {
	x := newBroker(b)
	x.lead("t", 1, 1)
	repeat(b, x, produceRequest(9, -1, "t", map[int32][]byte{0: batch(b, record.BatchOptions{}, strings.Repeat("x", 1000))}))
}

// repeat handles the same call again and again.
func repeat(b *testing.B, x *broker, q kmsg.Request) {
	c := call(q)
	body := append([]byte(nil), c.Body...)
	b.ReportAllocs()
	for b.Loop() {
		c.Body = append(c.Body[:0], body...)
		frame := c.Body
		release(x.Handle(b.Context(), c).Response)
		c.Body = frame
	}
}

func release(r server.Response) {
	for _, c := range r.Chunks {
		if c.Piece != nil {
			c.Piece.Release()
		}
	}
	r.Done()
}
