package zkserver

import "strings"

// watchKind says how long a watch lasts and what it covers; a connection may have
// several kinds on one path.
type watchKind uint8

const (
	watchOnce watchKind = 1 << iota
	watchPersistent
	watchRecursive
)

// Modes of addWatch, and types of checkWatches and removeWatches (ZooDefs.java, Watcher.java).
const (
	modePersistent          = 0
	modePersistentRecursive = 1

	watchesOfChildren = 1
	watchesOfData     = 2
	watchesOfAny      = 3
)

// watchTable holds watches by path and by connection. There are two: for data (and
// existence) and for children. Recursive watches are in the table for data alone.
type watchTable struct {
	byPath    map[string]map[*conn]watchKind
	byConn    map[*conn]map[string]struct{}
	recursive int // how many; triggers look at ancestors only if there are any
}

func newWatchTable() *watchTable {
	return &watchTable{byPath: map[string]map[*conn]watchKind{}, byConn: map[*conn]map[string]struct{}{}}
}

func (t *watchTable) add(path string, c *conn, kind watchKind) {
	conns := t.byPath[path]
	if conns == nil {
		conns = map[*conn]watchKind{}
		t.byPath[path] = conns
	}
	if kind == watchRecursive && conns[c]&watchRecursive == 0 {
		t.recursive++
	}
	conns[c] |= kind
	if t.byConn[c] == nil {
		t.byConn[c] = map[string]struct{}{}
	}
	t.byConn[c][path] = struct{}{}
}

func (t *watchTable) has(path string, c *conn) bool { return t.byPath[path][c] != 0 }

// remove takes kinds off a path and tells whether any was there.
func (t *watchTable) remove(path string, c *conn, kinds watchKind) bool {
	conns := t.byPath[path]
	had := conns[c] & kinds
	if had == 0 {
		return false
	}
	if had&watchRecursive != 0 {
		t.recursive--
	}
	if conns[c] &^= kinds; conns[c] == 0 {
		delete(conns, c)
		delete(t.byConn[c], path)
		if len(t.byConn[c]) == 0 {
			delete(t.byConn, c)
		}
	}
	if len(conns) == 0 {
		delete(t.byPath, path)
	}
	return true
}

func (t *watchTable) removeConn(c *conn) {
	for path := range t.byConn[c] {
		t.remove(path, c, watchOnce|watchPersistent|watchRecursive)
	}
}

// trigger returns the connections to tell of an event on a path, and ends their
// one-shot watches.
func (t *watchTable) trigger(path string, event eventType) map[*conn]struct{} {
	var told map[*conn]struct{}
	tell := func(c *conn) {
		if told == nil {
			told = map[*conn]struct{}{}
		}
		told[c] = struct{}{}
	}
	for c, kinds := range t.byPath[path] {
		if kinds&(watchOnce|watchPersistent) != 0 || event != nodeChildrenChanged {
			tell(c)
		}
		t.remove(path, c, watchOnce)
	}
	if t.recursive == 0 || event == nodeChildrenChanged {
		return told
	}
	for path != rootPath {
		path = parentOf(path)
		for c, kinds := range t.byPath[path] {
			if kinds&watchRecursive != 0 {
				tell(c)
			}
		}
	}
	return told
}

func (t *watchTable) count() (total int) {
	for _, conns := range t.byPath {
		total += len(conns)
	}
	return total
}

// fire tells the watchers of a change. Who watches both the data and the children of a deleted
// node hears of it once.
func (s *Server) fire(event eventType, path string) {
	switch event {
	case nodeCreated:
		s.notifyAll(s.dataWatches.trigger(path, event), event, path)
	case nodeDataChanged:
		s.notifyAll(s.dataWatches.trigger(path, event), event, path)
		return
	case nodeDeleted:
		told := s.dataWatches.trigger(path, event)
		s.notifyAll(told, event, path)
		for c := range s.childWatches.trigger(path, event) {
			if _, heard := told[c]; !heard {
				s.notify(c, event, path)
			}
		}
	}
	parent := parentOf(path)
	s.notifyAll(s.childWatches.trigger(parent, nodeChildrenChanged), nodeChildrenChanged, parent)
}

func (s *Server) notifyAll(conns map[*conn]struct{}, event eventType, path string) {
	for c := range conns {
		s.notify(c, event, path)
	}
}

func (s *Server) notify(c *conn, event eventType, path string) {
	w := newReply(xidNotification, -1, ok)
	w.int32(int32(event))
	w.int32(stateSyncConnected)
	w.string(path)
	s.send(c, w.frame())
}

// setWatches re-arms the watches of a client that comes back; what it missed since
// the zxid it saw last is told at once (DataTree.setWatches).
func (s *Server) setWatches(c *call) code {
	seen := c.in.int64()
	data, exist, child := c.in.strings(), c.in.strings(), c.in.strings()
	var persistent, recursive []string
	if c.op == opSetWatches2 {
		persistent, recursive = c.in.strings(), c.in.strings()
	}
	if c.in.bad {
		return errMarshalling
	}
	for _, path := range data {
		s.rearm(c.conn, s.dataWatches, path, nodeDataChanged, func(n *node) bool { return n.mzxid > seen })
	}
	for _, path := range exist {
		if s.tree.get(path) != nil {
			s.notify(c.conn, nodeCreated, path)
		} else {
			s.dataWatches.add(path, c.conn, watchOnce)
		}
	}
	for _, path := range child {
		s.rearm(c.conn, s.childWatches, path, nodeChildrenChanged, func(n *node) bool { return n.pzxid > seen })
	}
	for _, path := range persistent {
		s.dataWatches.add(path, c.conn, watchPersistent)
		s.childWatches.add(path, c.conn, watchPersistent)
	}
	for _, path := range recursive {
		s.dataWatches.add(path, c.conn, watchRecursive)
	}
	return ok
}

func (s *Server) rearm(c *conn, t *watchTable, path string, event eventType, missed func(*node) bool) {
	switch n := s.tree.get(path); {
	case n == nil:
		s.notify(c, nodeDeleted, path)
	case missed(n):
		s.notify(c, event, path)
	default:
		t.add(path, c, watchOnce)
	}
}

func (s *Server) addWatch(c *call) code {
	path, mode := c.in.string(), c.in.int32()
	if c.in.bad {
		return errMarshalling
	}
	switch mode {
	case modePersistent:
		s.dataWatches.add(path, c.conn, watchPersistent)
		s.childWatches.add(path, c.conn, watchPersistent)
	case modePersistentRecursive:
		s.dataWatches.add(path, c.conn, watchRecursive)
	default:
		return errMarshalling
	}
	c.out.int32(0)
	return ok
}

// watchesAt serves checkWatches and removeWatches.
func (s *Server) watchesAt(c *call) code {
	path, which := c.in.string(), c.in.int32()
	if c.in.bad || which < watchesOfChildren || which > watchesOfAny {
		return errMarshalling
	}
	found := false
	look := func(t *watchTable, kinds watchKind) {
		if c.op == opRemoveWatches {
			found = t.remove(path, c.conn, kinds) || found
		} else {
			found = t.has(path, c.conn) || found
		}
	}
	if which != watchesOfChildren {
		look(s.dataWatches, watchOnce|watchPersistent|watchRecursive)
	}
	if which != watchesOfData {
		look(s.childWatches, watchOnce|watchPersistent)
	}
	if !found {
		return errNoWatcher
	}
	return ok
}

// under tells whether path lies below top.
func under(path, top string) bool {
	return top == rootPath && path != rootPath || strings.HasPrefix(path, top+"/")
}
