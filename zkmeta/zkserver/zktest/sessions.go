package zktest

import (
	"errors"
	"io"
	"time"
)

func testHandshake(e *env) {
	for _, h := range []Handshake{
		{Timeout: 5 * time.Second, Old: true},
		{Timeout: 5 * time.Second},
		{Timeout: 5 * time.Second, ReadOnly: true},
		{Timeout: 5 * time.Second, Password: []byte{}},
	} {
		c := e.open(h)
		if c.SessionID == 0 || len(c.Password) != 16 || c.Timeout != 5*time.Second {
			e.t.Errorf("session %d, password of %d bytes, timeout %v", c.SessionID, len(c.Password), c.Timeout)
		}
		e.must(c.Call(OpExists, pathWatch("/", false)))
	}
	if short, long := e.client(time.Millisecond).Timeout, e.client(24*time.Hour).Timeout; short < 100*time.Millisecond || long > time.Hour {
		e.t.Errorf("timeouts of %v and %v were granted", short, long)
	}
	if _, err := Connect(e.dial, Handshake{Timeout: 5 * time.Second, LastZxid: 1 << 62}); !errors.Is(err, io.EOF) {
		e.t.Errorf("a client that has seen the future: %v", err)
	}
}

func (e *env) resume(c *Raw) (*Raw, error) {
	return Connect(e.dial, Handshake{Timeout: c.Timeout, SessionID: c.SessionID, Password: c.Password})
}

func testReconnect(e *env) {
	first := e.client(10 * time.Second)
	e.must(first.Call(OpCreate, createBody(e.path("eph"), nil, 1)))
	e.must(first.Call(OpGetData, pathWatch(e.root, true)))
	first.Close()
	again, err := e.resume(first)
	if err != nil {
		e.t.Fatal(err)
	}
	equal(e.t, "session", again.SessionID, first.SessionID)
	equal(e.t, "owner", e.stat("eph").EphemeralOwner, again.SessionID)
	e.must(e.c.Call(OpSetData, Fields(nil).String(e.root).Bytes(nil).Int(-1)))
	e.must(again.Call(OpPing, nil))
	e.events(again) // watches went with the connection
	e.must(again.Call(OpCreate, createBody(e.path("eph2"), nil, 1)))
	e.must(again.Call(OpCloseSession, nil))
	equal(e.t, "eph exists", e.exists("eph") || e.exists("eph2"), false)
}

func testPassword(e *env) {
	c := e.client(10 * time.Second)
	for _, password := range [][]byte{make([]byte, 16), {}, c.Password[:15]} {
		_, err := Connect(e.dial, Handshake{Timeout: c.Timeout, SessionID: c.SessionID, Password: password})
		if !errors.Is(err, ErrRefused) {
			e.t.Errorf("password %x: %v", password, err)
		}
	}
	_, err := Connect(e.dial, Handshake{Timeout: c.Timeout, SessionID: c.SessionID + 1<<20, Password: c.Password})
	if !errors.Is(err, ErrRefused) {
		e.t.Errorf("unknown session: %v", err)
	}
}

func testSessionMoves(e *env) {
	first := e.client(10 * time.Second)
	second, err := e.resume(first)
	if err != nil {
		e.t.Fatal(err)
	}
	e.closed(first)
	e.must(second.Call(OpExists, pathWatch("/", false)))
	second.Close()
}

func testExpiry(e *env) {
	c := e.client(time.Second)
	e.must(c.Call(OpCreate, createBody(e.path("eph"), nil, 1)))
	e.must(e.c.Call(OpExists, pathWatch(e.path("eph"), true)))
	begin := time.Now()
	event, err := e.c.Await()
	if err != nil {
		e.t.Fatal(err)
	}
	equal(e.t, "event", event.String(), e.place("deleted ~/eph"))
	if took := time.Since(begin); took < c.Timeout*9/10 {
		e.t.Errorf("expired after %v, with a timeout of %v", took, c.Timeout)
	}
	e.closed(c)
	if _, err := e.resume(c); !errors.Is(err, ErrRefused) {
		e.t.Errorf("resume: %v", err)
	}
}

func testClosedSession(e *env) {
	c := e.client(10 * time.Second)
	e.must(c.Call(OpCloseSession, nil))
	e.closed(c)
	if _, err := e.resume(c); !errors.Is(err, ErrRefused) {
		e.t.Errorf("resume: %v", err)
	}
}
