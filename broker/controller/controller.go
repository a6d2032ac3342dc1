package controller

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/peer"
	"github.com/kbroker/kbroker/zkmeta"
)

// Options are what a Controller is made of.
type Options struct {
	BrokerID  int32
	ZooKeeper *zkmeta.Client
	// Register registers this broker under the current session; called at
	// start and after every expiry, before an election.
	Register   func(ctx context.Context) (brokerEpoch int64, err error)
	Config     *config.Store
	Metadata   *metadata.Cache
	Dial       peer.Dial
	Registerer prometheus.Registerer
	Logger     *zap.Logger
	// Intn draws from [0, n), where replica assignments start; nil: math/rand.
	// It may be called from several goroutines.
	Intn func(n int) int
}

// Controller takes part in elections and, when elected, runs the cluster. All
// its state belongs to the goroutine of Run; the methods post an event and wait for its answer.
type Controller struct {
	id       int32
	zk       *zkmeta.Client
	register func(ctx context.Context) (int64, error)
	config   *config.Store
	metadata *metadata.Cache
	dial     peer.Dial
	intn     func(n int) int
	metrics  *metrics
	log      *zap.Logger

	mail     *mailbox
	modified nameSet // topics whose znode may have changed
	active   atomic.Bool
	ended    chan struct{}  // closed when Run has returned or was never to be waited for
	working  sync.WaitGroup // senders of all terms

	// Owned by Run.
	term         *term         // nil: not the controller
	orphan       *zkmeta.Lease // of a term that is over, while /controller may still name this broker
	standDown    time.Time     // not a candidate before
	registeredIn int64         // the session under which this broker is registered
}

// New makes a Controller; nothing happens before Run.
func New(o Options) *Controller {
	if o.Intn == nil {
		o.Intn = rand.IntN
	}
	c := &Controller{
		id: o.BrokerID, zk: o.ZooKeeper, register: o.Register, config: o.Config, metadata: o.Metadata,
		dial: o.Dial, intn: o.Intn, log: o.Logger.Named("controller"),
		mail: newMailbox(), ended: make(chan struct{}),
	}
	c.metrics = newMetrics(o.Registerer, c.mail.size)
	return c
}

// Active reports whether this broker is the controller now.
func (c *Controller) Active() bool { return c.active.Load() }

// Run registers the broker, takes part in elections and handles events until
// ctx ends, and returns nil then. registered is closed after the first registration. An error
// means that the broker could not be registered. Run may be called once.
func (c *Controller) Run(ctx context.Context, registered chan<- struct{}) error {
	defer close(c.ended)
	defer c.mail.clear()
	unsubscribe := c.zk.Subscribe(c.sessionChanged)
	defer unsubscribe()
	for {
		_, err := c.registerBroker(ctx)
		if err == nil {
			break
		}
		if !errors.Is(err, zkmeta.ErrSessionExpired) {
			return err
		}
	}
	close(registered)
	c.controllerMayHaveChanged()

	defer c.working.Wait()
	defer c.resign()
	for {
		e, ok := c.mail.take()
		switch {
		case ctx.Err() != nil:
			if ok && e.refuse != nil {
				e.refuse()
			}
			return nil
		case ok:
			c.process(ctx, e)
		default:
			select {
			case <-c.mail.wake:
			case <-ctx.Done():
			}
		}
	}
}

// process handles one event and what its failure means for the term.
func (c *Controller) process(ctx context.Context, e event) {
	c.metrics.waitSeconds.Observe(time.Since(e.posted).Seconds())
	start := time.Now()
	err := e.handle(ctx)
	c.metrics.eventSeconds.WithLabelValues(e.name).Observe(time.Since(start).Seconds())
	if err != nil && ctx.Err() == nil {
		c.failed(ctx, e.name, err)
	}
	c.metrics.update(c.term)
}

