package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/kbroker/kbroker/protocol"
)

// Server accepts and serves connections.
type Server struct {
	listeners []Listener
	handler   Handler
	limits    func() *Limits
	metrics   *metrics
	log       *zap.Logger
	// complaints logs what peers do wrong: sampled, because a peer can do wrong very fast.
	complaints *zap.Logger

	buffers   protocol.Buffers
	calls     sync.Pool // of *Call
	memory    memory
	admission admission

	ctx    context.Context // parent of every connection's
	cancel context.CancelFunc
	stop   chan struct{} // closed when Shutdown begins
	wg     sync.WaitGroup

	mu    sync.Mutex
	conns map[*conn]struct{}
}

// New makes a Server of sockets that are bound already.
func New(o Options) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	log := o.Logger.Named("server")
	s := &Server{
		listeners: o.Listeners,
		handler:   o.Handler,
		limits:    o.Limits,
		log:       log,
		// Of each message the first five in a second and then every hundredth.
		complaints: log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
			return zapcore.NewSamplerWithOptions(c, time.Second, 5, 100)
		})),
		ctx:    ctx,
		cancel: cancel,
		stop:   make(chan struct{}),
		conns:  make(map[*conn]struct{}),
	}
	s.metrics = newMetrics(o.Registerer, s.memory.inUse)
	s.calls.New = func() any { return &Call{server: s} }
	return s
}

// Serve serves until Shutdown, and returns nil then. An error is that of a listener that accepts no
// more; the others are closed with it.
func (s *Server) Serve() error {
	var accepting sync.WaitGroup
	errs := make([]error, len(s.listeners))
	for i, l := range s.listeners {
		accepting.Go(func() {
			if errs[i] = s.accept(l); errs[i] != nil {
				s.closeListeners()
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	var sweeping sync.WaitGroup
	sweeping.Go(func() { s.sweep(ctx) })
	accepting.Wait()
	cancel()
	sweeping.Wait()
	if s.stopping() {
		return nil
	}
	return errors.Join(errs...)
}

// stopping reports whether Shutdown has begun.
func (s *Server) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// accept takes connections from one listener until it is closed.
func (s *Server) accept(l Listener) error {
	const longest = time.Second
	var backoff time.Duration
	for {
		nc, err := l.Accept()
		if err == nil {
			backoff = 0
			s.welcome(l.Name, nc)
			continue
		}
		if s.stopping() || errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("accept on %s: %w", l.Name, err)
		}
		// As net/http does: out of file descriptors, or a peer that hung up at once, passes.
		backoff = min(max(2*backoff, 5*time.Millisecond), longest)
		s.complaints.Warn("accepting a connection failed, will try again",
			zap.String("listener", l.Name), zap.Duration("backoff", backoff), zap.Error(err))
		if !s.pause(backoff) {
			return nil
		}
	}
}

// pause waits and reports true, or false as soon as Shutdown begins.
func (s *Server) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stop:
		return false
	}
}

// welcome starts to serve a connection once the limits allow it, or closes it. As
// in Kafka the accept loop waits here, and the peers of the connections behind it in the listen queue.
func (s *Server) welcome(listener string, nc net.Conn) {
	host := nc.RemoteAddr().String()
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if err := s.admission.admit(s, host); err != nil {
		s.metrics.refused.WithLabelValues(refusedConnection).Inc()
		s.complaints.Warn("connection refused", zap.String("listener", listener), zap.String("remote", host), zap.Error(err))
		nc.Close()
		return
	}
	s.configure(nc)
	c := newConn(s, listener, host, nc)
	if !s.register(c) {
		s.admission.leave(host)
		nc.Close()
		return
	}
	s.metrics.connections.WithLabelValues(listener).Inc()
	go c.serve()
}

// configure sets the options of a socket.
func (s *Server) configure(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	limits := s.limits()
	// Errors mean that the peer is gone already, which the read loop will see.
	_ = tcp.SetNoDelay(true)
	if limits.SendBuffer > 0 {
		_ = tcp.SetWriteBuffer(int(limits.SendBuffer))
	}
	if limits.ReceiveBuffer > 0 {
		_ = tcp.SetReadBuffer(int(limits.ReceiveBuffer))
	}
}

// register makes the connection one that Shutdown and the idle sweep know, unless
// Shutdown has begun. forget undoes it.
func (s *Server) register(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping() {
		return false
	}
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.admission.leave(c.info.RemoteHost)
	s.metrics.connections.WithLabelValues(c.info.Listener).Dec()
	s.wg.Done()
}
