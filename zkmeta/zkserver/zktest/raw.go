package zktest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Operations, as numbered in ZooDefs.java, that Raw is used for.
const (
	OpCreate        = 1
	OpDelete        = 2
	OpExists        = 3
	OpGetData       = 4
	OpSetData       = 5
	OpGetACL        = 6
	OpSetACL        = 7
	OpGetChildren   = 8
	OpSync          = 9
	OpPing          = 11
	OpGetChildren2  = 12
	OpCheck         = 13
	OpMulti         = 14
	OpCreate2       = 15
	OpCheckWatches  = 17
	OpRemoveWatches = 18
	OpMultiRead     = 22
	OpAuth          = 100
	OpSetWatches    = 101
	OpGetEphemerals = 103
	OpCountChildren = 104
	OpSetWatches2   = 105
	OpAddWatch      = 106
	OpWhoAmI        = 107
	OpCloseSession  = -11
)

// Raw is a client that sees every field and the order of frames. It is not for several goroutines
// at once. Every call has a deadline of ten seconds.
type Raw struct {
	SessionID int64
	Password  []byte
	Timeout   time.Duration // as negotiated
	Events    []Event       // that came before the last reply
	conn      net.Conn
	xid       int32
}

// Reply is an answer.
type Reply struct {
	Xid  int32
	Zxid int64
	Code int32
	Body Fields
}

// Event is a watch event.
type Event struct {
	Zxid  int64
	Type  int32 // 1 created, 2 deleted, 3 data changed, 4 children changed
	State int32
	Path  string
}

func (e Event) String() string {
	names := [...]string{1: "created", 2: "deleted", 3: "changed", 4: "children"}
	if e.Type < 1 || int(e.Type) >= len(names) {
		return fmt.Sprintf("event %d %s", e.Type, e.Path)
	}
	return names[e.Type] + " " + e.Path
}

// Stat of a node.
type Stat struct {
	Czxid, Mzxid, Ctime, Mtime  int64
	Version, Cversion, Aversion int32
	EphemeralOwner              int64
	DataLength, NumChildren     int32
	Pzxid                       int64
}

// Handshake is what a client sends first.
type Handshake struct {
	LastZxid  int64
	Timeout   time.Duration
	SessionID int64
	Password  []byte
	Old       bool // without the read-only field
	ReadOnly  bool
}

const callTime = 30 * time.Second

// Connect makes the handshake. A refused session is an error; so is a closed connection (io.EOF).
func Connect(dial func() (net.Conn, error), h Handshake) (*Raw, error) {
	conn, err := dial()
	if err != nil {
		return nil, err
	}
	r := &Raw{conn: conn}
	if err := r.handshake(h); err != nil {
		conn.Close()
		return nil, err
	}
	return r, nil
}

// ErrRefused is the answer to a handshake for a session that is no more, or is another's.
var ErrRefused = errors.New("session refused")

func (r *Raw) handshake(h Handshake) error {
	if h.Password == nil {
		h.Password = make([]byte, 16)
	}
	body := Fields(nil).Int(0).Long(h.LastZxid).Int(int32(h.Timeout.Milliseconds())).
		Long(h.SessionID).Bytes(h.Password)
	if !h.Old {
		body = body.Bool(h.ReadOnly)
	}
	r.conn.SetDeadline(time.Now().Add(callTime))
	if err := r.SendFrame(body); err != nil {
		return err
	}
	answer, err := r.readFrame()
	if err != nil {
		return err
	}
	if want := 4 + 4 + 8 + 4 + 16; !h.Old && len(answer) != want+1 || h.Old && len(answer) != want {
		return fmt.Errorf("answer to the handshake has %d bytes", len(answer))
	}
	answer.TakeInt()
	r.Timeout = time.Duration(answer.TakeInt()) * time.Millisecond
	r.SessionID, r.Password = answer.TakeLong(), answer.TakeBytes()
	if r.SessionID == 0 {
		if _, err := r.readFrame(); err != io.EOF {
			return fmt.Errorf("refused, but the connection goes on: %w", err)
		}
		return ErrRefused
	}
	return nil
}

// Close ends the connection, not the session.
func (r *Raw) Close() { r.conn.Close() }

// Call sends a request and waits for its answer.
func (r *Raw) Call(op int32, body Fields) (Reply, error) {
	xid, err := r.Send(op, body)
	if err != nil {
		return Reply{}, err
	}
	r.Events = nil
	reply, err := r.Receive()
	if err == nil && reply.Xid != xid {
		err = fmt.Errorf("answer to request %d instead of %d", reply.Xid, xid)
	}
	return reply, err
}

// Send sends a request and does not wait.
func (r *Raw) Send(op int32, body Fields) (xid int32, err error) {
	r.xid++
	xid = r.xid
	switch op {
	case OpPing:
		xid = -2
	case OpAuth:
		xid = -4
	case OpSetWatches, OpSetWatches2:
		xid = -8
	}
	return xid, r.SendFrame(append(Fields(nil).Int(xid).Int(op), body...))
}

// SendFrame sends bytes behind their length.
func (r *Raw) SendFrame(body []byte) error {
	return r.SendBytes(append(Fields(nil).Int(int32(len(body))), body...))
}

// SendBytes sends bytes as they are.
func (r *Raw) SendBytes(p []byte) error {
	r.conn.SetDeadline(time.Now().Add(callTime))
	_, err := r.conn.Write(p)
	return ended(err)
}

// Receive waits for the next answer; events before it are added to Events. A closed connection is
// io.EOF.
func (r *Raw) Receive() (Reply, error) {
	for {
		frame, err := r.readFrame()
		if err != nil {
			return Reply{}, err
		}
		reply := Reply{Xid: frame.TakeInt(), Zxid: frame.TakeLong(), Code: frame.TakeInt(), Body: frame}
		if reply.Xid != -1 {
			return reply, nil
		}
		r.Events = append(r.Events, reply.event())
	}
}

// Await waits for an event.
func (r *Raw) Await() (Event, error) {
	frame, err := r.readFrame()
	if err != nil {
		return Event{}, err
	}
	reply := Reply{Xid: frame.TakeInt(), Zxid: frame.TakeLong(), Code: frame.TakeInt(), Body: frame}
	if reply.Xid != -1 {
		return Event{}, fmt.Errorf("answer to request %d instead of an event", reply.Xid)
	}
	return reply.event(), nil
}

func (r *Reply) event() Event {
	return Event{Zxid: r.Zxid, Type: r.Body.TakeInt(), State: r.Body.TakeInt(), Path: r.Body.TakeString()}
}

func (r *Raw) readFrame() (Fields, error) {
	var head [4]byte
	if _, err := io.ReadFull(r.conn, head[:]); err != nil {
		return nil, ended(err)
	}
	frame := make(Fields, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(r.conn, frame)
	return frame, ended(err)
}

// ended makes one of the ways in which a peer's closing shows.
func ended(err error) error {
	var timeout interface{ Timeout() bool }
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return io.EOF
}
