package replica

import (
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/storage"
)

// Dir and DirLog describe log directories (DescribeLogDirs).
type Dir struct {
	Path          string
	Err           error // why it is offline (wraps ErrStorage), or nil
	Full          bool  // appends are refused for want of space
	Total, Usable uint64
	Logs          []DirLog
}

// DirLog is one log in a directory.
type DirLog struct {
	Topic     string
	Partition int32
	Size      int64
	// OffsetLag is how far the log end lies below the high watermark, of a copy below the log's end; -1 when the partition is
	// not hosted.
	OffsetLag int64
	Future    bool // a copy on its way to another directory
}

// Dirs describes every log directory of log.dirs, failed ones without their logs.
func (m *Manager) Dirs() []Dir {
	found := m.logs.Dirs()
	dirs := make([]Dir, 0, len(found))
	for i := range found {
		from := &found[i]
		d := Dir{Path: from.Path, Full: from.Full, Total: from.Total, Usable: from.Usable}
		if from.Err != nil {
			d.Err = translate(from.Err)
			dirs = append(dirs, d)
			continue
		}
		d.Logs = make([]DirLog, 0, len(from.Logs))
		for _, log := range from.Logs {
			d.Logs = append(d.Logs, m.describe(log))
		}
		dirs = append(dirs, d)
	}
	return dirs
}

func (m *Manager) describe(log *storage.Log) DirLog {
	name := log.TopicPartition()
	lag := int64(-1)
	if p := m.hosted(name); p != nil && !p.offline.Load() {
		lag = max(log.HighWatermark()-log.LogEndOffset(), 0)
		if of, ok := m.logs.Log(name); ok && log.IsFuture() {
			lag = of.LogEndOffset() - log.LogEndOffset()
		}
	}
	return DirLog{Topic: name.Topic, Partition: name.Partition, Size: log.Size(), OffsetLag: lag, Future: log.IsFuture()}
}

// DirFailed takes the partitions of a log directory out of service. storage tells of a failure once, through its
// Options; Run would find it a little later.
func (m *Manager) DirFailed(dir string, err error) {
	m.applyMu.Lock()
	defer m.applyMu.Unlock()
	m.dirFailed(dir, err)
}

// checkDirs finds directories that went offline.
func (m *Manager) checkDirs() {
	for _, d := range m.logs.Dirs() {
		if d.Err != nil {
			m.DirFailed(d.Path, d.Err)
		}
	}
}

// dirFailed is DirFailed with m.applyMu held.
func (m *Manager) dirFailed(dir string, err error) {
	if m.failedDirs[dir] {
		return
	}
	m.failedDirs[dir] = true
	m.abandonMovesTo(dir)
	var inDir []*Partition
	for _, p := range m.Partitions() {
		if p.dir() == dir {
			inDir = append(inDir, p)
		}
	}
	m.endAll(inDir, (*Partition).fail)
	m.log.Error("log directory failed, its partitions are offline", zap.String("dir", dir), zap.Int("partitions", len(inDir)), zap.Error(err))
}

// dir is the log directory that holds the partition's log; empty when it has none.
func (p *Partition) dir() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.log == nil {
		return ""
	}
	return p.log.Dir()
}

// anyDirOffline looks whether a directory failed, when one of the changes needs to know: those that would make a log
// where the controller says that there was one before.
func (m *Manager) anyDirOffline(changes []change) bool {
	for i := range changes {
		s := changes[i].state
		if s.IsNew {
			continue
		}
		if _, ok := m.logs.Log(storage.TopicPartition{Topic: s.Topic, Partition: s.Partition}); ok {
			continue
		}
		for _, d := range m.logs.Dirs() {
			if d.Err != nil {
				return true
			}
		}
		return false
	}
	return false
}
