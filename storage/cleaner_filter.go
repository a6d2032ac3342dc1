package storage

import (
	"encoding/binary"
	"fmt"

	"github.com/kbroker/kbroker/protocol/record"
)

// lastRecord is what must be kept of an active producer: the batch with its last data, which has its last sequence, or if
// there is none its last marker, which has its epoch (Kafka: LastRecord.java).
type lastRecord struct {
	offset int64 // of the last data, or noOffset
	epoch  int16
}

// batchFilter decides what is kept of the batches of a log, which it sees in order (Kafka: Cleaner.cleanInto and
// MemoryRecords.filterTo).
type batchFilter struct {
	keys *keyMap
	txns txnTracker
	last map[int64]lastRecord // by producer
	// now and horizon are in milliseconds: a tombstone that is first seen now may go at the horizon.
	now, horizon int64
	// legacyDeletes: tombstones of the old formats stay; they cannot carry a horizon, so the segment's age decides.
	legacyDeletes bool

	keep []bool       // by record of the batch at hand
	seen []seenRecord // the same before they were looked for
	done *cleaned
	// out is memory for a batch that is made anew, void when the next one is; a piece for each would keep the garbage collector busy.
	out   *[]byte
	yield *yielder
}

// filtered is what is left of an entry. No bytes: nothing.
type filtered struct {
	bytes        []byte
	last         int64
	maxTimestamp int64
	records      int
	changed      bool
	ended        *abortedTxn // that the entry, which stays, ends
}

// filter looks at an entry. The result may alias it, and is void when the next one is filtered.
func (f *batchFilter) filter(e *scannedEntry) (filtered, error) {
	var kept filtered
	var err error
	switch {
	case e.magic < 2:
		kept, err = f.messages(e)
	case e.batch.IsControl():
		kept, err = f.control(e)
	default:
		kept, err = f.data(e)
	}
	if err == nil && kept.changed {
		err = e.verify() // before anything is lost by it
	}
	if err != nil {
		return filtered{}, fmt.Errorf("%w: batch that ends at offset %d: %w", errUnfit, e.last, err)
	}
	return kept, nil
}

func whole(e *scannedEntry, records int) filtered {
	return filtered{bytes: e.bytes, last: e.last, maxTimestamp: e.batch.MaxTimestamp(), records: records}
}

// isLast tells whether the batch is what must be kept of its producer.
func (f *batchFilter) isLast(b record.Batch) bool {
	if b.ProducerID() == record.NoProducerID {
		return false
	}
	last, active := f.last[b.ProducerID()]
	switch {
	case !active:
		return false
	case last.offset != noOffset:
		return b.LastOffset() == last.offset
	}
	return b.IsControl() && b.ProducerEpoch() == last.epoch
}

// emptied is a batch without its records: nothing, unless its producer needs it.
func (f *batchFilter) emptied(e *scannedEntry) filtered {
	if !f.isLast(e.batch) {
		return filtered{changed: true}
	}
	if e.batch.Count() == 0 {
		return whole(e, 0)
	}
	empty := record.EmptyLike(e.batch)
	return filtered{bytes: empty, last: e.last, maxTimestamp: empty.MaxTimestamp(), changed: true}
}

// control keeps a marker as long as there is data of its transaction, and then for the time of a tombstone.
func (f *batchFilter) control(e *scannedEntry) (filtered, error) {
	b := e.batch
	f.done.recordsRead += int64(b.Count())
	idle, ended, err := f.txns.control(b)
	if err != nil {
		return filtered{}, err
	}
	horizon, marked := b.DeleteHorizon()
	switch {
	case b.Count() == 0, idle && marked && horizon <= f.now:
		return f.emptied(e), nil
	case !idle || marked:
		kept := whole(e, int(b.Count()))
		kept.ended = ended
		return kept, nil
	}
	return f.rebuild(b, true, func(int) bool { return true })
}

