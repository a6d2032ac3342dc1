package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// consumeTimes is how often the topic is read in a round: once takes too little CPU to measure well.
const consumeTimes = 3

// consumeOf reads what produceOf of the same round has written, megabytes of it.
func consumeOf(megabytes int) func(context.Context, *subject, string) (figures, error) {
	return func(ctx context.Context, s *subject, topic string) (figures, error) {
		m, err := startMeter(s)
		if err != nil {
			return nil, err
		}
		for range consumeTimes {
			if err := consume(ctx, s, topic, megabytes<<20/recordSize); err != nil {
				return nil, err
			}
		}
		return m.rate(consumeTimes * float64(megabytes))
	}
}

func consume(ctx context.Context, s *subject, topic string, count int) error {
	c, err := s.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxPartitionBytes(8<<20))
	if err != nil {
		return err
	}
	defer c.Close()
	for count > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		count -= fetches.NumRecords()
	}
	return nil
}

// latencyFor sends a record each millisecond and measures until a consumer has it.
func latencyFor(length time.Duration) func(context.Context, *subject, string) (figures, error) {
	return func(ctx context.Context, s *subject, topic string) (figures, error) {
		if err := s.createTopic(ctx, topic, fewPartitions); err != nil {
			return nil, err
		}
		p, err := s.client(kgo.ProducerLinger(0), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()))
		if err != nil {
			return nil, err
		}
		defer p.Close()
		c, err := s.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		// The first records find the connections being made; they are not counted.
		warm := int(length / time.Millisecond / 10)
		if _, err := endToEnd(ctx, p, c, warm); err != nil {
			return nil, err
		}
		m, err := startMeter(s)
		if err != nil {
			return nil, err
		}
		latencies, err := endToEnd(ctx, p, c, int(length/time.Millisecond))
		if err != nil {
			return nil, err
		}
		elapsed, cpu, err := m.read()
		return figures{
			"p50 ms": percentile(latencies, .5), "p99 ms": percentile(latencies, .99), "p99.9 ms": percentile(latencies, .999), "CPU % of a core": cpu / elapsed * 100,
		}, err
	}
}

// endToEnd sends count records at a pace and returns how long each took to the consumer.
func endToEnd(ctx context.Context, p, c *kgo.Client, count int) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go paced(ctx, p, count, cancel)
	latencies := make([]time.Duration, 0, count)
	for len(latencies) < count {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		now := time.Now()
		for r := range fetches.RecordsAll() {
			sent, err := strconv.ParseInt(string(r.Value), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("consumed what was not produced: %w", err)
			}
			latencies = append(latencies, now.Sub(time.Unix(0, sent)))
		}
	}
	return latencies, nil
}

// paced produces a record every millisecond that holds its time of sending.
func paced(ctx context.Context, p *kgo.Client, count int, fail context.CancelCauseFunc) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range count {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		p.Produce(ctx, &kgo.Record{Value: strconv.AppendInt(nil, time.Now().UnixNano(), 10)}, func(_ *kgo.Record, err error) {
			if err != nil {
				fail(err)
			}
		})
	}
}
