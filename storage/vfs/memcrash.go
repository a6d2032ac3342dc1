package vfs

import (
	"math/rand/v2"
)

// entryChange is a change of a directory that no SyncDir has made durable.
type entryChange struct {
	kind   changeKind
	dir    *node // that held, or now holds, name
	name   string
	toDir  *node // of a rename
	toName string
	node   *node
}

type changeKind uint8

const (
	created changeKind = iota
	removed
	renamed
)

// apply makes the change in the entries of the directories concerned. It looks at the
// node under a name, as an earlier change may not have survived.
func (c entryChange) apply(entries func(dir *node) map[string]*node) {
	if c.kind == created {
		entries(c.dir)[c.name] = c.node
		return
	}
	if entries(c.dir)[c.name] == c.node {
		delete(entries(c.dir), c.name)
	}
	if c.kind == renamed {
		entries(c.toDir)[c.toName] = c.node
	}
}

// SyncDir implements FS. A rename between two directories is one change: a sync
// of either makes it, and what came before it in the other, durable.
func (m *Mem) SyncDir(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, err := m.find("sync", path)
	if err != nil {
		return err
	}
	synced := map[*node]bool{dir: true}
	for grown := true; grown; {
		grown = false
		for _, c := range m.pending {
			if c.kind == renamed && synced[c.dir] != synced[c.toDir] {
				synced[c.dir], synced[c.toDir], grown = true, true, true
			}
		}
	}
	rest := m.pending[:0]
	for _, c := range m.pending {
		if synced[c.dir] {
			c.apply(func(dir *node) map[string]*node { return dir.durable })
		} else {
			rest = append(rest, c)
		}
	}
	clear(m.pending[len(rest):])
	m.pending = rest
	return nil
}

// CrashClone returns the disk after a crash at this moment: what was synced, and by
// seed a part of the rest. Of unsynced writes any may have reached the disk, whole or
// torn at any byte, later ones even without earlier ones; a truncation may or may not
// have happened; so may each creation, rename and removal in a directory that was
// not synced. Only a rename is never half done. The clone has no locks, the same
// capacity, and all it holds is durable. m itself goes on unchanged.
func (m *Mem) CrashClone(seed uint64) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &crash{
		rng:     rand.New(rand.NewPCG(seed, 0x6b62726f6b6572)),
		entries: map[*node]map[string]*node{},
		clones:  map[*node]*node{},
		into:    NewMem(),
	}
	c.keepEntries(m.pending)
	c.into.root = c.clone(m.root)
	c.into.capacity.Store(m.capacity.Load())
	c.into.space.Store(m.space.Load())
	return c.into
}

type crash struct {
	rng     *rand.Rand
	entries map[*node]map[string]*node // of directories, after the crash
	clones  map[*node]*node
	into    *Mem
}

// after returns the entries of a directory after the crash, to change or to read.
func (c *crash) after(dir *node) map[string]*node {
	entries, ok := c.entries[dir]
	if !ok {
		entries = make(map[string]*node, len(dir.durable))
		for name, n := range dir.durable {
			entries[name] = n
		}
		c.entries[dir] = entries
	}
	return entries
}

func (c *crash) keepEntries(changes []entryChange) {
	survives := c.survival(len(changes))
	stayed := map[*node]bool{}
	for i, change := range changes {
		// A node whose rename was lost is under its old name: a later rename that
		// survived would show it twice.
		if survives(i) && !(change.kind == renamed && stayed[change.node]) {
			change.apply(c.after)
		} else if change.kind == renamed {
			stayed[change.node] = true
		}
	}
}

// survival chooses which of count changes survive: all, none, those before a moment,
// or any. The first three are as likely as the last, so that few seeds are
// needed to see each.
func (c *crash) survival(count int) func(i int) bool {
	switch c.rng.IntN(4) {
	case 0:
		return func(int) bool { return true }
	case 1:
		return func(int) bool { return false }
	case 2:
		moment := c.rng.IntN(count + 1)
		return func(i int) bool { return i < moment }
	default:
		return func(int) bool { return c.rng.IntN(2) == 0 }
	}
}

func (c *crash) clone(n *node) *node {
	if clone, ok := c.clones[n]; ok {
		return clone
	}
	clone := &node{dir: n.dir, named: true, modTime: n.modTime}
	c.clones[n] = clone
	if !n.dir {
		clone.data.reset(c.keepData(&n.data))
		c.into.used.Add(pageSize * clone.data.live.allocated())
		return clone
	}
	clone.children, clone.durable = map[string]*node{}, map[string]*node{}
	entries := c.after(n)
	for _, name := range sortedNames(entries) { // the order decides what the seed does
		child := c.clone(entries[name])
		clone.children[name], clone.durable[name] = child, child
	}
	return clone
}

func (c *crash) keepData(d *fileData) content {
	data, o := d.durable.share(), new(owner)
	survives := c.survival(len(d.changes))
	torn := c.rng.IntN(len(d.changes)+1) - 1
	for i, change := range d.changes {
		if !survives(i) && i != torn {
			continue
		}
		if change.bytes == nil {
			data.truncate(change.offset, o)
			continue
		}
		from, to := 0, len(change.bytes)
		if i == torn || c.rng.IntN(4) == 0 {
			cut := c.rng.IntN(to + 1)
			if c.rng.IntN(4) == 0 {
				from = cut // the tail alone reached the disk
			} else {
				to = cut
			}
		}
		data.writeAt(change.bytes[from:to], change.offset+int64(from), o, nil, nil)
	}
	return data
}
