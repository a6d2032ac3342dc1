package txn

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
)

// ErrNoProducerID is wrapped when no block could be had. Kafka answers COORDINATOR_LOAD_IN_PROGRESS, which every
// client retries; old ones give up on anything that speaks of a timeout.
var ErrNoProducerID = errors.New("no block of producer ids is available")

// BlockSource takes the next block of producer ids from the controller. It returns when ctx ends.
type BlockSource func(ctx context.Context) (first int64, count int32, err error)

// ProducerIDs hands out producer ids from blocks, fetching the next block when 90 % of one is used (Kafka:
// RPCProducerIdManager, in ProducerIdManager.scala). Safe for concurrent use.
type ProducerIDs struct {
	source BlockSource
	wait   sync.WaitGroup // the goroutine of the fetch

	mu     sync.Mutex
	block  block
	spare  block
	fetch  *fetch // in flight, or nil
	closed bool
	floor  int64 // the end of the newest block: no later one may start below
}

// block is the range [next, end), of which next is the first id not handed out.
type block struct {
	next, end int64
	// prefetchAt is the id at which the next block is asked for.
	prefetchAt int64
}

func (b *block) empty() bool { return b.next >= b.end }

// fetch is one call of the source. err may be read once done is closed.
type fetch struct {
	done   chan struct{}
	cancel context.CancelFunc
	err    error
}

// NewProducerIDs asks for nothing yet: the first block is fetched by the first Next.
func NewProducerIDs(source BlockSource) *ProducerIDs { return &ProducerIDs{source: source} }

// Next returns a producer id never handed out before. With a block at hand it does not wait; else it waits for the
// one fetch that all callers share. The error wraps ErrNoProducerID, or is ctx's.
func (p *ProducerIDs) Next(ctx context.Context) (int64, error) {
	for {
		id, waitFor, err := p.take()
		if err != nil || waitFor == nil {
			return id, err
		}
		select {
		case <-waitFor.done:
			if waitFor.err != nil {
				return -1, waitFor.err
			}
		case <-ctx.Done():
			return -1, fmt.Errorf("wait for a block of producer ids: %w", context.Cause(ctx))
		}
	}
}

// Close ends a fetch in flight and waits for it. Next fails from then on.
func (p *ProducerIDs) Close() {
	p.mu.Lock()
	p.closed = true
	if p.fetch != nil {
		p.fetch.cancel()
	}
	p.mu.Unlock()
	p.wait.Wait()
}

// take returns an id, or else the fetch to wait for.
func (p *ProducerIDs) take() (id int64, waitFor *fetch, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return -1, nil, fmt.Errorf("%w: closed", ErrNoProducerID)
	}
	if p.block.empty() {
		p.block, p.spare = p.spare, block{}
	}
	if p.block.empty() {
		return -1, p.startFetch(), nil
	}
	id = p.block.next
	p.block.next++
	if id >= p.block.prefetchAt && p.spare.empty() {
		p.startFetch()
	}
	return id, nil, nil
}

// startFetch returns the fetch in flight, starting one when there is none; p.mu is held. The pace of failures is the
// source's: it keeps one request in flight and answers no sooner than the controller does.
func (p *ProducerIDs) startFetch() *fetch {
	if p.fetch != nil {
		return p.fetch
	}
	// Not a caller's context: the fetch serves them all and must outlive any one of them. Close ends it.
	ctx, cancel := context.WithCancel(context.Background())
	f := &fetch{done: make(chan struct{}), cancel: cancel}
	p.fetch = f
	p.wait.Go(func() {
		defer cancel()
		first, count, err := p.source(ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		if err != nil {
			f.err = fmt.Errorf("%w: %w", ErrNoProducerID, err)
		} else {
			f.err = p.accept(first, count)
		}
		p.fetch = nil
		close(f.done)
	})
	return f
}

// accept keeps a new block as the spare one; p.mu is held.
func (p *ProducerIDs) accept(first int64, count int32) error {
	if first < 0 || count <= 0 || first > math.MaxInt64-int64(count) {
		return fmt.Errorf("%w: allotted block of %d at %d is no range", ErrNoProducerID, count, first)
	}
	if first < p.floor {
		return fmt.Errorf("%w: allotted block at %d lies below %d, the end of the last one", ErrNoProducerID, first, p.floor)
	}
	p.floor = first + int64(count)
	p.spare = block{next: first, end: p.floor, prefetchAt: first + int64(count)*9/10}
	return nil
}
