package zkserver

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"
)

// idle is a server whose owner is the test.
func idle() *Server {
	s := &Server{
		options: Options{}.withDefaults(), log: zap.NewNop(), started: time.Now(), secret: []byte("secret"),
		mailbox: make(chan message, 1), stop: make(chan struct{}), conns: map[*conn]struct{}{},
		tree: newTree(), sessions: map[int64]*session{}, zxid: 1 << epochShift,
		dataWatches: newWatchTable(), childWatches: newWatchTable(), dirty: newDirtySet(),
		expiry: time.NewTimer(time.Hour),
	}
	return s
}

func (s *Server) idleConn(t testing.TB) *conn {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	c := newConn(s, far)
	s.connect(&handshake{conn: c, timeout: time.Second})
	return c
}

// checkTree verifies what holds between requests.
func checkTree(t *testing.T, s *Server) {
	t.Helper()
	ephemerals := 0
	for path, n := range s.tree.nodes {
		if path == rootPath {
			continue
		}
		parent := s.tree.nodes[parentOf(path)]
		if parent == nil {
			t.Fatalf("%q has no parent", path)
		}
		if _, linked := parent.children[baseOf(path)]; !linked {
			t.Fatalf("%q is not among the children of its parent", path)
		}
		if n.owner != 0 {
			ephemerals++
			if _, owned := s.sessions[n.owner].ephemerals[path]; !owned {
				t.Fatalf("%q is not among the nodes of its session", path)
			}
		}
	}
	children := 0
	for _, n := range s.tree.nodes {
		children += len(n.children)
	}
	if children != len(s.tree.nodes)-1 {
		t.Fatalf("%d children, %d nodes", children, len(s.tree.nodes))
	}
	for _, session := range s.sessions {
		ephemerals -= len(session.ephemerals)
	}
	if ephemerals != 0 {
		t.Fatalf("sessions and nodes differ by %d", ephemerals)
	}
}

func createRequest(path string, flags int32) func(*writer) {
	return func(w *writer) {
		w.int32(opCreate)
		w.string(path)
		w.buffer([]byte("x"))
		w.acls(openACL())
		w.int32(flags)
	}
}

func pathRequest(op int32, path string, v int32) func(*writer) {
	return func(w *writer) {
		w.int32(op)
		w.string(path)
		w.int32(v)
	}
}

// FuzzRequests gives a sequence of requests, each behind its length in two bytes, to a server.
func FuzzRequests(f *testing.F) {
	add := func(requests ...func(*writer)) {
		var all []byte
		for i, request := range requests {
			w := &writer{}
			w.int32(int32(i))
			request(w)
			all = append(binary.BigEndian.AppendUint16(all, uint16(len(w.b))), w.b...)
		}
		f.Add(all)
	}
	add(createRequest("/a", 0), createRequest("/a/b", 3), pathRequest(opDelete, "/a", -1), pathRequest(opGetData, "/a", 1<<24))
	add(func(w *writer) {
		w.int32(opMulti)
		w.multiHeader(opCreate, false, 0)
		w.string("/a")
		w.buffer(nil)
		w.acls(openACL())
		w.int32(1)
		w.multiHeader(opDelete, false, 0)
		w.string("/none")
		w.int32(0)
		w.multiHeader(opError, true, -1)
	})
	add(createRequest("/a", 1), pathRequest(opAddWatch, "/", 1), pathRequest(opSetACL, "/a", 0), func(w *writer) { w.int32(opCloseSession) })
	add(func(w *writer) {
		w.int32(opSetWatches)
		w.int64(0)
		w.strings([]string{"/", "/none"})
		w.strings([]string{"/", "/none"})
		w.strings([]string{"/", "/none"})
	}, createRequest("/none", 0))
	f.Fuzz(func(t *testing.T, all []byte) {
		s := idle()
		c := s.idleConn(t)
		s.outputs = nil
		for len(all) >= 2 {
			n := min(int(binary.BigEndian.Uint16(all)), len(all)-2)
			frame := all[2 : 2+n]
			all = all[2+n:]
			m, decoded := c.decode(slices.Clone(frame), false)
			if !decoded {
				break
			}
			s.apply(m)
			checkTree(t, s)
			for _, o := range s.outputs {
				if o.frame != nil && int(binary.BigEndian.Uint32(o.frame)) != len(o.frame)-4 {
					t.Fatalf("frame of %d bytes says %d", len(o.frame), binary.BigEndian.Uint32(o.frame))
				}
			}
			s.outputs = s.outputs[:0]
		}
	})
}

func FuzzHandshake(f *testing.F) {
	f.Add(make([]byte, 45))
	f.Add(make([]byte, 44))
	f.Fuzz(func(t *testing.T, frame []byte) {
		s := idle()
		near, far := net.Pipe()
		defer near.Close()
		if m, decoded := newConn(s, far).decode(frame, true); decoded {
			s.apply(m)
		}
	})
}

func FuzzStoredNode(f *testing.F) {
	f.Add(encodeNode(&node{acl: openACL(), data: []byte("x"), creations: 3}))
	f.Add(encodeNode(&node{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, decoded := decodeNode(b)
		if !decoded {
			return
		}
		// Not the same bytes: a list or buffer of length -1 is an empty one.
		if again, ok := decodeNode(encodeNode(n)); !ok || !slices.Equal(again.acl, n.acl) || !slices.Equal(again.data, n.data) ||
			!slices.Equal(encodeNode(again), encodeNode(n)) || len(encodeNode(n)) != len(b) {
			t.Fatalf("%x became %x", b, encodeNode(n))
		}
	})
}

// A write that cannot be made durable is never answered, and the server stops.
func TestStoreFailureAnswersNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Listener: l, Path: t.TempDir() + "/zk"})
	if err != nil {
		t.Fatal(err)
	}
	s.between(func() { s.store.db.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write(append([]byte{0, 0, 0, 45}, make([]byte, 45)...)); err != nil { // a new session
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); len(got) > 0 {
		t.Errorf("answered %x, %v", got, err)
	}
	<-s.Done()
	s.Close()
}

func TestPaths(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/a": true, "/a/b": true, "/a.b": true, "/...": true, "/a/..b": true, "/é": true, "/\u2028": true,
		"": false, "a": false, "/a/": false, "//": false, "/a//b": false, "/.": false, "/a/../b": false, "/a/./b": false,
		"/\x7f": false, "/\x9f": false, "/\u0085": false, "/\uf8ff": false, "/\uffff": false, "/\xff": false,
	} {
		if got := validPath(path); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}
