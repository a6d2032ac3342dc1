package vfs

import (
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Mem is a file system in memory. Besides the live state it keeps the durable
// one (what Sync and SyncDir promised) and the changes in between, so that
// CrashClone can tell what a disk might hold after a crash.
//
// Lock order: Mem.mu, then node.mu. Writing to a file holds Mem.mu for reading, so
// that a crash clone is a single point in time over all files.
type Mem struct {
	used     atomic.Int64 // bytes in allocated pages of live and still open files
	capacity atomic.Int64 // 0: unlimited
	space    atomic.Pointer[space]

	mu      sync.RWMutex
	root    *node
	pending []entryChange // changes of directories since they were synced, in order
	locked  map[*node]bool
}

type space struct{ total, usable uint64 }

// node is a file or a directory, whatever its names.
type node struct {
	dir bool

	// Guarded by Mem.mu.
	children map[string]*node
	durable  map[string]*node
	named    bool
	opens    int

	// Guarded by mu; Mem.mu held for reading or more to write.
	mu      sync.RWMutex
	modTime time.Time
	data    fileData
}

// NewMem returns an empty file system with the directory "/".
func NewMem() *Mem {
	return &Mem{root: newDir(), locked: map[*node]bool{}}
}

func newDir() *node {
	return &node{dir: true, named: true, children: map[string]*node{}, durable: map[string]*node{}, modTime: time.Now()}
}

// SetCapacity limits the bytes in files, counted in pages of 4096 that are not
// holes; writes beyond it fail with syscall.ENOSPC. Zero lifts the limit.
func (m *Mem) SetCapacity(bytes int64) { m.capacity.Store(bytes) }

// SetSpace fixes what Space tells, whatever the capacity.
func (m *Mem) SetSpace(total, usable uint64) { m.space.Store(&space{total, usable}) }

// Space implements FS. Unless SetSpace was called it follows the capacity, or that of a
// volume of 1 TiB.
func (m *Mem) Space(path string) (total, usable uint64, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if _, err := m.find("statfs", path); err != nil {
		return 0, 0, err
	}
	if s := m.space.Load(); s != nil {
		return s.total, s.usable, nil
	}
	capacity := m.capacity.Load()
	if capacity == 0 {
		capacity = 1 << 40
	}
	return uint64(capacity), uint64(max(0, capacity-m.used.Load())), nil
}

// reservePage takes the space of a page, or reports that the disk is full.
func (m *Mem) reservePage() bool {
	used, capacity := m.used.Add(pageSize), m.capacity.Load()
	if capacity > 0 && used > capacity {
		m.used.Add(-pageSize)
		return false
	}
	return true
}

// Open implements FS.
func (m *Mem) Open(path string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find("open", path)
	if err != nil {
		return nil, err
	}
	if n.dir {
		return nil, pathError("open", path, syscall.EISDIR)
	}
	return m.handle(n, path, false), nil
}

// OpenFile implements FS.
func (m *Mem) OpenFile(path string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.findOrCreate("open", path)
	if err != nil {
		return nil, err
	}
	return m.handle(n, path, true), nil
}

// Create implements FS.
func (m *Mem) Create(path string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.findOrCreate("open", path)
	if err != nil {
		return nil, err
	}
	n.truncate(m, 0)
	return m.handle(n, path, true), nil
}

// Remove implements FS; a directory must be empty.
func (m *Mem) Remove(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	parent, name, err := m.findParent("remove", path)
	if err != nil {
		return err
	}
	n := parent.children[name]
	switch {
	case n == nil:
		return pathError("remove", path, syscall.ENOENT)
	case len(n.children) > 0:
		return pathError("remove", path, syscall.ENOTEMPTY)
	}
	m.unlink(parent, name)
	return nil
}

// RemoveAll implements FS. A crash may leave any part of the tree.
func (m *Mem) RemoveAll(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find("removeall", path)
	if err != nil {
		return nil // nothing there, as os.RemoveAll sees it
	}
	m.empty(n)
	if n == m.root {
		return nil
	}
	parent, name, err := m.findParent("removeall", path)
	if err != nil {
		return err
	}
	m.unlink(parent, name)
	return nil
}

func (m *Mem) empty(n *node) {
	for _, name := range sortedNames(n.children) {
		m.empty(n.children[name])
		m.unlink(n, name)
	}
}

// Rename implements FS. It replaces a file, or an empty directory by a directory.
func (m *Mem) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	fromDir, fromName, err := m.findParent("rename", from)
	if err != nil {
		return err
	}
	toDir, toName, err := m.findParent("rename", to)
	if err != nil {
		return err
	}
	n, replaced := fromDir.children[fromName], toDir.children[toName]
	switch {
	case n == nil:
		return pathError("rename", from, syscall.ENOENT)
	case n == replaced:
		return nil
	case n.dir && within(n, toDir):
		return pathError("rename", to, syscall.EINVAL)
	case replaced == nil:
	case replaced.dir && !n.dir:
		return pathError("rename", to, syscall.EEXIST)
	case !replaced.dir && n.dir:
		return pathError("rename", to, syscall.ENOTDIR)
	case len(replaced.children) > 0:
		return pathError("rename", to, syscall.ENOTEMPTY)
	}
	delete(fromDir.children, fromName)
	toDir.children[toName] = n
	m.pending = append(m.pending, entryChange{
		kind: renamed, dir: fromDir, name: fromName, toDir: toDir, toName: toName, node: n,
	})
	if replaced != nil {
		replaced.named = false
		m.release(replaced)
	}
	return nil
}

