package load

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/history"
)

// newMember connects a consumer in a group of its own.
func (l *Load) newMember(t testing.TB) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(l.options(),
		kgo.ConsumerGroup("readers"), kgo.ConsumeTopics(l.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond), kgo.FetchMaxWait(300*time.Millisecond),
	)...)
	if err != nil {
		t.Fatalf("new consumer: %v", err)
	}
	return c
}

// consume reads as an ordinary consumer does, and commits what it has read, until the context ends.
func (l *Load) consume(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := l.member.PollFetches(ctx)
		fetches.EachError(func(_ string, partition int32, err error) {
			var rejoins *kgo.ErrGroupSession // told although the client goes on by itself
			if ctx.Err() == nil && !errors.Is(err, kgo.ErrClientClosed) && !errors.As(err, &rejoins) {
				l.fail(fmt.Errorf("consume partition %d: %w", partition, err))
			}
		})
		now := l.recorder.Now()
		l.recorder.Note(func(h *history.History) {
			fetches.EachRecord(func(r *kgo.Record) { h.Reads = append(h.Reads, read("member", r, now)) })
		})
		within, cancel := context.WithTimeout(ctx, askWithin)
		_ = l.member.CommitUncommittedOffsets(within) // what is not committed is read again
		cancel()
	}
}

// ends returns the end of each partition.
func (l *Load) ends(ctx context.Context) (map[int32]int64, error) {
	listed, err := kadm.NewClient(l.member).ListEndOffsets(ctx, l.topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the ends: %w", err)
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	if len(ends) != l.partitions {
		return nil, fmt.Errorf("%d partitions have an end, want %d", len(ends), l.partitions)
	}
	return ends, nil
}

// readAll reads each partition from its start up to its end.
func (l *Load) readAll(ctx context.Context, ends map[int32]int64) (map[int32][]history.Read, error) {
	c, err := kgo.NewClient(append(l.options(), kgo.ConsumeTopics(l.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	logs := map[int32][]history.Read{}
	next := map[int32]int64{}
	for !reached(next, ends) {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read the log at the end, up to %v of %v: %w", next, ends, err)
		}
		now := l.recorder.Now()
		fetches.EachRecord(func(r *kgo.Record) {
			logs[r.Partition] = append(logs[r.Partition], read("the end", r, now))
			next[r.Partition] = r.Offset + 1
		})
	}
	return logs, nil
}

func reached(next, ends map[int32]int64) bool {
	for partition, end := range ends {
		if next[partition] < end {
			return false
		}
	}
	return true
}
