package server

import (
	"context"
	"slices"
	"sync"
)

// memory bounds the bytes of all frames that are being read or handled. As Kafka's pool (SimpleMemoryPool) it lets a frame
// begin while any of the bound is left, so that the bound may be exceeded by one frame and a frame larger than it is not
// stuck for ever. A frame reserves its whole size at once: frames that have begun never wait for one another. Unlike
// Kafka's it keeps an eighth on top for small frames: heartbeats and fetches are not to wait for giants.
type memory struct {
	mu    sync.Mutex
	bound int64
	used  int64
	small int64 // of used, by small frames
	// Frames that wait to begin, in the order of arrival; small ones go first.
	waitingSmall, waitingLarge []*waiter
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
	line := m.line(size)
	if len(*line) == 0 && m.room(size) {
		m.take(size)
		m.mu.Unlock()
		return nil
	}
	w := &waiter{size: size, admitted: make(chan struct{})}
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

func (m *memory) line(size int64) *[]*waiter {
	if size <= smallFrame {
		return &m.waitingSmall
	}
	return &m.waitingLarge
}

// room tells whether a frame may begin, were it the first in its line.
func (m *memory) room(size int64) bool {
	if m.bound <= 0 || size <= smallFrame && m.small < m.bound/8 {
		return true
	}
	return m.used < m.bound && (size <= smallFrame || len(m.waitingSmall) == 0)
}

func (m *memory) take(size int64) {
	m.used += size
	if size <= smallFrame {
		m.small += size
	}
}

// release gives bytes back and lets those begin whose turn has come.
func (m *memory) release(size int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= size
	if size <= smallFrame {
		m.small -= size
	}
	for _, line := range []*[]*waiter{&m.waitingSmall, &m.waitingLarge} {
		for len(*line) > 0 && m.room((*line)[0].size) {
			w := (*line)[0]
			*line = slices.Delete(*line, 0, 1)
			m.take(w.size)
			close(w.admitted)
		}
	}
}

// inUse returns the bytes that are reserved.
func (m *memory) inUse() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}
