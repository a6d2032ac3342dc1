package zkserver_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kbroker/kbroker/zkmeta/zkserver"
	"github.com/kbroker/kbroker/zkmeta/zkserver/zktest"
)

// connect opens a session with a server.
func connect(t *testing.T, s *zkserver.Server, h zktest.Handshake) *zktest.Raw {
	t.Helper()
	c, err := dial(s.Addr().String(), h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func dial(address string, h zktest.Handshake) (*zktest.Raw, error) {
	if h.Timeout == 0 {
		h.Timeout = 10 * time.Second
	}
	return zktest.Connect(func() (net.Conn, error) { return net.Dial("tcp", address) }, h)
}

func again(c *zktest.Raw) zktest.Handshake {
	return zktest.Handshake{Timeout: c.Timeout, SessionID: c.SessionID, Password: c.Password}
}

func must(t *testing.T) func(zktest.Reply, error) zktest.Reply {
	t.Helper()
	return func(reply zktest.Reply, err error) zktest.Reply {
		t.Helper()
		if err != nil || reply.Code != 0 {
			t.Fatalf("code %d, %v", reply.Code, err)
		}
		return reply
	}
}

func create(path string, data []byte, flags int32) zktest.Fields {
	return zktest.Fields(nil).String(path).Bytes(data).Open().Int(flags)
}

func read(path string) zktest.Fields { return zktest.Fields(nil).String(path).Bool(false) }

// dump is the tree as a client sees it.
func dump(t *testing.T, c *zktest.Raw, path string) string {
	t.Helper()
	data := must(t)(c.Call(zktest.OpGetData, read(path))).Body
	acl := must(t)(c.Call(zktest.OpGetACL, zktest.Fields(nil).String(path))).Body
	text := fmt.Sprintf("%s %q %q\n", path, []byte(data), []byte(acl))
	children := must(t)(c.Call(zktest.OpGetChildren, read(path))).Body
	for _, name := range children.TakeStrings() {
		text += dump(t, c, strings.TrimSuffix(path, "/")+"/"+name)
	}
	return text
}

func TestRestartKeepsEverything(t *testing.T) {
	o := zkserver.Options{Path: filepath.Join(t.TempDir(), "zk"), NoSync: true}
	s := start(t, o)
	c := connect(t, s, zktest.Handshake{})
	must(t)(c.Call(zktest.OpCreate, create("/a", nil, 0)))
	must(t)(c.Call(zktest.OpCreate, create("/a/empty", []byte{}, 0)))
	must(t)(c.Call(zktest.OpCreate, create("/a/eph", []byte("mine"), 1)))
	for range 3 {
		must(t)(c.Call(zktest.OpCreate, create("/a/seq-", []byte("x"), 2)))
	}
	must(t)(c.Call(zktest.OpDelete, zktest.Fields(nil).String("/a/seq-0000000003").Int(0)))
	must(t)(c.Call(zktest.OpSetData, zktest.Fields(nil).String("/a").Bytes([]byte("data")).Int(0)))
	must(t)(c.Call(zktest.OpSetACL, zktest.Fields(nil).String("/a").ACL(1, "world", "anyone").Int(0)))
	gone := connect(t, s, zktest.Handshake{})
	must(t)(gone.Call(zktest.OpCreate, create("/gone", nil, 1)))
	closing := must(t)(gone.Call(zktest.OpCloseSession, nil))
	before := dump(t, c, "/")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = start(t, o)
	resumed := connect(t, s, again(c))
	if after := dump(t, resumed, "/"); after != before {
		t.Errorf("the tree is\n%s\nwas\n%s", after, before)
	}
	next := must(t)(resumed.Call(zktest.OpCreate, create("/a/seq-", nil, 2)))
	if name := next.Body.TakeString(); name != "/a/seq-0000000005" {
		t.Errorf("next name %s", name)
	}
	if next.Zxid>>32 != closing.Zxid>>32+1 {
		t.Errorf("zxid %x after the restart, %x before", next.Zxid, closing.Zxid)
	}
	if _, err := dial(s.Addr().String(), again(gone)); !errors.Is(err, zktest.ErrRefused) {
		t.Errorf("closed session after restart: %v", err)
	}
	if id := connect(t, s, zktest.Handshake{}).SessionID; id <= gone.SessionID {
		t.Errorf("new session %d after %d", id, gone.SessionID)
	}
	must(t)(resumed.Call(zktest.OpCloseSession, nil))
	if after := dump(t, connect(t, s, zktest.Handshake{}), "/"); strings.Contains(after, "/a/eph") {
		t.Error("ephemeral node outlived its session")
	}
}

func TestOneProcessPerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zk")
	start(t, zkserver.Options{Path: path, NoSync: true})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := zkserver.New(zkserver.Options{Path: path, Listener: l}); err == nil {
		s.Close()
		t.Fatal("two servers have one file")
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("listener after a failed start: %v", err)
	}
}

func TestForeignFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zk")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := zkserver.New(zkserver.Options{Path: path, Listener: l}); err == nil {
		s.Close()
		t.Fatal("served a foreign file")
	}
}

