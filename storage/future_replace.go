package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/storage/vfs"
)

// SettleFuture makes a copy durable as far as it goes and notes its offsets in the checkpoints of its directory, so that little is
// left to do in Replace, during which appends wait.
func (m *Manager) SettleFuture(tp TopicPartition) error {
	f, found := m.Future(tp)
	if !found {
		return fmt.Errorf("settle the copy of %s: %w", tp, ErrClosed)
	}
	if err := f.Flush(); err != nil {
		return err
	}
	everything := func(TopicPartition) bool { return true }
	for _, c := range []struct {
		checkpoint *offsetCheckpoint
		offset     int64
	}{
		{&f.dir.recoveryPoints, f.recoveryStart()}, {&f.dir.startOffsets, f.LogStartOffset()}, {&f.dir.highWatermarks, f.HighWatermark()},
	} {
		if err := c.checkpoint.set(tp, c.offset, everything); err != nil {
			return f.failed("settle the copy of", err)
		}
	}
	return nil
}

// Replace puts the copy in the place of its log and returns it. The caller keeps everybody from appending to the log and from
// cutting it; who still holds the old Log and reads from it, or advances its start, is served by the new one.
//
// ErrNotCaughtUp: nothing happened. With any other error the log is what it was, and the copy's directory failed or is full.
// When it is the log's own directory that fails, after the copy has its name, the copy is the log.
//
// Each step is durable before the next:
//
//  1. All of the copy, and a file in its folder that says which state of the log it replaces (replacement).
//  2. The copy's folder gets the log's name. From here on there are two folders of one name: a start finds the file and
//     takes the copy, unless the log went on in its own directory after all, because this step failed.
//  3. The log's folder is renamed to be deleted.
//  4. The file goes, unless a directory is offline, in which there may be a yet older folder of that name.
func (m *Manager) Replace(tp TopicPartition) (*Log, error) {
	m.moving.Lock()
	defer m.moving.Unlock()
	l, found := m.Log(tp)
	f, copied := m.Future(tp)
	if !found || !copied {
		return nil, fmt.Errorf("replace %s: %w", tp, ErrClosed)
	}
	f.cleaning.pause()
	defer f.cleaning.resume()
	if err := f.takePlace(l); err != nil {
		return nil, err
	}

	m.mu.Lock()
	m.logs[tp] = f
	delete(m.futures, tp)
	m.counts[l.dir]--
	m.mu.Unlock()
	m.logger.Info("log moved to another directory", zap.String("topic", tp.Topic), zap.Int32("partition", tp.Partition),
		zap.String("from", l.dir.path), zap.String("to", f.dir.path), zap.Int64("log_end_offset", f.LogEndOffset()))
	m.retireReplaced(l, f)
	return f, nil
}

// takePlace is Replace up to where the copy is the log.
func (f *Log) takePlace(l *Log) error {
	l.flusher.begin()
	defer l.flusher.end()
	f.flusher.begin()
	defer f.flusher.end()
	if err := f.inheritID(l); err != nil {
		return err
	}
	if err := f.flush(true); err != nil {
		return err
	}

	// The log's before the copy's: a replaced log asks its successor while its mutex is held.
	l.mu.Lock()
	defer l.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range []*Log{l, f} {
		if err := one.usable(); err != nil {
			return err
		}
	}
	end := l.end.Load()
	if f.end.Load() != end || !f.prefixOf(l) {
		return fmt.Errorf("replace %s, which ends at %d, by what ends at %d: %w", l.tp, end, f.end.Load(), ErrNotCaughtUp)
	}
	f.inheritEpochs(l)
	if err := f.epochs.save(f, true); err != nil {
		return f.failed("replace", err)
	}
	if err := f.takeName(&replacement{end: end, epoch: l.epochs.latest()}); err != nil {
		return f.failed("replace", err)
	}
	f.inherit(l)
	f.future.Store(false)
	l.successor.Store(f)
	l.closed.Store(true)
	return nil
}

// takeName says in the copy's folder what it replaces and renames it, durably.
func (f *Log) takeName(r *replacement) error {
	if err := f.sweep(); err != nil {
		return err
	}
	if err := r.write(f.dir.fs, f.folder()); err != nil {
		return err
	}
	name := filepath.Join(f.dir.path, f.tp.String())
	if err := f.dir.fs.Rename(f.folder(), name); err != nil {
		return fmt.Errorf("rename folder: %w", err)
	}
	if err := f.dir.fs.SyncDir(f.dir.path); err != nil {
		// Which name the folder has is open, so that not even a full disk is to be waited for.
		return fmt.Errorf("sync log directory: %v", err)
	}
	f.path.Store(&name)
	return nil
}

