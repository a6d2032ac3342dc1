package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/integration/history"
)

// Options say where the load goes. The topic exists, has the given number of partitions, each with a replica on every
// broker, is not compacted, and has min.insync.replicas=2.
type Options struct {
	Brokers    map[int32]string // address by broker id; ids are 1, 2, 3, ...
	Topic      string
	Partitions int
}

// Load is clients at work. What goes wrong for them is in Failures and History; its own methods fail through the test.
type Load struct {
	brokers    map[int32]string
	topic      string
	partitions int

	recorder  *history.Recorder
	view      *view
	producers []*producer
	member    *kgo.Client
	readers   []*reader

	stopProducing, stop context.CancelFunc
	producing, others   sync.WaitGroup
	mu                  sync.Mutex
	failures            []error
}

// Start connects all clients and sets them to work until Finish, or the end of the test.
func Start(t testing.TB, o Options) *Load {
	t.Helper()
	l := &Load{
		brokers: o.Brokers, topic: o.Topic, partitions: o.Partitions, recorder: history.NewRecorder(), view: &view{states: map[int32]leadership{}},
	}
	const every = 25 * time.Millisecond
	durable := history.Guarantee{Idempotent: true, Durable: true}
	l.producers = []*producer{
		l.newProducer(t, "a", durable, every), l.newProducer(t, "b", durable, every),
		l.newProducer(t, "careless", history.Guarantee{}, every),
	}
	l.member = l.newMember(t)

	ctx, stop := context.WithCancel(context.Background())
	producing, stopProducing := context.WithCancel(ctx)
	l.stop, l.stopProducing = stop, stopProducing
	for _, p := range l.producers {
		l.producing.Go(func() { p.run(producing) })
	}
	for _, id := range slices.Sorted(maps.Keys(o.Brokers)) {
		r := &reader{load: l, name: fmt.Sprintf("replica %d", id), broker: id, next: map[int32]int64{}}
		l.readers = append(l.readers, r)
		l.others.Go(func() { r.run(ctx) })
		l.others.Go(func() { l.watchLeaders(ctx, id) })
		l.others.Go(func() { l.watchEnds(ctx, id) })
	}
	l.others.Go(func() { l.consume(ctx) })
	l.others.Go(func() { l.commit(ctx) })
	l.others.Go(func() { l.watchCommits(ctx) })
	t.Cleanup(l.end)
	return l
}

// options of every franz-go client: it looks for a new leader sooner than by default, and gives up on a silent broker sooner.
func (l *Load) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(slices.Collect(maps.Values(l.brokers))...),
		kgo.MetadataMinAge(100 * time.Millisecond), kgo.MetadataMaxAge(2 * time.Second), kgo.DialTimeout(time.Second),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }), kgo.RetryTimeout(time.Minute),
		kgo.RequestTimeoutOverhead(1500 * time.Millisecond),
		// A broker that is killed while it takes a connection does not want TLS.
		kgo.AlwaysRetryEOF(),
	}
}

// Now is the time since the load began, as the history counts it.
func (l *Load) Now() time.Duration { return l.recorder.Now() }

// At is Now at a moment.
func (l *Load) At(moment time.Time) time.Duration { return l.recorder.Now() - time.Since(moment) }

// Failures are errors that an ordinary client would have shown to its application.
func (l *Load) Failures() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.failures)
}

func (l *Load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, fmt.Errorf("%.3fs in: %w", l.recorder.Now().Seconds(), err))
}

// AwaitProgress returns how long it takes until in each of the partitions (none given: in all) a record is acknowledged with
// acks=all that is sent from now on.
func (l *Load) AwaitProgress(t testing.TB, within time.Duration, partitions ...int32) time.Duration {
	t.Helper()
	if partitions == nil {
		for p := range int32(l.partitions) {
			partitions = append(partitions, p)
		}
	}
	var marks [][]int64
	for _, p := range l.producers {
		marks = append(marks, p.mark())
	}
	began := time.Now()
	harness.Eventually(t, within, func() error {
		for i, p := range l.producers {
			if !p.counts {
				continue
			}
			if err := p.passed(marks[i], partitions); err != nil {
				return err
			}
		}
		return nil
	})
	return time.Since(began)
}

// AwaitCommits returns once committed offsets are told, that is, once groups have a coordinator.
func (l *Load) AwaitCommits(t testing.TB, within time.Duration) {
	t.Helper()
	harness.Eventually(t, within, func() error {
		err := errors.New("no committed offset is told")
		l.recorder.Note(func(h *history.History) {
			if n := len(h.Fetched); n > 0 && h.Fetched[n-1].Offset > 0 {
				err = nil
			}
		})
		return err
	})
}

// Finish ends the load on a cluster that is whole again, and returns the history. It waits until every record sent has its
// outcome, and until each replica and the group have read everything that is in the log.
func (l *Load) Finish(t testing.TB) *history.History {
	t.Helper()
	const within = 45 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	l.stopProducing()
	l.producing.Wait()
	for _, p := range l.producers {
		if err := p.client.Flush(ctx); err != nil {
			t.Errorf("%d records of %s have no outcome %s after the last fault: %v", p.client.BufferedProduceRecords(), p.name, within, err)
		}
	}
	var ends map[int32]int64
	harness.Eventually(t, within, func() (err error) {
		ends, err = l.ends(ctx)
		return err
	})
	for _, r := range l.readers {
		harness.Eventually(t, within, func() error {
			for partition, end := range ends {
				if at := r.position(partition); at < end {
					return fmt.Errorf("broker %d shows its replica of partition %d up to %d, it ends at %d", r.broker, partition, at, end)
				}
			}
			return nil
		})
	}
	l.awaitMember(t, ends, within)
	logs, err := l.readAll(ctx, ends)
	if err != nil {
		t.Fatal(err)
	}
	l.recorder.Note(func(h *history.History) { h.Final = logs })
	l.awaitCommitted(t, within)
	l.end()
	return l.recorder.History()
}

// awaitMember waits until the group has read all.
func (l *Load) awaitMember(t testing.TB, ends map[int32]int64, within time.Duration) {
	t.Helper()
	harness.Eventually(t, within, func() error {
		next := map[int32]int64{}
		l.recorder.Note(func(h *history.History) {
			for _, r := range h.Reads {
				if r.Reader == "member" {
					next[r.Partition] = max(next[r.Partition], r.Offset+1)
				}
			}
		})
		if !reached(next, ends) {
			return fmt.Errorf("the group has read up to %v of %v", next, ends)
		}
		return nil
	})
}

// awaitCommitted waits until a committed offset has been asked for from now on.
func (l *Load) awaitCommitted(t testing.TB, within time.Duration) {
	t.Helper()
	now := l.recorder.Now()
	harness.Eventually(t, within, func() error {
		err := fmt.Errorf("no committed offset is told since %.3fs", now.Seconds())
		l.recorder.Note(func(h *history.History) {
			if n := len(h.Fetched); n > 0 && h.Fetched[n-1].Began >= now {
				err = nil
			}
		})
		return err
	})
}

// end stops all clients; a second call does nothing.
func (l *Load) end() {
	l.stopProducing()
	l.stop()
	l.producing.Wait()
	l.others.Wait()
	for _, p := range l.producers {
		p.client.Close()
	}
	l.member.CloseAllowingRebalance()
}
