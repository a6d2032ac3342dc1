package storage

import (
	"fmt"
	"path/filepath"

	"go.uber.org/zap"
)

// addLoaded makes a loaded log findable. Of two folders of one partition the copy that took the place of the other stays; two of which neither
// did are for a person to choose from.
func (m *Manager) addLoaded(l *Log) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	logs := m.logs
	if l.IsFuture() {
		logs = m.futures
	}
	other, found := logs[l.tp]
	if !found {
		logs[l.tp] = l
		m.counts[l.dir]++
		return nil
	}
	stays := other.chosen(l)
	switch {
	case stays != nil:
	case l.IsFuture():
		// Neither is complete; the one that lacks less is gone on with.
		stays = l
		if other.LogEndOffset() > l.LogEndOffset() {
			stays = other
		}
	default:
		return fmt.Errorf("partition %s is in both %s and %s: remove the one that is known to be old", l.tp, other.dir.path, l.dir.path)
	}
	goes := l
	if stays == l {
		goes = other
	}
	m.logger.Warn("partition is in two log directories, as a move from one to the other was interrupted",
		zap.String("topic", l.tp.Topic), zap.Int32("partition", l.tp.Partition), zap.Bool("copy_under_way", l.IsFuture()),
		zap.String("stays", stays.dir.path), zap.String("goes", goes.dir.path))
	logs[l.tp] = stays
	m.counts[stays.dir]++
	if goes == other {
		m.counts[other.dir]--
	}
	m.dropLoaded(goes)
	return nil
}

// chosen tells which of two folders of a partition is the log, by what the copy says of the other one; nil when neither does.
func (l *Log) chosen(other *Log) *Log {
	if l.IsFuture() || l.TopicID() != other.TopicID() {
		return nil
	}
	copied, replaced := l, other
	if l.standsFor == nil || other.standsFor != nil && other.standsFor.after(l.standsFor) {
		copied, replaced = other, l
	}
	switch {
	case copied.standsFor == nil:
		return nil
	case copied.standsFor.covers(replaced):
		return copied
	}
	return replaced // which went on: the copy did not become the log after all
}

// dropLoaded discards what a start does not want, durably. An error has failed its directory.
func (m *Manager) dropLoaded(l *Log) {
	path, err := l.delete()
	if err != nil {
		return
	}
	m.trash.add(l.dir, l.Config().FileDeleteDelay, path)
	if err := l.dir.fs.SyncDir(l.dir.path); err != nil {
		l.dir.fail(fmt.Errorf("sync log directory: %w", err))
	}
}

// settleMoves brings the copies that were found together with their logs, and ends the moves that only had to be forgotten.
func (m *Manager) settleMoves() {
	for tp, f := range m.futures {
		l, found := m.logs[tp]
		if !found || f.dir.offline() != nil || l.dir.offline() != nil {
			continue
		}
		if l.dir == f.dir {
			delete(m.futures, tp)
			m.counts[f.dir]--
			m.dropLoaded(f)
			continue
		}
		l.hold(f)
		if err := m.beginAnewUnlessSame(l, f); err != nil {
			continue // which has failed the directory
		}
		f.logger().Info("copy of log found", zap.String("from", l.dir.path), zap.String("to", f.dir.path),
			zap.Int64("log_end_offset", f.LogEndOffset()), zap.Int64("of", l.LogEndOffset()))
	}
	if !m.allOnline() {
		return
	}
	for _, l := range m.logs {
		if l.standsFor == nil {
			continue
		}
		l.standsFor = nil
		if err := removeIfThere(l.dir.fs, filepath.Join(l.folder(), replacementName)); err != nil {
			m.note(l.failed("forget what was replaced by", err))
		}
	}
}
