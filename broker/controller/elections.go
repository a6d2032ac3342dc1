package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// standDownFor is how long a broker that failed as controller leaves the
// office to others; without others it tries again after that.
const standDownFor = time.Second

// controllerMayHaveChanged is what the watch on /controller calls.
func (c *Controller) controllerMayHaveChanged() {
	c.mail.change(event{name: "controller_change", mark: mark{kind: "controller"}, handle: c.controllerChanged})
}

// controllerChanged reads who is controller, resigns if it is another broker
// or nobody, and is a candidate if it is nobody.
func (c *Controller) controllerChanged(ctx context.Context) error {
	id, ok, err := c.zk.Controller(ctx, c.controllerMayHaveChanged)
	if err != nil {
		return fmt.Errorf("read who is controller: %w", err)
	}
	if ok && id == c.id {
		if c.term == nil && c.orphan != nil {
			return c.leave(ctx, *c.orphan)
		}
		return nil
	}
	c.resign()
	c.orphan = nil
	if ok || !c.registered() {
		return nil
	}
	if wait := time.Until(c.standDown); wait > 0 {
		c.later(wait, event{name: "controller_change", mark: mark{kind: "controller"}, handle: c.controllerChanged})
		return nil
	}
	return c.candidate(ctx)
}

// candidate tries to become controller, and begins a term if it does.
func (c *Controller) candidate(ctx context.Context) error {
	lease, err := c.zk.Elect(ctx, c.id)
	if errors.Is(err, zkmeta.ErrControllerMoved) {
		c.controllerMayHaveChanged() // the winner may be gone already, without a watch of ours
		return nil
	}
	if err != nil {
		return fmt.Errorf("elect controller: %w", err)
	}
	if !c.registered() {
		// Elected in a session that came while we were asking. It is not
		// registered yet, and that must come first.
		return c.leave(ctx, lease)
	}
	c.log.Info("elected controller", zap.Int32("controller_epoch", lease.Epoch))
	c.metrics.elections.Inc()
	c.term = c.newTerm(lease)
	c.active.Store(true)
	if err := c.term.begin(ctx); err != nil {
		return fmt.Errorf("begin a term as controller: %w", err)
	}
	c.log.Info("ready as controller", zap.Int32("controller_epoch", lease.Epoch),
		zap.Int("brokers", len(c.term.brokers)), zap.Int("topics", len(c.term.topics)), zap.Int("partitions", c.term.partitions))
	return nil
}

// resign ends the term, here. Others learn of it from ZooKeeper.
func (c *Controller) resign() {
	if c.term == nil {
		return
	}
	c.active.Store(false)
	c.term.end()
	c.log.Info("resigned as controller", zap.Int32("controller_epoch", c.term.origin.lease.Epoch))
	c.term = nil
}

// abdicate ends the term and lets another broker be elected.
func (c *Controller) abdicate(ctx context.Context) {
	lease := c.term.origin.lease
	c.resign()
	c.standDown = time.Now().Add(standDownFor)
	if err := c.leave(ctx, lease); err != nil && ctx.Err() == nil {
		c.log.Warn("giving up the controller's office failed", zap.Error(err))
	}
}

// leave deletes /controller. Until that is done, or the session has ended, the
// cluster is without a controller; so the lease is kept for another attempt.
func (c *Controller) leave(ctx context.Context, l zkmeta.Lease) error {
	err := c.zk.Abdicate(ctx, l)
	if err == nil || errors.Is(err, zkmeta.ErrControllerMoved) {
		c.orphan = nil
		return nil
	}
	c.orphan = &l
	c.later(standDownFor, event{name: "controller_change", mark: mark{kind: "controller"}, handle: c.controllerChanged})
	return fmt.Errorf("abdicate: %w", err)
}
