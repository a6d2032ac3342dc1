package server

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/protocol"
)

const (
	// sendBuffer is the size of the buffer in which an answer is put together. Small answers leave in one
	// write; larger ones in as many as it takes.
	sendBuffer = 64 << 10
	// smallPiece is the size up to which a piece of a file is copied into that buffer rather than
	// sent by a call of its own: see BenchmarkFetchAnswer for both ways.
	smallPiece = 32 << 10
)

// send writes an answer and lets go of everything that it holds. It is called by the goroutine whose
// turn it is to write.
func (c *conn) send(call *Call, r *Response) {
	defer r.release()
	if c.isBroken() || c.ctx.Err() != nil {
		return
	}
	sent := int64(0)
	if !r.Silent {
		var err error
		if sent, err = c.write(&call.Header, r.Chunks); err != nil {
			c.writeFailed(err)
			return
		}
	}
	c.server.metrics.byAPI[call.Header.Key].count(call.size+protocol.SizeBytes, sent, time.Since(call.Arrived))

	if r.Throttle > 0 {
		c.mu.Lock()
		c.mutedUntil = time.Now().Add(r.Throttle)
		c.mu.Unlock()
	}
	if r.Close {
		c.closedByHandler(&call.Header, r.Reason)
	}
}

func (c *conn) writeFailed(err error) {
	c.server.log.Debug("answer not sent", zap.String("remote", c.info.RemoteHost), zap.Error(err))
	c.breakOff()
}

func (c *conn) closedByHandler(h *protocol.RequestHeader, reason string) {
	c.server.complaints.Warn("connection closed by its handler", append(c.identity(),
		zap.String("reason", reason), zap.Int16("api_key", h.Key), zap.Int16("api_version", h.Version),
		zap.String("client_id", h.ClientID))...)
	c.breakOff()
}

// write sends size, header and chunks and returns how many bytes that were.
func (c *conn) write(h *protocol.RequestHeader, chunks []Chunk) (int64, error) {
	var head [16]byte
	header := protocol.AppendResponseHeader(head[:protocol.SizeBytes], *h)
	total := int64(len(header))
	for i := range chunks {
		total += chunks[i].size()
	}
	if total-protocol.SizeBytes > math.MaxInt32 {
		return 0, fmt.Errorf("answer of %d bytes does not fit a frame", total)
	}
	binary.BigEndian.PutUint32(header, uint32(total-protocol.SizeBytes))

	o := out{conn: c, buf: c.server.buffers.Take(int(min(total, sendBuffer)))[:0]}
	defer c.server.buffers.Give(o.buf)
	o.buf = append(o.buf, header...)
	for i := range chunks {
		var err error
		if p := chunks[i].Piece; p != nil {
			err = o.piece(p)
		} else {
			err = o.bytes(chunks[i].Bytes)
		}
		if err != nil {
			return 0, err
		}
	}
	return total, o.flush()
}

// out gathers small parts of an answer so that few calls send it.
type out struct {
	conn *conn
	buf  []byte // never grows: what does not fit is flushed
}

func (o *out) room() int { return cap(o.buf) - len(o.buf) }

func (o *out) bytes(b []byte) error {
	if len(b) <= o.room() {
		o.buf = append(o.buf, b...)
		return nil
	}
	if len(b) <= smallPiece {
		if err := o.flush(); err != nil {
			return err
		}
		if len(b) <= o.room() {
			o.buf = append(o.buf, b...)
			return nil
		}
	}
	// What is gathered and b leave in one writev.
	c := o.conn
	c.vector = [2][]byte{o.buf, b}
	vector := net.Buffers(c.vector[:])
	_, err := vector.WriteTo(c.socket)
	c.vector = [2][]byte{}
	o.buf = o.buf[:0]
	c.activity.Add(1)
	return err
}

func (o *out) piece(p Piece) error {
	size := p.Len()
	file, readable := p.(io.ReaderAt)
	if readable && size <= smallPiece && size <= int64(cap(o.buf)) {
		if int(size) > o.room() {
			if err := o.flush(); err != nil {
				return err
			}
		}
		start := len(o.buf)
		o.buf = o.buf[:start+int(size)]
		if n, err := file.ReadAt(o.buf[start:], 0); n < int(size) {
			return fmt.Errorf("read a piece of %d bytes: %w", size, err)
		}
		return nil
	}
	if err := o.flush(); err != nil {
		return err
	}
	if err := p.SendTo(o.conn.socket); err != nil {
		return fmt.Errorf("send a piece of %d bytes: %w", size, err)
	}
	o.conn.activity.Add(1)
	return nil
}

func (o *out) flush() error {
	if len(o.buf) == 0 {
		return nil
	}
	_, err := o.conn.quick.Write(o.buf)
	o.buf = o.buf[:0]
	o.conn.activity.Add(1)
	return err
}
