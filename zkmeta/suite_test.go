package zkmeta_test

import (
	"net"
	"os"
	"testing"

	"github.com/kbroker/kbroker/zkmeta/zkmetatest"
	"github.com/kbroker/kbroker/zkmeta/zkserver"
)

// TestSuite runs on the embedded server, and on the one that KBROKER_TEST_ZOOKEEPER (host:port) names.
func TestSuite(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		zkmetatest.Run(t, embedded(t).Addr().String())
	})
	if connect := os.Getenv("KBROKER_TEST_ZOOKEEPER"); connect != "" {
		t.Run("zookeeper", func(t *testing.T) { zkmetatest.Run(t, connect) })
	}
}

// embedded is a server in memory until the test ends.
func embedded(t testing.TB) *zkserver.Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := zkserver.New(zkserver.Options{Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}
