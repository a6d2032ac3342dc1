package storage

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"go.uber.org/zap"
)

// A snapshot of the producers (Kafka: ProducerStateManager.java): version i16, CRC-32C u32 of what follows,
// count i32, then per producer the fields of snapshotEntry's offsets.
const (
	snapshotVersion   = 1
	snapshotHeader    = 2 + 4 + 4
	snapshotCRCFrom   = 6
	snapshotEntrySize = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8
)

var errCorruptSnapshot = errors.New("corrupt producer snapshot")

// encodeSnapshot writes the producers by id. Of a producer's batches only the last is kept.
func encodeSnapshot(producers map[int64]*producerState) []byte {
	b := make([]byte, snapshotHeader, snapshotHeader+len(producers)*snapshotEntrySize)
	binary.BigEndian.PutUint16(b, snapshotVersion)
	binary.BigEndian.PutUint32(b[6:], uint32(len(producers)))
	for _, id := range slices.Sorted(maps.Keys(producers)) {
		p := producers[id]
		last := producerBatch{lastOffset: -1, lastSequence: -1}
		if kept := p.lastBatch(); kept != nil {
			last = *kept
		}
		b = binary.BigEndian.AppendUint64(b, uint64(p.id))
		b = binary.BigEndian.AppendUint16(b, uint16(p.epoch))
		b = binary.BigEndian.AppendUint32(b, uint32(last.lastSequence))
		b = binary.BigEndian.AppendUint64(b, uint64(last.lastOffset))
		b = binary.BigEndian.AppendUint32(b, uint32(last.offsetDelta))
		b = binary.BigEndian.AppendUint64(b, uint64(p.lastTimestamp))
		b = binary.BigEndian.AppendUint32(b, uint32(p.coordinatorEpoch))
		b = binary.BigEndian.AppendUint64(b, uint64(p.txnFirst))
	}
	binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[snapshotCRCFrom:], castagnoli))
	return b
}

// decodeSnapshot reads what encodeSnapshot or Kafka wrote; the error wraps errCorruptSnapshot.
func decodeSnapshot(b []byte) ([]*producerState, error) {
	if len(b) < snapshotHeader {
		return nil, fmt.Errorf("%w: %d bytes", errCorruptSnapshot, len(b))
	}
	if version := binary.BigEndian.Uint16(b); version != snapshotVersion {
		return nil, fmt.Errorf("%w: version %d", errCorruptSnapshot, version)
	}
	if crc32.Checksum(b[snapshotCRCFrom:], castagnoli) != binary.BigEndian.Uint32(b[2:]) {
		return nil, fmt.Errorf("%w: checksum does not hold", errCorruptSnapshot)
	}
	count, b := int64(int32(binary.BigEndian.Uint32(b[6:]))), b[snapshotHeader:]
	if count < 0 || count*snapshotEntrySize > int64(len(b)) {
		return nil, fmt.Errorf("%w: %d producers in %d bytes", errCorruptSnapshot, count, len(b))
	}
	producers := make([]*producerState, count)
	for i := range producers {
		producers[i] = decodeProducer(b[i*snapshotEntrySize:])
	}
	return producers, nil
}

func decodeProducer(b []byte) *producerState {
	p := &producerState{
		id:               int64(binary.BigEndian.Uint64(b)),
		epoch:            int16(binary.BigEndian.Uint16(b[8:])),
		lastTimestamp:    int64(binary.BigEndian.Uint64(b[26:])),
		coordinatorEpoch: int32(binary.BigEndian.Uint32(b[34:])),
		txnFirst:         max(int64(binary.BigEndian.Uint64(b[38:])), noOffset),
	}
	last := producerBatch{
		lastSequence: int32(binary.BigEndian.Uint32(b[10:])),
		lastOffset:   int64(binary.BigEndian.Uint64(b[14:])),
		offsetDelta:  int32(binary.BigEndian.Uint32(b[22:])),
		timestamp:    p.lastTimestamp,
	}
	if last.lastOffset >= 0 {
		p.addBatch(last)
	}
	return p
}

func (l *Log) snapshotPath(offset int64) string {
	return filepath.Join(l.folder(), segmentName(offset, snapshotSuffix))
}

// snapshotProducers writes a snapshot at the end of the state unless there is one. It is not synced;
// flushing does that. mu is held.
func (l *Log) snapshotProducers() error {
	s := &l.producers
	if n := len(s.snapshots); s.end == 0 || n > 0 && s.snapshots[n-1] >= s.end {
		return nil
	}
	file, err := l.dir.fs.Create(l.snapshotPath(s.end))
	if err != nil {
		return fmt.Errorf("create producer snapshot: %w", err)
	}
	defer file.Close()
	if _, err := file.WriteAt(encodeSnapshot(s.byID), 0); err != nil {
		l.dir.fs.Remove(l.snapshotPath(s.end)) // a torn one would be recognised, none is better
		return fmt.Errorf("write producer snapshot: %w", err)
	}
	l.folderDirty.Store(true)
	s.snapshots = append(s.snapshots, s.end)
	s.unsynced = append(s.unsynced, s.end)
	return nil
}

// loadSnapshot starts the state from the newest sound snapshot at or below limit, dropping
// corrupt ones, or from nothing at the log start offset. found tells whether there was one.
func (l *Log) loadSnapshot(limit int64) (found bool, err error) {
	s := &l.producers
	s.byID, s.end = nil, l.start.Load()
	for i := len(s.snapshots) - 1; i >= 0; i-- {
		offset := s.snapshots[i]
		if offset > limit {
			continue
		}
		content, err := readFile(l.dir.fs, l.snapshotPath(offset))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("read producer snapshot: %w", err)
		}
		producers, err := decodeSnapshot(content)
		if err != nil {
			l.logger().Warn("producer snapshot dropped", zap.Int64("offset", offset), zap.Error(err))
			if err := l.removeSnapshot(offset); err != nil {
				return false, err
			}
			continue
		}
		now, c := nowMillis(), l.Config()
		for _, p := range producers {
			if p.expired(now, c) {
				continue
			}
			*s.get(p.id) = *p
			if p.txnFirst != noOffset {
				l.marks.begin(p.id, p.txnFirst)
			}
		}
		s.end = offset
		return true, nil
	}
	return false, nil
}

// removeSnapshot removes a snapshot's file and what is known of it.
func (l *Log) removeSnapshot(offset int64) error {
	s := &l.producers
	s.snapshots = slices.DeleteFunc(s.snapshots, func(o int64) bool { return o == offset })
	s.unsynced = slices.DeleteFunc(s.unsynced, func(o int64) bool { return o == offset })
	err := l.dir.fs.Remove(l.snapshotPath(offset))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove producer snapshot: %w", err)
	}
	l.folderDirty.Store(true)
	return nil
}

// addSnapshot notes a snapshot that is there.
func (s *producerStates) addSnapshot(offset int64) {
	i, found := slices.BinarySearchFunc(s.snapshots, offset, cmp.Compare[int64])
	if !found {
		s.snapshots = slices.Insert(s.snapshots, i, offset)
	}
}
