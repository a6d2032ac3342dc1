package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// scenario is a load, run against one subject at a time.
type scenario struct {
	name        string
	topic       string // prefix of its topics
	brokersOnly bool   // the floor cannot do it
	run         func(ctx context.Context, s *subject, topic string) (figures, error)
}

const (
	partitions = 4
	recordSize = 1 << 10
)

func scenarios(o options) []scenario {
	return []scenario{
		{name: "produce 1 KiB records, 1 MB batches, acks=1", topic: "produce-big", run: produceOf(o.megabytes, 1_000_000)},
		{name: "produce 1 KiB records, 16 KiB batches, acks=1", topic: "produce-small", run: produceOf(o.megabytes/4, 16<<10)},
		{name: "consume from the page cache", topic: "produce-big", run: consumeOf(o.megabytes)},
		{name: "1,000 records/s, acks=all, end to end", topic: "latency", brokersOnly: true, run: latencyFor(o.latencyFor)},
	}
}

// produceOf produces megabytes of records in batches of up to batchSize bytes.
func produceOf(megabytes, batchSize int) func(context.Context, *subject, string) (figures, error) {
	return func(ctx context.Context, s *subject, topic string) (figures, error) {
		c, err := kgo.NewClient(kgo.SeedBrokers(s.address), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(),
			kgo.MaxProduceRequestsInflightPerBroker(5), kgo.ProducerBatchCompression(kgo.NoCompression()),
			kgo.ProducerBatchMaxBytes(int32(batchSize)), kgo.MaxBufferedRecords(64<<10), kgo.ProducerLinger(5*time.Millisecond),
			kgo.RecordPartitioner(kgo.StickyPartitioner()), kgo.DefaultProduceTopic(topic))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if err := createTopic(ctx, c, s, topic); err != nil {
			return nil, err
		}
		value := bytes.Repeat([]byte("0123456789abcdef"), recordSize/16)
		var failed error
		settle := func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err // callbacks come one at a time
			}
		}
		cpu, began := cpuSeconds(s.pid), time.Now()
		for range megabytes << 20 / recordSize {
			c.Produce(ctx, &kgo.Record{Value: value}, settle)
		}
		if err := c.Flush(ctx); err != nil {
			return nil, err
		}
		if failed != nil {
			return nil, failed
		}
		return rate(megabytes, time.Since(began), cpuSeconds(s.pid)-cpu), nil
	}
}

// consumeOf reads what produceOf of the same round has written.
func consumeOf(megabytes int) func(context.Context, *subject, string) (figures, error) {
	return func(ctx context.Context, s *subject, topic string) (figures, error) {
		c, err := kgo.NewClient(kgo.SeedBrokers(s.address), kgo.ConsumeTopics(topic),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxPartitionBytes(8<<20))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		cpu, began := cpuSeconds(s.pid), time.Now()
		for missing := megabytes << 20 / recordSize; missing > 0; {
			fetches := c.PollFetches(ctx)
			if err := fetches.Err0(); err != nil {
				return nil, err
			}
			missing -= fetches.NumRecords()
		}
		return rate(megabytes, time.Since(began), cpuSeconds(s.pid)-cpu), nil
	}
}

func rate(megabytes int, elapsed time.Duration, cpu float64) figures {
	return figures{
		"MB/s":         float64(megabytes) / elapsed.Seconds(),
		"CPU-s per GB": cpu / (float64(megabytes) / 1024),
	}
}

// latencyFor sends a record each millisecond and measures until a consumer has it.
func latencyFor(length time.Duration) func(context.Context, *subject, string) (figures, error) {
	return func(ctx context.Context, s *subject, topic string) (figures, error) {
		p, err := kgo.NewClient(kgo.SeedBrokers(s.address), kgo.ProducerLinger(0), kgo.DefaultProduceTopic(topic),
			kgo.ProducerBatchCompression(kgo.NoCompression()))
		if err != nil {
			return nil, err
		}
		defer p.Close()
		if err := createTopic(ctx, p, s, topic); err != nil {
			return nil, err
		}
		c, err := kgo.NewClient(kgo.SeedBrokers(s.address), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		count := int(length / time.Millisecond)
		cpu := cpuSeconds(s.pid)
		failed := make(chan error, 1)
		go paced(ctx, p, count, failed)
		latencies := make([]time.Duration, 0, count)
		for len(latencies) < count {
			fetches := c.PollFetches(ctx)
			if err := fetches.Err0(); err != nil {
				return nil, err
			}
			select {
			case err := <-failed:
				return nil, err
			default:
			}
			now := time.Now()
			fetches.EachRecord(func(r *kgo.Record) {
				var sent int64
				if _, err := fmt.Sscan(string(r.Value), &sent); err == nil {
					latencies = append(latencies, now.Sub(time.Unix(0, sent)))
				}
			})
		}
		slices.Sort(latencies)
		at := func(q float64) float64 {
			return float64(latencies[int(q*float64(len(latencies)-1))].Microseconds()) / 1000
		}
		return figures{"p50 ms": at(.5), "p99 ms": at(.99), "p99.9 ms": at(.999), "CPU % of a core": (cpuSeconds(s.pid) - cpu) / length.Seconds() * 100}, nil
	}
}

// paced produces a record every millisecond that holds its time of sending.
func paced(ctx context.Context, p *kgo.Client, count int, failed chan<- error) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range count {
		<-tick.C
		p.Produce(ctx, &kgo.Record{Value: fmt.Appendf(nil, "%d", time.Now().UnixNano())}, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
}

// createTopic creates the scenario's topic; the floor has every topic.
func createTopic(ctx context.Context, c *kgo.Client, s *subject, topic string) error {
	if s.floor {
		return nil
	}
	_, err := kadm.NewClient(c).CreateTopic(ctx, partitions, 1, nil, topic)
	return err
}