// commits reads from the words how many transactions the store has made.
func commits(t *testing.T, s *zkserver.Server) int {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "mntr")
	for lines := bufio.NewScanner(c); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), "zk_commits\t"); found {
			n, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("mntr tells no commits")
	return 0
}

func TestManyWritesShareACommit(t *testing.T) {
	s := start(t, zkserver.Options{Path: filepath.Join(t.TempDir(), "zk")})
	const clients, writes = 8, 200
	var all []*zktest.Raw
	for range clients {
		all = append(all, connect(t, s, zktest.Handshake{}))
	}
	before := commits(t, s)
	resume := s.Pause() // so that requests wait while others are applied
	for i, c := range all {
		for j := range writes {
			if _, err := c.Send(zktest.OpCreate, create(fmt.Sprintf("/n-%d-%d", i, j), nil, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	resume()
	for _, c := range all {
		for range writes {
			must(t)(c.Receive())
		}
	}
	made := commits(t, s) - before
	t.Logf("%d commits for %d writes", made, clients*writes)
	if made > clients*writes/10 {
		t.Errorf("%d commits for %d writes", made, clients*writes)
	}
	// Reads alone commit nothing.
	before = commits(t, s)
	must(t)(all[0].Call(zktest.OpGetData, read("/")))
	if after := commits(t, s); after != before {
		t.Errorf("%d commits for a read", after-before)
	}
}

// serveFor tells this test binary to be a server on a file until it is killed.
const serveFor = "ZKSERVER_TEST_SERVE_FILE"

func TestServeUntilKilled(t *testing.T) {
	path := os.Getenv(serveFor)
	if path == "" {
		t.Skip("only as the other process of TestKillLosesNoAnsweredWrite")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := zkserver.New(zkserver.Options{Path: path, Listener: l})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("serving", s.Addr())
	<-s.Done()
}

func TestKillLosesNoAnsweredWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zk")
	var answered []string
	var zxid int64
	for round := range 3 {
		address, kill := serveInOtherProcess(t, path)
		c, err := dial(address, zktest.Handshake{LastZxid: zxid}) // refused if zxids went back
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			name := fmt.Sprintf("/n-%d-%d", round, i)
			reply := must(t)(c.Call(zktest.OpCreate, create(name, []byte(name), 0)))
			answered, zxid = append(answered, name), reply.Zxid
			c.Call(zktest.OpCreate, create(name, nil, 0)) // takes a zxid that is not stored
		}
		for i := range 50 { // and some that are under way
			if _, err := c.Send(zktest.OpCreate, create(fmt.Sprintf("/late-%d-%d", round, i), nil, 0)); err != nil {
				t.Fatal(err)
			}
		}
		kill()
		c.Close()
	}
	s := start(t, zkserver.Options{Path: path})
	c := connect(t, s, zktest.Handshake{LastZxid: zxid})
	for _, name := range answered {
		data := must(t)(c.Call(zktest.OpGetData, read(name))).Body
		if got := string(data.TakeBytes()); got != name {
			t.Fatalf("%s holds %q", name, got)
		}
	}
}

func serveInOtherProcess(t *testing.T, path string) (address string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestServeUntilKilled$", "-test.v")
	cmd.Env = append(os.Environ(), serveFor+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	t.Cleanup(kill)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if address, found := strings.CutPrefix(lines.Text(), "serving "); found {
			return address, kill
		}
	}
	t.Fatal("the other process does not serve")
	return "", nil
}

func BenchmarkStart(b *testing.B) {
	path := filepath.Join(b.TempDir(), "zk")
	for b.Loop() {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		s, err := zkserver.New(zkserver.Options{Path: path, Listener: l})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
