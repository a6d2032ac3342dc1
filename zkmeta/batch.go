package zkmeta

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/go-zookeeper/zk"
)

// Limits of one transaction of a large batch. A transaction costs the server one write to its log, so
// sharing it is what makes large batches quick; but it also holds everyone else up while it is applied.
const (
	maxGroupOps  = 1000
	maxGroupSize = 256 << 10
	// groupTries is how often a refused group is mended and tried again before it is halved.
	groupTries = 4
)

// each calls f(0) ... f(n-1) from as many goroutines as requests may be in flight. The first error ends it.
func (s *session) each(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, s.client.options.MaxInFlight) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(ctx, i); err != nil {
					cancel(err) // the first call wins
					return
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// task is one of many writes: operations that take effect together.
type task struct {
	ops []any
	// refused is told that operation number op failed. It mends ops to try again, empty when nothing is left
	// to do, or returns the error that is the outcome of this task. unsure: an earlier try may have taken effect.
	refused func(ctx context.Context, t *task, op int, err error, unsure bool) error
	// settle, when not nil, is called after a try of unknown outcome. It empties ops when it took effect.
	settle func(ctx context.Context, t *task) error

	results []zk.MultiResponse // of ops, when they were carried out
	err     error
	unsure  bool
}

// done empties the task.
func (t *task) done() { t.ops = nil }

// run carries out tasks, which do not depend on each other, in shared transactions, pipelined. With a lease
// every transaction checks it. Errors of single tasks are in them; the returned one ended the batch.
func (s *session) run(ctx context.Context, l *Lease, tasks []*task) error {
	var groups [][]*task
	var group []*task
	ops, size := 0, 0
	for _, t := range tasks {
		taskSize := 0
		for _, op := range t.ops {
			taskSize += opSize(op)
		}
		if len(group) > 0 && (ops+len(t.ops) > maxGroupOps || size+taskSize > maxGroupSize) {
			groups = append(groups, group)
			group, ops, size = nil, 0, 0
		}
		group = append(group, t)
		ops, size = ops+len(t.ops), size+taskSize
	}
	if len(group) > 0 {
		groups = append(groups, group)
	}
	return s.each(ctx, len(groups), func(ctx context.Context, i int) error {
		return s.runGroup(ctx, l, groups[i])
	})
}

// runGroup carries out tasks in one transaction, without those that are refused.
func (s *session) runGroup(ctx context.Context, l *Lease, group []*task) error {
	for tries := 0; ; {
		pending := pendingOf(group)
		if len(pending) == 0 {
			return nil
		}
		if tries >= groupTries && len(pending) > 1 {
			// Many are refused: find them by halves.
			middle := len(pending) / 2
			if err := s.runGroup(ctx, l, pending[:middle]); err != nil {
				return err
			}
			return s.runGroup(ctx, l, pending[middle:])
		}

		var ops []any
		for _, t := range pending {
			ops = append(ops, t.ops...)
		}
		results, err := s.commitWith(ctx, l, "write", ops...)
		if err == nil {
			for _, t := range pending {
				t.results, results = results[:len(t.ops)], results[len(t.ops):]
				t.done()
			}
			return nil
		}
		if errors.Is(err, errLost) {
			if err := s.settle(ctx, pending); err != nil {
				return err
			}
			continue
		}
		at := failedAt(err)
		if at < 0 {
			return err
		}
		tries++
		for _, t := range pending {
			if at < len(t.ops) {
				if t.err = t.refused(ctx, t, at, err, t.unsure); t.err != nil {
					t.done()
				}
				break
			}
			at -= len(t.ops)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// settle finds out which tasks of a lost transaction took effect. It may be told of an older state (by
// another server, while the transaction is still under way), so what is left stays unsure.
func (s *session) settle(ctx context.Context, tasks []*task) error {
	for _, t := range tasks {
		t.unsure = true
	}
	return s.each(ctx, len(tasks), func(ctx context.Context, i int) error {
		if t := tasks[i]; t.settle != nil {
			return t.settle(ctx, t)
		}
		return nil
	})
}

func pendingOf(tasks []*task) []*task {
	var pending []*task
	for _, t := range tasks {
		if len(t.ops) > 0 {
			pending = append(pending, t)
		}
	}
	return pending
}

// commitWith is commit under a lease, when l is not nil: ErrControllerMoved when it does not hold. Numbers of
// operations in errors and results are those of ops.
func (s *session) commitWith(ctx context.Context, l *Lease, operation string, ops ...any) ([]zk.MultiResponse, error) {
	if l == nil {
		return s.commit(ctx, operation, ops...)
	}
	if l.EpochVersion < 1 {
		// No election gives such a version, and -1 would match any.
		return nil, fmt.Errorf("%s %s with version %d of the controller epoch: %w", operation, s.opPath(ops[0]), l.EpochVersion, ErrControllerMoved)
	}
	fenced := append([]any{s.check(controllerEpochPath, l.EpochVersion)}, ops...)
	results, err := s.commit(ctx, operation, fenced...)
	if err == nil {
		return results[1:], nil
	}
	var failed *opError
	if !errors.As(err, &failed) {
		return nil, err
	}
	if failed.index == 0 {
		return nil, fmt.Errorf("%s %s as controller of epoch %d: %w", operation, s.opPath(ops[0]), l.Epoch, ErrControllerMoved)
	}
	failed.index--
	return nil, err
}

// persistWith is commitWith until the outcome is known, for writes that may be done twice.
func (s *session) persistWith(ctx context.Context, l *Lease, operation string, ops ...any) ([]zk.MultiResponse, error) {
	for {
		results, err := s.commitWith(ctx, l, operation, ops...)
		if !errors.Is(err, errLost) {
			return results, err
		}
	}
}
