package zkserver

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// session belongs to the owner, but for heard.
type session struct {
	id         int64
	timeout    time.Duration
	ephemerals map[string]struct{}
	conn       *conn // nil while the client is away
	// heard is when a frame came last, on the server's clock. Read loops write it, so that
	// a busy owner does not expire who has spoken.
	heard atomic.Int64
}

func (s *Server) newSession(id int64, timeout time.Duration) *session {
	session := &session{id: id, timeout: timeout, ephemerals: map[string]struct{}{}}
	session.heard.Store(int64(s.elapsed()))
	return session
}

// handshake is the first frame of a connection (ConnectRequest).
type handshake struct {
	conn       *conn
	lastZxid   int64
	timeout    time.Duration
	sessionID  int64
	password   []byte
	old        bool // the client knows no read-only servers and expects no such field
	dropAnswer bool
}

func readHandshake(c *conn, frame []byte) (*handshake, bool) {
	in := reader{b: frame}
	in.int32() // protocol version; there is one
	h := &handshake{conn: c, lastZxid: in.int64()}
	h.timeout = time.Duration(in.int32()) * time.Millisecond
	h.sessionID, h.password = in.int64(), in.buffer()
	if in.bad {
		return nil, false
	}
	// The last field, whether a read-only server would do, came later; this server
	// always writes.
	h.old = len(in.b) == 0
	return h, true
}

// connect opens a session or takes one up again (ZooKeeperServer.processConnectRequest).
func (s *Server) connect(h *handshake) {
	c := h.conn
	if c.gone {
		return
	}
	if h.lastZxid > s.zxid {
		// The client has seen what this server has not. ZooKeeper hangs up as well.
		s.log.Warn("client has seen a later zxid",
			zap.Int64("client_zxid", h.lastZxid), zap.Int64("zxid", s.zxid))
		s.hangUp(c)
		return
	}
	timeout := min(max(h.timeout, s.options.MinSessionTimeout), s.options.MaxSessionTimeout)
	var current *session
	switch {
	case h.sessionID == 0:
		current = s.createSession(timeout)
	case hmac.Equal(h.password, s.password(h.sessionID)):
		current = s.resume(h.sessionID, timeout)
	}
	w := newFrame()
	w.int32(0)
	if current != nil {
		current.conn = c
		c.session.Store(current)
		w.int32(int32(timeout.Milliseconds()))
		w.int64(current.id)
		w.buffer(s.password(current.id))
	} else { // it has expired
		w.int32(0)
		w.int64(0)
		w.buffer(make([]byte, passwordSize))
	}
	if !h.old {
		w.bool(false) // not read-only
	}
	frame := w.frame()
	if h.dropAnswer {
		frame = nil
	}
	s.outputs = append(s.outputs, output{
		conn: c, frame: frame, answers: true, last: current == nil || h.dropAnswer,
	})
}

func (s *Server) createSession(timeout time.Duration) *session {
	// As in ZooKeeper, time is in the id; ids also never repeat.
	s.lastSession = max(s.lastSession+1, int64(uint64(time.Now().UnixMilli())<<24>>8))
	s.zxid++
	session := s.newSession(s.lastSession, timeout)
	s.sessions[session.id] = session
	s.dirty.sessions[session.id] = struct{}{}
	s.armExpiry()
	s.log.Debug("session created", zap.Int64("session", session.id), zap.Duration("timeout", timeout))
	return session
}

// resume moves a session to a new connection; an older one is closed.
func (s *Server) resume(id int64, timeout time.Duration) *session {
	session := s.sessions[id]
	if session == nil {
		return nil
	}
	if before := session.conn; before != nil {
		s.forget(before)
		before.close()
	}
	session.heard.Store(int64(s.elapsed()))
	if session.timeout != timeout {
		session.timeout = timeout
		s.dirty.sessions[id] = struct{}{}
		s.armExpiry()
	}
	return session
}

func (s *Server) closeSession(c *call) code {
	s.endSession(c.conn.session.Load())
	s.forget(c.conn) // whatever it still sends
	return ok
}

// endSession deletes a session and its ephemeral nodes, under one zxid.
func (s *Server) endSession(session *session) {
	t := s.begin(session, nil)
	paths := make([]string, 0, len(session.ephemerals))
	for path := range session.ephemerals {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		t.remove(path)
	}
	t.finish()
	delete(s.sessions, session.id)
	s.dirty.sessions[session.id] = struct{}{}
}

// expire ends the sessions whose time is up, and sets the timer for the next.
func (s *Server) expire() {
	now := s.elapsed()
	var expired []*session
	for _, session := range s.sessions {
		if s.deadline(session) <= now {
			expired = append(expired, session)
		}
	}
	slices.SortFunc(expired, func(a, b *session) int { return cmp.Compare(a.id, b.id) })
	for _, session := range expired {
		s.expireSession(session)
	}
	s.armExpiry()
}

func (s *Server) expireSession(session *session) {
	s.log.Info("session expired",
		zap.Int64("session", session.id), zap.Duration("timeout", session.timeout))
	s.endSession(session)
	if c := session.conn; c != nil {
		s.hangUp(c)
	}
}

// deadline is when a session ends if nothing more is heard: at the first tick after its
// timeout, as in ZooKeeper (ExpiryQueue), so that the timer fires once per tick at most.
func (s *Server) deadline(session *session) time.Duration {
	end := time.Duration(session.heard.Load()) + session.timeout
	return end.Truncate(s.options.TickTime) + s.options.TickTime
}

// armExpiry sets the timer to the earliest deadline.
func (s *Server) armExpiry() {
	if len(s.sessions) == 0 {
		s.expiry.Stop()
		return
	}
	first := time.Duration(1<<63 - 1)
	for _, session := range s.sessions {
		first = min(first, s.deadline(session))
	}
	s.expiry.Reset(first - s.elapsed())
}

const passwordSize = 16

// password proves to the server that a client owns a session.
func (s *Server) password(id int64) []byte {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(id)))
	return mac.Sum(nil)[:passwordSize]
}
