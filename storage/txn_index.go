package storage

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"slices"
	"sync"
)

const abortedEntrySize = 34

// abortedTxn is an entry of the transaction index (Kafka: AbortedTxn.java).
type abortedTxn struct {
	producerID       int64
	first, last      int64 // offsets of the first record and of the marker
	lastStableOffset int64 // as it was after the marker
}

func (a abortedTxn) put(p []byte) {
	binary.BigEndian.PutUint16(p, 0) // version
	binary.BigEndian.PutUint64(p[2:], uint64(a.producerID))
	binary.BigEndian.PutUint64(p[10:], uint64(a.first))
	binary.BigEndian.PutUint64(p[18:], uint64(a.last))
	binary.BigEndian.PutUint64(p[26:], uint64(a.lastStableOffset))
}

func parseAborted(p []byte) (abortedTxn, error) {
	if version := binary.BigEndian.Uint16(p); version != 0 {
		return abortedTxn{}, fmt.Errorf("transaction index entry has version %d", version)
	}
	return abortedTxn{
		producerID:       int64(binary.BigEndian.Uint64(p[2:])),
		first:            int64(binary.BigEndian.Uint64(p[10:])),
		last:             int64(binary.BigEndian.Uint64(p[18:])),
		lastStableOffset: int64(binary.BigEndian.Uint64(p[26:])),
	}, nil
}

// txnIndex lists the aborted transactions whose marker is in the segment, by marker. Its
// file exists only if there are any (Kafka: TransactionIndex.java).
type txnIndex struct {
	mu sync.Mutex
	// inFile entries are in the file. waiting are those that a full disk kept from it.
	inFile  int
	waiting []abortedTxn
}

func (x *txnIndex) empty() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.inFile == 0 && len(x.waiting) == 0
}

// add notes an aborted transaction. An entry that cannot be written for want of space waits in memory; the
// segment is not sealed before it is written.
func (x *txnIndex) add(s *segment, a abortedTxn) error {
	x.mu.Lock()
	x.waiting = append(x.waiting, a)
	x.mu.Unlock()
	if err := x.spill(s); err != nil && !isDiskFull(err) {
		return err
	}
	return nil
}

// spill writes what waits.
func (x *txnIndex) spill(s *segment) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.waiting) == 0 {
		return nil
	}
	open := s.log.dir.fs.OpenFile
	if x.inFile == 0 {
		open = s.log.dir.fs.Create
		s.log.folderDirty.Store(true)
	}
	file, err := open(s.path(txnSuffix))
	if err != nil {
		return fmt.Errorf("write transaction index: %w", err)
	}
	defer file.Close()
	p := make([]byte, abortedEntrySize*len(x.waiting))
	for i, a := range x.waiting {
		a.put(p[i*abortedEntrySize:])
	}
	if _, err := file.WriteAt(p, int64(x.inFile*abortedEntrySize)); err != nil {
		return fmt.Errorf("write transaction index: %w", err)
	}
	x.inFile += len(x.waiting)
	x.waiting = nil
	return nil
}

// all returns every entry.
func (x *txnIndex) all(s *segment) ([]abortedTxn, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.inFile == 0 {
		return slices.Clone(x.waiting), nil
	}
	entries, err := readAborted(s, x.inFile)
	if err == nil {
		err = s.stillThere()
	}
	return append(entries, x.waiting...), err
}

func readAborted(s *segment, count int) ([]abortedTxn, error) {
	file, err := s.openFile(txnSuffix)
	if err != nil {
		return nil, fmt.Errorf("read transaction index: %w", err)
	}
	defer file.Close()
	p := make([]byte, abortedEntrySize*count)
	if _, err := file.ReadAt(p, 0); err != nil {
		return nil, fmt.Errorf("read transaction index of segment %d: %w", s.base, err)
	}
	entries := make([]abortedTxn, count, count+1)
	for i := range entries {
		if entries[i], err = parseAborted(p[i*abortedEntrySize:]); err != nil {
			return nil, fmt.Errorf("read transaction index of segment %d: %w", s.base, err)
		}
	}
	return entries, nil
}

// truncate drops the transactions whose marker is at offset or above.
func (x *txnIndex) truncate(s *segment, offset int64) error {
	entries, err := x.all(s)
	if err != nil {
		return err
	}
	keep := slices.IndexFunc(entries, func(a abortedTxn) bool { return a.last >= offset })
	if keep < 0 {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if keep >= x.inFile {
		x.waiting = x.waiting[:keep-x.inFile]
		return nil
	}
	if keep == 0 {
		x.inFile, x.waiting = 0, nil
		return x.remove(s)
	}
	file, err := s.log.dir.fs.OpenFile(s.path(txnSuffix))
	if err != nil {
		return fmt.Errorf("truncate transaction index: %w", err)
	}
	defer file.Close()
	if err := file.Truncate(int64(keep * abortedEntrySize)); err != nil {
		return fmt.Errorf("truncate transaction index: %w", err)
	}
	x.inFile, x.waiting = keep, nil
	return nil
}

// remove removes the file. An index without entries has none, so that there is nothing to sync of it
// but the folder.
func (x *txnIndex) remove(s *segment) error {
	s.log.folderDirty.Store(true)
	return removeIfThere(s.log.dir.fs, s.path(txnSuffix))
}

// check tells whether a file of the index can belong to a segment (Kafka: TransactionIndex.sanityCheck)
// and notes its entries.
func (x *txnIndex) check(s *segment, info fs.FileInfo) error {
	count := int(info.Size() / abortedEntrySize)
	entries, err := readAborted(s, count)
	if err != nil {
		return err
	}
	for _, a := range entries {
		if a.last < s.base {
			return fmt.Errorf("transaction index of segment %d has a marker at %d", s.base, a.last)
		}
	}
	x.inFile = count
	return nil
}
