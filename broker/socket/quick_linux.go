package socket

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// plainOrQuick makes the two directions of a connection. Each has its state to itself, since both are used at once.
func plainOrQuick(conn *net.TCPConn) (io.Reader, io.Writer) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return conn, conn // it is closed; let whoever reads find that
	}
	in, out := &direction{raw: raw}, &direction{raw: raw}
	in.try, out.try = in.receive, out.transmit
	return reader{in}, writer{out}
}

// direction is one way of a connection, and the call that is under way on it.
type direction struct {
	raw  syscall.RawConn
	try  func(fd uintptr) bool // made once: the runtime calls it when there may be something to do
	rest []byte
	done int
	err  syscall.Errno
}

type (
	reader struct{ *direction }
	writer struct{ *direction }
)

// Read implements io.Reader.
func (r reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r.rest, r.done, r.err = p, 0, 0
	err := r.raw.Read(r.try)
	r.rest = nil
	switch {
	case err != nil:
		return 0, err
	case r.err != 0:
		return 0, os.NewSyscallError("read", r.err)
	case r.done == 0:
		return 0, io.EOF
	}
	return r.done, nil
}

// receive makes one call, and reports whether there was something to read or to tell.
func (d *direction) receive(fd uintptr) bool {
	n, again := d.call(syscall.SYS_READ, fd)
	d.done = n
	return !again
}

// Write implements io.Writer.
func (w writer) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	w.rest, w.done, w.err = p, 0, 0
	err := w.raw.Write(w.try)
	w.rest = nil
	if err == nil && w.err != 0 {
		err = os.NewSyscallError("write", w.err)
	}
	return w.done, err
}

// transmit writes until all is written, the socket is full, or the peer is gone.
func (d *direction) transmit(fd uintptr) bool {
	for len(d.rest) > 0 {
		n, again := d.call(syscall.SYS_WRITE, fd)
		if again {
			return false
		}
		if d.err != 0 {
			return true
		}
		d.done, d.rest = d.done+n, d.rest[n:]
	}
	return true
}

// call reads into rest or writes it, without telling the runtime: the descriptor does not block.
func (d *direction) call(number, fd uintptr) (n int, again bool) {
	for {
		count, _, errno := syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(&d.rest[0])), uintptr(len(d.rest)))
		switch errno {
		case 0:
			return int(count), false
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true
		default:
			d.err = errno
			return 0, false
		}
	}
}
