package storage

import (
	"fmt"

	"github.com/kbroker/kbroker/protocol/record"
)

// Appended tells where an append went.
type Appended struct {
	BaseOffset int64
	LastOffset int64
	// Duplicate is true when the batch is one of the producer's last five: nothing was
	// appended and the offsets are those of the original.
	Duplicate      bool
	AppendTime     int64 // of the original for a duplicate; else as given
	LogStartOffset int64
}

// AppendAsLeader checks the producer state, gives the batch its offsets and the leader
// epoch (patching its bytes) and writes it. With flush.messages reached it returns when
// the batch is durable; it then waits for the disk without holding a lock.
func (l *Log) AppendAsLeader(b record.Checked, leaderEpoch int32, origin Origin) (Appended, error) {
	c := l.Config()
	if int64(len(b.Batch)) > c.SegmentBytes {
		return Appended{}, fmt.Errorf("append %d bytes to %s: %w", len(b.Batch), l.tp, ErrRecordListTooLarge)
	}
	l.mu.Lock()
	appended, err := l.appendBatch(c, b, leaderEpoch, origin)
	l.mu.Unlock()
	if err != nil {
		return Appended{}, err
	}
	if c.FlushMessages > 0 {
		// A duplicate waits too: its original may have been answered with an error.
		if err := l.flushAfter(c, appended.LastOffset+1); err != nil {
			return Appended{}, err
		}
	}
	return appended, nil
}

func (l *Log) appendBatch(c *Config, b record.Checked, leaderEpoch int32, origin Origin) (Appended, error) {
	if err := l.usable(); err != nil {
		return Appended{}, err
	}
	batch := b.Batch
	m, isMarker, err := markerOf(batch)
	if err != nil {
		return Appended{}, err
	}
	if id := batch.ProducerID(); id != record.NoProducerID {
		duplicate, err := l.checkProducer(batch, m, isMarker, origin)
		if err != nil {
			return Appended{}, fmt.Errorf("append to %s: %w", l.tp, err)
		}
		if duplicate != nil {
			return Appended{
				duplicate.firstOffset(), duplicate.lastOffset, true, duplicate.timestamp, l.start.Load(),
			}, nil
		}
	}

	base := l.end.Load()
	batch.SetBaseOffset(base)
	batch.SetPartitionLeaderEpoch(leaderEpoch)
	if err := l.place(c, base, batch.LastOffset(), batch.MaxTimestamp(), len(batch)); err != nil {
		return Appended{}, l.failed("append to", err)
	}
	if leaderEpoch >= 0 {
		l.epochs.assign(leaderEpoch, base)
	}
	s := l.active()
	if err := s.write(batch); err != nil {
		return Appended{}, l.failed("append to", err)
	}
	if err := l.commit(c, s, batch, m, isMarker); err != nil {
		return Appended{}, l.failed("append to", err)
	}
	return Appended{base, batch.LastOffset(), false, b.AppendTime, l.start.Load()}, nil
}

func markerOf(b record.Batch) (record.Marker, bool, error) {
	if !b.IsControl() || b.ProducerID() == record.NoProducerID {
		return record.Marker{}, false, nil
	}
	return b.Marker()
}

// checkProducer applies the rules for idempotent and transactional producers, and finds the original of a
// batch that was sent again.
func (l *Log) checkProducer(b record.Batch, m record.Marker, isMarker bool, origin Origin) (*producerBatch, error) {
	p := l.producers.byID[b.ProducerID()]
	if p == nil {
		return nil, nil
	}
	if isMarker {
		return nil, p.checkMarker(b.ProducerEpoch(), m)
	}
	if b.IsControl() {
		return nil, nil
	}
	if origin == FromClient {
		if duplicate := p.duplicate(b); duplicate != nil {
			return duplicate, nil
		}
	}
	return nil, p.check(b, origin)
}

// place makes the active segment one that size bytes with these offsets fit into, and sees to
// it that the folder can be found again before there is data in it.
func (l *Log) place(c *Config, base, last, timestamp int64, size int) error {
	if l.metaDirty.Load() || l.fresh.Load() {
		if err := l.anchor(); err != nil {
			return err
		}
	}
	roll, err := l.active().shouldRoll(c, int64(size), last, timestamp, nowMillis())
	if err != nil || !roll {
		return err
	}
	return l.roll(base)
}

