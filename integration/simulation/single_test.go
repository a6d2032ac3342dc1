package simulation

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap/zapcore"

	"github.com/kbroker/kbroker/integration/simulation/memnet"
)

var singleSettings = map[string]string{
	"offsets.topic.replication.factor": "1",
	"offsets.topic.num.partitions":     "2",
	"zookeeper.session.timeout.ms":     "6000",
	"group.initial.rebalance.delay.ms": "0",
}

func TestOneBrokerServesInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := NewWorld(Options{Seed: 1, Brokers: 1, LogDirs: 1, Settings: singleSettings, LogLevel: zapcore.InfoLevel, Link: memnet.Link{Delay: time.Millisecond}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			if t.Failed() || testing.Verbose() {
				t.Logf("%s", w.Journal.Text())
			}
		}()
		n := w.Nodes[0]
		n.Start()
		if err := w.AwaitReady(time.Minute); err != nil {
			t.Fatal(err)
		}
		c, err := w.Client("client", kgo.DefaultProduceTopic("t"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := kadm.NewClient(c).CreateTopic(t.Context(), 2, 1, nil, "t"); err != nil {
			t.Fatal(err)
		}
		c.AddConsumeTopics("t")
		seen := 0
		produce := func(round string) {
			t.Helper()
			for i := range 10 {
				if err := c.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(round, i))).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			for want := seen + 10; seen < want; {
				f := c.PollFetches(t.Context())
				seen += f.NumRecords()
			}
		}
		produce("first")
		n.Kill()
		n.Start()
		produce("after kill")
		if err := n.Stop(); err != nil {
			t.Fatal(err)
		}
		n.Start()
		produce("after stop")
		for _, id := range w.ZooKeeper.Sessions() {
			w.ZooKeeper.ExpireSession(id)
		}
		produce("after expiry")
	})
}
