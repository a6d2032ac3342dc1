package zkserver

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Server is an embedded ZooKeeper. Its methods may be called from several goroutines.
type Server struct {
	options Options
	log     *zap.Logger
	store   *store // nil without a file
	secret  []byte // of the sessions' passwords
	started time.Time

	mailbox  chan message
	stop     chan struct{}
	stopOnce sync.Once
	owned    chan struct{} // closed when the owner has ended
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[*conn]struct{} // guarded by mu

	// The owner's.
	tree         *tree
	sessions     map[int64]*session
	lastSession  int64
	zxid         int64
	dataWatches  *watchTable
	childWatches *watchTable
	dirty        dirtySet
	outputs      []output
	expiry       *time.Timer
	commits      int64
}

// New starts a server. It takes the Listener over in any case.
func New(o Options) (*Server, error) {
	if o.Listener == nil {
		return nil, errors.New("start zookeeper server: no listener")
	}
	o = o.withDefaults()
	s := &Server{
		options: o, log: o.Logger, started: time.Now(),
		mailbox: make(chan message, 256), stop: make(chan struct{}), owned: make(chan struct{}), conns: map[*conn]struct{}{},
		tree: newTree(), sessions: map[int64]*session{}, zxid: 1 << epochShift,
		dataWatches: newWatchTable(), childWatches: newWatchTable(), dirty: newDirtySet(),
		expiry: time.NewTimer(time.Hour),
	}
	if err := s.load(); err != nil {
		o.Listener.Close()
		return nil, fmt.Errorf("start zookeeper server: %w", err)
	}
	s.armExpiry()
	nodes, sessions := len(s.tree.nodes), len(s.sessions) // they have an owner from here on
	s.running.Go(s.own)
	s.running.Go(s.accept)
	s.log.Info("zookeeper server started", zap.Stringer("address", s.Addr()),
		zap.String("file", o.Path), zap.Int("nodes", nodes), zap.Int("sessions", sessions))
	return s, nil
}

// epochShift is where the epoch begins in a zxid.
const epochShift = 32

// load fills the server from its file and begins a new epoch.
func (s *Server) load() error {
	if s.options.Path == "" {
		s.secret = make([]byte, 32)
		rand.Read(s.secret)
		return nil
	}
	var err error
	if s.store, err = openStore(s.options.Path, s.options.NoSync); err != nil {
		return err
	}
	if err := s.store.load(s); err != nil {
		return errors.Join(err, s.store.close())
	}
	return nil
}

// Addr is where clients connect.
func (s *Server) Addr() net.Addr { return s.options.Listener.Addr() }

// Done is closed when the server has stopped serving: by Close, or because the file failed.
func (s *Server) Done() <-chan struct{} { return s.stop }

// Close stops the server. Clients see a lost connection; sessions and ephemeral nodes stay in
// the file. Answered writes are in the file already.
func (s *Server) Close() error {
	s.halt()
	s.running.Wait()
	if s.store == nil {
		return nil
	}
	return s.store.close()
}

func (s *Server) halt() {
	s.stopOnce.Do(func() {
		close(s.stop)
		s.options.Listener.Close()
	})
}

func (s *Server) accept() {
	const pause = 10 * time.Millisecond // after an error such as too many open files
	for {
		nc, err := s.options.Listener.Accept()
		if err == nil {
			s.admit(nc)
			continue
		}
		select {
		case <-s.stop:
			return
		case <-time.After(pause):
		}
		if errors.Is(err, net.ErrClosed) {
			s.log.Error("listener was closed, server stops", zap.Error(err))
			s.halt()
			return
		}
	}
}

func (s *Server) admit(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.stop:
		nc.Close()
		return
	default:
	}
	if len(s.conns) >= s.options.MaxConnections {
		s.log.Warn("too many connections", zap.Stringer("client", nc.RemoteAddr()))
		nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.running.Go(func() {
		c.run()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	})
}

func (s *Server) connections() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

// ExpireSession ends a session as if its time were up, and tells whether there was one.
func (s *Server) ExpireSession(id int64) bool {
	found := false
	s.between(func() {
		if session := s.sessions[id]; session != nil {
			found = true
			s.expireSession(session)
		}
	})
	return found
}

// Sessions lists the ids of the sessions that are open.
func (s *Server) Sessions() (ids []int64) {
	s.between(func() {
		for id := range s.sessions {
			ids = append(ids, id)
		}
	})
	return ids
}

// DropConnections closes all connections; sessions live on until their timeout.
func (s *Server) DropConnections() {
	s.between(func() {
		for _, c := range s.connections() {
			s.forget(c)
			c.close()
		}
	})
}

// Pause stops serving, as a machine that hangs does, until resume is called; connections stay
// open. Time goes on: a session that could not be heard expires at resume.
func (s *Server) Pause() (resume func()) {
	paused, resumed := make(chan struct{}), make(chan struct{})
	pause := func() {
		close(paused)
		select {
		case <-resumed:
		case <-s.stop:
		}
	}
	select {
	case s.mailbox <- message{control: pause}:
		select {
		case <-paused:
		case <-s.owned:
		}
	case <-s.stop:
	}
	return sync.OnceFunc(func() { close(resumed) })
}

// between has the owner run f between two batches, and waits until it has. After the server
// has stopped, f does not run.
func (s *Server) between(f func()) {
	done := make(chan struct{})
	select {
	case s.mailbox <- message{control: func() { defer close(done); f() }}:
	case <-s.stop:
		return
	}
	select {
	case <-done:
	case <-s.owned:
	}
}
