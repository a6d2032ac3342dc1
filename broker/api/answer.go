package api

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
)

// largestKept is the size of the largest buffer that the pool of answers keeps.
const largestKept = 1 << 20

// answer is the memory of one answer: the buffer that it is encoded into, and its chunks.
type answer struct {
	pool   *answerPool
	buf    []byte
	chunks []server.Chunk
	done   func() // gives the answer back; made once, so that no answer allocates a closure
}

// answerPool keeps the memory of answers. The zero value is ready.
type answerPool struct{ pool sync.Pool }

func (p *answerPool) take() *answer {
	if a, ok := p.pool.Get().(*answer); ok {
		return a
	}
	a := &answer{pool: p}
	a.done = a.give
	return a
}

func (a *answer) give() {
	clear(a.chunks)
	a.chunks, a.buf = a.chunks[:0], a.buf[:0]
	if cap(a.buf) > largestKept {
		a.buf = nil
	}
	a.pool.pool.Put(a)
}

// respond encodes a response in the version of the call. A nil response closes the connection.
func (h *Handlers) respond(c *server.Call, r kmsg.Response) server.Response {
	if r == nil {
		return refuse("%s v%d cannot be answered", apiName(c), c.Header.Version).Response
	}
	r.SetVersion(c.Header.Version)
	return h.encode(r)
}

// encode encodes a response in the version that it has.
func (h *Handlers) encode(r kmsg.Response) server.Response {
	a := h.answers.take()
	a.buf = r.AppendTo(a.buf)
	return a.response()
}

// response sends what is encoded.
func (a *answer) response() server.Response {
	a.chunks = append(a.chunks, server.Chunk{Bytes: a.buf})
	return server.Response{Chunks: a.chunks, Done: a.done}
}
