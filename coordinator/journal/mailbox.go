package journal

import "sync"

// keepQueued is the largest queue whose memory an idle Mailbox keeps: most have one or two calls waiting, and a burst on
// one of many thousand groups must not hold its memory for ever.
const keepQueued = 64

// Mailbox runs the functions that are posted to it one after the other, in the order of the calls of Post. It has a
// goroutine only while there is something to run, so that an idle one costs nothing and needs no end. The zero value is
// ready; a Mailbox must not be copied.
type Mailbox struct {
	mu      sync.Mutex
	queue   []func()
	spare   []func() // the queue that ran before, empty, to be used again
	running bool
}

// Post queues f and returns. Nothing bounds the queue: each caller waits for its own answer before it posts again. It
// may be called from many goroutines, and from a function that the mailbox runs. What was done before Post is seen by f,
// and what an earlier f did by a later one.
func (m *Mailbox) Post(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = append(m.queue, f)
	if !m.running {
		m.running = true
		go m.run()
	}
}

// run runs what is queued, a queue at a time, until nothing is.
func (m *Mailbox) run() {
	for queue := m.next(nil); queue != nil; queue = m.next(queue) {
		for i, f := range queue {
			queue[i] = nil // what f holds is garbage as soon as it has run
			f()
		}
	}
}

// next takes back the queue that has run and returns the next one, or nil when there is none and the goroutine ends.
func (m *Mailbox) next(done []func()) []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if cap(done) > 0 && cap(done) <= keepQueued {
		m.spare = done[:0]
	}
	if len(m.queue) == 0 {
		m.running = false
		return nil
	}
	queue := m.queue
	m.queue, m.spare = m.spare, nil
	return queue
}
