package server

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// sweep closes connections on which nothing moved for connections.max.idle.ms. One goroutine looks at all of them
// now and then, so that a connection costs neither a timer nor a clock reading per frame; a connection may
// live an eighth longer than configured.
func (s *Server) sweep(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		pause := 30 * time.Second
		idle := s.limits().MaxIdle
		if idle >= 0 {
			pause = min(max(idle/8, 10*time.Millisecond), pause)
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if idle >= 0 {
			s.closeIdle(idle, time.Now())
		}
	}
}

func (s *Server) closeIdle(idle time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if seen := c.activity.Load(); seen != c.seen || c.waits() {
			c.seen, c.idleSince = seen, now
			continue
		}
		if now.Sub(c.idleSince) < idle {
			continue
		}
		s.log.Debug("closing idle connection", zap.String("listener", c.info.Listener), zap.String("remote", c.info.RemoteHost),
			zap.Duration("idle", now.Sub(c.idleSince)))
		c.breakOff()
	}
}

// waits reports whether the peer is owed an answer that is not ready: then it
// has reason to be silent. A peer that does not take its answer has not.
func (c *conn) waits() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.awaiting
}
