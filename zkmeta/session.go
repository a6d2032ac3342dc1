package zkmeta

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/go-zookeeper/zk"
	"go.uber.org/zap"
)

// maxFrame is the largest packet we send or take: the jute.maxbuffer that Kafka sets for its client.
const maxFrame = 4 << 20

// SessionState is what the session loop publishes.
type SessionState int8

// Disconnected does not end a session; Expired does, and a new one follows with Connected.
const (
	Disconnected SessionState = iota
	Connected
	Expired
)

func (s SessionState) String() string {
	switch s {
	case Disconnected:
		return "disconnected"
	case Connected:
		return "connected"
	case Expired:
		return "expired"
	}
	return fmt.Sprintf("session state %d", int8(s))
}

// session is one ZooKeeper session with the library connection that carries it, from the first try to
// connect until it expires or the client closes. It never comes back: the client makes another.
//
// Library goroutines call event; everyone else calls what is in conn.go.
type session struct {
	client *Client
	dialer *dialer
	alive  context.Context
	end    context.CancelCauseFunc // the cause is ErrSessionExpired or ErrClosed

	conn   *zk.Conn
	opened chan struct{} // closed when conn is set: the library calls event before that
	over   chan struct{} // closed when the library's loop has ended

	mu      sync.Mutex
	id      int64
	known   bool          // it has been connected once
	gate    chan struct{} // closed while connected
	open    bool          // the gate is closed, i.e. requests may pass
	ended   bool
	running sync.WaitGroup // calls into the library; no Add after ended
}

// newSession starts connecting. It does not wait.
func newSession(c *Client) (*session, error) {
	s := &session{
		client: c,
		opened: make(chan struct{}),
		over:   make(chan struct{}),
		gate:   make(chan struct{}),
	}
	s.alive, s.end = context.WithCancelCause(context.Background())
	s.dialer = newDialer(s.alive, c.servers, c.options, c.watches.wanted)
	conn, events, err := zk.Connect(c.servers, c.options.SessionTimeout,
		zk.WithHostProvider(s.dialer),
		zk.WithDialer(s.dialer.connect),
		zk.WithEventCallback(s.event),
		zk.WithLogger(libraryLog{s}),
		zk.WithLogInfo(false),
		zk.WithMaxBufferSize(maxFrame),
		zk.WithMaxConnBufferSize(maxFrame))
	if err != nil {
		s.end(ErrClosed)
		return nil, fmt.Errorf("open a zookeeper session: %w", err)
	}
	s.conn = conn
	close(s.opened)
	go func() {
		defer close(s.over)
		for range events {
			// The library closes the channel when its loop ends. Events come by callback: the channel
			// drops them when full.
			continue
		}
	}()
	return s, nil
}

// event is called by the library and must not block it.
func (s *session) event(e zk.Event) {
	<-s.opened
	if e.Type != zk.EventSession {
		if e.Type != zk.EventNotWatching { // the library's own invalidation at expiry; we fire all ourselves
			s.client.watches.fire(e.Path, e.Type)
		}
		return
	}
	switch e.State {
	case zk.StateHasSession:
		s.client.connected(s)
	case zk.StateDisconnected:
		s.client.disconnected(s)
	case zk.StateExpired:
		s.client.expired(s)
	}
}

// letPass opens the gate and tells whether the session had been connected before.
func (s *session) letPass() (again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id = s.conn.SessionID()
	again, s.known = s.known, true
	if !s.open {
		s.open = true
		close(s.gate)
	}
	return again
}

// hold closes the gate and tells whether it was open.
func (s *session) hold() (was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was = s.open
	if s.open {
		s.open = false
		s.gate = make(chan struct{})
	}
	return was
}

// finish ends the session for everyone who uses it: their calls return cause.
func (s *session) finish(cause error) {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.end(cause)
}

// retire gives the library connection back; a live session is closed with it, which removes its ephemeral
// znodes at once.
func (s *session) retire() {
	<-s.opened
	s.conn.Close()
	s.dialer.hangUp()
	<-s.over
	s.running.Wait()
}

// identity returns the id of the session, 0 until it is connected for the first time.
func (s *session) identity() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// libraryLog is the library's logger: what it says of failures to open a session is the reason that Connect
// gives; all else is of interest only when hunting a bug.
type libraryLog struct{ s *session }

func (l libraryLog) Printf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if strings.HasPrefix(format, "authentication failed") {
		l.s.dialer.failed(fmt.Errorf("the server did not open a session: %s", text))
	}
	l.s.client.log.Debug("zookeeper library", zap.String("text", text))
}
