package server

import (
	"context"
	"fmt"
	"time"
)

// Shutdown stops accepting and reading, waits until what was started is answered (or ctx ends) and closes the connections. When
// ctx ends first, the connections' contexts end and their sockets are closed. It is called once.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	close(s.stop)
	s.mu.Unlock()
	s.closeListeners()
	s.each(func(c *conn) {
		_ = c.socket.SetReadDeadline(time.Unix(1, 0)) // an error means that it is closed already
	})

	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	defer s.cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.each((*conn).breakOff)
	<-done
	return fmt.Errorf("wait for connections to be answered: %w", context.Cause(ctx))
}

func (s *Server) closeListeners() {
	for _, l := range s.listeners {
		l.Close()
	}
}

func (s *Server) each(f func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		f(c)
	}
}
