package journal

// Mailbox runs what is posted to it, one after the other, in order. It has a goroutine only while there is
// something to run. The zero value is ready.
type Mailbox struct{}

// Post queues f and returns. Nothing bounds the queue: each caller waits for its own answer.
func (m *Mailbox) Post(f func()) { panic("unwritten") }
