package cluster

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// echo listens and answers with what it is sent.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the connection
				defer c.Close()
				_, _ = io.Copy(c, c) // until the other side ends
			}()
		}
	}()
	return l.Addr().String()
}

func fixture(t *testing.T) (*Network, *door) {
	t.Helper()
	n := newNetwork()
	return n, openDoor(t, n, "b", echo(t), func(net.Conn) string { return "a" })
}

func dial(t *testing.T, d *door) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", d.address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ping sends a byte and waits for it.
func ping(c net.Conn, within time.Duration) error {
	_ = c.SetDeadline(time.Now().Add(within)) // a TCP connection takes deadlines
	if _, err := c.Write([]byte{1}); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

const soon = 5 * time.Second

func expectPing(t *testing.T, c net.Conn) {
	t.Helper()
	if err := ping(c, soon); err != nil {
		t.Errorf("a whole link: %v", err)
	}
}

// TestStalledLink lets nothing pass, on old connections and new ones, and then everything.
func TestStalledLink(t *testing.T) {
	n, d := fixture(t)
	old := dial(t, d)
	expectPing(t, old)
	n.Set("a", "b", Condition{Stalled: true})
	fresh := dial(t, d)
	for _, c := range []net.Conn{old, fresh} {
		if err := ping(c, 200*time.Millisecond); !isTimeout(err) {
			t.Errorf("a stalled link: %v", err)
		}
	}
	n.Heal()
	for _, c := range []net.Conn{old, fresh} {
		_ = c.SetDeadline(time.Now().Add(soon)) // a TCP connection takes deadlines
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Errorf("what was sent over the stalled link: %v", err)
		}
		expectPing(t, c)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// refused returns an error unless a new connection is reset, be it while it is made.
func refused(d *door) error {
	c, err := net.Dial("tcp", d.address())
	if err == nil {
		defer c.Close()
		err = ping(c, soon)
	}
	if !isReset(err) {
		return fmt.Errorf("not reset: %v", err)
	}
	return nil
}

// TestRefusedLink resets old connections and new ones; the other direction is whole.
func TestRefusedLink(t *testing.T) {
	n, d := fixture(t)
	old := dial(t, d)
	expectPing(t, old)
	n.Set("b", "a", Condition{Refused: true})
	expectPing(t, old)
	n.Set("a", "b", Condition{Refused: true})
	if err := ping(old, soon); !isReset(err) {
		t.Errorf("an old connection of a refused link: %v", err)
	}
	if err := refused(d); err != nil {
		t.Errorf("a refused link: %v", err)
	}
	n.Heal()
	expectPing(t, dial(t, d))
}

// TestSlowLink delays each direction.
func TestSlowLink(t *testing.T) {
	n, d := fixture(t)
	c := dial(t, d)
	const delay = 100 * time.Millisecond
	n.Set("a", "b", Condition{Delay: delay})
	began := time.Now()
	expectPing(t, c)
	if took := time.Since(began); took < 2*delay {
		t.Errorf("there and back took %s, want at least %s", took, 2*delay)
	}
}

// TestDrop resets what is connected, once.
func TestDrop(t *testing.T) {
	n, d := fixture(t)
	c := dial(t, d)
	expectPing(t, c)
	n.Drop("a", "b")
	if err := ping(c, soon); err == nil || isTimeout(err) {
		t.Errorf("a dropped connection: %v", err)
	}
	expectPing(t, dial(t, d))
}

// TestUnknownSource is not let through.
func TestUnknownSource(t *testing.T) {
	d := openDoor(t, newNetwork(), "b", echo(t), func(net.Conn) string { return "" })
	if err := refused(d); err != nil {
		t.Errorf("a connection of nobody: %v", err)
	}
}