// sweep removes the files that wait to be deleted: they would be waited for under the old name.
func (f *Log) sweep() error {
	entries, err := f.dir.fs.ReadDir(f.folder())
	if err != nil {
		return fmt.Errorf("list folder: %w", err)
	}
	for _, entry := range entries {
		if !entry.IsDir() && strings.HasSuffix(entry.Name(), deletedSuffix) {
			if err := removeIfThere(f.dir.fs, filepath.Join(f.folder(), entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// inheritID gives the copy the topic id when the log learned it later. The flusher's turn is held.
func (f *Log) inheritID(l *Log) error {
	if id := l.TopicID(); id != f.TopicID() && f.TopicID() == [16]byte{} {
		return f.SetTopicID(id)
	}
	return nil
}

// inheritEpochs takes over the leader epochs: the copy knows those of its batches only, and an epoch in which nothing was
// appended, or whose first batches were cleaned away, tells a follower where to cut all the same (KIP-101).
func (f *Log) inheritEpochs(l *Log) {
	l.epochs.mu.RLock()
	entries := slices.Clone(l.epochs.entries)
	l.epochs.mu.RUnlock()
	f.epochs.mu.Lock()
	f.epochs.entries, f.epochs.dirty = entries, true
	f.epochs.mu.Unlock()
	f.epochs.truncateStart(f.start.Load())
}

// inherit takes over what only memory has: producers whose batches retention dropped before they were copied, the transactions that
// are open, the high watermark. Both logs' mutexes are held, and both end at the same offset.
func (f *Log) inherit(l *Log) {
	f.producers.byID, l.producers.byID = l.producers.byID, nil
	f.producers.end = f.end.Load()
	f.touched.Store(true)

	l.marks.mu.Lock()
	ongoing, unreplicated := slices.Clone(l.marks.ongoing), slices.Clone(l.marks.unreplicated)
	l.marks.mu.Unlock()
	f.marks.mu.Lock()
	f.marks.ongoing, f.marks.unreplicated = ongoing, unreplicated
	f.marks.updateUnstable()
	f.marks.mu.Unlock()
	f.marks.setHigh(l.HighWatermark(), &f.start, &f.end)
	f.advanceStart(l.start.Load())
}

// retireReplaced lets go of a log whose place was taken. What fails here fails its directory only.
func (m *Manager) retireReplaced(l, f *Log) {
	path := filepath.Join(l.dir.path, deletedFolderName(l.tp))
	err := l.dir.offline()
	if err == nil {
		if err = l.dir.fs.Rename(l.folder(), path); err == nil {
			m.trash.add(l.dir, l.Config().FileDeleteDelay, path)
			err = l.dir.fs.SyncDir(l.dir.path)
		}
		if err != nil {
			err = l.dir.fail(fmt.Errorf("rename the folder of a log that moved: %w", err))
		}
	}
	l.abandon()
	if err != nil || !m.allOnline() {
		return
	}
	if err := removeIfThere(f.dir.fs, filepath.Join(f.folder(), replacementName)); err != nil {
		m.note(f.failed("forget what was replaced by", err))
	}
}

func (m *Manager) allOnline() bool {
	return !slices.ContainsFunc(m.dirs, func(d *directory) bool { return d.offline() != nil })
}

// replacement is a file in the folder of a copy that took the place of a log: in which state that was. Kafka
// does not know the file, and ignores it.
type replacement struct {
	end   int64 // log end offset
	epoch int32 // the latest, or -1
}

// covers tells whether a log is in the state that was replaced, or behind it, as a crash may have left it. One that went on since was
// not replaced.
func (r *replacement) covers(l *Log) bool {
	return l.LogEndOffset() <= r.end && l.LatestEpoch() <= r.epoch
}

// after tells the later of two replacements in the life of a log.
func (r *replacement) after(other *replacement) bool {
	return r.epoch > other.epoch || r.epoch == other.epoch && r.end > other.end
}

func (r *replacement) write(fsys vfs.FS, folder string) error {
	content := appendCheckpointHeader(nil, 1)
	content = fmt.Appendf(content, "%d %d\n", r.end, r.epoch)
	return replaceFile(fsys, folder, replacementName, content, true)
}

// readReplacement returns nil for a file that cannot be understood.
func readReplacement(fsys vfs.FS, folder string) *replacement {
	content, err := readFile(fsys, filepath.Join(folder, replacementName))
	if err != nil {
		return nil
	}
	r, err := parseReplacement(content)
	if err != nil {
		return nil
	}
	return r
}

func parseReplacement(content []byte) (*replacement, error) {
	lines, err := parseCheckpoint(content)
	if err != nil {
		return nil, err
	}
	if len(lines) != 1 || len(lines[0]) != 2 {
		return nil, errMalformed
	}
	end, err := strconv.ParseInt(lines[0][0], 10, 64)
	epoch, epochErr := strconv.ParseInt(lines[0][1], 10, 32)
	if err := errors.Join(err, epochErr); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return &replacement{end, int32(epoch)}, nil
}