// data keeps the records that the map does not make obsolete.
func (f *batchFilter) data(e *scannedEntry) (filtered, error) {
	b := e.batch
	if f.txns.data(b) {
		f.done.recordsRead += int64(b.Count())
		return f.emptied(e), nil
	}
	horizon, marked := b.DeleteHorizon()
	records, kept, tombstones, err := f.choose(e.bytes, !marked || f.now < horizon)
	switch {
	case err != nil:
		return filtered{}, err
	case kept == 0:
		return f.emptied(e), nil
	case kept == records && (tombstones == 0 || marked):
		return whole(e, kept), nil
	}
	return f.rebuild(b, tombstones > 0 && !marked, func(i int) bool { return f.keep[i] })
}

// choose fills keep for the records of an entry, and counts them.
func (f *batchFilter) choose(entry []byte, deletes bool) (records, kept, tombstones int, err error) {
	it, err := record.IterateEntry(entry)
	if err != nil {
		return 0, 0, 0, err
	}
	defer it.Close()
	f.keep, f.seen = f.keep[:0], f.seen[:0]
	for it.Next() {
		r := it.Record()
		f.seen = append(f.seen, f.see(&r, deletes))
		f.yield.worked(recordWork)
	}
	for i := range f.seen {
		f.yield.worked(recordWork)
		s := &f.seen[i]
		keep := s.fate == stays || s.fate == ifNewest && s.offset >= f.keys.get(s.high, s.low)
		f.keep = append(f.keep, keep)
		if keep {
			kept++
			if s.tombstone {
				tombstones++
			}
		}
	}
	f.done.recordsRead += int64(len(f.keep))
	return len(f.keep), kept, tombstones, it.Err()
}

// seenRecord is what matters of a record.
type seenRecord struct {
	high, low uint64
	offset    int64
	fate      fate
	tombstone bool
}

type fate int8

const (
	goes fate = iota
	stays
	ifNewest // it stays if it is the newest of its key
)

// see tells what becomes of a record as far as that does not depend on others.
func (f *batchFilter) see(r *record.Record, deletes bool) seenRecord {
	s := seenRecord{offset: r.Offset, tombstone: r.Value == nil}
	switch {
	case r.Offset > f.keys.latest:
		s.fate = stays
	case r.Key == nil:
		f.done.keyless++
	case r.Value != nil || deletes:
		s.fate = ifNewest
		s.high, s.low = f.keys.hash(r.Key)
	}
	return s
}

// rebuild makes a batch of those records that keep names, at its offsets, and gives it a delete horizon if told to.
func (f *batchFilter) rebuild(b record.Batch, mark bool, keep func(i int) bool) (filtered, error) {
	n := record.NewBuilderLike(b, record.DefaultLevel(b.Codec()))
	n.Into(*f.out)
	if mark {
		n.SetDeleteHorizon(f.horizon)
	}
	it, err := b.Iterate()
	if err == nil {
		defer it.Close()
		for i := 0; it.Next(); i++ {
			if keep(i) {
				r := it.Record()
				n.AppendRecord(r)
				f.yield.worked(len(r.Value))
			}
		}
		err = it.Err()
	}
	built, buildErr := n.Build()
	if err == nil {
		err = buildErr
	}
	if err != nil {
		return filtered{}, err
	}
	*f.out = built
	f.yield.worked(len(built))
	return filtered{bytes: built, last: built.LastOffset(), maxTimestamp: built.MaxTimestamp(), records: n.Count(), changed: true}, nil
}

// messages is data for the formats of old, which stay what they are.
func (f *batchFilter) messages(e *scannedEntry) (filtered, error) {
	records, kept, _, err := f.choose(e.bytes, f.legacyDeletes)
	if err != nil {
		return filtered{}, err
	}
	result := filtered{bytes: e.bytes, maxTimestamp: record.NoTimestamp, records: kept, changed: kept < records}
	switch {
	case kept == 0:
		return filtered{changed: true}, nil
	case kept < records:
		i := -1
		result.bytes, err = record.RetainMessages(e.bytes, func(record.Record) bool { i++; return f.keep[i] })
	}
	if err != nil {
		return filtered{}, err
	}
	result.last = int64(binary.BigEndian.Uint64(result.bytes))
	if e.magic == 1 {
		result.maxTimestamp = int64(binary.BigEndian.Uint64(result.bytes[entryPosTimestamp:]))
	}
	return result, nil
}
