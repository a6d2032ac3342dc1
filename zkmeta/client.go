package zkmeta

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"go.uber.org/zap"
)

// When Connect says for the first time that ZooKeeper is not reachable, and how often it repeats that.
const (
	firstLook    = 300 * time.Millisecond
	stillWaiting = 10 * time.Second
)

// Client is a session with ZooKeeper. Its calls may come from several goroutines; they retry on
// connection loss until ctx ends, re-reading where the outcome of a write is unknown. Expiry ends calls of the
// old session with ErrSessionExpired; the Client then opens a new session by itself, and calls made after that
// work again. A call whose ctx ends returns, but what it asked for may still take effect.
type Client struct {
	options Options
	servers []string
	chroot  string // "" or "/a/b", put before every path
	log     *zap.Logger
	watches *dispatcher
	slots   chan struct{} // one per request in flight
	// oneByOne is set once a server said that it cannot read several znodes at once.
	oneByOne atomic.Bool
	alive    context.Context // ends with Close
	stop     context.CancelFunc
	running  sync.WaitGroup // retiring sessions, followers of config changes

	mu          sync.Mutex // before session.mu
	session     *session
	state       SessionState
	changed     chan struct{} // closed, and made anew, at every change of state
	subscribers []*subscriber
	closed      bool
	registered  int64 // the session under which a broker was registered last
}

type subscriber struct {
	f        func(SessionState)
	canceled atomic.Bool
}

// Connect opens a session and makes the chroot. While ZooKeeper is not reachable it waits, and logs why, until
// Options.ConnectionTimeout or the end of ctx.
func Connect(ctx context.Context, o Options) (*Client, error) {
	o = o.withDefaults()
	servers, chroot, err := parseConnect(o.Connect)
	if err != nil {
		return nil, err
	}
	c := &Client{
		options: o,
		servers: servers,
		log:     o.Logger.Named("zkmeta"),
		watches: newDispatcher(),
		slots:   make(chan struct{}, o.MaxInFlight),
		changed: make(chan struct{}),
	}
	c.alive, c.stop = context.WithCancel(context.Background())
	ctx, cancel := context.WithTimeoutCause(ctx, o.ConnectionTimeout, errors.New("zookeeper.connection.timeout.ms has passed"))
	defer cancel()

	c.mu.Lock()
	c.session, err = newSession(c)
	c.mu.Unlock()
	if err == nil {
		err = c.awaitFirst(ctx)
	}
	if err == nil && chroot != "" {
		err = c.ensurePaths(ctx, chroot)
		c.chroot = chroot // nobody else uses c yet
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// awaitFirst returns when the first session is there.
func (c *Client) awaitFirst(ctx context.Context) error {
	c.mu.Lock()
	first := c.session
	c.mu.Unlock()
	// The first look comes early enough for a person who watches, late enough to be silent when all is well.
	look := time.NewTimer(firstLook)
	defer look.Stop()
	for {
		c.mu.Lock()
		state, changed := c.state, c.changed
		c.mu.Unlock()
		if state == Connected {
			return nil
		}
		select {
		case <-changed:
		case <-look.C:
			c.log.Warn("zookeeper is not reachable, waiting",
				zap.Strings("servers", c.servers),
				zap.Duration("timeout", c.options.ConnectionTimeout),
				zap.NamedError("reason", first.dialer.failure()),
				zap.String("remedy", "start ZooKeeper, or correct zookeeper.connect"))
			look.Reset(stillWaiting)
		case <-ctx.Done():
			err := fmt.Errorf("connect to zookeeper at %s: %w", strings.Join(c.servers, ","), context.Cause(ctx))
			if reason := first.dialer.failure(); reason != nil {
				err = fmt.Errorf("%w (last: %w)", err, reason)
			}
			return err
		}
	}
}

// Close ends the session, which removes its ephemeral znodes, and all calls, which return ErrClosed. No Notify
// or subscriber is called after it. It must not be called from one.
func (c *Client) Close() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	s := c.session
	if s != nil {
		s.finish(ErrClosed)
	}
	c.mu.Unlock()

	c.stop()
	if s != nil {
		s.retire()
	}
	c.running.Wait()
	c.watches.close()
}

// Session returns the id of the current session (0 before the first) and its state.
func (c *Client) Session() (id int64, state SessionState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return 0, c.state
	}
	return c.session.identity(), c.state
}

// Subscribe calls f for every change of state, in order, from one goroutine, which calls every Notify too; f
// must not block. cancel ends it; a call under way may still return after cancel does.
func (c *Client) Subscribe(f func(SessionState)) (cancel func()) {
	added := &subscriber{f: f}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subscribers = append(c.subscribers[:len(c.subscribers):len(c.subscribers)], added)
	return func() {
		added.canceled.Store(true)
		c.mu.Lock()
		defer c.mu.Unlock()
		var rest []*subscriber
		for _, s := range c.subscribers {
			if s != added {
				rest = append(rest, s)
			}
		}
		c.subscribers = rest
	}
}

// publish changes the state. The lock is held.
func (c *Client) publish(state SessionState) {
	c.state = state
	close(c.changed)
	c.changed = make(chan struct{})
	subscribers := c.subscribers // never changed in place
	c.watches.post(func() {
		for _, s := range subscribers {
			if !s.canceled.Load() {
				s.f(state)
			}
		}
	})
}

// connected is called when a session is new, or found again after its connection was lost.
func (c *Client) connected(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || s != c.session {
		return
	}
	// The watches went with the old connection, and something may have changed since: everyone looks again.
	if again := s.letPass(); again {
		c.watches.fireAll()
	}
	c.log.Info("zookeeper session", zap.Int64("session", s.identity()), zap.Stringer("state", Connected),
		zap.String("server", s.conn.Server()))
	c.publish(Connected)
}

func (c *Client) disconnected(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.hold() && !c.closed && s == c.session {
		c.log.Warn("zookeeper session", zap.Int64("session", s.identity()), zap.Stringer("state", Disconnected),
			zap.Strings("servers", c.servers), zap.Duration("session_timeout", c.options.SessionTimeout))
		c.publish(Disconnected)
	}
}

// expired gives up a session and starts the next.
func (c *Client) expired(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.hold()
	if c.closed || s != c.session {
		return
	}
	s.finish(ErrSessionExpired)
	c.log.Warn("zookeeper session", zap.Int64("session", s.identity()), zap.Stringer("state", Expired))
	next, err := newSession(c)
	if err != nil {
		// Only an empty server list fails, and that was checked.
		panic(fmt.Sprintf("zkmeta: open another session: %v", err))
	}
	c.session = next
	c.publish(Expired)
	c.watches.fireAll()
	c.running.Go(s.retire)
}

// bind returns the session that a call, with all its steps, belongs to.
func (c *Client) bind() (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	return c.session, nil
}

// world is the ACL of everything we create: zookeeper.set.acl is off.
func world() []zk.ACL { return zk.WorldACL(zk.PermAll) }
