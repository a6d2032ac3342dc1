package storage

import (
	"slices"
	"strconv"
	"sync"
)

// epochStart says from which offset on a leader epoch's records are.
type epochStart struct {
	epoch int32
	start int64
}

// leaderEpochs are the leader epochs in a log, rising in both epoch and offset (KIP-101;
// Kafka: LeaderEpochFileCache.java, file leader-epoch-checkpoint).
//
// The file may lag behind: a recovery finds the epochs of the batches it reads, so it must be written only
// before the recovery point passes a segment. dirty tells that it lags.
type leaderEpochs struct {
	mu      sync.RWMutex
	entries []epochStart
	dirty   bool
}

func (l *leaderEpochs) latest() int32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if n := len(l.entries); n > 0 {
		return l.entries[n-1].epoch
	}
	return -1
}

func (l *leaderEpochs) at(offset int64) int32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	epoch := int32(-1)
	for _, e := range l.entries {
		if e.start > offset {
			break
		}
		epoch = e.epoch
	}
	return epoch
}

// endFor finds where the records of the largest epoch not above the requested one end.
func (l *leaderEpochs) endFor(requested int32, logEnd int64) (epoch int32, end int64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n := len(l.entries)
	if requested < 0 || n == 0 {
		return -1, -1
	}
	if requested == l.entries[n-1].epoch {
		return requested, logEnd
	}
	higher := slices.IndexFunc(l.entries, func(e epochStart) bool { return e.epoch > requested })
	switch {
	case higher < 0:
		return -1, -1
	case higher == 0:
		return requested, l.entries[0].start
	}
	return l.entries[higher-1].epoch, l.entries[higher].start
}

// assign notes an epoch, dropping those that it contradicts.
func (l *leaderEpochs) assign(epoch int32, start int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.entries)
	if n > 0 && l.entries[n-1].epoch == epoch && l.entries[n-1].start <= start {
		return
	}
	for n > 0 && (l.entries[n-1].epoch >= epoch || l.entries[n-1].start >= start) {
		n--
	}
	l.entries = append(l.entries[:n], epochStart{epoch, start})
	l.dirty = true
}

// truncateEnd drops the epochs that start at offset or above, and tells whether there were any. Before anything is appended
// there they must be out of the file, too: a recovery would take them for those of the new records.
func (l *leaderEpochs) truncateEnd(offset int64) (dropped bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.entries)
	for n > 0 && l.entries[n-1].start >= offset {
		n--
	}
	dropped = n < len(l.entries)
	l.dirty = l.dirty || dropped
	l.entries = l.entries[:n]
	return dropped
}

// truncateStart makes the epochs begin at offset: the one that holds it starts there.
func (l *leaderEpochs) truncateStart(offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.entries) && l.entries[n].start <= offset {
		n++
	}
	if n == 0 || n == 1 && l.entries[0].start == offset {
		return
	}
	l.entries = append([]epochStart(nil), l.entries[n-1:]...)
	l.entries[0].start = offset
	l.dirty = true
}

func (l *leaderEpochs) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty = l.dirty || len(l.entries) > 0
	l.entries = nil
}

// load reads the file's content, in which the order may be wrong.
func (l *leaderEpochs) load(content []byte) error {
	lines, err := parseCheckpoint(content)
	if err != nil {
		return err
	}
	for _, line := range lines {
		if len(line) != 2 {
			return errMalformed
		}
		epoch, err := strconv.ParseInt(line[0], 10, 32)
		if err != nil || epoch < 0 {
			return errMalformed
		}
		start, err := strconv.ParseInt(line[1], 10, 64)
		if err != nil || start < 0 {
			return errMalformed
		}
		l.assign(int32(epoch), start)
	}
	l.dirty = false
	return nil
}

// lagging tells whether the file does not have what is known.
func (l *leaderEpochs) lagging() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.dirty
}

// save writes the file if it lags behind, durably or not. Two saves must not run together.
func (l *leaderEpochs) save(log *Log, durable bool) error {
	l.mu.Lock()
	if !l.dirty {
		l.mu.Unlock()
		return nil
	}
	content := appendCheckpointHeader(nil, len(l.entries))
	for _, e := range l.entries {
		content = strconv.AppendInt(content, int64(e.epoch), 10)
		content = append(content, ' ')
		content = strconv.AppendInt(content, e.start, 10)
		content = append(content, '\n')
	}
	l.dirty = false
	l.mu.Unlock()

	if err := replaceFile(log.dir.fs, log.folder(), epochsName, content, durable); err != nil {
		l.mu.Lock()
		l.dirty = true
		l.mu.Unlock()
		return err
	}
	return nil
}
