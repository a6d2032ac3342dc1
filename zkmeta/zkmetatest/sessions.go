package zkmetatest

import (
	"context"
	"errors"
	"time"

	"github.com/kbroker/kbroker/zkmeta"
)

func testDisconnect(e *env) {
	c, p := e.started()
	epoch, err := c.RegisterBroker(e.ctx, broker(1))
	e.must(err)
	id, state := c.Session()
	equal(e, "state", state, zkmeta.Connected)
	states := e.states(c)
	for range 3 {
		changed := e.signal()
		_, err = c.Topics(e.ctx, changed.notify)
		e.must(err)
		p.Drop()
		e.awaitState(states, zkmeta.Disconnected)
		e.awaitState(states, zkmeta.Connected)
		changed.await("the connection was lost: something may have been missed")
	}
	same, _ := c.Session()
	equal(e, "session", same, id)
	seen, err := c.Broker(e.ctx, 1, nil)
	e.must(err)
	equal(e, "epoch", seen.Epoch, epoch)

	// The watch that is set after the reconnection is a real one.
	changed := e.signal()
	_, err = c.Topics(e.ctx, changed.notify)
	e.must(err)
	e.must(c.CreateTopic(e.ctx, nil, topic("t", 1), nil))
	changed.await("a topic was created")
}

func testExpiry(e *env) {
	c, p := e.started()
	epoch, err := c.RegisterBroker(e.ctx, broker(1))
	e.must(err)
	old, _ := c.Session()
	states := e.states(c)
	changed := e.signal()
	_, err = c.Topics(e.ctx, changed.notify)
	e.must(err)
	_, _, err = c.Controller(e.ctx, changed.notify)
	e.must(err)

	resume := p.Hold()
	inFlight := make(chan error, 1)
	go func() {
		_, err := c.Brokers(e.ctx, nil)
		inFlight <- err
	}()
	p.Expire()
	resume()
	e.awaitState(states, zkmeta.Disconnected)
	e.awaitState(states, zkmeta.Expired)
	e.awaitState(states, zkmeta.Connected)
	changed.await("the session expired")
	changed.await("the session expired, the other watch")
	select {
	case err := <-inFlight:
		// It may have been so slow that it began in the new session.
		if err != nil {
			e.mustBe(err, zkmeta.ErrSessionExpired)
		}
	case <-time.After(patience):
		e.Fatal("the call of the old session does not end")
	}

	id, state := c.Session()
	equal(e, "state", state, zkmeta.Connected)
	if id == old || id == 0 {
		e.Fatalf("session %#x after %#x", id, old)
	}
	brokers, err := c.Brokers(e.ctx, nil)
	e.must(err)
	equal(e, "brokers", len(brokers), 0)
	next, err := c.RegisterBroker(e.ctx, broker(1))
	e.must(err)
	if next <= epoch {
		e.Fatalf("epoch %d after %d", next, epoch)
	}
	changed.silent("each watch fires once")
}

func testContext(e *env) {
	c, p := e.started()
	resume := p.Hold()
	defer resume()
	ctx, cancel := context.WithCancelCause(e.ctx)
	ended := make(chan error, 3)
	go func() {
		_, err := c.Topics(ctx, nil)
		ended <- err
	}()
	go func() { ended <- c.MarkForDeletion(ctx, "t") }()
	go func() {
		_, err := c.Assignments(ctx, []string{"a", "b"}, nil)
		ended <- err
	}()
	enough := errors.New("enough")
	cancel(enough)
	for range cap(ended) {
		select {
		case err := <-ended:
			e.mustBe(err, enough)
		case <-time.After(patience):
			e.Fatal("a call outlives its context")
		}
	}
	resume()
	_, err := c.Topics(e.ctx, nil)
	e.must(err)
}

func testClose(e *env) {
	c, p := e.started()
	resume := p.Hold()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Topics(e.ctx, nil)
		ended <- err
	}()
	closed := make(chan struct{})
	go func() {
		c.Close()
		close(closed)
	}()
	select {
	case err := <-ended:
		e.mustBe(err, zkmeta.ErrClosed)
	case <-time.After(patience):
		e.Fatal("the call does not end")
	}
	resume()
	select {
	case <-closed:
	case <-time.After(patience):
		e.Fatal("Close does not return")
	}
	_, err := c.Topics(e.ctx, nil)
	e.mustBe(err, zkmeta.ErrClosed)
	c.Close()
}
