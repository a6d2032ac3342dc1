package zkserver

import "time"

// txn is a write being made: the changes of one request, all under one zxid. Changes are in
// the tree at once, so that later operations of a multi see them; undo takes
// them back. Watches fire at the end.
type txn struct {
	s       *Server
	zxid    int64
	now     int64 // milliseconds of the epoch
	session *session
	who     []identity
	undo    []func()
	events  []event
}

type event struct {
	kind eventType
	path string
}

// begin takes the next zxid. As in ZooKeeper a write that fails uses one up too.
func (s *Server) begin(session *session, who []identity) *txn {
	s.zxid++
	return &txn{s: s, zxid: s.zxid, now: time.Now().UnixMilli(), session: session, who: who}
}

func (t *txn) rollback() {
	for i := len(t.undo) - 1; i >= 0; i-- {
		t.undo[i]()
	}
}

// finish fires the watches of a write that succeeded.
func (t *txn) finish() {
	for _, e := range t.events {
		t.s.fire(e.kind, e.path)
	}
}

// dirty notes that a node differs from what is in the store.
func (t *txn) dirty(path string) { t.s.dirty.nodes[path] = struct{}{} }

// add puts a new node below an existing parent.
func (t *txn) add(path string, n *node) {
	parentPath := parentOf(path)
	parent := t.s.tree.get(parentPath)
	creations, pzxid := parent.creations, parent.pzxid
	n.czxid, n.mzxid, n.pzxid = t.zxid, t.zxid, t.zxid
	n.ctime, n.mtime = t.now, t.now
	t.attach(path, n, parent)
	parent.creations, parent.pzxid = creations+1, t.zxid
	t.undo = append(t.undo, func() {
		t.detach(path, n, parent)
		parent.creations, parent.pzxid = creations, pzxid
	})
	t.dirty(path)
	t.dirty(parentPath)
	t.events = append(t.events, event{nodeCreated, path})
}

// remove takes a node without children away.
func (t *txn) remove(path string) {
	parentPath := parentOf(path)
	n, parent := t.s.tree.get(path), t.s.tree.get(parentPath)
	pzxid := parent.pzxid
	t.detach(path, n, parent)
	parent.pzxid = t.zxid
	t.undo = append(t.undo, func() {
		t.attach(path, n, parent)
		parent.pzxid = pzxid
	})
	t.dirty(path)
	t.dirty(parentPath)
	t.events = append(t.events, event{nodeDeleted, path})
}

// setData replaces the data of a node.
func (t *txn) setData(path string, n *node, data []byte) {
	old, version, mzxid, mtime := n.data, n.version, n.mzxid, n.mtime
	n.data, n.version, n.mzxid, n.mtime = data, version+1, t.zxid, t.now
	t.undo = append(t.undo, func() { n.data, n.version, n.mzxid, n.mtime = old, version, mzxid, mtime })
	t.dirty(path)
	t.events = append(t.events, event{nodeDataChanged, path})
}

func (t *txn) attach(path string, n, parent *node) {
	t.s.tree.nodes[path] = n
	parent.link(baseOf(path))
	if owner := t.s.sessions[n.owner]; owner != nil {
		owner.ephemerals[path] = struct{}{}
	}
}

func (t *txn) detach(path string, n, parent *node) {
	delete(t.s.tree.nodes, path)
	parent.unlink(baseOf(path))
	if owner := t.s.sessions[n.owner]; owner != nil {
		delete(owner.ephemerals, path)
	}
}
