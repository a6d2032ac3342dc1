package zkserver_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/kbroker/kbroker/zkmeta/zkserver"
	"github.com/kbroker/kbroker/zkmeta/zkserver/zktest"
)

// inMemory runs a server and a dialer on a network in memory; for synctest.
func inMemory(t *testing.T, o zkserver.Options) (*zkserver.Server, func(zktest.Handshake) (*zktest.Raw, error)) {
	t.Helper()
	network := zktest.NewNetwork()
	o.Listener = network
	s := start(t, o)
	return s, func(h zktest.Handshake) (*zktest.Raw, error) {
		return zktest.Connect(func() (net.Conn, error) { return network.Dial("tcp", "", time.Second) }, h)
	}
}

func TestSessionExpiresAtTheTickAfterItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, dial := inMemory(t, zkserver.Options{TickTime: time.Second})
		watcher, err := dial(zktest.Handshake{Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer watcher.Close()
		c, err := dial(zktest.Handshake{Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		must(t)(c.Call(zktest.OpCreate, create("/eph", nil, 1)))
		begin := time.Now()
		for range 10 { // pings keep it alive
			time.Sleep(4 * time.Second)
			must(t)(c.Call(zktest.OpPing, nil))
			must(t)(watcher.Call(zktest.OpExists, zktest.Fields(nil).String("/eph").Bool(true)))
		}
		time.Sleep(200 * time.Millisecond)
		must(t)(c.Call(zktest.OpPing, nil)) // at 40.2 s: the end is at 45.2 s, the next tick at 46 s
		if event, err := watcher.Await(); err != nil || event.String() != "deleted /eph" {
			t.Fatalf("%v, %v", event, err)
		}
		if took := time.Since(begin); took != 46*time.Second {
			t.Errorf("expired after %v", took)
		}
		if _, err := c.Receive(); err != io.EOF {
			t.Errorf("connection of an expired session: %v", err)
		}
		if _, err := dial(again(c)); !errors.Is(err, zktest.ErrRefused) {
			t.Errorf("resumed: %v", err)
		}
	})
}

func TestRestartGivesSessionsTheirFullTimeout(t *testing.T) {
	path := t.TempDir() + "/zk"
	synctest.Test(t, func(t *testing.T) {
		o := zkserver.Options{TickTime: time.Second, Path: path, NoSync: true}
		s, dial := inMemory(t, o)
		open := func(path string) *zktest.Raw {
			c, err := dial(zktest.Handshake{Timeout: 6 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			must(t)(c.Call(zktest.OpCreate, create(path, nil, 1)))
			return c
		}
		kept, lost := open("/kept"), open("/lost")
		time.Sleep(5 * time.Second)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		kept.Close()
		lost.Close()
		time.Sleep(time.Hour) // nobody expires while there is no server

		_, dial = inMemory(t, o)
		time.Sleep(5 * time.Second)
		c, err := dial(again(kept))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		must(t)(c.Call(zktest.OpExists, zktest.Fields(nil).String("/lost").Bool(true)))
		if event, err := c.Await(); err != nil || event.String() != "deleted /lost" {
			t.Fatalf("%v, %v", event, err)
		}
		must(t)(c.Call(zktest.OpExists, read("/kept")))
	})
}

func TestExpireSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dial := inMemory(t, zkserver.Options{})
		c, err := dial(zktest.Handshake{})
		if err != nil {
			t.Fatal(err)
		}
		must(t)(c.Call(zktest.OpCreate, create("/eph", nil, 1)))
		if ids := s.Sessions(); len(ids) != 1 || ids[0] != c.SessionID {
			t.Errorf("sessions %v", ids)
		}
		if s.ExpireSession(c.SessionID + 1) {
			t.Error("expired a session that is not")
		}
		if !s.ExpireSession(c.SessionID) || len(s.Sessions()) != 0 {
			t.Error("the session lives")
		}
		if _, err := c.Receive(); err != io.EOF {
			t.Errorf("connection: %v", err)
		}
		other, err := dial(zktest.Handshake{})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if reply, err := other.Call(zktest.OpExists, read("/eph")); err != nil || reply.Code != -101 {
			t.Errorf("ephemeral node: code %d, %v", reply.Code, err)
		}
	})
}

func TestDropConnectionsKeepsSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dial := inMemory(t, zkserver.Options{})
		c, err := dial(zktest.Handshake{})
		if err != nil {
			t.Fatal(err)
		}
		s.DropConnections()
		if _, err := c.Receive(); err != io.EOF {
			t.Errorf("connection: %v", err)
		}
		c, err = dial(again(c))
		if err != nil {
			t.Fatal(err)
		}
		must(t)(c.Call(zktest.OpPing, nil))
		c.Close()
	})
}

func TestPauseHoldsAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dial := inMemory(t, zkserver.Options{})
		c, err := dial(zktest.Handshake{Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		resume := s.Pause()
		begin := time.Now()
		time.AfterFunc(3*time.Second, resume)
		must(t)(c.Call(zktest.OpPing, nil))
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("answered after %v", took)
		}
		resume() // again
	})
}

func TestInterceptDropsAndDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var verdict atomic.Pointer[zkserver.Verdict]
		verdict.Store(&zkserver.Verdict{})
		var seen atomic.Pointer[zkserver.Request]
		_, dial := inMemory(t, zkserver.Options{Intercept: func(r zkserver.Request) zkserver.Verdict {
			seen.Store(&r)
			return *verdict.Load()
		}})
		open := func() *zktest.Raw {
			c, err := dial(zktest.Handshake{})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		c := open()
		verdict.Store(&zkserver.Verdict{Delay: 2 * time.Second})
		begin := time.Now()
		must(t)(c.Call(zktest.OpCreate, create("/a", nil, 0)))
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("answered after %v", took)
		}
		if got, want := *seen.Load(), (zkserver.Request{SessionID: c.SessionID, Op: zktest.OpCreate, Path: "/a"}); got != want {
			t.Errorf("seen %+v, want %+v", got, want)
		}
		for drop, name := range map[zkserver.Drop]string{zkserver.DropRequest: "/dropped", zkserver.DropAnswer: "/unanswered"} {
			verdict.Store(&zkserver.Verdict{Drop: drop})
			if _, err := c.Call(zktest.OpCreate, create(name, nil, 0)); err != io.EOF {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := dial(zktest.Handshake{}); err != io.EOF {
				t.Errorf("handshake: %v", err)
			}
			verdict.Store(&zkserver.Verdict{})
			c = open()
		}
		if reply, err := c.Call(zktest.OpExists, read("/dropped")); err != nil || reply.Code != -101 {
			t.Errorf("dropped request: code %d, %v", reply.Code, err)
		}
		must(t)(c.Call(zktest.OpExists, read("/unanswered")))
		c.Close()
	})
}

func TestFramesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, dial := inMemory(t, zkserver.Options{MaxFrame: 1000})
		open := func() *zktest.Raw {
			c, err := dial(zktest.Handshake{})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		c := open()
		must(t)(c.Call(zktest.OpCreate, create("/a", bytes.Repeat([]byte("x"), 900), 0)))
		must(t)(c.Call(zktest.OpGetData, read("/a")))
		if _, err := c.Call(zktest.OpSetData, zktest.Fields(nil).String("/a").Bytes(make([]byte, 1000)).Int(-1)); err != io.EOF {
			t.Errorf("request beyond the limit: %v", err)
		}
		c.Close()
		c = open()
		for range 10 {
			must(t)(c.Call(zktest.OpCreate, create("/a/"+string(bytes.Repeat([]byte("x"), 100)), nil, 2)))
		}
		if _, err := c.Call(zktest.OpGetChildren, read("/a")); err != io.EOF {
			t.Errorf("answer beyond the limit: %v", err)
		}
		c.Close()
	})
}

func TestConnectionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, dial := inMemory(t, zkserver.Options{MaxConnections: 2})
		var open []*zktest.Raw
		for range 2 {
			c, err := dial(zktest.Handshake{})
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
		}
		if _, err := dial(zktest.Handshake{}); err != io.EOF {
			t.Errorf("third connection: %v", err)
		}
		open[0].Close()
		synctest.Wait()
		c, err := dial(zktest.Handshake{})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		open[1].Close()
	})
}

func TestSilentConnectionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zktest.NewNetwork()
		start(t, zkserver.Options{Listener: network})
		c, err := network.Dial("tcp", "", time.Second)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read: %v", err)
		}
		if took := time.Since(begin); took != 30*time.Second {
			t.Errorf("closed after %v", took)
		}
	})
}

// A client that stops reading is stopped in turn, and expires in the end; nobody waits for it.
func TestClientThatDoesNotReadHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zktest.NewNetwork()
		s := start(t, zkserver.Options{Listener: network})
		deaf, err := zktest.Connect(func() (net.Conn, error) { return network.Dial("tcp", "", time.Second) }, zktest.Handshake{})
		if err != nil {
			t.Fatal(err)
		}
		defer deaf.Close()
		for { // until the server reads no more
			if _, err := deaf.Send(zktest.OpPing, nil); err != nil {
				break
			}
		}
		time.Sleep(time.Minute)
		if len(s.Sessions()) != 0 {
			t.Error("the session lives")
		}
	})
}

func TestGoZookeeperUnderSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := zktest.NewNetwork()
		s := start(t, zkserver.Options{Listener: network})
		c, events, err := zk.Connect([]string{"127.0.0.1:2181"}, 10*time.Second, zk.WithDialer(network.Dial), zk.WithLogger(silent{}))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Create("/eph", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll)); err != nil {
			t.Fatal(err)
		}
		_, _, watch, err := c.ExistsW("/eph")
		if err != nil {
			t.Fatal(err)
		}
		s.DropConnections() // the client comes back and sets its watch again
		time.Sleep(20 * time.Second)
		s.ExpireSession(c.SessionID())
		if event := <-watch; event.Type != zk.EventNodeDeleted && event.Type != zk.EventNotWatching {
			t.Errorf("event %v", event)
		}
		for event := range events {
			if event.State == zk.StateExpired {
				break
			}
		}
	})
}

type silent struct{}

func (silent) Printf(string, ...any) {}
