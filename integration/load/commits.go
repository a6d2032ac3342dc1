package load

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/history"
)

// bookkeepers is a group without members: only offsets are committed to it.
const bookkeepers = "bookkeepers"

// commit commits 1, 2, 3, ... for all partitions until the context ends.
func (l *Load) commit(ctx context.Context) {
	const every = 100 * time.Millisecond
	c := &coordinator{load: l}
	defer c.close()
	for offset := int64(1); ctx.Err() == nil; {
		began := l.recorder.Now()
		err := c.commit(offset)
		if err != nil {
			// Its outcome is unknown: it may still arrive, so the same is sent again, and some time passes before the next.
			c.forget()
			pause(ctx, 5*every)
			continue
		}
		ended := l.recorder.Now()
		l.recorder.Note(func(h *history.History) {
			for partition := range int32(l.partitions) {
				h.Commits = append(h.Commits, history.Commit{Partition: partition, Offset: offset, Began: began, Ended: ended})
			}
		})
		offset++
		pause(ctx, every)
	}
}

// watchCommits asks for the committed offsets until the context ends.
func (l *Load) watchCommits(ctx context.Context) {
	const every = 70 * time.Millisecond
	c := &coordinator{load: l}
	defer c.close()
	for pause(ctx, every) {
		began := l.recorder.Now()
		offsets, err := c.fetch()
		if err != nil {
			c.forget()
			continue
		}
		ended := l.recorder.Now()
		l.recorder.Note(func(h *history.History) {
			for partition, offset := range offsets {
				h.Fetched = append(h.Fetched, history.Fetched{Coordinator: c.id, Partition: partition, Offset: offset, Began: began, Ended: ended})
			}
		})
	}
}

// coordinator is the connection to the group's coordinator, which is looked for when there is none.
type coordinator struct {
	load  *Load
	id    int32
	wire  *wire
	asked int // how often a broker was asked for it
}

func (c *coordinator) forget() { c.close(); c.wire = nil }

func (c *coordinator) close() {
	if c.wire != nil {
		c.wire.close()
	}
}

func (c *coordinator) ask(q kmsg.Request) (kmsg.Response, error) {
	if c.wire == nil {
		if err := c.find(); err != nil {
			return nil, err
		}
	}
	return c.wire.ask(q)
}

// find asks the brokers in turn for the coordinator.
func (c *coordinator) find() error {
	q := kmsg.NewPtrFindCoordinatorRequest()
	q.Version, q.CoordinatorKey = 2, bookkeepers
	c.asked++
	any := &wire{address: c.load.brokers[int32(c.asked%len(c.load.brokers)+1)]}
	defer any.close()
	answer, err := any.ask(q)
	if err != nil {
		return err
	}
	found := answer.(*kmsg.FindCoordinatorResponse)
	if err := kerr.ErrorForCode(found.ErrorCode); err != nil {
		return err
	}
	c.id = found.NodeID
	c.wire = &wire{address: net.JoinHostPort(found.Host, fmt.Sprint(found.Port))}
	return nil
}

func (c *coordinator) commit(offset int64) error {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Version, q.Group, q.Generation = 7, bookkeepers, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = c.load.topic
	for partition := range int32(c.load.partitions) {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset = partition, offset
		t.Partitions = append(t.Partitions, p)
	}
	q.Topics = append(q.Topics, t)
	answer, err := c.ask(q)
	if err != nil {
		return err
	}
	for _, t := range answer.(*kmsg.OffsetCommitResponse).Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetch returns the committed offset of each partition, -1 where there is none.
func (c *coordinator) fetch() (map[int32]int64, error) {
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Version, q.Group = 5, bookkeepers
	t := kmsg.NewOffsetFetchRequestTopic()
	t.Topic = c.load.topic
	for partition := range int32(c.load.partitions) {
		t.Partitions = append(t.Partitions, partition)
	}
	q.Topics = append(q.Topics, t)
	answer, err := c.ask(q)
	if err != nil {
		return nil, err
	}
	r := answer.(*kmsg.OffsetFetchResponse)
	if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
		return nil, err
	}
	offsets := map[int32]int64{}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, err
			}
			offsets[p.Partition] = p.Offset
		}
	}
	return offsets, nil
}
