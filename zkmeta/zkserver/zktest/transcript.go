package zktest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// Transcript makes random requests of three clients to the server at connect and writes down
// every answer, stat and event, so that two servers can be compared. Zxids
// are counted from the beginning, sessions and nodes have names of the transcript's own, and times
// are left out; else nothing is. The demands on the server are those of Run.
func Transcript(t *testing.T, connect string, seed uint64, steps int) string {
	e := newEnv(t, connect)
	s := &script{env: e, rng: rand.New(rand.NewPCG(seed, 0)), sessions: map[int64]string{0: "none"}}
	reply, err := e.c.Call(OpCreate, createBody(e.path("base"), nil, 0))
	e.must(reply, err)
	s.base = reply.Zxid
	e.delete("base")
	for i := range s.clients {
		s.reopen(i)
	}
	for range steps {
		s.step()
	}
	return s.out.String()
}

// The clients of a transcript. Two set one-shot watches, the last persistent and recursive ones, never both on
// one path: ZooKeeper 3.8 mixes up the kinds when a client has several on a path.
const (
	oneShotClients = 2
	lasting        = 2
)

type script struct {
	env      *env
	rng      *rand.Rand
	out      strings.Builder
	base     int64
	clients  [3]*Raw
	opened   int
	sessions map[int64]string
}

func (s *script) reopen(i int) {
	if c := s.clients[i]; c != nil {
		c.Close()
	}
	s.clients[i] = s.env.client(20 * time.Second)
	s.opened++
	s.sessions[s.clients[i].SessionID] = fmt.Sprintf("session %d", s.opened)
}

func (s *script) step() {
	i := s.rng.IntN(len(s.clients))
	name, op, body := s.request(i)
	fmt.Fprintf(&s.out, "%d %s", i, name)
	reply, err := s.clients[i].Call(op, body)
	if err != nil {
		s.env.t.Fatalf("%s: %v", name, err)
	}
	fmt.Fprintf(&s.out, "\n  %d at %d%s\n", reply.Code, reply.Zxid-s.base, s.body(op, reply))
	s.tell(i)
	if op == OpCloseSession {
		if _, err := s.clients[i].Receive(); err != io.EOF {
			s.env.t.Fatalf("after close: %v", err)
		}
		s.reopen(i)
	}
	for j, c := range s.clients {
		if j == i {
			continue
		}
		s.env.must(c.Call(OpPing, nil))
		s.tell(j)
	}
}

// tell writes the events a client had. Those of one request have no order between servers.
func (s *script) tell(i int) {
	var events []string
	for _, event := range s.clients[i].Events {
		events = append(events, s.name(event.String()))
	}
	s.clients[i].Events = nil
	slices.Sort(events)
	for _, event := range events {
		fmt.Fprintf(&s.out, "  %d hears %s\n", i, event)
	}
}

func (s *script) name(text string) string { return strings.ReplaceAll(text, s.env.root, "~") }

// path chooses among a few nodes, so that requests meet each other; now and then a bad one, but
// not the root, which knows what was before.
func (s *script) path() string {
	if s.rng.IntN(30) == 0 {
		bad := []string{"x", s.env.root + "/", s.env.root + "//a", s.env.root + "/..", s.env.root + "/a\x00"}
		return bad[s.rng.IntN(len(bad))]
	}
	path := s.env.root
	for range 1 + s.rng.IntN(3) {
		path += "/" + string("abc"[s.rng.IntN(3)])
	}
	return path
}

func (s *script) version() int32 {
	if s.rng.IntN(2) == 0 {
		return -1
	}
	return s.rng.Int32N(3)
}

func (s *script) data() []byte {
	if n := s.rng.IntN(5); n > 0 {
		return []byte("data")[:n-1]
	}
	return nil
}

