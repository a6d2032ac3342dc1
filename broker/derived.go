package broker

import "sync/atomic"

// derived keeps what was made of a value that is replaced rather than changed, until it is another one: what is asked for with
// every request is then two loads away. The zero value is ready; it is safe for concurrent use, and keeps the value that it
// made its own of.
type derived[From, To any] struct {
	latest atomic.Pointer[derivation[From, To]]
}

type derivation[From, To any] struct {
	from *From
	to   To
}

// of returns what is derived of from, which derive makes if the last call was about another value. It is shared: nobody
// may change it.
func (d *derived[From, To]) of(from *From, derive func(*From) To) *To {
	last := d.latest.Load()
	if last == nil || last.from != from {
		last = &derivation[From, To]{from: from, to: derive(from)}
		d.latest.Store(last)
	}
	return &last.to
}
