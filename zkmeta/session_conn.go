package zkmeta

import (
	"encoding/binary"
	"net"
	"slices"
	"time"
)

// Numbers of the operations that can ask for a watch.
const (
	opExists       = 3
	opGetData      = 4
	opGetChildren2 = 12
)

// sessionConn is a connection as the library sees it. It adds two things that the library lacks.
//
// Deadlines: the library asks for ten times the usual silence while it opens a session, and for none at all inside a
// frame.
//
// Watches: the library keeps a channel for each watch and sets all of them again after a reconnection, behind
// requests that wait already; so it can miss an event, and it reads the zxid to start from without a lock (v1.0.4,
// sendSetWatches). We need neither, as we look again after each reconnection. Therefore we use its reads without watch, and
// the bit that asks for one is put into the request here.
//
// Used by one reading and one writing goroutine.
type sessionConn struct {
	net.Conn
	wanted func(path string, kind watchKind) bool
	limit  time.Duration // longest wait for bytes
	opened bool          // the session is open: what the library asks for is the negotiated limit
}

func (c *sessionConn) SetReadDeadline(t time.Time) error {
	switch now := time.Now(); {
	case t.IsZero():
		t = now.Add(c.limit)
	case c.opened:
		c.limit = t.Sub(now)
	case t.Sub(now) > c.limit:
		t = now.Add(c.limit)
	}
	return c.Conn.SetReadDeadline(t)
}

// Write takes one request; the library writes each with one call.
func (c *sessionConn) Write(frame []byte) (int, error) {
	if path, kind, ok := watchable(frame); ok && c.wanted(path, kind) {
		frame = slices.Clone(frame) // not ours
		frame[len(frame)-1] = 1
	}
	return c.Conn.Write(frame)
}

// watchable takes a request apart that can ask for a watch: size, xid, operation, path, and the bit.
func watchable(frame []byte) (path string, kind watchKind, ok bool) {
	const header = 16
	if len(frame) <= header {
		return "", 0, false
	}
	switch binary.BigEndian.Uint32(frame[8:]) {
	case opExists, opGetData:
		kind = watchData
	case opGetChildren2:
		kind = watchChildren
	default:
		return "", 0, false
	}
	size := int64(binary.BigEndian.Uint32(frame[12:]))
	if header+size+1 != int64(len(frame)) {
		return "", 0, false
	}
	return string(frame[header : header+size]), kind, true
}
