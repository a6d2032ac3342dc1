package storage

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// errCleaningAborted is the cause of a cleaning's end when the log is to be cut or deleted.
var errCleaningAborted = errors.New("cleaning was aborted")

// cleaning lets one at a time work on the sealed segments of a log: the cleaner, or retention. Who cuts the log, or
// deletes it, ends a cleaning and keeps others from beginning (Kafka: LogCleanerManager.scala). Its turn comes
// before the flusher's and Log.mu.
type cleaning struct {
	// uncleanable: a cleaning failed for a reason that time does not cure.
	uncleanable atomic.Bool

	mu     sync.Mutex
	ended  chan struct{} // of the work under way, closed at its end; nil when there is none
	abort  context.CancelCauseFunc
	paused int
}

// begin takes the turn unless another has it or the log is paused. The context ends with errCleaningAborted when
// the turn is asked back.
func (c *cleaning) begin(ctx context.Context) (context.Context, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil || c.paused > 0 {
		return nil, false
	}
	c.ended = make(chan struct{})
	ctx, c.abort = context.WithCancelCause(ctx)
	return ctx, true
}

// end gives the turn back.
func (c *cleaning) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.abort(nil)
	close(c.ended)
	c.ended, c.abort = nil, nil
}

// busy tells whether somebody has the turn, or nobody may have it.
func (c *cleaning) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended != nil || c.paused > 0
}

// pause aborts what is under way, waits for its end, and lets nothing begin before resume. Pauses add up.
func (c *cleaning) pause() {
	c.mu.Lock()
	c.paused++
	ended := c.ended
	if ended != nil {
		c.abort(errCleaningAborted)
	}
	c.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// resume undoes one pause.
func (c *cleaning) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused--
}
