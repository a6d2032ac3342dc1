package main

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/protocol/record"
)

// killedOf kills a broker, or the controller, and measures until every partition that it led has taken a write again.
func killedOf(partitions int, controller bool) func(context.Context, *cluster, string) (figures, error) {
	return func(ctx context.Context, c *cluster, topic string) (figures, error) {
		if err := c.createTopic(ctx, topic, partitions); err != nil {
			return nil, err
		}
		client, err := c.client()
		if err != nil {
			return nil, err
		}
		defer client.Close()
		metadata, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
		if err != nil {
			return nil, err
		}
		victim := metadata.ControllerID
		if !controller {
			victim = victim%clusterBrokers + 1
		}
		time.Sleep(2 * time.Second) // until what the creation has left to do is done
		if err := await(ctx, func() error { return c.inSync(ctx, client, topic, partitions) }); err != nil {
			return nil, err
		}
		path := fmt.Sprint("/brokers/ids/", victim)
		if controller {
			path = "/controller"
		}
		gone, done, err := c.gone(path)
		if err != nil {
			return nil, err
		}
		defer done()
		batch, _, err := madeBatch(load{batchSize: 2000, codec: record.None})
		if err != nil {
			return nil, err
		}
		// Replicas follow each other, so the next in sync is the next broker.
		heir := victim%clusterBrokers + 1
		var led []int32
		for p := range int32(partitions) {
			if p%clusterBrokers+1 == victim {
				led = append(led, p)
			}
		}
		if _, err := produceTo(ctx, client, heir, topic, batch, victim%clusterBrokers); err != nil { // connects
			return nil, err
		}
		killed := time.Now()
		c.brokers[victim-1].signal(syscall.SIGKILL)
		first, last, err := takesOver(ctx, client, heir, topic, batch, led)
		if err != nil {
			return nil, err
		}
		ended, err := gone()
		if err != nil {
			return nil, err
		}
		return figures{
			"ms from SIGKILL, less the session's timeout": milliseconds(last.Sub(killed) - clusterSession),
			"ms from the session's end to the first":      milliseconds(first.Sub(ended)),
			"ms from the session's end to all":            milliseconds(last.Sub(ended)),
		}, nil
	}
}

// probeEvery is the pause between two tries to write.
const probeEvery = 5 * time.Millisecond

// staleAfter is how long nothing is taken before the leaders are looked up.
const staleAfter = time.Second

// takesOver writes to each partition at its new leader until that has taken it: to one of them first, so that the
// tries do not take the machine from those who are to make it the leader. Where it is not the one that should be, as
// it had left the in-sync replicas before, the leaders are asked for.
func takesOver(ctx context.Context, client *kgo.Client, leader int32, topic string, batch record.Batch, partitions []int32) (first, last time.Time, err error) {
	began := time.Now()
	leaders := map[int32]int32{}
	moved := began
	for left := partitions; len(left) > 0; {
		if time.Since(began) > startWithin || ctx.Err() != nil {
			return first, last, fmt.Errorf("%d partitions of %d have not taken a write", len(left), len(partitions))
		}
		if time.Since(moved) > clusterSession+staleAfter {
			if leaders, err = leadersOf(ctx, client, topic); err != nil {
				return first, last, err
			}
			moved = time.Now().Add(-clusterSession)
		}
		to := leader
		if l, ok := leaders[left[0]]; ok {
			to = l
		}
		var some, rest []int32
		for _, p := range left {
			if l, ok := leaders[p]; len(some) < 500 && (len(some) == 0 || !first.IsZero() && (!ok || l == to)) {
				some = append(some, p)
			} else {
				rest = append(rest, p)
			}
		}
		codes, err := produceTo(ctx, client, to, topic, batch, some...)
		if err != nil {
			left = append(rest, some...) // it is the one that was killed
			time.Sleep(probeEvery)       // a poll of real processes, until startWithin
			continue
		}
		last = time.Now()
		refused := 0
		for i, code := range codes {
			if code != 0 {
				rest = append(rest, some[i])
				refused++
			}
		}
		if refused < len(some) {
			moved = last
			if first.IsZero() {
				first = last
			}
		}
		if left = rest; refused > 0 {
			time.Sleep(probeEvery) // a poll of real processes, until startWithin
		}
	}
	return first, last, nil
}

func leadersOf(ctx context.Context, client *kgo.Client, topic string) (map[int32]int32, error) {
	topics, err := kadm.NewClient(client).ListTopics(ctx, topic)
	leaders := map[int32]int32{}
	for _, p := range topics[topic].Partitions {
		if p.Leader >= 0 {
			leaders[p.Partition] = p.Leader
		}
	}
	return leaders, err
}

// shutDown ends a broker with SIGTERM under load and measures how long that takes and what clients see of it.
func shutDown(partitions int) func(context.Context, *cluster, string) (figures, error) {
	return func(ctx context.Context, c *cluster, topic string) (figures, error) {
		const victim = 2
		if err := c.createTopic(ctx, topic, partitions, victim); err != nil {
			return nil, err
		}
		p, err := c.client(kgo.ProducerLinger(0), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
		if err != nil {
			return nil, err
		}
		defer p.Close()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		consumer, err := c.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			return nil, err
		}
		defer consumer.Close()
		w := watched{}
		var all sync.WaitGroup
		all.Go(func() { w.produce(ctx, p) })
		all.Go(func() { w.consume(ctx, consumer) })
		time.Sleep(3 * time.Second) // until all partitions have been written to
		w.restart()
		took := c.brokers[victim-1].signal(syscall.SIGTERM)
		time.Sleep(2 * time.Second) // of load on the others
		cancel()
		all.Wait()
		return figures{
			"ms from SIGTERM to the end": milliseconds(took), "produce errors": float64(w.produceErrors),
			"fetch errors": float64(w.fetchErrors), "slowest write ms": milliseconds(w.slowest),
		}, nil
	}
}

// watched is what clients see, from the last restart on.
type watched struct {
	mu                         sync.Mutex
	produceErrors, fetchErrors int
	slowest                    time.Duration
}

func (w *watched) restart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.produceErrors, w.fetchErrors, w.slowest = 0, 0, 0
}

func (w *watched) produce(ctx context.Context, p *kgo.Client) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = p.Flush(context.WithoutCancel(ctx)) // errors are counted below
			return
		}
		sent := time.Now()
		p.Produce(context.WithoutCancel(ctx), &kgo.Record{Value: []byte("x")}, func(_ *kgo.Record, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if err != nil {
				w.produceErrors++
			}
			w.slowest = max(w.slowest, time.Since(sent))
		})
	}
}

func (w *watched) consume(ctx context.Context, c *kgo.Client) {
	for ctx.Err() == nil {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		w.mu.Lock()
		w.fetchErrors += len(fetches.Errors())
		w.mu.Unlock()
	}
}
