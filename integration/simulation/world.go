package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap/zapcore"

	"github.com/kbroker/kbroker/integration/simulation/memnet"
	"github.com/kbroker/kbroker/storage/vfs"
	"github.com/kbroker/kbroker/zkmeta/zkserver"
)

const (
	zooKeeperHost    = "zookeeper"
	zooKeeperAddress = zooKeeperHost + ":2181"
)

// Options choose a World.
type Options struct {
	Seed      uint64
	Brokers   int
	LogDirs   int               // of each broker, 1 or 2
	Settings  map[string]string // of every broker
	LogLevel  zapcore.Level
	ClientLog kgo.LogLevel
	Link      memnet.Link
}

// World is a cluster in one bubble of testing/synctest.
type World struct {
	Journal   *Journal
	Net       *memnet.Network
	ZooKeeper *zkserver.Server
	Nodes     []*Node

	options   Options
	rng       *rand.Rand
	inspector *memnet.Host
}

// NewWorld makes a cluster whose brokers do not run yet.
func NewWorld(o Options) (*World, error) {
	w := &World{
		Journal: NewJournal(),
		Net:     memnet.New(o.Seed, o.Link),
		options: o,
		rng:     rand.New(rand.NewPCG(o.Seed, 0x776f726c64)),
	}
	l, err := w.Net.Host(zooKeeperHost).Listen("tcp", zooKeeperAddress)
	if err != nil {
		return nil, fmt.Errorf("listen for zookeeper: %w", err)
	}
	if w.ZooKeeper, err = zkserver.New(zkserver.Options{
		Listener: l,
		TickTime: 500 * time.Millisecond,
		Logger:   w.Journal.logger(zooKeeperHost, o.LogLevel, make(chan struct{})),
	}); err != nil {
		return nil, err
	}
	for id := range o.Brokers {
		w.Nodes = append(w.Nodes, &Node{ID: int32(id + 1), world: w, disk: vfs.NewMem()})
	}
	return w, nil
}

// Close ends everything that runs.
func (w *World) Close() error {
	var first error
	for _, n := range w.Nodes {
		if n.life != nil {
			if err := n.Stop(); err != nil && first == nil {
				first = fmt.Errorf("stop %s: %w", n.Name(), err)
			}
		}
	}
	if err := w.ZooKeeper.Close(); err != nil && first == nil {
		first = err
	}
	return first
}

// Client makes a Kafka client on a host of its own.
func (w *World) Client(name string, options ...kgo.Opt) (*kgo.Client, error) {
	host := w.Net.Host(name)
	var seeds []string
	for _, n := range w.Nodes {
		seeds = append(seeds, n.Address())
	}
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.ClientID(name),
		kgo.WithLogger(kgo.BasicLogger(&page{w.Journal, name, nil}, w.options.ClientLog, nil)),
		kgo.SeedBrokers(seeds...),
		kgo.Dialer(func(ctx context.Context, _, address string) (net.Conn, error) { return host.Dial(ctx, address) }),
		kgo.DialTimeout(3 * time.Second),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.MetadataMaxAge(5 * time.Second),
		kgo.RequestTimeoutOverhead(5 * time.Second),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
	}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("client %s: %w", name, err)
	}
	return c, nil
}

// AwaitReady waits until all brokers that run are ready.
func (w *World) AwaitReady(within time.Duration) error {
	for end := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		waiting := ""
		for _, n := range w.Nodes {
			if n.life == nil {
				continue
			}
			ready, err := n.Ready()
			if err != nil {
				return fmt.Errorf("start %s: %w", n.Name(), err)
			}
			if !ready {
				waiting = n.Name()
			}
		}
		if waiting == "" {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s is not ready within %s", waiting, within)
		}
	}
}
