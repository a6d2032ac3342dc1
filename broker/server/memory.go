package server

import (
	"context"
	"sync"
)

// memory bounds the bytes of all frames that are being read or handled. As Kafka's
// pool it lets a frame begin while any of the bound is left, so that it may be exceeded by one frame and a
// frame larger than the bound is not stuck for ever.
type memory struct {
	mu    sync.Mutex
	used  int64
	freed chan struct{} // closed at the next release; nil when nobody waits
}

// reserve waits until size bytes may be allocated. A negative bound is none.
func (m *memory) reserve(ctx context.Context, size, bound int64) error {
	for {
		m.mu.Lock()
		if bound < 0 || m.used < bound {
			m.used += size
			m.mu.Unlock()
			return nil
		}
		if m.freed == nil {
			m.freed = make(chan struct{})
		}
		freed := m.freed
		m.mu.Unlock()

		select {
		case <-freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (m *memory) release(size int64) {
	m.mu.Lock()
	m.used -= size
	if m.freed != nil {
		close(m.freed)
		m.freed = nil
	}
	m.mu.Unlock()
}
