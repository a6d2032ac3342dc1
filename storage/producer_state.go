package storage

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/kbroker/kbroker/protocol/record"
)

// keptBatches is how many batches of a producer are remembered to recognise one that is
// sent again; Java's producer has at most as many in flight.
const keptBatches = 5

// Producer is an active producer as DescribeProducers shows it.
type Producer struct {
	ID                    int64
	Epoch                 int16
	LastSequence          int32
	LastTimestamp         int64
	CoordinatorEpoch      int32
	CurrentTxnFirstOffset int64 // -1 none
}

// Origin says who appends; it decides which producer checks apply.
type Origin int8

// The origins of an append.
const (
	FromClient      Origin = iota
	FromCoordinator        // group and transaction coordinators, and transaction markers
	FromLeader             // a follower's append
)

// producerState is what a log knows of one producer (Kafka: ProducerStateEntry.java).
type producerState struct {
	id               int64
	lastTimestamp    int64
	txnFirst         int64 // first offset of the open transaction, or noOffset
	coordinatorEpoch int32
	epoch            int16
	count            int8 // of batches
	batches          [keptBatches]producerBatch
}

// producerBatch is a batch as a duplicate is recognised by, and answered with.
type producerBatch struct {
	lastOffset   int64
	timestamp    int64
	lastSequence int32
	offsetDelta  int32
}

func (b *producerBatch) firstOffset() int64 { return b.lastOffset - int64(b.offsetDelta) }

func (b *producerBatch) firstSequence() int32 {
	if b.lastSequence == record.NoSequence {
		return record.NoSequence
	}
	return int32((int64(b.lastSequence) - int64(b.offsetDelta)) & math.MaxInt32)
}

func newProducerState(id int64) *producerState {
	return &producerState{
		id: id, epoch: record.NoProducerEpoch, coordinatorEpoch: -1,
		lastTimestamp: record.NoTimestamp, txnFirst: noOffset,
	}
}

func (p *producerState) lastBatch() *producerBatch {
	if p.count == 0 {
		return nil
	}
	return &p.batches[p.count-1]
}

func (p *producerState) lastSequence() int32 {
	if b := p.lastBatch(); b != nil {
		return b.lastSequence
	}
	return record.NoSequence
}

// setEpoch begins a new epoch: its sequences have nothing to do with those before.
func (p *producerState) setEpoch(epoch int16) {
	if p.epoch != epoch {
		p.epoch, p.count = epoch, 0
	}
}

func (p *producerState) addBatch(b producerBatch) {
	if p.count == keptBatches {
		copy(p.batches[:], p.batches[1:])
		p.count--
	}
	p.batches[p.count] = b
	p.count++
}

// duplicate finds the kept batch with exactly the same epoch and sequences.
func (p *producerState) duplicate(b record.Batch) *producerBatch {
	if b.ProducerEpoch() != p.epoch {
		return nil
	}
	first, last := b.BaseSequence(), b.LastSequence()
	for i := range p.batches[:p.count] {
		if kept := &p.batches[i]; kept.lastSequence == last && kept.firstSequence() == first {
			return kept
		}
	}
	return nil
}

// check tells whether the producer may append the batch (Kafka: ProducerAppendInfo.java).
func (p *producerState) check(b record.Batch, origin Origin) error {
	if b.ProducerEpoch() < p.epoch {
		return fmt.Errorf("producer %d, epoch %d: %w (%d)", p.id, b.ProducerEpoch(), ErrInvalidProducerEpoch, p.epoch)
	}
	if origin == FromClient {
		if err := p.checkSequence(b); err != nil {
			return err
		}
	}
	if p.txnFirst != noOffset && !b.IsTransactional() {
		return fmt.Errorf("producer %d: plain batch in a transaction: %w", p.id, ErrInvalidTxnState)
	}
	return nil
}

