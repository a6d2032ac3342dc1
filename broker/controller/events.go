package controller

import (
	"context"
	"sync"
	"time"
)

// mailboxSize bounds the posted events that wait: calls of clients and answers
// of brokers. Those who post one more wait, which holds back connections and senders.
const mailboxSize = 1024

// event is something that the owner has to do.
type event struct {
	name   string // of the metric; one of a few
	handle func(ctx context.Context) error
	// refuse, when not nil, tells who waits for the event that it will not be
	// handled. It must not wait. It runs on another goroutine than the owner's.
	refuse func()

	mark   mark
	posted time.Time
}

// mark names something that may have changed and is to be read again. While an
// event with this mark waits, another says nothing new.
type mark struct {
	kind   string // empty: not a mark
	topic  string
	number int32 // of a broker or a partition
}

// mailbox is the queue of events in front of the owner. Safe for concurrent use.
type mailbox struct {
	wake  chan struct{} // capacity 1: there may be something to take
	slots chan struct{} // one for each posted event that waits

	mu struct {
		sync.Mutex
		queue  []event
		marked map[mark]bool
	}
}

func newMailbox() *mailbox {
	m := &mailbox{wake: make(chan struct{}, 1), slots: make(chan struct{}, mailboxSize)}
	m.mu.marked = map[mark]bool{}
	return m
}

// post queues an event, waiting for a slot until ctx ends.
func (m *mailbox) post(ctx context.Context, e event) error {
	select {
	case m.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.push(e)
	return nil
}

// change queues an event that has a mark, unless one waits already. It never waits.
func (m *mailbox) change(e event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.marked[e.mark] {
		return
	}
	m.mu.marked[e.mark] = true
	m.push(e)
}

func (m *mailbox) push(e event) {
	e.posted = time.Now()
	m.mu.queue = append(m.mu.queue, e)
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// take removes the first event. Its mark may be set again from now on: what
// changes while the event is handled might be too late for it.
func (m *mailbox) take() (event, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.mu.queue) == 0 {
		m.mu.queue = nil // the memory of a burst
		return event{}, false
	}
	e := m.mu.queue[0]
	m.mu.queue[0] = event{}
	m.mu.queue = m.mu.queue[1:]
	m.forget(e)
	return e, true
}

func (m *mailbox) forget(e event) {
	if e.mark.kind != "" {
		delete(m.mu.marked, e.mark)
	} else {
		<-m.slots
	}
}

// clear drops all that waits and refuses it.
func (m *mailbox) clear() {
	m.mu.Lock()
	dropped := m.mu.queue
	m.mu.queue = nil
	for _, e := range dropped {
		m.forget(e)
	}
	m.mu.Unlock()
	for _, e := range dropped {
		if e.refuse != nil {
			e.refuse()
		}
	}
}

func (m *mailbox) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.mu.queue)
}
