// Package socket reads and writes small messages on TCP connections at less than what net does.
//
// net makes its system calls with the runtime told before and after, so that the runtime may give the processor to
// another thread if the call takes long. On a socket that does not block it never does, but telling has a price when the
// process is mostly idle: the first call after a pause wakes the runtime's monitor thread, which then looks around for
// a while. A broker whose clients send a small request now and then spends more on that than on answering
// (docs/performance.md, heartbeats).
//
// It knows connections and nothing of what goes over them.
package socket

import (
	"io"
	"net"
)

// small is the size up to which a message is read or written so. A larger one takes long enough to be copied that the
// runtime had better know.
const small = 4 << 10

// Quick reads and writes a connection. One goroutine may read while another writes. Everything else, deadlines and
// closing included, stays with the connection.
type Quick struct {
	conn   net.Conn
	reader io.Reader // of small messages
	writer io.Writer
}

// New makes a Quick of any connection; of what is no TCP connection it is the plain one.
func New(conn net.Conn) *Quick {
	q := &Quick{conn: conn, reader: conn, writer: conn}
	if tcp, ok := conn.(*net.TCPConn); ok {
		q.reader, q.writer = plainOrQuick(tcp)
	}
	return q
}

// Read implements io.Reader.
func (q *Quick) Read(p []byte) (int, error) {
	if len(p) > small {
		return q.conn.Read(p)
	}
	return q.reader.Read(p)
}

// Write implements io.Writer.
func (q *Quick) Write(p []byte) (int, error) {
	if len(p) > small {
		return q.conn.Write(p)
	}
	return q.writer.Write(p)
}
