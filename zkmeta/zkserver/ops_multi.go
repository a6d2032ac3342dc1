package zkserver

// multi serves a list of writes: all or nothing, under one zxid. The answer itself is
// never an error; when one write fails, those before it answer 0, it answers
// its code, and those behind it answer RUNTIMEINCONSISTENCY.
func (s *Server) multi(c *call) code {
	var changes []change
	for {
		op, done := readMultiHeader(&c.in)
		if done {
			break
		}
		ch := readChange(op, &c.in)
		if ch == nil || op == opSetACL || c.in.bad {
			return errMarshalling
		}
		changes = append(changes, ch)
	}
	if c.in.bad {
		return errMarshalling
	}
	t := s.begin(c.conn.session.Load(), c.conn.who)
	for i, ch := range changes {
		r, outcome := ch.apply(t)
		if outcome != ok {
			t.rollback()
			c.out.reset()
			for j := range changes {
				c.out.multiError(outcomeAt(j, i, outcome))
			}
			c.out.multiHeader(opError, true, -1)
			return ok
		}
		c.out.multiHeader(r.op, false, 0)
		r.encode(c.out)
	}
	c.out.multiHeader(opError, true, -1)
	t.finish()
	return ok
}

// outcomeAt is the code of the operation at a place when the one at failed gave outcome.
func outcomeAt(place, failed int, outcome code) code {
	switch {
	case place < failed:
		return ok
	case place > failed:
		return errRuntimeInconsistency
	}
	return outcome
}

// multiRead serves a list of getData and getChildren, each with an outcome of its own.
func (s *Server) multiRead(c *call) code {
	for {
		op, done := readMultiHeader(&c.in)
		if done {
			break
		}
		path := c.in.string()
		c.in.bool() // no watch is set by a multi
		if c.in.bad || op != opGetData && op != opGetChildren {
			return errMarshalling
		}
		n := s.tree.get(path)
		switch {
		case n == nil:
			c.out.multiError(errNoNode)
		case op == opGetData:
			c.out.multiHeader(op, false, 0)
			c.out.buffer(n.data)
			c.out.stat(n)
		default:
			c.out.multiHeader(op, false, 0)
			c.out.strings(n.childNames())
		}
	}
	if c.in.bad {
		return errMarshalling
	}
	c.out.multiHeader(opError, true, -1)
	return ok
}

func readMultiHeader(in *reader) (op int32, done bool) {
	op, done = in.int32(), in.bool()
	in.int32()
	return op, done || in.bad
}

func (w *writer) multiHeader(op int32, done bool, c code) {
	w.int32(op)
	w.bool(done)
	w.int32(int32(c))
}

func (w *writer) multiError(c code) {
	w.multiHeader(opError, false, c)
	w.int32(int32(c))
}
