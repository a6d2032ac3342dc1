package zkmeta

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestParseConnect(t *testing.T) {
	for _, test := range []struct {
		connect string
		servers []string // nil: refused
		chroot  string
	}{
		{"a:1", []string{"a:1"}, ""},
		{" a , b:2 ", []string{"a:2181", "b:2"}, ""},
		{"a:1,b:2/kafka/x/", []string{"a:1", "b:2"}, "/kafka/x"},
		{"a:1/", []string{"a:1"}, ""},
		{"[::1]:2,[fe80::1]", []string{"[::1]:2", "[fe80::1]:2181"}, ""},
		{"", nil, ""},
		{"a,,b", nil, ""},
		{"::1", nil, ""},
		{"a:", nil, ""},
		{":1", nil, ""},
		{"a/b//c", nil, ""},
	} {
		servers, chroot, err := parseConnect(test.connect)
		if (err != nil) != (test.servers == nil) {
			t.Errorf("%q: error %v", test.connect, err)
			continue
		}
		if err == nil && (!slices.Equal(servers, test.servers) || chroot != test.chroot) {
			t.Errorf("%q: %q below %q", test.connect, servers, chroot)
		}
	}
}

// TestConnectSaysWhyItWaits: while nobody answers, there is a log line with servers, reason and remedy, the tries have
// pauses between them, and the connection timeout ends it with the reason.
func TestConnectSaysWhyItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		refused := errors.New("connection refused")
		tries := 0
		start := time.Now()
		_, err := Connect(t.Context(), Options{
			Connect:           "zk1:2181,zk2:2182/kafka",
			ConnectionTimeout: 25 * time.Second,
			Dial: func(_, _ string, _ time.Duration) (net.Conn, error) {
				tries++
				return nil, refused
			},
			Logger: zap.New(core),
		})
		if !errors.Is(err, refused) || !strings.Contains(err.Error(), "zookeeper.connection.timeout.ms") || !strings.Contains(err.Error(), "zk1:2181,zk2:2182") {
			t.Errorf("error: %v", err)
		}
		// Closing an unreachable session takes the library a moment more.
		if waited := time.Since(start); waited < 25*time.Second || waited > 30*time.Second {
			t.Errorf("waited %v", waited)
		}
		if tries < 50 || tries > 75 {
			t.Errorf("%d tries in 25 s", tries)
		}
		var waiting []observer.LoggedEntry
		for _, entry := range logs.All() {
			if entry.Message == "zookeeper is not reachable, waiting" {
				waiting = append(waiting, entry)
			}
		}
		if len(waiting) != 3 { // at once, after 10 s, after 20 s
			t.Fatalf("%d lines: %v", len(waiting), logs.All())
		}
		fields := waiting[0].ContextMap()
		for _, key := range []string{"servers", "reason", "remedy"} {
			if fields[key] == nil {
				t.Errorf("the line lacks its %s: %v", key, fields)
			}
		}
	})
}

// TestConnectDoesNotHangOnAServerThatSaysNothing: it takes connections, but opens no session.
func TestConnectDoesNotHangOnAServerThatSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var far []net.Conn
		_, err := Connect(t.Context(), Options{
			Connect: "zk1:2181", SessionTimeout: 6 * time.Second, ConnectionTimeout: 14 * time.Second,
			Dial: func(_, _ string, _ time.Duration) (net.Conn, error) {
				near, mute := net.Pipe()
				far = append(far, mute)
				go func() {
					buffer := make([]byte, 1024)
					for {
						if _, err := mute.Read(buffer); err != nil {
							return
						}
					}
				}()
				return near, nil
			},
		})
		if err == nil || !strings.Contains(err.Error(), "did not open a session") {
			t.Errorf("error: %v", err)
		}
		if len(far) < 3 {
			t.Errorf("%d connections in 14 s", len(far))
		}
		for _, conn := range far {
			conn.Close()
		}
	})
}
