package simulation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker"
	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/integration/simulation/memnet"
	"github.com/kbroker/kbroker/storage/vfs"
)

// logDirs are where each broker may keep its logs, on a disk of its own.
func logDirs() []string { return []string{"/logs", "/more-logs"} }

// Node is a machine with a disk that may run one broker at a time. Its methods are called by one goroutine.
type Node struct {
	ID int32

	world *World
	disk  *vfs.Mem
	life  *life // nil: nothing runs
}

// life is one run of a broker, from its start to its end.
type life struct {
	host    *memnet.Host
	killed  atomic.Bool   // its disk does nothing any more
	silent  chan struct{} // closed with it: it logs nothing any more
	faults  diskFaults
	cancel  context.CancelCauseFunc
	started chan struct{} // closed when Start has returned
	broker  *broker.Broker
	err     error // why it could not start
	stopped sync.WaitGroup
}

var errKilled = errors.New("the process was killed")

// Name is the node's host name.
func (n *Node) Name() string { return fmt.Sprintf("broker-%d", n.ID) }

// Address is where clients connect.
func (n *Node) Address() string { return n.Name() + ":9092" }

// Start launches the broker; it does not wait until it is ready.
func (n *Node) Start() {
	if n.life != nil {
		panic(n.Name() + " runs already")
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	l := &life{host: n.world.Net.Host(n.Name()), silent: make(chan struct{}), started: make(chan struct{}), cancel: cancel}
	n.life = l
	n.world.Journal.Note("%s starts", n.Name())
	log := n.world.Journal.logger(n.Name(), n.world.options.LogLevel, l.silent)
	store, _, err := config.NewStore(n.settings())
	if err != nil {
		panic(fmt.Sprintf("configuration of the simulation: %v", err))
	}
	l.stopped.Go(func() {
		defer close(l.started)
		l.broker, l.err = broker.Start(ctx, broker.Options{
			Config:        store,
			FS:            vfs.NewFault(n.disk, l.disk),
			Listen:        l.host.Listen,
			Dial:          l.host.Dial,
			DialZooKeeper: l.host.DialTimeout,
			Registry:      prometheus.NewRegistry(),
			Logger:        log,
		})
		if l.err != nil {
			log.Error("broker did not start", zap.Error(l.err))
		}
	})
}

// disk is asked before every call on the file system.
func (l *life) disk(op vfs.Op, path string) error {
	if l.killed.Load() {
		return errKilled
	}
	return l.faults.next(op, path)
}

// settings are the broker's server.properties.
func (n *Node) settings() map[string]config.Setting {
	all := map[string]string{
		"broker.id":         fmt.Sprint(n.ID),
		"listeners":         "PLAINTEXT://" + n.Address(),
		"log.dirs":          strings.Join(logDirs()[:n.world.options.LogDirs], ","),
		"zookeeper.connect": zooKeeperAddress,
	}
	maps.Copy(all, n.world.options.Settings)
	settings := map[string]config.Setting{}
	for key, value := range all {
		settings[key] = config.Setting{Value: value, Origin: "simulation"}
	}
	return settings
}

// Ready tells whether the broker has started, and why it will not.
func (n *Node) Ready() (bool, error) {
	if n.life == nil {
		return false, errors.New("it does not run")
	}
	select {
	case <-n.life.started:
		return n.life.err == nil, n.life.err
	default:
		return false, nil
	}
}

// Failed tells why a broker that runs cannot go on; nil while it can.
func (n *Node) Failed() error {
	if ready, err := n.Ready(); !ready {
		return err
	}
	select {
	case err := <-n.life.broker.Failed():
		return err
	default:
		return nil
	}
}

// Stop ends the broker as SIGTERM does, and waits for it.
func (n *Node) Stop() error {
	n.world.Journal.Note("%s is told to stop", n.Name())
	l := n.life
	l.cancel(errors.New("told to stop"))
	l.stopped.Wait()
	var err error
	if l.err == nil {
		handingOver, done := context.WithTimeout(context.Background(), handOverGrace)
		l.broker.HandOver(handingOver)
		done()
		ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
		defer cancel()
		err = l.broker.Stop(ctx)
	}
	l.silence()
	l.host.Kill()
	n.life = nil
	n.world.Journal.Note("%s has stopped: %v", n.Name(), err)
	return err
}

// What cmd gives a broker to hand its leaderships over, and to answer what was started.
const (
	handOverGrace = 30 * time.Second
	stopGrace     = 10 * time.Second
)

// Kill ends the broker as SIGKILL does: what was written is there, even what was not synced.
func (n *Node) Kill() {
	n.world.Journal.Note("%s is killed", n.Name())
	n.end((*memnet.Host).Kill)
}

// PowerOff ends the machine: what was not synced is lost, by chance, and nobody is told.
func (n *Node) PowerOff(seed uint64) {
	n.world.Journal.Note("%s loses power", n.Name())
	n.life.killed.Store(true)
	after := n.disk.CrashClone(seed)
	n.end((*memnet.Host).PowerOff)
	n.disk = after
}

// end cuts a broker off from the world and waits for what is left of its goroutines, which a real end does not need.
func (n *Node) end(die func(*memnet.Host)) {
	l := n.life
	l.killed.Store(true)
	l.silence()
	die(l.host)
	l.cancel(errKilled)
	l.stopped.Wait()
	if l.err == nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = l.broker.Stop(ctx) // it fails, as it can do nothing any more
	}
	n.life = nil
}

func (l *life) silence() { close(l.silent) }

// diskFaults are planned for one life.
type diskFaults struct {
	mu      sync.Mutex
	planned func(op vfs.Op, path string) error
}

func (d *diskFaults) next(op vfs.Op, path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.planned == nil {
		return nil
	}
	return d.planned(op, path)
}

// plan sets what the disk does from now on; nil: it works.
func (d *diskFaults) plan(f func(op vfs.Op, path string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.planned = f
}
