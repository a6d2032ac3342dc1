package simulation

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap/zapcore"

	"github.com/kbroker/kbroker/integration/simulation/memnet"
	"github.com/kbroker/kbroker/storage/vfs"
)

// TestSessionEndsWhileABrokerStarts: at whatever step of its start a broker loses its session, it goes on in the next one, and
// clients that wait for it are served.
func TestSessionEndsWhileABrokerStarts(t *testing.T) {
	withOneBroker(t, 1, func(t *testing.T, w *World, n *Node, c *kgo.Client) {
		for after := time.Duration(0); after < 80*time.Millisecond; after += time.Millisecond {
			if err := n.Stop(); err != nil {
				t.Fatal(err)
			}
			n.Start()
			time.Sleep(after)
			for _, id := range w.ZooKeeper.Sessions() {
				w.ZooKeeper.ExpireSession(id)
			}
			if err := c.ProduceSync(t.Context(), kgo.StringRecord(after.String())).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := w.AwaitReady(time.Minute); err != nil {
				t.Fatalf("session ended %s after the start: %v", after, err)
			}
		}
	})
}

// TestStopWhileADirectoryFailureCannotBeReported: a broker that cannot tell the controller of a log directory, since ZooKeeper is
// out of reach, stops all the same.
func TestStopWhileADirectoryFailureCannotBeReported(t *testing.T) {
	withOneBroker(t, 2, func(t *testing.T, w *World, n *Node, c *kgo.Client) {
		stall := memnet.Link{Delay: time.Millisecond, Stalled: true}
		w.Net.SetLink(n.Name(), zooKeeperHost, stall)
		w.Net.SetLink(zooKeeperHost, n.Name(), stall)
		n.life.faults.plan(func(op vfs.Op, path string) error {
			if op == vfs.OpWrite && strings.HasPrefix(path, logDirs()[1]) {
				return syscall.EIO
			}
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		for partition := range int32(2) { // one of them is there
			_ = c.ProduceSync(ctx, &kgo.Record{Partition: partition, Value: []byte("v")}).FirstErr()
		}
		if !strings.Contains(string(w.Journal.Text()), "log directory failed") {
			t.Error("no log directory has failed")
		}
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
		w.Net.Heal()
	})
}

// withOneBroker runs a test in a world of one broker, with a topic t of two partitions and a client.
func withOneBroker(t *testing.T, dirs int, test func(t *testing.T, w *World, n *Node, c *kgo.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, err := NewWorld(Options{
			Seed: 1, Brokers: 1, LogDirs: dirs, Settings: singleSettings, LogLevel: zapcore.InfoLevel,
			Link: memnet.Link{Delay: time.Millisecond},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				t.Logf("%s", w.Journal.Text())
			}
		}()
		n := w.Nodes[0]
		n.Start()
		if err := w.AwaitReady(time.Minute); err != nil {
			t.Fatal(err)
		}
		c, err := w.Client("client", kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := kadm.NewClient(c).CreateTopic(t.Context(), 2, 1, nil, "t"); err != nil {
			t.Fatal(err)
		}
		test(t, w, n, c)
	})
}
