package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/storage/vfs"
)

// Open locks the directories, checks meta.properties and loads every log, recovering
// those that were not closed cleanly. A directory that fails is offline; Open fails only when none is left, or
// for what needs a person: a directory that is in use, of another broker, or not a broker's.
func Open(o Options) (*Manager, error) {
	m := &Manager{
		o: o, logger: o.Logger.Named("storage"), work: newWorkList(), trash: newTrash(),
		logs: map[TopicPartition]*Log{}, futures: map[TopicPartition]*Log{}, preferred: map[TopicPartition]string{},
		counts: map[*directory]int{},
	}
	if o.Cleaner != nil {
		m.cleaner = &cleaner{m: m, settings: o.Cleaner}
	}
	files := newOpenFiles(o.FS, o.MaxOpenFiles)
	for _, path := range o.Dirs {
		m.dirs = append(m.dirs, m.newDirectory(filepath.Clean(path), files))
	}
	if err := m.open(); err != nil {
		for _, d := range m.dirs {
			for _, l := range m.logsIn(d) {
				l.abandon()
			}
			if d.lock != nil {
				d.lock.Close()
			}
		}
		m.reports.Wait()
		return nil, err
	}
	return m, nil
}

func (m *Manager) newDirectory(path string, files *openFiles) *directory {
	checkpoint := func(name string) offsetCheckpoint {
		return offsetCheckpoint{fs: m.o.FS, folder: path, name: name}
	}
	return &directory{
		path: path, fs: m.o.FS, files: files, work: m.work, trash: m.trash, logger: m.logger, report: m.report,
		recoveryPoints: checkpoint(recoveryPointsName), startOffsets: checkpoint(startOffsetsName),
		highWatermarks: checkpoint(highWatermarksName), cleaner: checkpoint(cleanerName),
	}
}

// report tells the owner of a directory that failed.
func (m *Manager) report(dir string, err error) {
	if m.o.DirFailed != nil {
		m.reports.Go(func() { m.o.DirFailed(dir, err) })
	}
}

func (m *Manager) open() error {
	for _, d := range m.dirs {
		if err := m.lockDirectory(d); err != nil {
			return err
		}
	}
	if err := m.checkMeta(); err != nil {
		return err
	}
	for _, d := range m.dirs {
		if d.offline() != nil {
			continue
		}
		if err := m.loadDirectory(d); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(m.dirs, func(d *directory) bool { return d.offline() == nil }) {
		return fmt.Errorf("open log directories %s: %w: none is left", strings.Join(m.o.Dirs, ", "), ErrOffline)
	}
	m.settleMoves()
	return nil
}

// lockDirectory makes the directory if need be and takes its lock.
func (m *Manager) lockDirectory(d *directory) error {
	if err := makeDurably(d.fs, d.path); err != nil {
		d.fail(fmt.Errorf("make log directory: %w", err))
		return nil
	}
	lock, err := d.fs.Lock(filepath.Join(d.path, lockName))
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EACCES):
		return fmt.Errorf("log directory %s is in use by another broker: %w", d.path, err)
	case err != nil:
		d.fail(fmt.Errorf("lock log directory: %w", err))
	default:
		d.lock = lock
	}
	return nil
}

// makeDurably makes a folder and those above it that are missing.
func makeDurably(fsys vfs.FS, path string) error {
	if _, err := fsys.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeDurably(fsys, parent); err != nil {
			return err
		}
	}
	if err := fsys.MkdirAll(path); err != nil {
		return err
	}
	return fsys.SyncDir(parent)
}

// checkMeta compares meta.properties of the directories with each other and with what
// the broker is, and writes it where it is missing.
func (m *Manager) checkMeta() error {
	agreed := meta{m.o.BrokerID, m.o.ClusterID}
	for _, d := range m.dirs {
		if d.offline() != nil {
			continue
		}
		found, there, err := readMeta(d.fs, d.path)
		if errors.Is(err, errUnreadable) {
			d.fail(err)
			continue
		}
		if err != nil {
			return err
		}
		if agreed, err = agreed.with(found, d.path); err != nil {
			return err
		}
		if there {
			continue
		}
		if err := writeMeta(d.fs, d.path, agreed); err != nil {
			d.fail(err)
		}
	}
	return nil
}

// loadDirectory loads the logs of a directory. Errors of the disk take it offline; others are fatal.
func (m *Manager) loadDirectory(d *directory) error {
	folders, deleted, err := m.scanDirectory(d)
	if foreign := (*foreignFolderError)(nil); errors.As(err, &foreign) {
		return err
	}
	if err != nil {
		d.fail(err)
		return nil
	}
	m.logger.Info("loading logs", zap.String("dir", d.path), zap.Int("logs", len(folders)), zap.Bool("clean", d.clean))
	threads := max(m.o.RecoveryThreads, min(runtime.GOMAXPROCS(0), recoverThreads))
	if d.clean {
		threads = max(threads, cleanLoadThreads)
	}
	buffers := make([][]byte, threads)
	err = inParallel(threads, folders, func(g int, name string) error {
		if d.offline() != nil {
			return nil
		}
		tp, _, _ := parseFolder(name)
		l, err := loadLog(d, name, m.o.ConfigFor(tp.Topic), &buffers[g])
		if err != nil {
			d.fail(err)
			return nil
		}
		return m.addLoaded(l)
	})
	if err != nil {
		return err
	}
	d.loaded = d.offline() == nil
	for _, name := range deleted {
		tp, _, _ := parseFolder(name)
		m.trash.add(d, m.o.ConfigFor(tp.Topic).FileDeleteDelay, filepath.Join(d.path, name))
	}
	return nil
}

// recoverThreads bounds how many cores recover logs when num.recovery.threads.per.data.dir asks for fewer, as its default of 1
// does. A recovery copies every byte from the page cache and sums it up: with one thread all but one core look on.
const recoverThreads = 4

// cleanLoadThreads: loading after a clean stop waits for the disk more than it computes.
const cleanLoadThreads = 8

func (m *Manager) scanDirectory(d *directory) (folders, deleted []string, err error) {
	if folders, deleted, err = d.partitionFolders(); err != nil {
		return nil, nil, err
	}
	if d.clean, err = hasCleanMarker(d); err != nil {
		return nil, nil, err
	}
	return folders, deleted, d.readCheckpoints()
}
