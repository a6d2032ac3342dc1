package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// This file reads the small files beside the segments for people (kbroker log dump): their content is
// given, no log is opened, and what Kafka left of a file that it had not closed is read too.

// OffsetIndexEntry is an entry of an .index file.
type OffsetIndexEntry struct {
	Offset   int64 `json:"offset"`
	Position int64 `json:"position"`
}

// TimeIndexEntry is an entry of a .timeindex file: no record up to Offset is younger than Timestamp, in milliseconds.
type TimeIndexEntry struct {
	Timestamp int64 `json:"timestamp"`
	Offset    int64 `json:"offset"`
}

// AbortedTransaction is an entry of a .txnindex file.
type AbortedTransaction struct {
	ProducerID       int64 `json:"producerId"`
	FirstOffset      int64 `json:"firstOffset"`
	LastOffset       int64 `json:"lastOffset"` // of the marker
	LastStableOffset int64 `json:"lastStableOffset"`
}

// SnapshotProducer is a producer in a .snapshot file. Offsets and sequences are -1 where there are none.
type SnapshotProducer struct {
	ProducerID            int64 `json:"producerId"`
	ProducerEpoch         int16 `json:"producerEpoch"`
	FirstSequence         int32 `json:"firstSequence"`
	LastSequence          int32 `json:"lastSequence"`
	LastOffset            int64 `json:"lastOffset"`
	OffsetDelta           int32 `json:"offsetDelta"`
	LastTimestamp         int64 `json:"lastTimestamp"`
	CoordinatorEpoch      int32 `json:"coordinatorEpoch"`
	CurrentTxnFirstOffset int64 `json:"currentTxnFirstOffset"`
}

// BaseOffsetOf reads the offset that a segment's files are named after.
func BaseOffsetOf(path string) (int64, error) {
	name := filepath.Base(path)
	digits, _, _ := strings.Cut(name, ".")
	base, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || len(digits) != 20 {
		return 0, fmt.Errorf("%s is not named after an offset", name)
	}
	return base, nil
}

// ReadOffsetIndex reads an .index file of a segment.
func ReadOffsetIndex(content []byte, base int64) (entries []OffsetIndexEntry, err error) {
	for len(content) >= offsetEntrySize {
		e := offsetEntry{}.parse(content)
		// Behind the entries of a file that Kafka has not closed there are zeros. No entry is made for the start of a segment.
		if e == (offsetEntry{}) {
			return entries, nil
		}
		entries = append(entries, OffsetIndexEntry{base + int64(e.relative), int64(e.position)})
		content = content[offsetEntrySize:]
	}
	return entries, leftOver(content)
}

// ReadTimeIndex reads a .timeindex file of a segment.
func ReadTimeIndex(content []byte, base int64) (entries []TimeIndexEntry, err error) {
	for len(content) >= timeEntrySize {
		e := timeEntry{}.parse(content)
		if e == (timeEntry{}) {
			return entries, nil
		}
		entries = append(entries, TimeIndexEntry{e.timestamp, base + int64(e.relative)})
		content = content[timeEntrySize:]
	}
	return entries, leftOver(content)
}

// ReadTransactionIndex reads a .txnindex file.
func ReadTransactionIndex(content []byte) (entries []AbortedTransaction, err error) {
	for len(content) >= abortedEntrySize {
		a, err := parseAborted(content)
		if err != nil {
			return entries, err
		}
		entries = append(entries, AbortedTransaction{a.producerID, a.first, a.last, a.lastStableOffset})
		content = content[abortedEntrySize:]
	}
	return entries, leftOver(content)
}

func leftOver(content []byte) error {
	if len(content) > 0 {
		return errors.New("the file ends within an entry")
	}
	return nil
}

// ReadProducerSnapshot reads a .snapshot file.
func ReadProducerSnapshot(content []byte) ([]SnapshotProducer, error) {
	states, err := decodeSnapshot(content)
	if err != nil {
		return nil, err
	}
	producers := make([]SnapshotProducer, len(states))
	for i, p := range states {
		last := producerBatch{lastOffset: -1, lastSequence: -1}
		if kept := p.lastBatch(); kept != nil {
			last = *kept
		}
		producers[i] = SnapshotProducer{
			ProducerID: p.id, ProducerEpoch: p.epoch, FirstSequence: last.firstSequence(), LastSequence: last.lastSequence,
			LastOffset: last.lastOffset, OffsetDelta: last.offsetDelta, LastTimestamp: p.lastTimestamp,
			CoordinatorEpoch: p.coordinatorEpoch, CurrentTxnFirstOffset: p.txnFirst,
		}
	}
	return producers, nil
}
