package zkserver_test

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/kbroker/kbroker/zkmeta/zkserver"
	"github.com/kbroker/kbroker/zkmeta/zkserver/zktest"
)

// realServer names a ZooKeeper to hold against this server, as host:port.
const realServer = "KBROKER_TEST_ZOOKEEPER"

// start runs a server on a free port until the test ends.
func start(t *testing.T, o zkserver.Options) *zkserver.Server {
	t.Helper()
	if o.Listener == nil {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		o.Listener = l
	}
	if o.Logger == nil {
		o.Logger = zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))
	}
	s, err := zkserver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestBehavesAsZooKeeper(t *testing.T) {
	t.Run("InMemory", func(t *testing.T) {
		s := start(t, zkserver.Options{TickTime: 500 * time.Millisecond})
		zktest.Run(t, s.Addr().String())
	})
	t.Run("InFile", func(t *testing.T) {
		s := start(t, zkserver.Options{TickTime: 500 * time.Millisecond, Path: filepath.Join(t.TempDir(), "zk"), NoSync: true})
		zktest.Run(t, s.Addr().String())
	})
}
