package integration

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// abuses are what a broker gets from port scanners, wrong clients and worse. Each is written to
// a connection of its own, which the broker must close by itself.
func abuses() map[string][]byte {
	frame := func(body ...byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	}
	random := make([]byte, 4096)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(random) // never fails
	random[0] = 0x7f           // an enormous size
	return map[string][]byte{
		"http":               []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"tls":                {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03},
		"random bytes":       random,
		"negative size":      {0xff, 0xff, 0xff, 0xff},
		"size over limit":    binary.BigEndian.AppendUint32(nil, 100<<20+1),
		"empty frame":        frame(),
		"half a header":      frame(0, 3, 0),
		"unknown key":        frame(0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0, 0),
		"unknown version":    frame(0, 3, 0, 99, 0, 0, 0, 1, 0, 0),
		"negative version":   frame(0, 3, 0xff, 0xff, 0, 0, 0, 1, 0, 0),
		"client id too long": frame(0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, 'x'),
		"array too long":     frame(0, 3, 0, 1, 0, 0, 0, 1, 0, 0, 0x7f, 0xff, 0xff, 0xff),
		"produce of nothing": frame(0, 0, 0, 9, 0, 0, 0, 1, 0, 0),
		"envelope":           frame(0, 58, 0, 0, 0, 0, 0, 1, 0, 0, 0),
	}
}

// TestAbuse sends what no client should send: the connection is closed, the broker is well.
func TestAbuse(t *testing.T) {
	b := harness.StartBroker(t, harness.Options{})
	c := harness.NewClient(t, b.Address(), kgo.DefaultProduceTopic("well"), kgo.AllowAutoTopicCreation())
	for name, bytes := range abuses() {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, b)
			if _, err := conn.Write(bytes); err != nil {
				t.Fatal(err)
			}
			expectClosed(t, conn)
		})
	}
	t.Run("half a frame", func(t *testing.T) {
		conn := dial(t, b)
		if _, err := conn.Write([]byte{0, 0, 1, 0, 0, 3}); err != nil {
			t.Fatal(err)
		}
		conn.(*net.TCPConn).CloseWrite()
		expectClosed(t, conn)
	})
	harness.Produce(t, c, &kgo.Record{Value: []byte("still here")})
	if got := harness.Consume(t, b.Address(), "well", 1); string(got[0].Value) != "still here" {
		t.Errorf("consumed %q", got[0].Value)
	}
	if n := b.Metric(t, "kbroker_connection_panics_total"); n != 0 {
		t.Errorf("%v connections panicked", n)
	}
}

func dial(t *testing.T, b *harness.Broker) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", b.Address(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the broker may have closed it
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// expectClosed reads until the broker ends the connection; bytes before that are no fault.
func expectClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection was not closed")
	}
}