// commit makes written bytes part of the log: one batch of magic 2, or one legacy entry
// given by noteEntry's caller.
func (l *Log) commit(c *Config, s *segment, b record.Batch, m record.Marker, isMarker bool) error {
	position, size, last := s.size.Load(), int64(len(b)), b.LastOffset()
	if err := s.noteBatch(c, position, size, last, b.MaxTimestamp()); err != nil {
		return err
	}
	if err := l.noteProducer(s, b, m, isMarker); err != nil {
		return err
	}
	l.extend(s, position+size, last+1)
	return s.spillIndexes()
}

// noteProducer brings the producer state up to a batch that was written.
func (l *Log) noteProducer(s *segment, b record.Batch, m record.Marker, isMarker bool) error {
	switch {
	case b.ProducerID() == record.NoProducerID:
	case isMarker:
		if ended, open := l.producers.applyMarker(b, m); open {
			return l.endTxn(s, ended)
		}
	case !b.IsControl():
		l.producers.applyBatch(b, &l.marks)
	}
	return nil
}

// endTxn notes the end of a transaction: in the index before the last stable offset may pass it.
func (l *Log) endTxn(s *segment, t completedTxn) error {
	if t.aborted {
		stable := l.marks.stableAfter(t.producerID, t.last)
		if err := s.aborted.add(s, abortedTxn{t.producerID, t.first, t.last, stable}); err != nil {
			return err
		}
	}
	l.marks.complete(t.first, t.last)
	return nil
}

// extend shows the bytes up to size, and then the offsets up to end, to readers.
func (l *Log) extend(s *segment, size, end int64) {
	s.size.Store(size)
	l.producers.end = end
	l.touched.Store(true)
	l.end.Store(end)
	l.marks.appended(logEnd{end, s.base, size})
	l.dir.written()
}

// AppendAsFollower writes batches fetched from a leader as they are. They must start at
// the log end offset or (after a gap left by the leader's cleaner) beyond it. A last batch
// that is cut short is left out. When an error comes in the middle, what was appended before it stays.
func (l *Log) AppendAsFollower(batches []byte) (Appended, error) {
	c := l.Config()
	l.mu.Lock()
	appended, err := l.appendFetched(c, batches)
	l.mu.Unlock()
	if err == nil && c.FlushMessages > 0 {
		err = l.flushAfter(c, appended.LastOffset+1)
	}
	return appended, err
}

func (l *Log) appendFetched(c *Config, batches []byte) (Appended, error) {
	appended := Appended{BaseOffset: l.end.Load(), LastOffset: l.end.Load() - 1, AppendTime: record.NoTimestamp}
	if err := l.usable(); err != nil {
		return appended, err
	}
	w := fetchedBatches{rest: batches, next: l.end.Load()}
	for first := true; ; first = false {
		run, err := w.run(c.SegmentBytes, l.active().size.Load())
		if err != nil {
			return appended, fmt.Errorf("append to %s: %w", l.tp, err)
		}
		if len(run.entries) == 0 {
			break
		}
		if err := l.appendRun(c, run); err != nil {
			return appended, err
		}
		if first {
			appended.BaseOffset = run.entries[0].base
		}
		appended.LastOffset = l.end.Load() - 1
	}
	appended.LogStartOffset = l.start.Load()
	return appended, nil
}

// appendRun writes consecutive entries that go into one segment.
func (l *Log) appendRun(c *Config, run fetchedRun) error {
	first, last := run.entries[0], run.entries[len(run.entries)-1]
	base := first.base
	if first.magic < 2 {
		base = l.end.Load() // such an entry tells its last offset only
	}
	if err := l.place(c, base, last.last, run.maxTimestamp, len(run.bytes)); err != nil {
		return l.failed("append to", err)
	}
	s := l.active()
	if err := s.write(run.bytes); err != nil {
		return l.failed("append to", err)
	}
	start := s.size.Load()
	for i := range run.entries {
		e := &run.entries[i]
		if err := l.noteFetched(c, s, start, e); err != nil {
			return l.failed("append to", err)
		}
	}
	l.extend(s, start+int64(len(run.bytes)), last.last+1)
	return l.failed("append to", s.spillIndexes())
}

func (l *Log) noteFetched(c *Config, s *segment, start int64, e *fetchedEntry) error {
	if err := s.noteBatch(c, start+e.position, e.size, e.last, e.maxTimestamp); err != nil {
		return err
	}
	if e.magic < 2 {
		l.epochs.clear() // a leader that writes the old formats knows no epochs
		return nil
	}
	if epoch := e.batch.PartitionLeaderEpoch(); epoch >= 0 {
		l.epochs.assign(epoch, e.base)
	}
	m, isMarker, err := markerOf(e.batch)
	if err != nil {
		return err
	}
	return l.noteProducer(s, e.batch, m, isMarker)
}
