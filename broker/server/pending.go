package server

import (
	"context"
	"time"
)

// pending is a call that was handled and is not answered yet.
type pending struct {
	call     *Call
	response Response
	await    func(context.Context) Response
}

// queue holds pending calls, oldest first. The zero value is an empty one.
type queue struct {
	calls []pending
	head  int // of calls are answered already
}

func (q *queue) len() int { return len(q.calls) - q.head }

func (q *queue) push(p pending) {
	if q.head > len(q.calls)/2 { // a queue that is never empty must not grow
		n := copy(q.calls, q.calls[q.head:])
		clear(q.calls[n:])
		q.calls, q.head = q.calls[:n], 0
	}
	q.calls = append(q.calls, p)
}

func (q *queue) first() pending { return q.calls[q.head] }

func (q *queue) pop() {
	q.calls[q.head] = pending{}
	if q.head++; q.head == len(q.calls) {
		q.calls, q.head = q.calls[:0], 0
	}
}

// awaitTurn waits until the call may be handled: when everything before it is
// answered or, if it and all of those may be pipelined, when there is room. It reports false when the
// connection is to end instead.
func (c *conn) awaitTurn(call *Call, pipelines bool) bool {
	c.mu.Lock()
	for !c.broken && c.pending.len() > 0 {
		limits := c.server.limits()
		if pipelines && c.pipelined && c.pending.len() < limits.MaxPending && c.bytes+call.size <= limits.MaxPendingBytes {
			break
		}
		c.changed.Wait()
	}
	broken, muted := c.broken, c.mutedUntil
	c.mutedUntil = time.Time{}
	c.mu.Unlock()
	if broken {
		return false
	}
	if muted.IsZero() {
		return true
	}
	return c.sitOut(time.Until(muted))
}

// sitOut waits while the connection is muted.
func (c *conn) sitOut(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	case <-c.server.stop:
		return false
	}
}

// enqueue hands the call over to the answering goroutine, which it starts when there is none. It
// reports false when the answer is ready and nothing is queued before it: then the caller sends it.
func (c *conn) enqueue(call *Call, r *Reply, pipelines bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Await == nil && c.pending.len() == 0 {
		return false
	}
	c.pipelined = pipelines && (c.pipelined || c.pending.len() == 0)
	c.pending.push(pending{call: call, response: r.Response, await: r.Await})
	c.bytes += call.size
	if !c.answering {
		c.answering = true
		go c.answer() // end waits for it
	}
	return true
}

// answer sends the replies in the order of the queue and ends when it is empty.
func (c *conn) answer() {
	for {
		c.mu.Lock()
		if c.pending.len() == 0 {
			c.answering = false
			c.changed.Broadcast()
			c.mu.Unlock()
			return
		}
		p := c.pending.first()
		c.mu.Unlock()

		size := p.call.size
		c.answerOne(&p)

		// Only now is the call off the queue: until then it counts as unanswered.
		c.mu.Lock()
		c.pending.pop()
		c.bytes -= size
		c.changed.Broadcast()
		c.mu.Unlock()
	}
}

func (c *conn) answerOne(p *pending) {
	defer c.server.recycle(p.call)
	defer c.recover(&p.call.Header)
	if p.await != nil {
		c.setAwaiting(true)
		p.response = p.await(c.ctx)
		c.setAwaiting(false)
		c.activity.Add(1)
	}
	c.send(p.call, &p.response)
}

func (c *conn) setAwaiting(on bool) {
	c.mu.Lock()
	c.awaiting = on
	c.mu.Unlock()
}
