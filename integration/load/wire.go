package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// askWithin bounds a request by hand.
const askWithin = 2 * time.Second

// wire asks one broker, one request at a time. After an error the next request uses a new connection.
type wire struct {
	address string
	conn    net.Conn
	next    int32 // correlation id
}

// ask sends a request of the version that it has and returns the answer.
func (w *wire) ask(q kmsg.Request) (kmsg.Response, error) {
	answer, err := w.try(q)
	if err != nil {
		w.close()
		return nil, fmt.Errorf("ask %s %s: %w", w.address, kmsg.NameForKey(q.Key()), err)
	}
	return answer, nil
}

func (w *wire) close() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

func (w *wire) try(q kmsg.Request) (kmsg.Response, error) {
	if w.conn == nil {
		conn, err := net.DialTimeout("tcp", w.address, askWithin)
		if err != nil {
			return nil, err
		}
		w.conn = conn
	}
	if err := w.conn.SetDeadline(time.Now().Add(askWithin)); err != nil {
		return nil, err
	}
	w.next++
	if _, err := w.conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("load")).AppendRequest(nil, q, w.next)); err != nil {
		return nil, err
	}
	head := make([]byte, 8)
	if _, err := io.ReadFull(w.conn, head); err != nil {
		return nil, err
	}
	size, correlation := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
	if correlation != uint32(w.next) || size < 4 || size > 100<<20 {
		return nil, fmt.Errorf("an answer of %d bytes to request %d, want %d", size, correlation, w.next)
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(w.conn, body); err != nil {
		return nil, err
	}
	answer := q.ResponseKind()
	if answer.IsFlexible() {
		if len(body) == 0 || body[0] != 0 {
			return nil, errors.New("an answer with tagged fields in its header")
		}
		body = body[1:]
	}
	return answer, answer.ReadFrom(body)
}
