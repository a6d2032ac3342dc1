package controller

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/peer"
)

const (
	// resendAfter is the pause before a request is sent again, as in Kafka.
	resendAfter = 100 * time.Millisecond
	// complainEvery keeps the log readable while a broker is out of reach: the
	// first failure, and then one in ten seconds.
	complainEvery = 100
)

// sender sends requests to one broker, in order and one at a time, each until
// it is answered (Kafka: RequestSendThread). Its queue has no bound, as
// Kafka's has none: what waits there is the difference between what the broker knows and what
// is true, and dropping any of it would leave it different for good. It ends when the broker is gone.
type sender struct {
	connection *peer.Connection
	answered   func(ctx context.Context, request kmsg.Request, response kmsg.Response)
	cancel     context.CancelFunc
	log        *zap.Logger

	mu    sync.Mutex
	queue []kmsg.Request // the first is in flight
	wake  chan struct{}  // capacity 1
}

// send queues a request. It never waits.
func (s *sender) send(r kmsg.Request) {
	s.mu.Lock()
	s.queue = append(s.queue, r)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// unsent counts the requests that are not answered yet.
func (s *sender) unsent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// stop ends the sender without waiting for it and returns what it has not got
// an answer to.
func (s *sender) stop() []kmsg.Request {
	s.cancel()
	s.connection.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.queue
	s.queue = nil
	return left
}

func (s *sender) run(ctx context.Context) {
	failures := 0 // in a row
	for {
		r, ok := s.first(ctx)
		if !ok {
			return
		}
		response, err := s.connection.Request(ctx, r)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			if failures++; failures%complainEvery == 1 {
				s.log.Warn("request to broker failed, will be repeated", zap.Int("failures", failures),
					zap.String("request", kmsg.NameForKey(r.Key())), zap.Error(err))
			}
			if !pause(ctx, resendAfter) {
				return
			}
			continue
		}
		failures = 0
		s.mu.Lock()
		if len(s.queue) > 0 {
			s.queue[0] = nil
			s.queue = s.queue[1:]
		}
		s.mu.Unlock()
		s.answered(ctx, r, response)
	}
}

func (s *sender) first(ctx context.Context) (kmsg.Request, bool) {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 {
			r := s.queue[0]
			s.mu.Unlock()
			return r, true
		}
		s.queue = nil
		s.mu.Unlock()
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// pause waits, and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func hostPort(host string, port int32) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