func (p *producerState) checkSequence(b record.Batch) error {
	first := b.BaseSequence()
	if p.epoch == record.NoProducerEpoch {
		return nil // nothing is known, for instance after retention: any sequence goes
	}
	if b.ProducerEpoch() != p.epoch {
		if first != 0 {
			return fmt.Errorf("producer %d: sequence %d begins epoch %d: %w", p.id, first, b.ProducerEpoch(), ErrOutOfOrderSequence)
		}
		return nil
	}
	last := p.lastSequence()
	if int64(first) == int64(last)+1 || first == 0 && last == math.MaxInt32 {
		return nil
	}
	return fmt.Errorf("producer %d: sequence %d after %d: %w", p.id, first, last, ErrOutOfOrderSequence)
}

// checkMarker tells whether a transaction marker may be appended.
func (p *producerState) checkMarker(epoch int16, m record.Marker) error {
	if epoch < p.epoch {
		return fmt.Errorf("marker of producer %d, epoch %d: %w (%d)", p.id, epoch, ErrInvalidProducerEpoch, p.epoch)
	}
	if m.CoordinatorEpoch < p.coordinatorEpoch {
		return fmt.Errorf("marker of producer %d, coordinator epoch %d: %w (%d)", p.id, m.CoordinatorEpoch, ErrCoordinatorFenced, p.coordinatorEpoch)
	}
	return nil
}

// completedTxn is a transaction that a marker ended.
type completedTxn struct {
	producerID  int64
	first, last int64
	aborted     bool
}

// producerStates are the producers known to a log (Kafka: ProducerStateManager.java). Log.mu guards it.
// The offsets of transactions are in marks.
type producerStates struct {
	byID map[int64]*producerState
	// end is the offset up to which the state reflects the log.
	end int64
	// snapshots are the offsets of the snapshot files, ascending; unsynced those not yet durable.
	snapshots []int64
	unsynced  []int64
}

func (s *producerStates) get(id int64) *producerState {
	p := s.byID[id]
	if p == nil {
		p = newProducerState(id)
		if s.byID == nil {
			s.byID = map[int64]*producerState{}
		}
		s.byID[id] = p
	}
	return p
}

// applyMarker notes a marker that is in the log, in the given control batch. It returns the
// transaction that it ended, if there was one.
func (s *producerStates) applyMarker(b record.Batch, m record.Marker) (completedTxn, bool) {
	p := s.get(b.ProducerID())
	ended := completedTxn{p.id, p.txnFirst, b.BaseOffset(), m.Type == record.AbortMarker}
	p.setEpoch(b.ProducerEpoch())
	p.coordinatorEpoch, p.txnFirst, p.lastTimestamp = m.CoordinatorEpoch, noOffset, b.MaxTimestamp()
	return ended, ended.first != noOffset
}

// applyBatch notes a batch of magic 2 with a producer id that is in the log. Its header is all that is looked at.
func (s *producerStates) applyBatch(b record.Batch, marks *marks) {
	p := s.get(b.ProducerID())
	p.setEpoch(b.ProducerEpoch())
	p.addBatch(producerBatch{b.LastOffset(), b.MaxTimestamp(), b.LastSequence(), b.LastOffsetDelta()})
	p.lastTimestamp = b.MaxTimestamp()
	if b.IsTransactional() && p.txnFirst == noOffset {
		p.txnFirst = b.BaseOffset()
		marks.begin(p.id, p.txnFirst)
	}
}

// expire forgets producers that have not written for long and have no transaction open.
func (s *producerStates) expire(now int64, c *Config) {
	for id, p := range s.byID {
		if p.expired(now, c) {
			delete(s.byID, id)
		}
	}
}

func (p *producerState) expired(now int64, c *Config) bool {
	return c.ProducerExpiry > 0 && p.txnFirst == noOffset && now-p.lastTimestamp >= c.ProducerExpiry.Milliseconds()
}

func (s *producerStates) list() []Producer {
	list := make([]Producer, 0, len(s.byID))
	for _, p := range s.byID {
		list = append(list, Producer{p.id, p.epoch, p.lastSequence(), p.lastTimestamp, p.coordinatorEpoch, p.txnFirst})
	}
	slices.SortFunc(list, func(a, b Producer) int { return cmp.Compare(a.ID, b.ID) })
	return list
}
