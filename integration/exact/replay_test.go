package exact

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/zkmeta/zkserver"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.RemoveBinaries()
	os.Exit(code)
}

// TestAsRecorded asks kbroker what Apache Kafka was asked, and compares the answers.
func TestAsRecorded(t *testing.T) {
	for _, b := range books() {
		t.Run(b.release, func(t *testing.T) {
			t.Parallel()
			want, err := readRecording(b.path())
			if err != nil {
				t.Fatal(err)
			}
			address := serveZooKeeper(t)
			broker := harness.StartBroker(t, harness.Options{ZooKeeper: address, Config: b.config})
			s := newSide(t, broker.Address())
			s.dir, s.zookeeper = broker.Dir, address
			used := b.compare(t, b.tell(t, s, want), want)
			for place := range b.known {
				if !used[place] {
					t.Errorf("no answer differs at %q any more: take it out of known_test.go", place)
				}
			}
		})
	}
}

// serveZooKeeper runs kbroker's own ZooKeeper server, so that no JVM is needed, and returns its address with a chroot.
func serveZooKeeper(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := zkserver.New(zkserver.Options{Listener: l, TickTime: 250 * time.Millisecond, MaxSessionTimeout: time.Minute, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return l.Addr().String() + "/kbroker"
}