func (s *script) request(i int) (name string, op int32, body Fields) {
	watch := i < oneShotClients && s.rng.IntN(2) == 0
	switch n := s.rng.IntN(40); {
	case n < 20:
		op, body, name = s.write()
	case n < 26:
		return s.multi()
	case n < 35:
		op = []int32{OpGetData, OpExists, OpGetChildren, OpGetChildren2}[s.rng.IntN(4)]
		path := s.path()
		body, name = pathWatch(path, watch), fmt.Sprint(s.name(path), " watch ", watch)
	case n < 36:
		op, body = OpGetACL, Fields(nil).String(s.path())
	case n < 37:
		op, body = OpGetEphemerals, Fields(nil).String(s.env.root)
	case n < 38:
		path := s.path()
		op, name, body = OpSetACL, s.name(path), append(Fields(nil).String(path).Open(), Fields(nil).Int(s.version())...)
	case n < 39 && i == lasting:
		path := s.path()
		if path[0] != '/' {
			path = s.env.root
		}
		mode := int32(path[len(path)-1] & 1)
		op, body, name = OpAddWatch, Fields(nil).String(path).Int(mode), fmt.Sprint(s.name(path), " ", mode)
	case n < 39:
		op, body, name = s.setWatches()
	default:
		op = OpCloseSession
	}
	return fmt.Sprintf("op %d %q", op, name), op, body
}

func (s *script) write() (op int32, body Fields, name string) {
	path := s.path()
	switch s.rng.IntN(5) {
	case 0, 1:
		op = []int32{OpCreate, OpCreate2}[s.rng.IntN(2)]
		flags, data := int32(0), s.data()
		if s.rng.IntN(2) == 0 {
			flags = s.rng.Int32N(4)
		}
		return op, createBody(path, data, flags), fmt.Sprintf("%s %q %d", s.name(path), data, flags)
	case 2:
		version := s.version()
		return OpDelete, pathVersion(path, version), fmt.Sprint(s.name(path), " ", version)
	}
	data, version := s.data(), s.version()
	return OpSetData, Fields(nil).String(path).Bytes(data).Int(version), fmt.Sprintf("%s %q %d", s.name(path), data, version)
}

func (s *script) multi() (name string, op int32, body Fields) {
	for range s.rng.IntN(5) {
		op, part, text := s.write()
		if s.rng.IntN(6) == 0 {
			path, version := s.path(), s.version()
			op, part, text = OpCheck, pathVersion(path, version), fmt.Sprint(s.name(path), " ", version)
		}
		body = body.Multi(op, part)
		name += fmt.Sprintf(" (%d %q)", op, text)
	}
	return "multi" + name, OpMulti, body.EndMulti()
}

func (s *script) setWatches() (op int32, body Fields, name string) {
	back := s.rng.Int64N(30)
	reply, err := s.env.c.Call(OpSync, Fields(nil).String("/"))
	s.env.must(reply, err)
	body = Fields(nil).Long(max(s.base, reply.Zxid-back))
	name = fmt.Sprint("back ", back)
	for range 3 {
		paths := make([]string, s.rng.IntN(3))
		for i := range paths {
			paths[i] = s.path()
		}
		body = body.Strings(paths...)
		name += s.name(fmt.Sprint(paths))
	}
	return OpSetWatches, body, name
}

// body writes down what an answer holds.
func (s *script) body(op int32, reply Reply) string {
	body := reply.Body
	if len(body) == 0 {
		return ""
	}
	text := " "
	switch op {
	case OpCreate:
		text += s.name(body.TakeString())
	case OpCreate2:
		text += s.name(body.TakeString()) + s.stat(&body)
	case OpSetData, OpExists, OpSetACL:
		text += s.stat(&body)
	case OpGetData:
		text += fmt.Sprintf("%#v%s", body.TakeBytes(), s.stat(&body))
	case OpGetChildren, OpGetChildren2, OpGetEphemerals:
		list := body.TakeStrings()
		slices.Sort(list)
		text += s.name(fmt.Sprint(list))
		if op == OpGetChildren2 {
			text += s.stat(&body)
		}
	case OpMulti:
		return " " + s.name(fmt.Sprintf("%q", results(body)))
	case OpGetACL:
		n := len(body) - 68
		text += fmt.Sprintf("%q", body[:n])
		body = body[n:]
		text += s.stat(&body)
	case OpAddWatch:
		text += fmt.Sprint(body.TakeInt())
	}
	if len(body) > 0 {
		text += fmt.Sprintf(" and %x", []byte(body))
	}
	return text
}

// stat writes a stat down. Of the nodes above the test's the history before it is left out.
func (s *script) stat(body *Fields) string {
	st := body.TakeStat()
	if st.Czxid < s.base-1 {
		return " {before}"
	}
	return fmt.Sprintf(" {%d %d v%d c%d a%d %s %d %d %d}", st.Czxid-s.base, st.Mzxid-s.base, st.Version, st.Cversion,
		st.Aversion, s.sessions[st.EphemeralOwner], st.DataLength, st.NumChildren, st.Pzxid-s.base)
}
