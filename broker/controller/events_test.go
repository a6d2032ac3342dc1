package controller

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestMarkIsQueuedOnceUntilTaken(t *testing.T) {
	m := newMailbox()
	for range 3 {
		m.change(event{name: "a", mark: mark{kind: "a"}})
		m.change(event{name: "b", mark: mark{kind: "b", topic: "t"}})
	}
	if n := m.size(); n != 2 {
		t.Fatalf("%d events wait", n)
	}
	if e, _ := m.take(); e.name != "a" {
		t.Fatalf("took %s", e.name)
	}
	m.change(event{name: "a", mark: mark{kind: "a"}}) // while the first is handled
	if n := m.size(); n != 2 {
		t.Fatalf("%d events wait", n)
	}
}

func TestMailboxIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox()
		for range mailboxSize {
			if err := m.post(t.Context(), event{}); err != nil {
				t.Fatal(err)
			}
		}
		m.change(event{mark: mark{kind: "never waits"}})
		ctx, cancel := context.WithCancelCause(t.Context())
		gaveUp := errors.New("gave up")
		result := make(chan error, 1)
		go func() { result <- m.post(ctx, event{}) }()
		synctest.Wait()
		cancel(gaveUp)
		if err := <-result; !errors.Is(err, gaveUp) {
			t.Fatalf("post to a full mailbox: %v", err)
		}
		go func() { result <- m.post(t.Context(), event{}) }()
		synctest.Wait()
		m.take()
		if err := <-result; err != nil {
			t.Fatalf("post after one was taken: %v", err)
		}
	})
}

func TestClearRefusesWhatWaits(t *testing.T) {
	m := newMailbox()
	refused := 0
	for range mailboxSize {
		if err := m.post(t.Context(), event{refuse: func() { refused++ }}); err != nil {
			t.Fatal(err)
		}
	}
	m.change(event{mark: mark{kind: "a"}})
	m.clear()
	if refused != mailboxSize || m.size() != 0 {
		t.Fatalf("%d refused, %d wait", refused, m.size())
	}
	m.change(event{mark: mark{kind: "a"}})
	if m.size() != 1 {
		t.Fatal("a cleared mark cannot be set again")
	}
}