// failed decides what follows from an event that could not be handled.
func (c *Controller) failed(ctx context.Context, name string, err error) {
	log := c.log.With(zap.String("event", name), zap.Error(err))
	switch {
	case errors.Is(err, zkmeta.ErrControllerMoved):
		log.Info("another broker became controller")
		c.resign()
		c.controllerMayHaveChanged()
	case errors.Is(err, zkmeta.ErrSessionExpired):
		// The session loop tells, too; nothing of the old session is good any more.
		log.Info("session expired while handling an event")
		c.resign()
	case errors.Is(err, zkmeta.ErrClosed):
		c.resign() // the broker is stopping
	case c.term != nil:
		// What is known may differ from what is written. Whoever is elected
		// next reads it all again.
		log.Error("event failed, giving up the controller's office")
		c.abdicate(ctx)
	default:
		log.Error("event failed")
		c.later(standDownFor, event{name: "controller_change", mark: mark{kind: "controller"}, handle: c.controllerChanged})
	}
}

// sessionChanged runs on zkmeta's goroutine.
func (c *Controller) sessionChanged(s zkmeta.SessionState) {
	switch s {
	case zkmeta.Expired:
		// Whatever waits was meant for the old session.
		c.mail.clear()
		c.mail.change(event{name: "expire", mark: mark{kind: "expire"}, handle: func(context.Context) error {
			if !c.registered() {
				c.resign()
			}
			return nil
		}})
	case zkmeta.Connected:
		c.mail.change(event{name: "register", mark: mark{kind: "register"}, handle: c.registerAgain})
	}
}

// registered reports whether this broker is registered under the session of
// now. Between the end of a session and the news of it, which go different ways, a call may already run in
// the next one; so the sessions are compared, and no flag is kept.
func (c *Controller) registered() bool {
	id, _ := c.zk.Session()
	return id != 0 && id == c.registeredIn
}

// registerBroker registers and notes the session. ErrSessionExpired when that
// changed meanwhile.
func (c *Controller) registerBroker(ctx context.Context) (epoch int64, err error) {
	before, _ := c.zk.Session()
	epoch, err = c.register(ctx)
	if err != nil {
		return 0, err
	}
	if after, _ := c.zk.Session(); before != after {
		return 0, zkmeta.ErrSessionExpired
	}
	c.registeredIn = before
	return epoch, nil
}

// registerAgain registers the broker under a new session and takes part in
// the election that the end of the old one may have caused.
func (c *Controller) registerAgain(ctx context.Context) error {
	if c.registered() {
		return nil // connected again with the same session
	}
	c.resign()
	epoch, err := c.registerBroker(ctx)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, zkmeta.ErrSessionExpired) {
			c.log.Error("registering the broker again failed, will be repeated", zap.Error(err))
			c.later(time.Second, event{name: "register", mark: mark{kind: "register"}, handle: c.registerAgain})
		}
		return nil
	}
	c.log.Info("registered again", zap.Int64("broker_epoch", epoch))
	return c.controllerChanged(ctx)
}

// later marks an event after a while.
func (c *Controller) later(d time.Duration, e event) { time.AfterFunc(d, func() { c.mail.change(e) }) }

// call posts an event and waits for the value of handle. The event is handled
// even if ctx ends before. An error of handle is one that ends the term: it goes to the owner and
// not to the caller, whose value says what became of the call. The
// error of call means that it is not known whether the event was handled, or (ErrNotController)
// that it will not be.
func call[T any](ctx context.Context, c *Controller, name string, handle func(ctx context.Context) (T, error)) (value T, err error) {
	type result struct {
		value T
		err   error
	}
	reply := make(chan result, 1)
	err = c.mail.post(ctx, event{
		name: name,
		handle: func(ctx context.Context) error {
			value, err := handle(ctx)
			if err != nil && ctx.Err() != nil {
				reply <- result{err: ErrNotController} // Run is ending
				return err
			}
			reply <- result{value: value}
			return err
		},
		refuse: func() { reply <- result{err: ErrNotController} },
	})
	if err != nil {
		return value, err
	}
	select {
	case r := <-reply:
		return r.value, r.err
	case <-ctx.Done():
		return value, context.Cause(ctx)
	case <-c.ended:
		// It may have been answered right before the end.
		select {
		case r := <-reply:
			return r.value, r.err
		default:
			return value, ErrNotController
		}
	}
}
