package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/kbroker/kbroker/protocol/record"
)

// runLifecycle measures starts and stops, once, each with servers of its own.
func runLifecycle(ctx context.Context, o options, dir string, results *results) error {
	many, crash := fmt.Sprintf("%d empty partitions", o.many), fmt.Sprintf("SIGKILL with %d MB written", o.crash)
	offsets := fmt.Sprintf("a coordinator with %d offsets starts", o.offsets)
	for _, start := range starters(o)[1:] { // the floor neither stops nor starts
		if o.many > 0 && o.chosen(many) {
			if err := alone(ctx, o, dir, start, func(s *subject) error {
				f, err := emptyPartitions(ctx, s, o.many)
				results.add(many, s.name, f)
				return err
			}); err != nil {
				return fmt.Errorf("%s: %w", many, err)
			}
		}
		if o.crash > 0 && o.chosen(crash) {
			if err := alone(ctx, o, dir, start, func(s *subject) error {
				f, err := killed(ctx, s, o.crash)
				results.add(crash, s.name, f)
				return err
			}); err != nil {
				return fmt.Errorf("%s: %w", crash, err)
			}
		}
		if o.offsets > 0 && o.chosen(offsets) {
			if err := alone(ctx, o, dir, start, func(s *subject) error {
				f, err := loadOffsets(ctx, s, o.offsets)
				results.add(offsets, s.name, f)
				return err
			}); err != nil {
				return fmt.Errorf("%s: %w", offsets, err)
			}
		}
	}
	return nil
}

// alone runs f with a server in a folder of its own.
func alone(ctx context.Context, o options, dir string, start starter, f func(*subject) error) error {
	own := filepath.Join(dir, "alone")
	if err := os.Mkdir(own, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(own)
	s, err := start(ctx, o, own)
	if s != nil {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "alone: %s\n", s.name)
	return f(s)
}

const manyTopic = "bench-empty"

// emptyPartitions measures what partitions cost that nobody writes to: their creation in one request, memory, a clean
// stop, and a start until all have a leader again.
func emptyPartitions(ctx context.Context, s *subject, count int) (figures, error) {
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	admin := kadm.NewClient(c)
	admin.SetTimeoutMillis(120_000)
	began := time.Now()
	if _, err := admin.CreateTopic(ctx, int32(count), 1, nil, manyTopic); err != nil {
		return nil, err
	}
	if err := await(ctx, func() error { return led(ctx, c, manyTopic, count) }); err != nil {
		return nil, err
	}
	created := time.Since(began)
	rss := rssNow(s.pid)
	stopped := s.signal(syscall.SIGTERM)
	began = time.Now()
	if err := s.boot(ctx); err != nil {
		return nil, err
	}
	answered := s.ready
	if err := await(ctx, func() error { return led(ctx, c, manyTopic, count) }); err != nil {
		return nil, err
	}
	return figures{
		"create ms": milliseconds(created), "RSS MB": rss, "clean stop ms": milliseconds(stopped),
		"restart to first answer ms": milliseconds(answered), "restart to all led ms": milliseconds(time.Since(began)),
	}, nil
}

// killed measures the start after a crash that left a log without a word on what of it is sound.
func killed(ctx context.Context, s *subject, megabytes int) (figures, error) {
	const topic = "bench-crash"
	batch, size, err := madeBatch(load{batchSize: 1_000_000, codec: record.None})
	if err != nil {
		return nil, err
	}
	if err := s.createTopic(ctx, topic, fewPartitions); err != nil {
		return nil, err
	}
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := sendAll(ctx, c, topic, batch, megabytes<<20/size); err != nil {
		return nil, err
	}
	s.signal(syscall.SIGKILL)
	began := time.Now()
	for err = s.boot(ctx); errors.Is(err, errGone) && time.Since(began) < startWithin; {
		// Kafka ends while ZooKeeper has the session of the killed one; only the last start counts.
		err = s.boot(ctx)
	}
	if err != nil {
		return nil, err
	}
	answered := time.Now()
	cpu, err := cpuSeconds(s.pid)
	if err != nil {
		return nil, err
	}
	if err := await(ctx, func() error { return led(ctx, c, topic, fewPartitions) }); err != nil {
		return nil, err
	}
	return figures{
		"restart CPU ms":             cpu * 1000,
		"restart to first answer ms": milliseconds(s.ready), "restart to all led ms": milliseconds(s.ready + time.Since(answered)),
	}, nil
}
