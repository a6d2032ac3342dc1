package zkserver

import (
	"slices"
	"strings"
)

func (s *Server) exists(c *call) code {
	path, watch := c.in.string(), c.in.bool()
	switch {
	case c.in.bad:
		return errMarshalling
	case strings.IndexByte(path, 0) >= 0:
		return errBadArguments
	}
	if watch { // for the creation too
		s.dataWatches.add(path, c.conn, watchOnce)
	}
	n := s.tree.get(path)
	if n == nil {
		return errNoNode
	}
	c.out.stat(n)
	return ok
}

func (s *Server) getData(c *call) code {
	path, watch := c.in.string(), c.in.bool()
	if c.in.bad {
		return errMarshalling
	}
	n := s.tree.get(path)
	if n == nil {
		return errNoNode
	}
	if watch {
		s.dataWatches.add(path, c.conn, watchOnce)
	}
	c.out.buffer(n.data)
	c.out.stat(n)
	return ok
}

// getChildren serves getChildren2 too, which adds the stat.
func (s *Server) getChildren(c *call) code {
	path, watch := c.in.string(), c.in.bool()
	if c.in.bad {
		return errMarshalling
	}
	n := s.tree.get(path)
	if n == nil {
		return errNoNode
	}
	if watch {
		s.childWatches.add(path, c.conn, watchOnce)
	}
	c.out.strings(n.childNames())
	if c.op == opGetChildren2 {
		c.out.stat(n)
	}
	return ok
}

func (s *Server) getACL(c *call) code {
	path := c.in.string()
	if c.in.bad {
		return errMarshalling
	}
	n := s.tree.get(path)
	if n == nil {
		return errNoNode
	}
	c.out.acls(n.acl)
	c.out.stat(n)
	return ok
}

// sync has nothing to wait for: there is no other server to catch up with.
func (s *Server) sync(c *call) code {
	path := c.in.string()
	if c.in.bad {
		return errMarshalling
	}
	c.out.string(path)
	return ok
}

// getEphemerals lists the ephemeral nodes of the session under a prefix.
func (s *Server) getEphemerals(c *call) code {
	prefix := c.in.string()
	if c.in.bad {
		return errMarshalling
	}
	list := []string{}
	for path := range c.conn.session.Load().ephemerals {
		if strings.TrimSpace(prefix) == "" || strings.HasPrefix(path, prefix) {
			list = append(list, path)
		}
	}
	slices.Sort(list)
	c.out.strings(list)
	return ok
}

// countChildren counts all nodes below one.
func (s *Server) countChildren(c *call) code {
	top := c.in.string()
	if c.in.bad {
		return errMarshalling
	}
	if s.tree.get(top) == nil {
		return errNoNode
	}
	var total int32
	for path := range s.tree.nodes {
		if under(path, top) {
			total++
		}
	}
	c.out.int32(total)
	return ok
}

// auth accepts whoever the client says it is; it decides nothing but what "auth" in
// an access list stands for.
func (s *Server) auth(c *call) code {
	c.in.int32()
	scheme, auth := c.in.string(), c.in.buffer()
	if c.in.bad {
		return errMarshalling
	}
	if who := identify(scheme, auth); !slices.Contains(c.conn.who, who) {
		c.conn.who = append(c.conn.who, who)
	}
	return ok
}

func (s *Server) whoAmI(c *call) code {
	c.out.int32(int32(len(c.conn.who)))
	for _, who := range c.conn.who {
		user, _, _ := strings.Cut(who.id, ":")
		c.out.string(who.scheme)
		c.out.string(user)
	}
	return ok
}
