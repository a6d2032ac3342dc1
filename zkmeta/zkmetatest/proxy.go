package zkmetatest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Numbers of operations, as ZooKeeper gives them.
const (
	opGetData      = 4
	opGetChildren2 = 12
	opMulti        = 14
	opMultiRead    = 22
	opClose        = -11
)

// Cut is where the proxy breaks a connection.
type Cut int

const (
	// BeforeRequest: the server never sees it.
	BeforeRequest Cut = iota
	// InsteadOfAnswer: the server has carried it out, the client does not learn of it.
	InsteadOfAnswer
	// AfterRequest: the server has it, but is cut off before anyone knows the outcome.
	AfterRequest
)

// Proxy stands between one client and the server.
type Proxy struct {
	t        *testing.T
	upstream string
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	links    map[*link]bool
	cutOp    int32 // 0: none
	cut      Cut
	cuts     int // made so far
	holds    int
	open     chan struct{} // closed while there is no hold
	session  int64
	password []byte
	closed   bool
}

// link is one connection through the proxy.
type link struct {
	client, server net.Conn
	drop           int32 // xid of the request whose answer is withheld
}

func (l *link) close() {
	l.client.Close()
	l.server.Close()
}

// NewProxy listens on a free port until the test ends.
func NewProxy(t *testing.T, upstream string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{t: t, upstream: upstream, listener: listener, links: make(map[*link]bool), open: make(chan struct{})}
	close(p.open)
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr is where the client connects.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.listener.Close()
	for l := range p.links {
		l.close()
	}
	select {
	case <-p.open:
	default:
		close(p.open)
	}
	p.mu.Unlock()
	p.running.Wait()
}

// CutNext breaks the connection at the next request with this operation.
func (p *Proxy) CutNext(op int32, cut Cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutOp, p.cut = op, cut
}

// Cuts is how many connections were broken by CutNext.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// Drop breaks all connections.
func (p *Proxy) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.close()
	}
}

// Hold lets nothing pass until resume is called.
func (p *Proxy) Hold() (resume func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.holds++; p.holds == 1 && !p.closed {
		p.open = make(chan struct{})
	}
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.holds--; p.holds == 0 && !p.closed {
			close(p.open)
		}
	})
}

// Expire ends the client's session at the server: with its id and password another connection takes it over and closes
// it. The client, kept away meanwhile, learns of it when it reconnects, which it does at once.
func (p *Proxy) Expire() {
	p.t.Helper()
	defer p.Hold()()
	p.Drop()
	p.mu.Lock()
	session, password := p.session, p.password
	p.mu.Unlock()
	if err := p.closeSession(session, password); err != nil {
		p.t.Fatalf("expire session %#x: %v", session, err)
	}
}

func (p *Proxy) closeSession(session int64, password []byte) error {
	conn, err := net.DialTimeout("tcp", p.upstream, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))

	request := binary.BigEndian.AppendUint32(nil, 0)        // protocol version
	request = binary.BigEndian.AppendUint64(request, 0)     // last zxid seen
	request = binary.BigEndian.AppendUint32(request, 10000) // timeout
	request = binary.BigEndian.AppendUint64(request, uint64(session))
	request = binary.BigEndian.AppendUint32(request, uint32(len(password)))
	request = append(request, password...)
	if err := writeFrame(conn, request); err != nil {
		return err
	}
	answer, err := readFrame(conn)
	if err != nil {
		return fmt.Errorf("take it over: %w", err)
	}
	if len(answer) < 16 || binary.BigEndian.Uint64(answer[8:]) != uint64(session) {
		return fmt.Errorf("the server gave another session: %x", answer)
	}
	closing := int32(opClose)
	if err := writeFrame(conn, binary.BigEndian.AppendUint32([]byte{0, 0, 0, 1}, uint32(closing))); err != nil {
		return err
	}
	// Some servers hang up without an answer.
	if _, err := readFrame(conn); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.DialTimeout("tcp", p.upstream, patience)
		if err != nil {
			client.Close()
			continue
		}
		l := &link{client: client, server: server}
		p.mu.Lock()
		if p.closed {
			l.close()
		}
		p.links[l] = true
		p.mu.Unlock()
		p.running.Go(func() {
			defer l.close()
			p.requests(l)
		})
		p.running.Go(func() {
			defer l.close()
			p.answers(l)
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.links, l)
		})
	}
}

func (p *Proxy) pass() {
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	<-open
}

func (p *Proxy) requests(l *link) {
	for first := true; ; first = false {
		frame, err := readFrame(l.client)
		if err != nil {
			return
		}
		p.pass()
		cut, ok := Cut(0), false
		if !first && len(frame) >= 8 {
			cut, ok = p.mustCut(l, frame)
		}
		if ok && cut == BeforeRequest {
			return
		}
		if writeFrame(l.server, frame) != nil {
			return
		}
		if ok && cut == AfterRequest {
			return
		}
	}
}

// mustCut tells whether this request is the one to cut at.
func (p *Proxy) mustCut(l *link, frame []byte) (Cut, bool) {
	xid, op := int32(binary.BigEndian.Uint32(frame)), int32(binary.BigEndian.Uint32(frame[4:]))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cutOp == 0 || op != p.cutOp {
		return 0, false
	}
	p.cutOp = 0
	p.cuts++
	if p.cut == InsteadOfAnswer {
		l.drop = xid
	}
	return p.cut, true
}

func (p *Proxy) answers(l *link) {
	for first := true; ; first = false {
		frame, err := readFrame(l.server)
		if err != nil {
			return
		}
		p.pass()
		p.mu.Lock()
		if first && len(frame) >= 36 {
			p.session = int64(binary.BigEndian.Uint64(frame[8:]))
			p.password = append([]byte(nil), frame[20:36]...)
		}
		withheld := !first && l.drop != 0 && int32(binary.BigEndian.Uint32(frame)) == l.drop
		p.mu.Unlock()
		if withheld || writeFrame(l.client, frame) != nil {
			return
		}
	}
}

func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > 8<<20 {
		return nil, fmt.Errorf("frame of %d bytes", n)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(r, frame)
	return frame, err
}

func writeFrame(w io.Writer, frame []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err
}
