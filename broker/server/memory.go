package server

import (
	"context"
	"slices"
	"sync"
)

// memory bounds the bytes of all frames that are being read or handled. As Kafka's pool (SimpleMemoryPool) it lets a frame
// begin while any of the bound is left, so that the bound may be exceeded by one frame and a frame larger than it is not
// stuck for ever. A frame reserves its whole size at once: frames that have begun never wait for one another.
type memory struct {
	mu    sync.Mutex
	bound int64
	used  int64
	// Frames that wait to begin, in the order of arrival. Small ones go first: a heartbeat is not
	// to wait for every giant that came before it.
	small, large []*waiter
}

// smallFrame is the size in bytes up to which a frame is a small one.
const smallFrame = 64 << 10

// waiter is a frame that waits to begin.
type waiter struct {
	size     int64
	admitted chan struct{} // closed once size is counted as used
}

// reserve waits until size bytes may be allocated. A bound of 0 or less is none.
func (m *memory) reserve(ctx context.Context, size, bound int64) error {
	m.mu.Lock()
	m.bound = bound
	if m.begins(size) {
		m.used += size
		m.mu.Unlock()
		return nil
	}
	w := &waiter{size: size, admitted: make(chan struct{})}
	line := m.line(size)
	*line = append(*line, w)
	m.mu.Unlock()

	select {
	case <-w.admitted:
		return nil
	case <-ctx.Done():
	}
	m.mu.Lock()
	i := slices.Index(*line, w)
	if i >= 0 {
		*line = slices.Delete(*line, i, i+1)
	}
	m.mu.Unlock()
	if i < 0 { // admitted meanwhile
		m.release(size)
	}
	return context.Cause(ctx)
}

// begins tells whether a frame may begin at once: when there is room, and nobody has waited longer.
func (m *memory) begins(size int64) bool {
	return m.room() && len(m.small) == 0 && (size <= smallFrame || len(m.large) == 0)
}

func (m *memory) room() bool { return m.bound <= 0 || m.used < m.bound }

func (m *memory) line(size int64) *[]*waiter {
	if size <= smallFrame {
		return &m.small
	}
	return &m.large
}

// release gives bytes back and lets those begin whose turn has come.
func (m *memory) release(size int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= size
	for m.room() {
		line := &m.small
		if len(*line) == 0 {
			line = &m.large
		}
		if len(*line) == 0 {
			return
		}
		w := (*line)[0]
		*line = slices.Delete(*line, 0, 1)
		m.used += w.size
		close(w.admitted)
	}
}

// inUse returns the bytes that are reserved.
func (m *memory) inUse() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}
