package zktest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// Run tests that the server at connect (host:port) behaves as a ZooKeeper does. The server must
// be a single one, allow session timeouts of one second, and be used by nobody else meanwhile; it may hold data.
// All nodes are made below nodes of their own and deleted in the end.
func Run(t *testing.T, connect string) {
	for _, b := range []struct {
		name string
		test func(e *env)
	}{
		{"StatsTellTheHistoryOfANode", testStats},
		{"NullDataIsNotEmptyData", testNullData},
		{"SequentialNamesCountCreations", testSequential},
		{"EphemeralNodesEndWithTheirSession", testEphemeral},
		{"ErrorsAsZooKeeperGivesThem", testErrors},
		{"VersionsGuardWrites", testVersions},
		{"ZookeeperNodesExist", testSystemNodes},
		{"AccessListsAreKept", testACL},
		{"AuthenticationIsAnswered", testAuth},
		{"SmallReads", testSmallReads},
		{"MultiDoesAll", testMulti},
		{"MultiDoesNothingWhenOneFails", testMultiFails},
		{"MultiFailureTakesBackEverything", testMultiRollback},
		{"MultiReadAnswersEach", testMultiRead},
		{"DataWatchFiresOnce", testDataWatch},
		{"ExistsWatchFiresOnCreation", testExistsWatch},
		{"ChildWatchFiresOnChildren", testChildWatch},
		{"DeletionIsToldOnce", testDeletionWatch},
		{"EventComesBeforeTheAnswer", testEventOrder},
		{"FailedMultiFiresNothing", testMultiWatch},
		{"PersistentWatchesStay", testPersistentWatch},
		{"WatchesAreRemoved", testRemoveWatches},
		{"SetWatchesTellsWhatWasMissed", testSetWatches},
		{"HandshakeVariants", testHandshake},
		{"SessionSurvivesConnection", testReconnect},
		{"SessionNeedsItsPassword", testPassword},
		{"SessionMovesToTheNewConnection", testSessionMoves},
		{"SessionExpires", testExpiry},
		{"ClosedSessionIsGone", testClosedSession},
		{"AnswersComeInOrder", testPipeline},
		{"MalformedRequests", testMalformed},
		{"FourLetterWords", testWords},
		{"GoZookeeperClient", testGoClient},
	} {
		t.Run(b.name, func(t *testing.T) { b.test(newEnv(t, connect)) })
	}
}

// env is a test's place in the tree and its main client.
type env struct {
	t       *testing.T
	connect string
	root    string
	c       *Raw
}

var roots atomic.Int64 // makes the roots of one process differ

func newEnv(t *testing.T, connect string) *env {
	e := &env{t: t, connect: connect}
	e.c = e.client(10 * time.Second)
	e.root = fmt.Sprintf("/zktest-%d-%d", time.Now().UnixNano(), roots.Add(1))
	e.must(e.c.Call(OpCreate, createBody(e.root, nil, 0)))
	t.Cleanup(func() {
		c := e.client(10 * time.Second)
		e.deleteAll(c, e.root)
		c.Call(OpCloseSession, nil)
	})
	return e
}

func (e *env) deleteAll(c *Raw, path string) {
	reply, err := c.Call(OpGetChildren, Fields(nil).String(path).Bool(false))
	if err != nil || reply.Code != 0 {
		return
	}
	for _, name := range reply.Body.TakeStrings() {
		e.deleteAll(c, path+"/"+name)
	}
	c.Call(OpDelete, Fields(nil).String(path).Int(-1))
}

func (e *env) dial() (net.Conn, error) { return net.DialTimeout("tcp", e.connect, callTime) }

// client opens a session; it is closed with the test.
func (e *env) client(timeout time.Duration) *Raw {
	e.t.Helper()
	return e.open(Handshake{Timeout: timeout})
}

func (e *env) open(h Handshake) *Raw {
	e.t.Helper()
	c, err := Connect(e.dial, h)
	if err != nil {
		e.t.Fatalf("connect: %v", err)
	}
	e.t.Cleanup(func() {
		c.Call(OpCloseSession, nil)
		c.Close()
	})
	return c
}

// path names a node below the test's root.
func (e *env) path(name string) string { return e.root + "/" + name }

// must takes the answer of a call that succeeded.
func (e *env) must(reply Reply, err error) Fields {
	e.t.Helper()
	if err != nil || reply.Code != 0 {
		e.t.Fatalf("code %d, %v", reply.Code, err)
	}
	return reply.Body
}

func (e *env) fails(code int32) func(Reply, error) {
	e.t.Helper()
	return func(reply Reply, err error) {
		e.t.Helper()
		if err != nil || reply.Code != code {
			e.t.Errorf("code %d, %v; want %d", reply.Code, err, code)
		}
		if len(reply.Body) != 0 {
			e.t.Errorf("an error with a body of %d bytes", len(reply.Body))
		}
	}
}

func (e *env) create(name, data string, flags int32) string {
	e.t.Helper()
	body := e.must(e.c.Call(OpCreate, createBody(e.path(name), []byte(data), flags)))
	return body.TakeString()
}

func (e *env) set(name, data string) Stat {
	e.t.Helper()
	body := e.must(e.c.Call(OpSetData, Fields(nil).String(e.path(name)).Bytes([]byte(data)).Int(-1)))
	return body.TakeStat()
}

func (e *env) delete(name string) {
	e.t.Helper()
	e.must(e.c.Call(OpDelete, Fields(nil).String(e.path(name)).Int(-1)))
}

func (e *env) stat(name string) Stat {
	e.t.Helper()
	path := e.root
	if name != "" {
		path = e.path(name)
	}
	body := e.must(e.c.Call(OpExists, pathWatch(path, false)))
	return body.TakeStat()
}

func (e *env) exists(name string) bool {
	e.t.Helper()
	reply, err := e.c.Call(OpExists, pathWatch(e.path(name), false))
	if err != nil || reply.Code != 0 && reply.Code != -101 {
		e.t.Fatalf("exists: code %d, %v", reply.Code, err)
	}
	return reply.Code == 0
}

func (e *env) children(name string) []string {
	e.t.Helper()
	body := e.must(e.c.Call(OpGetChildren, pathWatch(e.path(name), false)))
	list := body.TakeStrings()
	slices.Sort(list)
	return list
}

// events checks the events a client was told before its last answer.
func (e *env) events(c *Raw, want ...string) {
	e.t.Helper()
	got := []string{}
	for _, event := range c.Events {
		got = append(got, event.String())
		if event.State != 3 || event.Zxid != -1 {
			e.t.Errorf("event with state %d and zxid %d", event.State, event.Zxid)
		}
	}
	for i := range want {
		want[i] = e.place(want[i])
	}
	if !slices.Equal(got, want) {
		e.t.Errorf("events %q, want %q", got, want)
	}
}

// place puts the test's root where a text has a tilde.
func (e *env) place(text string) string {
	for i := range text {
		if text[i] == '~' {
			return text[:i] + e.root + text[i+1:]
		}
	}
	return text
}

// closed checks that the server hangs up without another answer.
func (e *env) closed(c *Raw) {
	e.t.Helper()
	if reply, err := c.Receive(); !errors.Is(err, io.EOF) {
		e.t.Errorf("got %+v, %v; want the end of the connection", reply, err)
	}
}

func createBody(path string, data []byte, flags int32) Fields {
	return Fields(nil).String(path).Bytes(data).Open().Int(flags)
}

func pathWatch(path string, watch bool) Fields { return Fields(nil).String(path).Bool(watch) }

func pathVersion(path string, version int32) Fields { return Fields(nil).String(path).Int(version) }

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}
