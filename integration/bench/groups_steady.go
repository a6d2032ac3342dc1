package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Of the scenarios in which groups only go on.
const (
	idleGroups       = 1000
	idleMembers      = 3 // of a group
	heartbeatEvery   = 3 * time.Second
	steadyFor        = 9 * time.Second
	committers       = 100
	commitsPerSecond = 10_000 // of all committers
)

// heartbeats measures what groups cost that nothing happens to: each member sends its heartbeat every three seconds, as clients do.
func heartbeats(ctx context.Context, s *subject, topic string) (figures, error) {
	if err := errors.Join(s.createTopic(ctx, topic, idleMembers), awaitCoordinator(ctx, s, topic)); err != nil {
		return nil, err
	}
	members := make([]*classicMember, idleGroups*idleMembers)
	for i := range members {
		w, err := dialWire(ctx, s.address)
		if err != nil {
			return nil, err
		}
		defer w.close()
		members[i] = &classicMember{w: w, group: fmt.Sprintf("%s-%d", topic, i/idleMembers), topic: topic}
	}
	// All groups wait for the initial delay together.
	if err := together(len(members), func(i int) error { return members[i].join() }); err != nil {
		return nil, err
	}
	var sent atomic.Int64
	beat := func(i int, rounds int) error {
		// Spread over the interval.
		begin := time.Now().Add(heartbeatEvery * time.Duration(i) / time.Duration(len(members)))
		for round := range rounds {
			if err := sleepUntil(ctx, begin.Add(heartbeatEvery*time.Duration(round))); err != nil {
				return err
			}
			rebalancing, err := members[i].heartbeat()
			if err != nil || rebalancing {
				return errors.Join(fmt.Errorf("member %d: rebalancing: %v", i, rebalancing), err)
			}
			sent.Add(1)
		}
		return nil
	}
	meter, err := startMeter(s)
	if err != nil {
		return nil, err
	}
	if err := together(len(members), func(i int) error { return beat(i, int(steadyFor/heartbeatEvery)) }); err != nil {
		return nil, err
	}
	elapsed, cpu, err := meter.read()
	return figures{"CPU % of a core": 100 * cpu / elapsed, "heartbeats/s": float64(sent.Load()) / elapsed}, err
}

func sleepUntil(ctx context.Context, t time.Time) error {
	select {
	case <-time.After(time.Until(t)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commits measures a hundred simple consumers, each of which commits the offset of a partition a hundred times a second.
func commits(ctx context.Context, s *subject, topic string) (figures, error) {
	if err := errors.Join(s.createTopic(ctx, topic, committers), awaitCoordinator(ctx, s, topic)); err != nil {
		return nil, err
	}
	wires := make([]*wire, committers)
	for i := range wires {
		w, err := dialWire(ctx, s.address)
		if err != nil {
			return nil, err
		}
		defer w.close()
		wires[i] = w
	}
	const each = commitsPerSecond / committers
	commitAt := func(i int, seconds int) error {
		group := fmt.Sprintf("%s-%d", topic, i)
		begin := time.Now().Add(time.Second / each * time.Duration(i) / committers)
		for n := range seconds * each {
			if err := sleepUntil(ctx, begin.Add(time.Second/each*time.Duration(n))); err != nil {
				return err
			}
			if err := commit(wires[i], group, topic, []int32{int32(i)}, int64(n)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := together(committers, func(i int) error { return commitAt(i, 1) }); err != nil {
		return nil, err
	}
	meter, err := startMeter(s)
	if err != nil {
		return nil, err
	}
	const seconds = 5
	if err := together(committers, func(i int) error { return commitAt(i, seconds) }); err != nil {
		return nil, err
	}
	elapsed, cpu, err := meter.read()
	return figures{"commits/s": commitsPerSecond * seconds / elapsed, "CPU % of a core": 100 * cpu / elapsed}, err
}

// commit commits an offset for partitions as a simple consumer.
func commit(w *wire, group, topic string, partitions []int32, offset int64) error {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group, r.Generation = 7, group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	for _, p := range partitions {
		c := kmsg.NewOffsetCommitRequestTopicPartition()
		c.Partition, c.Offset = p, offset
		t.Partitions = append(t.Partitions, c)
	}
	r.Topics = append(r.Topics, t)
	answer, err := w.call(r)
	if err != nil {
		return err
	}
	for _, t := range answer.(*kmsg.OffsetCommitResponse).Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("commit %s-%d of group %s: %w", t.Topic, p.Partition, group, err)
			}
		}
	}
	return nil
}

const offsetsTopic = "bench-offsets"

// loadOffsets measures how long a coordinator takes that finds a million offsets in one partition of __consumer_offsets, none
// of them superseded, after a clean stop.
func loadOffsets(ctx context.Context, s *subject, count int) (figures, error) {
	const partitions = 1000
	if err := errors.Join(s.createTopic(ctx, offsetsTopic, partitions), awaitCoordinator(ctx, s, "group")); err != nil {
		return nil, err
	}
	w, err := dialWire(ctx, s.address)
	if err != nil {
		return nil, err
	}
	defer w.close()
	all := make([]int32, partitions)
	for i := range all {
		all[i] = int32(i)
	}
	last := ""
	for i, made := 0, 0; made < count; i++ {
		if group := fmt.Sprint("group-", i); coordinatorPartition(group) == 0 {
			if err := commit(w, group, offsetsTopic, all, int64(i)); err != nil {
				return nil, err
			}
			made += partitions
			last = group
		}
	}
	s.signal(syscall.SIGTERM)
	began := time.Now()
	if err := s.boot(ctx); err != nil {
		return nil, err
	}
	if err := awaitCoordinator(ctx, s, last); err != nil {
		return nil, err
	}
	cpu, err := cpuSeconds(s.pid)
	return figures{
		"ms from start to loaded": milliseconds(time.Since(began)), "ms of them to first answer": milliseconds(s.ready),
		"CPU ms": cpu * 1000, "RSS MB": rssNow(s.pid),
	}, err
}

// coordinatorPartition is where both brokers place a group, of the fifty partitions that they create.
func coordinatorPartition(group string) int32 {
	hash := int32(0)
	for _, c := range group {
		hash = 31*hash + c
	}
	return max(hash, -hash) % 50
}
