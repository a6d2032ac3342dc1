package replica

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/journal"
	"github.com/kbroker/kbroker/protocol/record"
)

// Load is journal.Journal's. What is appended while it runs, as transaction markers are, is visited too. Checksums are
// checked, which Kafka does not do: offsets of a broken batch could be taken for committed ones.
func (j *Journal) Load(ctx context.Context, partition, leaderEpoch int32, visit func(journal.Entry) error) error {
	p, err := j.manager.Partition(j.options.Topic, partition)
	if err != nil {
		return j.failed("load", partition, err)
	}
	buffer, _ := j.buffers.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	defer j.buffers.Put(buffer)
	l := loading{journal: j, partition: p, leaderEpoch: leaderEpoch, visit: visit, buffer: *buffer}
	defer func() { *buffer = l.buffer }()
	for offset, end := int64(0), false; !end; {
		if ctx.Err() != nil {
			return j.failed("load", partition, context.Cause(ctx))
		}
		if offset, end, err = l.read(offset); l.refused != nil {
			return l.refused
		} else if err != nil {
			return j.failed("load", partition, err)
		}
	}
	return nil
}

// Settled is journal.Journal's.
func (j *Journal) Settled(ctx context.Context, partition, leaderEpoch int32, end int64) error {
	p, err := j.manager.Partition(j.options.Topic, partition)
	if err != nil {
		return j.failed("await replicas of", partition, err)
	}
	return j.failed("await replicas of", partition, p.await(ctx, onHighWatermark|onRole, func() (bool, error) {
		v, err := p.lookSince(leaderEpoch)
		if err != nil {
			return false, err
		}
		return v.log.HighWatermark() >= end || p.isr.maximal() == 1, nil
	}))
}

// loading is one run of Load.
type loading struct {
	journal     *Journal
	partition   *Partition
	leaderEpoch int32
	visit       func(journal.Entry) error
	refused     error  // the visitor's
	buffer      []byte // used again for every read
}

var errRefused = errors.New("the visitor refused an entry")

// read visits the entries from an offset on as far as one buffer reaches, and returns the offset that follows them. end
// is true when there were none.
func (l *loading) read(offset int64) (next int64, end bool, err error) {
	l.partition.mu.Lock()
	v, err := l.partition.lookSince(l.leaderEpoch)
	l.partition.mu.Unlock()
	if err != nil {
		return offset, false, err
	}
	offset = max(offset, v.log.LogStartOffset())
	size := int64(l.journal.options.LoadBufferSize())
	slice, err := v.log.Read(offset, v.log.LogEndOffset(), size, true)
	if err != nil {
		return offset, false, translate(err)
	}
	defer slice.Release()
	if slice.Size == 0 {
		return offset, true, nil
	}
	if slice.Size > size {
		l.journal.log.Warn("batch is larger than the load buffer", zap.Int32("partition", l.partition.index),
			zap.Int64("offset", offset), zap.Int64("size", slice.Size), zap.Int64("buffer", size))
	}
	if int64(cap(l.buffer)) < slice.Size {
		l.buffer = make([]byte, slice.Size)
	}
	b := l.buffer[:slice.Size]
	if n, err := slice.ReadAt(b, 0); n < len(b) {
		return offset, false, fmt.Errorf("%w: read at offset %d: %w", ErrStorage, offset, err)
	}
	if next, err = l.entries(b, offset); err == nil && next == offset {
		err = fmt.Errorf("%w: no batch in %d bytes at offset %d", record.ErrCorrupt, len(b), offset)
	}
	return next, false, err
}

// entries visits the whole batches in b, of which the last may be cut short, from an offset on.
func (l *loading) entries(b []byte, offset int64) (int64, error) {
	for {
		size, magic, err := record.EntrySize(b)
		if err != nil || size == 0 || size > len(b) {
			return offset, err
		}
		last, err := l.batch(b[:size:size], magic, offset)
		if err != nil {
			return offset, err
		}
		b, offset = b[size:], max(offset, last+1)
	}
}

// batch visits the records of an entry of the log and returns its last offset.
func (l *loading) batch(entry []byte, magic int8, from int64) (last int64, err error) {
	last = from - 1
	visited := journal.Entry{}
	control := false
	if magic == 2 {
		batch, _, err := record.Parse(entry)
		if err != nil {
			return last, err
		}
		if !batch.ValidCRC() {
			return last, fmt.Errorf("%w: checksum of batch at offset %d", record.ErrCorrupt, batch.BaseOffset())
		}
		last, control = batch.LastOffset(), batch.IsControl()
		if control || batch.IsTransactional() {
			visited.Producer = &journal.Producer{ID: batch.ProducerID(), Epoch: batch.ProducerEpoch()}
		}
	}
	it, err := record.IterateEntry(entry)
	if err != nil {
		return last, err
	}
	defer it.Close()
	for it.Next() {
		r := it.Record()
		last = max(last, r.Offset)
		if r.Offset < from {
			continue // the log begins inside the batch
		}
		visited.Offset, visited.Key, visited.Value = r.Offset, r.Key, r.Value
		if control {
			if visited.Marker, err = markerOf(r.Key); err != nil {
				return last, err
			}
			if visited.Marker == journal.NoMarker {
				continue // a control record of another kind
			}
		}
		if l.refused = l.visit(visited); l.refused != nil {
			return last, errRefused
		}
	}
	return last, it.Err()
}

func markerOf(key []byte) (journal.Marker, error) {
	switch t, err := record.ParseControlType(key); {
	case err != nil:
		return journal.NoMarker, err
	case t == record.CommitMarker:
		return journal.Commit, nil
	case t == record.AbortMarker:
		return journal.Abort, nil
	default:
		return journal.NoMarker, nil
	}
}
