package zkserver

import "fmt"

// change is one write operation, alone or in a multi.
type change interface {
	// apply checks the operation in ZooKeeper's order and makes it.
	apply(t *txn) (result, code)
}

// result is what a successful change answers.
type result struct {
	op   int32
	path string // of a create
	node *node  // whose stat is answered, or nil
}

func (r result) encode(w *writer) {
	if r.op == opCreate || r.op == opCreate2 {
		w.string(r.path)
	}
	if r.node != nil {
		w.stat(r.node)
	}
}

// readChange decodes the body of a write operation; nil means that op is none.
func readChange(op int32, in *reader) change {
	switch op {
	case opCreate, opCreate2, opCreateContainer, opCreateTTL:
		c := createChange{op: op, path: in.string(), data: in.buffer(), acl: in.acls(), flags: in.int32()}
		if op == opCreateTTL {
			in.int64()
		}
		return c
	case opDelete:
		return deleteChange{path: in.string(), version: in.int32()}
	case opSetData:
		return setDataChange{path: in.string(), data: in.buffer(), version: in.int32()}
	case opCheck:
		return checkChange{path: in.string(), version: in.int32()}
	case opSetACL:
		return setACLChange{path: in.string(), acl: in.acls(), version: in.int32()}
	}
	return nil
}

// write serves a write operation that stands alone.
func (s *Server) write(c *call) code {
	ch := readChange(c.op, &c.in)
	if c.in.bad {
		return errMarshalling
	}
	t := s.begin(c.conn.session.Load(), c.conn.who)
	r, outcome := ch.apply(t)
	if outcome != ok {
		t.rollback()
		return outcome
	}
	t.finish()
	r.encode(c.out)
	return ok
}

type createChange struct {
	op    int32
	path  string
	data  []byte
	acl   []acl
	flags int32
}

func (c createChange) apply(t *txn) (result, code) {
	switch {
	case c.op == opCreateContainer, c.op == opCreateTTL, c.flags >= flagContainer && c.flags <= flagTTLSeq:
		return result{}, errUnimplemented
	case c.flags < 0 || c.flags > flagTTLSeq, !splittable(c.path):
		return result{}, errBadArguments
	}
	list, outcome := checkACL(c.acl, t.who)
	if outcome != ok {
		return result{}, outcome
	}
	parent := t.s.tree.get(parentOf(c.path))
	if parent == nil {
		return result{}, errNoNode
	}
	path := c.path
	if c.flags&flagSequential != 0 {
		path += fmt.Sprintf("%010d", parent.creations)
	}
	switch {
	case !validPath(path):
		return result{}, errBadArguments
	case t.s.tree.get(path) != nil:
		return result{}, errNodeExists
	case parent.owner != 0:
		return result{}, errNoChildrenForEphemeral
	}
	n := &node{data: c.data, acl: list}
	if c.flags&flagEphemeral != 0 {
		n.owner = t.session.id
	}
	t.add(path, n)
	r := result{op: c.op, path: path}
	if c.op == opCreate2 {
		r.node = n
	}
	return r, ok
}

type deleteChange struct {
	path    string
	version int32
}

func (d deleteChange) apply(t *txn) (result, code) {
	if !splittable(d.path) || special(d.path) {
		return result{}, errBadArguments
	}
	n := t.s.tree.get(d.path)
	switch {
	case n == nil:
		return result{}, errNoNode
	case d.version != -1 && d.version != n.version:
		return result{}, errBadVersion
	case len(n.children) > 0:
		return result{}, errNotEmpty
	}
	t.remove(d.path)
	return result{op: opDelete}, ok
}

type setDataChange struct {
	path    string
	data    []byte
	version int32
}

func (d setDataChange) apply(t *txn) (result, code) {
	n, outcome := t.versioned(d.path, d.version, func(n *node) int32 { return n.version })
	if outcome != ok {
		return result{}, outcome
	}
	t.setData(d.path, n, d.data)
	return result{op: opSetData, node: n}, ok
}

type checkChange struct {
	path    string
	version int32
}

func (d checkChange) apply(t *txn) (result, code) {
	_, outcome := t.versioned(d.path, d.version, func(n *node) int32 { return n.version })
	return result{op: opCheck}, outcome
}

type setACLChange struct {
	path    string
	acl     []acl
	version int32
}

func (d setACLChange) apply(t *txn) (result, code) {
	if !validPath(d.path) {
		return result{}, errBadArguments
	}
	list, outcome := checkACL(d.acl, t.who)
	if outcome != ok {
		return result{}, outcome
	}
	n, outcome := t.versioned(d.path, d.version, func(n *node) int32 { return n.aversion })
	if outcome != ok {
		return result{}, outcome
	}
	n.acl = list // not part of a multi: nothing to undo
	n.aversion++
	t.dirty(d.path)
	return result{op: opSetACL, node: n}, ok
}

// versioned finds a node and compares a version of it; -1 fits any.
func (t *txn) versioned(path string, version int32, of func(*node) int32) (*node, code) {
	if !validPath(path) {
		return nil, errBadArguments
	}
	n := t.s.tree.get(path)
	switch {
	case n == nil:
		return nil, errNoNode
	case version != -1 && version != of(n):
		return nil, errBadVersion
	}
	return n, ok
}
