package zktest

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

func testPipeline(e *env) {
	e.create("n", "", 0)
	var sent []int32
	for i := range 300 {
		op, body := int32(OpCreate), createBody(e.path(fmt.Sprintf("n/%d", i/3)), nil, 0)
		switch i % 3 {
		case 1:
			op, body = OpGetData, pathWatch(e.path(fmt.Sprintf("n/%d", i/3)), false)
		case 2:
			op, body = OpCreate, createBody(e.path("n"), nil, 0) // fails
		}
		xid, err := e.c.Send(op, body)
		if err != nil {
			e.t.Fatal(err)
		}
		sent = append(sent, xid)
	}
	var zxid int64
	for i, xid := range sent {
		reply, err := e.c.Receive()
		if err != nil {
			e.t.Fatal(err)
		}
		if want := map[bool]int32{true: -110, false: 0}[i%3 == 2]; reply.Xid != xid || reply.Code != want {
			e.t.Fatalf("answer %d has xid %d and code %d, want %d and %d", i, reply.Xid, reply.Code, xid, want)
		}
		// Every write has a zxid of its own, also one that fails.
		if i > 0 && i%3 != 1 && reply.Zxid != zxid+1 || i%3 == 1 && reply.Zxid != zxid {
			e.t.Fatalf("answer %d has zxid %x after %x", i, reply.Zxid, zxid)
		}
		zxid = reply.Zxid
	}
}

func testMalformed(e *env) {
	// A body that is cut short is answered; the connection goes on.
	for _, op := range []int32{
		OpCreate, OpDelete, OpExists, OpGetData, OpSetData, OpGetACL, OpSetACL, OpGetChildren, OpGetChildren2,
		OpSync, OpCreate2, OpMulti, OpMultiRead, OpSetWatches, OpAddWatch,
	} {
		reply, err := e.c.Call(op, Fields(nil).Int(100))
		if err != nil || reply.Code != -5 {
			e.t.Errorf("operation %d: code %d, %v; want -5", op, reply.Code, err)
		}
	}
	e.must(e.c.Call(OpExists, pathWatch("/", false)))

	unknown := e.client(10 * time.Second)
	e.fails(-6)(unknown.Call(77, nil))
	e.closed(unknown)

	for what, bytes := range map[string][]byte{
		"a negative length": {0xff, 0xff, 0xff, 0xff},
		"a huge length":     {0x7f, 0xff, 0xff, 0xff},
		"half a header":     {0, 0, 0, 4, 0, 0, 0, 1},
	} {
		c := e.client(10 * time.Second)
		if err := c.SendBytes(bytes); err != nil {
			e.t.Fatal(err)
		}
		if reply, err := c.Receive(); err != io.EOF {
			e.t.Errorf("%s: %+v, %v", what, reply, err)
		}
		c.Close()
	}
}

func testWords(e *env) {
	ask := func(word string) string {
		e.t.Helper()
		conn, err := e.dial()
		if err != nil {
			e.t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(callTime))
		io.WriteString(conn, word)
		answer, err := io.ReadAll(conn)
		if err != nil {
			e.t.Fatalf("%s: %v", word, err)
		}
		return string(answer)
	}
	equal(e.t, "ruok", ask("ruok"), "imok")
	equal(e.t, "isro", ask("isro"), "rw")
	for word, wants := range map[string][]string{
		"srvr": {"Zookeeper version: 3.", ", built on ", "\nReceived: ", "\nConnections: ", "\nZxid: 0x", "\nMode: standalone\n", "\nNode count: "},
		"stat": {"\nClients:\n /127.0.0.1:", "](queued=", ",recved=", "\nLatency min/avg/max: ", "\nMode: standalone\n"},
		"mntr": {"zk_version\t", "\nzk_server_state\tstandalone\n", "\nzk_znode_count\t", "\nzk_watch_count\t", "\nzk_ephemerals_count\t"},
	} {
		answer := ask(word)
		for _, want := range wants {
			if !strings.Contains(answer, want) {
				e.t.Errorf("%s lacks %q: %s", word, want, answer)
			}
		}
	}
}

// testGoClient goes once through the client that kbroker uses.
func testGoClient(e *env) {
	c, events, err := zk.Connect([]string{e.connect}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		e.t.Fatal(err)
	}
	defer c.Close()
	for event := range events {
		if event.State == zk.StateHasSession {
			break
		}
	}
	open := zk.WorldACL(zk.PermAll)
	check := func(what string, err error) {
		e.t.Helper()
		if err != nil {
			e.t.Fatalf("%s: %v", what, err)
		}
	}
	_, err = c.Create(e.path("n"), []byte("v"), zk.FlagEphemeral, open)
	check("create", err)
	_, stat, watch, err := c.GetW(e.path("n"))
	check("get", err)
	equal(e.t, "owner", stat.EphemeralOwner, c.SessionID())
	_, err = c.Multi(
		&zk.CheckVersionRequest{Path: e.path("n"), Version: 0},
		&zk.SetDataRequest{Path: e.path("n"), Data: []byte("w"), Version: 0},
		&zk.CreateRequest{Path: e.path("m"), Acl: open})
	check("multi", err)
	equal(e.t, "event", (<-watch).Type, zk.EventNodeDataChanged)
	_, err = c.Multi(
		&zk.CheckVersionRequest{Path: e.path("n"), Version: 0},
		&zk.DeleteRequest{Path: e.path("m"), Version: -1})
	equal(e.t, "failed multi", err, zk.ErrBadVersion)
	children, _, err := c.Children(e.root)
	check("children", err)
	equal(e.t, "children", len(children), 2)
	name, err := c.CreateProtectedEphemeralSequential(e.path("lock-"), nil, open)
	check("create protected", err)
	equal(e.t, "sequence", strings.HasSuffix(name, "lock-0000000002"), true)
}
