package journal

import (
	"fmt"
	"runtime/debug"
	"sync"
)

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
	if m.Queue(f) {
		go m.run()
	}
}

// Queue is Post for a caller who can lend its goroutine: if it returns true, the caller must call Lend, soon and without
// a lock that f takes.
func (m *Mailbox) Queue(f func()) (idle bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = append(m.queue, f)
	idle = !m.running
	m.running = true
	return idle
}

// Lend runs what is queued, and returns when that is done; for what was queued meanwhile there is another goroutine. A
// request to an idle mailbox so costs no switch of goroutines.
func (m *Mailbox) Lend() {
	defer dieOfPanic()
	queue := m.next(nil)
	runAll(queue)
	m.handBack(queue)
}

// Claim is Queue for a caller who has its function ready when it has the mailbox: it returns true if that was idle, and then
// the caller must call LendTo, soon. It returns false if something runs or waits, and has done nothing then.
func (m *Mailbox) Claim() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running {
		return false
	}
	m.running = true
	return true
}

// LendTo runs f, in its turn, after a Claim that returned true. Since f is not queued it costs no memory: what it captures may
// live on the caller's stack.
func (m *Mailbox) LendTo(f func()) {
	defer dieOfPanic()
	f()
	m.handBack(nil)
}

// dieOfPanic is deferred by who runs something on a goroutine that was lent: its owner may survive a panic, as a connection
// does, but what the mailbox guards must not.
func dieOfPanic() {
	if p := recover(); p != nil {
		go panic(fmt.Sprintf("%v\n%s", p, debug.Stack()))
	}
}

// handBack ends a loan, in which the functions of done ran.
func (m *Mailbox) handBack(done []func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(done)
	if len(m.queue) > 0 {
		go m.run()
	} else {
		m.running = false
	}
}

// run runs what is queued, a queue at a time, until nothing is.
func (m *Mailbox) run() {
	for queue := m.next(nil); queue != nil; queue = m.next(queue) {
		runAll(queue)
	}
}

func runAll(queue []func()) {
	for i, f := range queue {
		queue[i] = nil // what f holds is garbage as soon as it has run
		f()
	}
}

// next takes back the queue that has run and returns the next one, or nil when there is none and the goroutine ends.
func (m *Mailbox) next(done []func()) []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(done)
	if len(m.queue) == 0 {
		m.running = false
		return nil
	}
	queue := m.queue
	m.queue, m.spare = m.spare, nil
	return queue
}

// keep keeps the memory of a queue that has run. mu is held.
func (m *Mailbox) keep(done []func()) {
	if cap(done) > 0 && cap(done) <= keepQueued {
		m.spare = done[:0]
	}
}
