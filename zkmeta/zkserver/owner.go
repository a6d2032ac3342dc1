package zkserver

import (
	"encoding/binary"
	"time"

	"go.uber.org/zap"
)

// maxBatch bounds the messages that share a bbolt transaction, so that the first of them does
// not wait for long.
const maxBatch = 1024

// message is what the owner is sent. Exactly one of its fields is set.
type message struct {
	call    *call
	connect *handshake
	word    *word
	gone    *conn  // whose connection has ended
	control func() // run between two batches
}

// call is a request being served.
type call struct {
	conn       *conn
	xid        int32
	op         int32
	in         reader
	out        *writer
	dropAnswer bool
}

// output is a frame to release once the batch is durable; nil says nothing, and last closes
// the connection behind it.
type output struct {
	conn    *conn
	frame   []byte
	answers bool // a request: its slot is free again
	last    bool
}

// dirtySet is what the store does not have yet.
type dirtySet struct {
	nodes    map[string]struct{}
	sessions map[int64]struct{}
}

func newDirtySet() dirtySet {
	return dirtySet{nodes: map[string]struct{}{}, sessions: map[int64]struct{}{}}
}

// own is the owner goroutine.
func (s *Server) own() {
	defer close(s.owned)
	defer s.shutdown()
	for {
		select {
		case <-s.stop:
			return
		case m := <-s.mailbox:
			if !s.batch(m) {
				return
			}
		case <-s.expiry.C:
			s.expire()
			if !s.settle() {
				return
			}
		}
	}
}

// batch applies a message and those waiting behind it, then settles them. It is false when the
// store has failed.
func (s *Server) batch(m message) bool {
	for applied := 1; ; applied++ {
		if m.control != nil {
			if !s.settle() {
				return false
			}
			m.control()
			return s.settle()
		}
		s.apply(m)
		if applied == maxBatch {
			return s.settle() // before a message is taken that this batch has no room for
		}
		select {
		case m = <-s.mailbox:
		default:
			return s.settle()
		}
	}
}

// settle makes durable what was applied, then releases the answers.
func (s *Server) settle() bool {
	if s.store != nil && len(s.dirty.nodes)+len(s.dirty.sessions) > 0 {
		if err := s.store.commit(s); err != nil {
			// Memory and file differ now, and nothing of the batch may be shown.
			s.log.Error("store failed, server stops", zap.Error(err))
			return false
		}
		s.commits++
	}
	clear(s.dirty.nodes)
	clear(s.dirty.sessions)
	for i, o := range s.outputs {
		o.conn.push(o)
		s.outputs[i] = output{}
	}
	s.outputs = s.outputs[:0]
	return true
}

func (s *Server) apply(m message) {
	switch {
	case m.call != nil:
		s.serve(m.call)
	case m.connect != nil:
		s.connect(m.connect)
	case m.word != nil:
		s.answerWord(m.word)
	case m.gone != nil:
		s.forget(m.gone)
	}
}

// serve runs an operation and answers it.
func (s *Server) serve(c *call) {
	if c.conn.gone {
		return
	}
	if c.conn.session.Load() == nil { // a request before the handshake
		s.hangUp(c.conn)
		return
	}
	c.out = newReply(c.xid, 0, ok)
	outcome, last := errUnimplemented, true // as ZooKeeper does with an unknown operation
	if run := s.operation(c.op); run != nil {
		outcome, last = run(c), c.op == opCloseSession
	}
	if outcome != ok {
		c.out.reset()
	}
	c.out.finish(s.zxid, outcome)
	if len(c.out.b)-4 > s.options.MaxFrame {
		s.log.Warn("answer exceeds the frame limit",
			zap.Int("bytes", len(c.out.b)-4), zap.Int32("operation", c.op))
		c.dropAnswer = true
	}
	if c.dropAnswer {
		s.hangUp(c.conn)
		return
	}
	s.outputs = append(s.outputs, output{conn: c.conn, frame: c.out.frame(), answers: true, last: last})
	if last {
		s.forget(c.conn)
	}
}

// operation is the table of what is served.
func (s *Server) operation(op int32) func(*call) code {
	switch op {
	case opCreate, opCreate2, opCreateContainer, opCreateTTL, opDelete, opSetData, opSetACL:
		return s.write
	case opMulti:
		return s.multi
	case opMultiRead:
		return s.multiRead
	case opExists:
		return s.exists
	case opGetData:
		return s.getData
	case opGetACL:
		return s.getACL
	case opGetChildren, opGetChildren2:
		return s.getChildren
	case opSync:
		return s.sync
	case opPing:
		return func(*call) code { return ok }
	case opGetEphemerals:
		return s.getEphemerals
	case opCountChildren:
		return s.countChildren
	case opAuth:
		return s.auth
	case opWhoAmI:
		return s.whoAmI
	case opSetWatches, opSetWatches2:
		return s.setWatches
	case opAddWatch:
		return s.addWatch
	case opCheckWatches, opRemoveWatches:
		return s.watchesAt
	case opCloseSession:
		return s.closeSession
	}
	return nil
}

// send queues a frame that answers no request: a watch event.
func (s *Server) send(c *conn, frame []byte) {
	if !c.gone {
		s.outputs = append(s.outputs, output{conn: c, frame: frame})
	}
}

// hangUp closes a connection behind what was sent so far.
func (s *Server) hangUp(c *conn) {
	s.outputs = append(s.outputs, output{conn: c, last: true})
	s.forget(c)
}

// forget drops what belongs to a connection. Its session lives on.
func (s *Server) forget(c *conn) {
	if c.gone {
		return
	}
	c.gone = true
	s.dataWatches.removeConn(c)
	s.childWatches.removeConn(c)
	if session := c.session.Load(); session != nil && session.conn == c {
		session.conn = nil
	}
}

// shutdown ends what the owner leaves behind.
func (s *Server) shutdown() {
	s.halt()
	s.expiry.Stop()
	for _, c := range s.connections() {
		c.close()
	}
}

// elapsed is the server's monotonic clock.
func (s *Server) elapsed() time.Duration { return time.Since(s.started) }

// Sizes of a reply's header, behind the length: xid, zxid, code.
const (
	headerZxid = 8
	headerCode = 16
	headerEnd  = 20
)

// reset takes back the body of a reply.
func (w *writer) reset() { w.b = w.b[:headerEnd] }

// finish fills in what is known of a reply when it is complete.
func (w *writer) finish(zxid int64, c code) {
	binary.BigEndian.PutUint64(w.b[headerZxid:], uint64(zxid))
	binary.BigEndian.PutUint32(w.b[headerCode:], uint32(c))
}
