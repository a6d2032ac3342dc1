package server

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

var errStopping = errors.New("server is shutting down")

// recheck is how often a full server looks whether max.connections was raised.
const recheck = time.Second

// admission counts connections and paces their creation (Kafka: ConnectionQuotas in SocketServer.scala).
type admission struct {
	mu    sync.Mutex
	total int32
	byIP  map[string]int32
	freed chan struct{} // closed when a connection ends; nil when nobody waits

	// The creation rate is a bucket that holds a second's worth.
	tokens float64
	filled time.Time
}

// admit waits until the server has room for one more connection and its creation is not too early, and
// counts it. It refuses when the host has too many already.
func (a *admission) admit(s *Server, host string) error {
	for {
		limits := s.limits()
		if wait := a.pace(limits.MaxCreationRate, time.Now()); wait > 0 && !s.pause(wait) {
			return errStopping
		}
		freed, err := a.take(limits, host)
		if freed == nil {
			return err
		}
		timer := time.NewTimer(recheck)
		select {
		case <-freed:
		case <-timer.C:
		case <-s.stop:
			timer.Stop()
			return errStopping
		}
		timer.Stop()
	}
}

// take counts the connection, or returns a channel to wait on when the server is full.
func (a *admission) take(l *Limits, host string) (freed <-chan struct{}, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.total >= l.MaxConnections {
		if a.freed == nil {
			a.freed = make(chan struct{})
		}
		return a.freed, nil
	}
	if allowed := l.perIP(host); a.byIP[host] >= allowed {
		return nil, fmt.Errorf("%s has %d connections, as many as it may have", host, allowed)
	}
	if a.byIP == nil {
		a.byIP = make(map[string]int32)
	}
	a.total++
	a.byIP[host]++
	return nil, nil
}

// pace takes a token of the creation rate and returns how long to wait until it is there.
func (a *admission) pace(rate int32, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	perSecond := float64(max(rate, 1))
	if a.filled.IsZero() {
		a.tokens = perSecond
	} else {
		a.tokens = min(perSecond, a.tokens+now.Sub(a.filled).Seconds()*perSecond)
	}
	a.filled = now
	a.tokens--
	if a.tokens >= 0 {
		return 0
	}
	return time.Duration(-a.tokens / perSecond * float64(time.Second))
}

// leave takes a connection out of the count.
func (a *admission) leave(host string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total--
	if a.byIP[host]--; a.byIP[host] <= 0 {
		delete(a.byIP, host)
	}
	if a.freed != nil {
		close(a.freed)
		a.freed = nil
	}
}
