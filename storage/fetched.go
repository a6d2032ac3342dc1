package storage

import (
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/kbroker/kbroker/protocol/record"
)

// errNotWhole ends a list of batches whose last is cut short.
var errNotWhole = errors.New("batch is not whole")

// fetchedBatches splits the bytes of a fetch answer into runs that are written at once.
type fetchedBatches struct {
	rest []byte
	next int64 // the least offset that the next batch may have
	held *fetchedEntry
}

// fetchedRun is consecutive entries that fit one segment.
type fetchedRun struct {
	bytes        []byte
	entries      []fetchedEntry // positions are relative to bytes
	maxTimestamp int64
}

// fetchedEntry is an entry in memory; batch is all of it.
type fetchedEntry struct{ entry }

// run takes as many batches as fit behind used bytes of a segment or, when not even one does, into a new one.
// A run without entries is the end. A bad batch is an error unless others come before it.
func (f *fetchedBatches) run(segmentBytes, used int64) (fetchedRun, error) {
	r := fetchedRun{bytes: f.rest, maxTimestamp: record.NoTimestamp}
	size := int64(0)
	room := segmentBytes - used
	for {
		e, err := f.peek()
		if err == errNotWhole || err != nil && len(r.entries) > 0 {
			break
		}
		if err != nil {
			return fetchedRun{}, err
		}
		if len(r.entries) == 0 && e.size > room {
			room = max(segmentBytes, e.size)
		}
		if size+e.size > room {
			break
		}
		f.held, f.rest, f.next = nil, f.rest[e.size:], e.last+1
		e.position = size
		size += e.size
		r.maxTimestamp = max(r.maxTimestamp, e.maxTimestamp)
		r.entries = append(r.entries, e)
	}
	r.bytes = r.bytes[:size]
	return r, nil
}

// peek checks the next entry without taking it.
func (f *fetchedBatches) peek() (fetchedEntry, error) {
	if f.held != nil {
		return *f.held, nil
	}
	e, err := parseFetched(f.rest)
	if err != nil {
		return e, err
	}
	if e.base < f.next || e.last < e.base {
		return e, fmt.Errorf("%w: batch has offsets %d to %d, want %d or above", ErrUnexpectedOffset, e.base, e.last, f.next)
	}
	f.held = &e
	return e, nil
}

func parseFetched(b []byte) (fetchedEntry, error) {
	if len(b) < entryMinHeader {
		return fetchedEntry{}, errNotWhole
	}
	size, magic, err := record.EntrySize(b)
	if err != nil {
		return fetchedEntry{}, err
	}
	if size > len(b) {
		return fetchedEntry{}, errNotWhole
	}
	c := cursor{buf: b[:size], have: size, end: int64(size)}
	e, err := c.next()
	if err != nil {
		return fetchedEntry{}, err
	}
	if magic == 2 {
		e.batch = record.Batch(b[:size:size])
	}
	sum := uint32(0)
	if magic == 2 {
		sum = e.batch.ComputeCRC()
	} else {
		sum = crc32.ChecksumIEEE(b[entryPosMagic:size])
	}
	if sum != e.crc {
		return fetchedEntry{}, fmt.Errorf("offset %d: %w", e.base, errBadCRC)
	}
	return fetchedEntry{e}, nil
}
