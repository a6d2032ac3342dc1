package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/protocol/record"
)

// Of the scenario that produces beside the cleaner.
const (
	cleanedSegment = 16 << 20
	cleanedShare   = 0.75 // of its size that a topic is below when it is cleaned; half of its records are superseded
	cleaningWithin = time.Minute
	quietFor       = 3 * time.Second
)

// soonCleaned lets the cleaner look for work often.
const soonCleaned = "log.cleaner.backoff.ms=100"

// produceBesideCleaner measures how long an acknowledgement takes, at a record a millisecond, while nothing else happens and
// while the cleaner cleans a topic each of whose keys was written twice.
func produceBesideCleaner(megabytes int) func(context.Context, *subject, string) (figures, error) {
	return func(ctx context.Context, s *subject, topic string) (figures, error) {
		if err := s.createTopic(ctx, topic, fewPartitions); err != nil {
			return nil, err
		}
		p, err := s.client(kgo.ProducerLinger(0), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()))
		if err != nil {
			return nil, err
		}
		defer p.Close()
		cleaned := topic + "-cleaned"
		full, err := s.fillTwice(ctx, p, cleaned, megabytes)
		if err != nil {
			return nil, err
		}
		// The first records find the connections being made.
		if _, err := pacedUntil(ctx, p, endAfter(time.Second)); err != nil {
			return nil, err
		}
		quiet, err := pacedUntil(ctx, p, endAfter(quietFor))
		if err != nil {
			return nil, err
		}
		admin := kadm.NewClient(p)
		if err := alterTopic(ctx, admin, cleaned, "cleanup.policy", "compact"); err != nil {
			return nil, err
		}
		began := time.Now()
		busy, err := pacedUntil(ctx, p, func(ctx context.Context) error {
			return await(ctx, func() error {
				size, err := topicSize(ctx, admin, cleaned)
				if err == nil && float64(size) > cleanedShare*float64(full) && time.Since(began) < cleaningWithin {
					err = fmt.Errorf("%d of %d bytes are left", size, full)
				}
				return err
			})
		})
		if err != nil {
			return nil, err
		}
		took := time.Since(began)
		if took >= cleaningWithin {
			return nil, fmt.Errorf("%s was not cleaned within %v", cleaned, cleaningWithin)
		}
		before, while := percentile(quiet, .99), percentile(busy, .99)
		return figures{
			"p99 ms, quiet": before, "p99 ms, cleaning": while, "p99 cleaning to quiet": while / before,
			"p50 ms, cleaning": percentile(busy, .5), "cleaned within s": took.Seconds(),
		}, nil
	}
}

// fillTwice makes a topic in which each key stands twice, and returns its size in bytes.
func (s *subject) fillTwice(ctx context.Context, c *kgo.Client, topic string, megabytes int) (int64, error) {
	admin := kadm.NewClient(c)
	value := func(v string) *string { return &v }
	s.topics = append(s.topics, topic)
	_, err := admin.CreateTopic(ctx, 1, 1, map[string]*string{
		"segment.bytes": value(strconv.Itoa(cleanedSegment)), "min.cleanable.dirty.ratio": value("0.01"),
	}, topic)
	if err != nil {
		return 0, fmt.Errorf("create topic %s: %w", topic, err)
	}
	if err := await(ctx, func() error { return led(ctx, c, topic, 1) }); err != nil {
		return 0, err
	}
	payload := bytes.Repeat([]byte("0123456789abcdef"), recordSize/16)
	for range 2 {
		key := 0
		for range megabytes / 2 {
			b := record.NewBuilder(record.BatchOptions{})
			for size := 0; size < 1_000_000; size += recordSize {
				b.Append(time.Now().UnixMilli(), strconv.AppendInt(nil, int64(key), 10), payload)
				key++
			}
			batch, err := b.Build()
			if err != nil {
				return 0, err
			}
			if err := sendBatch(ctx, c, topic, 0, batch); err != nil {
				return 0, err
			}
		}
	}
	return topicSize(ctx, admin, topic)
}

func alterTopic(ctx context.Context, admin *kadm.Client, topic, key, value string) error {
	altered, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: key, Value: &value}}, topic)
	if err != nil {
		return err
	}
	for _, a := range altered {
		err = errors.Join(err, a.Err)
	}
	return err
}

// topicSize asks the broker for the bytes of a topic's log.
func topicSize(ctx context.Context, admin *kadm.Client, topic string) (int64, error) {
	dirs, err := admin.DescribeAllLogDirs(ctx, kadm.TopicsSet{topic: {0: {}}})
	if err != nil {
		return 0, err
	}
	size := int64(0)
	dirs.Each(func(d kadm.DescribedLogDir) { size, err = size+d.Size(), errors.Join(err, d.Err) })
	return size, err
}

func endAfter(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error { return sleepUntil(ctx, time.Now().Add(d)) }
}

// pacedUntil produces a record every millisecond until end returns, and returns how long each took to be acknowledged.
func pacedUntil(ctx context.Context, p *kgo.Client, end func(context.Context) error) ([]time.Duration, error) {
	ended := make(chan error, 1)
	go func() { ended <- end(ctx) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	for {
		select {
		case <-tick.C:
			sent := time.Now()
			p.Produce(ctx, &kgo.Record{Value: []byte("0123456789")}, func(_ *kgo.Record, err error) {
				mu.Lock()
				defer mu.Unlock()
				took, failed = append(took, time.Since(sent)), errors.Join(failed, err)
			})
		case err := <-ended:
			err = errors.Join(err, p.Flush(ctx))
			mu.Lock()
			defer mu.Unlock()
			return took, errors.Join(err, failed)
		}
	}
}

// percentile returns milliseconds; it sorts.
func percentile(latencies []time.Duration, q float64) float64 {
	slices.Sort(latencies)
	return milliseconds(latencies[int(q*float64(len(latencies)-1))])
}
