package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/kbroker/kbroker/integration/history"
)

// Ledger is a topic and what clients did to it and saw of it.
type Ledger struct {
	Topic      string
	Partitions int32
	Replicas   int16
	*history.Recorder

	mu    sync.Mutex
	table []leader // of each partition, as some broker last told
}

// leader is who leads a partition.
type leader struct{ id, epoch int32 }

// NewLedger begins a history of a topic.
func NewLedger(topic string, partitions int32, replicas int16) *Ledger {
	l := &Ledger{Topic: topic, Partitions: partitions, Replicas: replicas, Recorder: history.NewRecorder()}
	for range partitions {
		l.table = append(l.table, leader{-1, -1})
	}
	return l
}

// leader is the newest leader that is known of a partition.
func (l *Ledger) leader(partition int32) leader {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.table[partition]
}

func (l *Ledger) learn(partition int32, seen leader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seen.epoch >= l.table[partition].epoch {
		l.table[partition] = seen
	}
}

// Workload is the clients that run while faults happen.
type Workload struct {
	world   *World
	ledgers []*Ledger
	resets  atomic.Int64 // of producers whose sequence a broker did not know

	mu      sync.Mutex
	clients []*kgo.Client // guarded by mu

	stop    context.CancelFunc
	ctx     context.Context
	running sync.WaitGroup
	// producing ends before the rest: what is in flight must be settled.
	pause    context.CancelFunc
	sending  context.Context
	senders  sync.WaitGroup
	failures failures
}

// failures are what workers could not do, though they should.
type failures struct {
	mu   sync.Mutex
	list []string
}

func (f *failures) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, fmt.Sprintf(format, args...))
}

func (f *failures) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.list...)
}

// NewWorkload makes a workload without workers.
func NewWorkload(w *World, ledgers []*Ledger) *Workload {
	l := &Workload{world: w, ledgers: ledgers}
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.sending, l.pause = context.WithCancel(l.ctx)
	return l
}

// client makes a client that lives as long as the workload.
func (l *Workload) client(name string, options ...kgo.Opt) *kgo.Client {
	c, err := l.world.Client(name, options...)
	if err != nil {
		panic(err) // an option that the library does not take
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clients = append(l.clients, c)
	return c
}

func (l *Workload) snapshot() []*kgo.Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.clients)
}

// raw makes a client for requests made by hand. Fetch stays at the last version with names of topics.
func (l *Workload) raw(name string) *kgo.Client {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.Fetch), 12)
	return l.client(name, kgo.MaxVersions(versions), kgo.RequestRetries(0))
}

// Close ends everything.
func (l *Workload) Close() {
	l.stop()
	l.running.Wait()
	for _, c := range l.snapshot() {
		c.Close()
	}
}

// every calls f again and again, with pauses of about d, until ctx ends.
func every(ctx context.Context, rng *rand.Rand, d time.Duration, f func(ctx context.Context)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		f(ctx)
		timer.Reset(d/2 + time.Duration(rng.Int64N(int64(d))))
	}
}

// patience bounds one request of an observer.
const patience = 3 * time.Second

// ask sends a request to one broker and returns its answer with when it was asked and answered; nil when there is none.
func ask[R kmsg.Response](ctx context.Context, l *Ledger, c *kgo.Client, broker int32, request kmsg.Request) (answer R, began, ended time.Duration, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began = l.Now()
	response, err := c.Broker(int(broker)).Request(ctx, request)
	if err != nil {
		return answer, 0, 0, false
	}
	return response.(R), began, l.Now(), true
}
