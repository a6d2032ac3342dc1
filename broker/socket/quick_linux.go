package socket

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// fast is both directions of a connection. Each has its state to itself, since both are used at once.
type fast struct {
	raw     syscall.RawConn // nil: there is no fast way
	in, out direction
}

// direction is one way of a connection, and the call that is under way on it.
type direction struct {
	try  func(fd uintptr) bool // made once: the runtime calls it when there may be something to do
	rest []byte
	done int
	err  syscall.Errno
}

func (f *fast) of(conn *net.TCPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return // it is closed; let whoever reads find that
	}
	f.raw = raw
	f.in.try, f.out.try = f.in.receive, f.out.transmit
}

func (f *fast) able() bool { return f.raw != nil }

func (f *fast) read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	d := &f.in
	d.rest, d.done, d.err = p, 0, 0
	err := f.raw.Read(d.try)
	d.rest = nil
	switch {
	case err != nil:
		return 0, err
	case d.err != 0:
		return 0, os.NewSyscallError("read", d.err)
	case d.done == 0:
		return 0, io.EOF
	}
	return d.done, nil
}

func (f *fast) write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	d := &f.out
	d.rest, d.done, d.err = p, 0, 0
	err := f.raw.Write(d.try)
	d.rest = nil
	if err == nil && d.err != 0 {
		err = os.NewSyscallError("write", d.err)
	}
	return d.done, err
}

// receive makes one call, and reports whether there was something to read or to tell.
func (d *direction) receive(fd uintptr) bool {
	n, again := d.call(syscall.SYS_READ, fd)
	d.done = n
	return !again
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