func within(tree, n *node) bool {
	if tree == n {
		return true
	}
	for _, child := range tree.children {
		if child.dir && within(child, n) {
			return true
		}
	}
	return false
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.root
	for _, name := range split(path) {
		child := n.children[name]
		switch {
		case child == nil:
			child = newDir()
			m.link(n, name, child)
		case !child.dir:
			return pathError("mkdir", path, syscall.ENOTDIR)
		}
		n = child
	}
	return nil
}

// ReadDir implements FS.
func (m *Mem) ReadDir(path string) ([]fs.DirEntry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, err := m.find("open", path)
	if err != nil {
		return nil, err
	}
	if !n.dir {
		return nil, pathError("readdir", path, syscall.ENOTDIR)
	}
	entries := make([]fs.DirEntry, 0, len(n.children))
	for _, name := range sortedNames(n.children) {
		entries = append(entries, fs.FileInfoToDirEntry(n.children[name].info(name)))
	}
	return entries, nil
}

// Stat implements FS.
func (m *Mem) Stat(path string) (fs.FileInfo, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, err := m.find("stat", path)
	if err != nil {
		return nil, err
	}
	return n.info(filepath.Base(path)), nil
}

// SetModTime implements FS.
func (m *Mem) SetModTime(path string, modified time.Time) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, err := m.find("chtimes", path)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.modTime = modified
	return nil
}

// Lock implements FS. A second Lock fails with syscall.EAGAIN while the first is held.
func (m *Mem) Lock(path string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.findOrCreate("lock", path)
	if err != nil {
		return nil, err
	}
	if m.locked[n] {
		return nil, pathError("lock", path, syscall.EAGAIN)
	}
	m.locked[n] = true
	return &memLock{mem: m, node: n}, nil
}

type memLock struct {
	mem  *Mem
	node *node
	once sync.Once
}

func (l *memLock) Close() error {
	l.once.Do(func() {
		l.mem.mu.Lock()
		defer l.mem.mu.Unlock()
		delete(l.mem.locked, l.node)
	})
	return nil
}

func (m *Mem) link(dir *node, name string, n *node) {
	dir.children[name] = n
	m.pending = append(m.pending, entryChange{kind: created, dir: dir, name: name, node: n})
}

func (m *Mem) unlink(dir *node, name string) {
	n := dir.children[name]
	delete(dir.children, name)
	m.pending = append(m.pending, entryChange{kind: removed, dir: dir, name: name, node: n})
	n.named = false
	m.release(n)
}

// release gives back the space of a file that has neither names nor users.
func (m *Mem) release(n *node) {
	if !n.named && n.opens == 0 {
		m.used.Add(-pageSize * n.data.live.allocated())
	}
}

func (m *Mem) find(op, path string) (*node, error) {
	n := m.root
	for _, name := range split(path) {
		if !n.dir {
			return nil, pathError(op, path, syscall.ENOTDIR)
		}
		if n = n.children[name]; n == nil {
			return nil, pathError(op, path, syscall.ENOENT)
		}
	}
	return n, nil
}

func (m *Mem) findParent(op, path string) (*node, string, error) {
	names := split(path)
	if len(names) == 0 {
		return nil, "", pathError(op, path, syscall.EBUSY) // the root itself
	}
	parent, err := m.find(op, "/"+strings.Join(names[:len(names)-1], "/"))
	if err != nil {
		return nil, "", pathError(op, path, err.(*fs.PathError).Err)
	}
	if !parent.dir {
		return nil, "", pathError(op, path, syscall.ENOTDIR)
	}
	return parent, names[len(names)-1], nil
}

func (m *Mem) findOrCreate(op, path string) (*node, error) {
	parent, name, err := m.findParent(op, path)
	if err != nil {
		return nil, err
	}
	n := parent.children[name]
	if n == nil {
		n = &node{named: true, modTime: time.Now()}
		n.data.reset(content{})
		m.link(parent, name, n)
	}
	if n.dir {
		return nil, pathError(op, path, syscall.EISDIR)
	}
	return n, nil
}

func split(path string) []string {
	path = filepath.ToSlash(filepath.Clean("/" + path))
	if path == "/" {
		return nil
	}
	return strings.Split(path[1:], "/")
}

func sortedNames(children map[string]*node) []string {
	names := make([]string, 0, len(children))
	for name := range children {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func pathError(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// info describes the node; Mem.mu is held.
func (n *node) info(name string) fs.FileInfo {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return memInfo{name: name, size: n.data.live.size, dir: n.dir, modTime: n.modTime}
}

type memInfo struct {
	name    string
	size    int64
	dir     bool
	modTime time.Time
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) ModTime() time.Time { return i.modTime }
func (i memInfo) Sys() any           { return nil }

func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
