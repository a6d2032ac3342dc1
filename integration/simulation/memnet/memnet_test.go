package memnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const delay = 10 * time.Millisecond

// world is two hosts of which b listens.
type world struct {
	t       *testing.T
	network *Network
	a, b    *Host
	l       net.Listener
}

// in runs a test in a bubble.
func in(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := New(1, Link{Delay: delay})
		w := &world{t: t, network: n, a: n.Host("a"), b: n.Host("b")}
		var err error
		if w.l, err = w.b.Listen("tcp", "b:1"); err != nil {
			t.Fatal(err)
		}
		test(w)
	})
}

func (w *world) connect() (client, server net.Conn) {
	w.t.Helper()
	client, err := w.a.Dial(w.t.Context(), "b:1")
	if err != nil {
		w.t.Fatal(err)
	}
	server, err = w.l.Accept()
	if err != nil {
		w.t.Fatal(err)
	}
	return client, server
}

func (w *world) reads(c net.Conn, want string) {
	w.t.Helper()
	p := make([]byte, len(want))
	if _, err := io.ReadFull(c, p); err != nil || string(p) != want {
		w.t.Fatalf("read %q: %v; want %q", p, err, want)
	}
}

func (w *world) writes(c net.Conn, text string) {
	w.t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) fails(c net.Conn, want error) {
	w.t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, want) {
		w.t.Fatalf("read %d bytes: %v; want %v", n, err, want)
	}
}

func TestBytesArriveAfterTheDelayAndInOrder(t *testing.T) {
	in(t, func(w *world) {
		w.network.SetLink("a", "b", Link{Delay: delay, Jitter: time.Second})
		client, server := w.connect()
		begin := time.Now()
		for _, text := range []string{"one", "two", "three"} {
			w.writes(client, text)
		}
		client.Close()
		w.reads(server, "onetwothree")
		w.fails(server, io.EOF)
		if d := time.Since(begin); d < delay || d > delay+time.Second {
			t.Errorf("after %s", d)
		}
		w.writes(server, "to a closed end")
		time.Sleep(3 * time.Second)
		w.fails(server, syscall.ECONNRESET)
	})
}

func TestAStalledLinkHoldsWhatIsWritten(t *testing.T) {
	in(t, func(w *world) {
		client, server := w.connect()
		w.network.SetLink("a", "b", Link{Delay: delay, Stalled: true})
		w.writes(client, "held")
		w.writes(server, "the other way")
		w.reads(client, "the other way")
		server.SetReadDeadline(time.Now().Add(time.Minute))
		w.fails(server, os.ErrDeadlineExceeded)
		server.SetReadDeadline(time.Time{})
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		if _, err := w.a.Dial(ctx, "b:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial: %v", err)
		}
		var dialling sync.WaitGroup
		dialling.Go(func() { w.connect() })
		time.Sleep(time.Minute)
		w.network.Heal()
		w.reads(server, "held")
		dialling.Wait()
	})
}

func TestAFullWindowBlocksTheWriter(t *testing.T) {
	in(t, func(w *world) {
		client, server := w.connect()
		sent := bytes.Repeat([]byte("x"), 3*window)
		client.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := client.Write(sent)
		if n != window || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d: %v", n, err)
		}
		client.SetWriteDeadline(time.Time{})
		go func() {
			client.Write(sent[n:])
			client.Close()
		}()
		got, err := io.ReadAll(server)
		if err != nil || len(got) != len(sent) {
			t.Fatalf("read %d: %v", len(got), err)
		}
	})
}

func TestKillResetsAndPowerOffIsSilent(t *testing.T) {
	in(t, func(w *world) {
		client, server := w.connect()
		w.b.Kill()
		w.fails(server, net.ErrClosed)
		w.fails(client, syscall.ECONNRESET)
		if _, err := w.a.Dial(w.t.Context(), "b:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("dial: %v", err)
		}
		w.b = w.network.Host("b")
		w.l, _ = w.b.Listen("tcp", "b:1")

		client, _ = w.connect()
		w.b.PowerOff()
		w.writes(client, "into the void")
		client.SetReadDeadline(time.Now().Add(time.Hour))
		w.fails(client, os.ErrDeadlineExceeded)
		client.SetReadDeadline(time.Time{})
		w.b = w.network.Host("b")
		w.fails(client, syscall.ECONNRESET)
	})
}

func TestResetBreaksBothEnds(t *testing.T) {
	in(t, func(w *world) {
		client, server := w.connect()
		w.network.Reset("b", "a")
		w.fails(client, syscall.ECONNRESET)
		w.fails(server, syscall.ECONNRESET)
		client.Close()
		server.Close()
		if len(w.network.conns) != 0 {
			t.Errorf("%d ends are left over", len(w.network.conns))
		}
	})
}
