package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wire is a bare connection that sends a request at a time: thousands of members fit into one load generator that way.
type wire struct {
	conn      net.Conn
	in        *bufio.Reader
	formatter *kmsg.RequestFormatter
	buf       []byte
	id        int32
}

func dialWire(ctx context.Context, address string) (*wire, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, 1<<10), formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench"))}, nil
}

func (w *wire) close() { _ = w.conn.Close() } // the broker's end says nothing

// answerWithin bounds the wait for an answer; rebalances take a while.
const answerWithin = 2 * time.Minute

// call sends a request of the version that it has and reads its answer.
func (w *wire) call(q kmsg.Request) (kmsg.Response, error) {
	w.id++
	w.buf = w.formatter.AppendRequest(w.buf[:0], q, w.id)
	if err := w.conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return nil, err
	}
	if _, err := w.conn.Write(w.buf); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return nil, err
	}
	size, id := int32(binary.BigEndian.Uint32(head[:])), int32(binary.BigEndian.Uint32(head[4:]))
	if id != w.id || size < 4 {
		return nil, fmt.Errorf("answer %d of %d bytes to request %d", id, size, w.id)
	}
	if cap(w.buf) < int(size) {
		w.buf = make([]byte, size)
	}
	body := w.buf[:size-4]
	if _, err := io.ReadFull(w.in, body); err != nil {
		return nil, err
	}
	answer := q.ResponseKind()
	if answer.IsFlexible() {
		body = body[1:] // no tagged fields
	}
	return answer, answer.ReadFrom(body)
}

// awaitCoordinator returns once the group's coordinator has been found and has loaded the group.
func awaitCoordinator(ctx context.Context, s *subject, group string) error {
	w, err := dialWire(ctx, s.address)
	if err != nil {
		return err
	}
	defer w.close()
	return await(ctx, func() error {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.Version, find.CoordinatorKey = 2, group
		found, err := w.call(find)
		if err != nil {
			return err
		}
		if err := kerr.ErrorForCode(found.(*kmsg.FindCoordinatorResponse).ErrorCode); err != nil {
			return err
		}
		fetch := kmsg.NewPtrOffsetFetchRequest()
		fetch.Version, fetch.Group = 5, group
		fetched, err := w.call(fetch)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(fetched.(*kmsg.OffsetFetchResponse).ErrorCode)
	})
}
