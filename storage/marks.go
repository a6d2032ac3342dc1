package storage

import (
	"slices"
	"sync"
	"sync/atomic"
)

// marks are the offsets up to which readers may read: the high watermark, and the first
// offset of a transaction that is open or not yet decided below the high watermark
// (Kafka: the ongoing and unreplicated transactions of ProducerStateManager).
//
// They have a mutex of their own, below Log.mu, so that moving the high watermark does not wait for an append.
type marks struct {
	high     atomic.Int64
	unstable atomic.Int64 // noOffset: none
	position highPosition

	mu           sync.Mutex
	ongoing      []txnMark // by first offset
	unreplicated []txnMark // decided, the marker not below the high watermark; by first offset
	recent       *[recentEnds]logEnd
	nextRecent   int
}

// txnMark is a transaction in the log: from its first record to its marker.
type txnMark struct {
	producerID  int64
	first, last int64
}

// logEnd is where the log ended after an append.
type logEnd struct {
	offset   int64
	segment  int64 // its base offset
	position int64
}

// recentEnds is how many appends the high watermark may lag behind while its position is
// still known without looking it up.
const recentEnds = 8

// highPosition tells readers where in its segment the high watermark lies. It is read
// without a lock: a reader who sees the sequence change, or odd, does without.
type highPosition struct {
	sequence                  atomic.Uint32
	offset, segment, position atomic.Int64
}

func (h *highPosition) store(e logEnd) {
	h.sequence.Add(1)
	h.offset.Store(e.offset)
	h.segment.Store(e.segment)
	h.position.Store(e.position)
	h.sequence.Add(1)
}

// find returns the position of an offset in a segment, if it is the one known.
func (h *highPosition) find(offset, segment int64) (int64, bool) {
	before := h.sequence.Load()
	position := h.position.Load()
	known := h.offset.Load() == offset && h.segment.Load() == segment && before != 0
	return position, known && before%2 == 0 && h.sequence.Load() == before
}

// appended notes the end of the log after an append.
func (m *marks) appended(e logEnd) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recent == nil {
		m.recent = new([recentEnds]logEnd)
	}
	m.recent[m.nextRecent%recentEnds] = e
	m.nextRecent++
}

// setHigh moves the high watermark. start and end are loaded under the mutex: a truncation lowers
// end before it takes the mutex, so it cannot be overtaken.
func (m *marks) setHigh(offset int64, start, end *atomic.Int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	offset = min(max(offset, start.Load()), end.Load())
	if offset == m.high.Load() {
		return offset
	}
	m.high.Store(offset)
	if m.recent != nil {
		for _, e := range m.recent {
			if e.offset == offset && offset > 0 {
				m.position.store(e)
				break
			}
		}
	}
	m.settle(offset)
	return offset
}

// settle forgets the decided transactions whose marker is below an offset. mu is held.
func (m *marks) settle(below int64) {
	if len(m.unreplicated) > 0 {
		m.unreplicated = slices.DeleteFunc(m.unreplicated, func(t txnMark) bool { return t.last < below })
	}
	m.updateUnstable()
}

func (m *marks) updateUnstable() {
	unstable := noOffset
	if len(m.ongoing) > 0 {
		unstable = m.ongoing[0].first
	}
	if len(m.unreplicated) > 0 && (unstable == noOffset || m.unreplicated[0].first < unstable) {
		unstable = m.unreplicated[0].first
	}
	m.unstable.Store(unstable)
}

// begin notes a transaction's first record.
func (m *marks) begin(producerID, first int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ongoing = insertTxn(m.ongoing, txnMark{producerID: producerID, first: first, last: noOffset})
	m.updateUnstable()
}

func insertTxn(txns []txnMark, t txnMark) []txnMark {
	i, _ := slices.BinarySearchFunc(txns, t.first, func(t txnMark, first int64) int { return int(min(max(t.first-first, -1), 1)) })
	return slices.Insert(txns, i, t)
}

// stableAfter is the last stable offset, high watermark aside, once the producer's transaction ends with
// a marker at last.
func (m *marks) stableAfter(producerID, last int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.ongoing {
		if t.producerID != producerID {
			return t.first
		}
	}
	return last + 1
}

// complete notes a transaction's marker. The transaction stays undecided until the high watermark passes the marker.
func (m *marks) complete(first, last int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.ongoing, func(t txnMark) bool { return t.first == first })
	if i < 0 {
		return
	}
	t := m.ongoing[i]
	t.last = last
	m.ongoing = slices.Delete(m.ongoing, i, i+1)
	m.unreplicated = insertTxn(m.unreplicated, t)
}

// forgetPosition is called when segments are replaced by others: positions in those mean nothing.
func (m *marks) forgetPosition() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.position.store(logEnd{offset: noOffset})
	m.recent = nil
}

// forget drops what is known of transactions and positions, before they are rebuilt, and
// brings the high watermark into [start, end].
func (m *marks) forget(start, end int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ongoing, m.unreplicated, m.recent = nil, nil, nil
	m.position.store(logEnd{offset: noOffset})
	m.high.Store(min(max(m.high.Load(), start), end))
	m.updateUnstable()
}

// startAdvanced follows the log start offset up.
func (m *marks) startAdvanced(start int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.high.Store(max(m.high.Load(), start))
	m.settle(start)
}
