package storage

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/storage/vfs"
)

// directory is one entry of log.dirs: its lock, its checkpoints, and whether it works. It is shared by
// the logs in it.
type directory struct {
	path   string
	fs     vfs.FS
	files  *openFiles
	work   *workList
	trash  *trash
	logger *zap.Logger
	// report is told once, when the directory goes offline.
	report func(dir string, err error)

	failure atomic.Pointer[error]
	full    atomic.Bool // the last write found no space
	lock    io.Closer
	// namesDirty: a folder was renamed to be deleted, and that may not be durable.
	namesDirty atomic.Bool
	// clean: the last stop left its marker; loaded: every log is open, so that a marker may be left again.
	clean, loaded bool

	recoveryPoints offsetCheckpoint
	startOffsets   offsetCheckpoint
	highWatermarks offsetCheckpoint
	cleaner        offsetCheckpoint
}

func (d *directory) checkpoints() []*offsetCheckpoint {
	return []*offsetCheckpoint{&d.recoveryPoints, &d.startOffsets, &d.highWatermarks, &d.cleaner}
}

// offline returns why the directory is not to be used, or nil.
func (d *directory) offline() error {
	if err := d.failure.Load(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrOffline, d.path, *err)
	}
	return nil
}

// fail takes the directory offline and returns the error for the operation that found out.
func (d *directory) fail(err error) error {
	if d.failure.CompareAndSwap(nil, &err) {
		d.logger.Error("log directory failed and is offline", zap.String("dir", d.path), zap.Error(err))
		d.report(d.path, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrOffline, d.path, err)
}

// filled notes that a write found no space, and says so once.
func (d *directory) filled(err error) {
	if d.full.CompareAndSwap(false, true) {
		d.logger.Error("log directory is full: produce is refused, all else is served, until there is space; "+
			"lower retention or delete topics (files go after file.delete.delay.ms)", zap.String("dir", d.path), zap.Error(err))
	}
}

// written notes that there is space.
func (d *directory) written() {
	if d.full.Load() && d.full.CompareAndSwap(true, false) {
		d.logger.Info("log directory has space again", zap.String("dir", d.path))
	}
}

// readCheckpoints loads the checkpoint files. One that cannot be understood is as if it
// were not there, except the high watermarks': without them a replica would cut or
// hide what it has acknowledged.
func (d *directory) readCheckpoints() error {
	for _, c := range d.checkpoints() {
		err := c.load()
		if err == nil {
			continue
		}
		if c == &d.highWatermarks {
			return fmt.Errorf("read %s: %w", filepath.Join(d.path, c.name), err)
		}
		d.logger.Warn("checkpoint ignored", zap.String("dir", d.path), zap.String("file", c.name), zap.Error(err))
	}
	return nil
}

// partitionFolders lists the folders that are to be loaded, and those waiting to be deleted.
func (d *directory) partitionFolders() (load, deleted []string, err error) {
	entries, err := d.fs.ReadDir(d.path)
	if err != nil {
		return nil, nil, fmt.Errorf("list log directory: %w", err)
	}
	for _, entry := range entries {
		if !isFolder(entry) {
			continue
		}
		_, kind, err := parseFolder(entry.Name())
		if err != nil {
			return nil, nil, &foreignFolderError{d.path, err}
		}
		switch kind {
		case partitionFolder, futureFolder:
			load = append(load, entry.Name())
		case deletedFolder:
			deleted = append(deleted, entry.Name())
		case strayFolder:
			d.logger.Warn("folder left alone", zap.String("dir", d.path), zap.String("folder", entry.Name()))
		case ignoredFolder:
		}
	}
	return load, deleted, nil
}

func isFolder(entry fs.DirEntry) bool { return entry.IsDir() }

// foreignFolderError is a folder in a log directory that is none of a broker's. It is fatal:
// the directory is probably not the one that was meant.
type foreignFolderError struct {
	dir string
	err error
}

func (e *foreignFolderError) Error() string { return e.dir + ": " + e.err.Error() }

// workList has the logs that wait for background work: rolled segments to flush, metadata to write.
type workList struct {
	mu   sync.Mutex
	logs map[*Log]struct{}
	wake chan struct{} // capacity 1
}

func newWorkList() *workList {
	return &workList{logs: map[*Log]struct{}{}, wake: make(chan struct{}, 1)}
}

func (w *workList) add(l *Log) {
	w.mu.Lock()
	w.logs[l] = struct{}{}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take empties the list.
func (w *workList) take() []*Log {
	w.mu.Lock()
	defer w.mu.Unlock()
	logs := make([]*Log, 0, len(w.logs))
	for l := range w.logs {
		logs = append(logs, l)
	}
	clear(w.logs)
	return logs
}
