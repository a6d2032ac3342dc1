package storage

import (
	"context"
	"math"
	"sync"
	"time"
)

// throttle holds all threads together to a number of bytes per second.
type throttle struct {
	mu sync.Mutex
	// free is when what was taken so far is paid off.
	free time.Time
}

// throttleSlack is how far one may be ahead: sleeping less at a time is not worth it. Kafka looks at intervals as long.
const throttleSlack = 300 * time.Millisecond

// take waits until the rate allows for the bytes, or until ctx is done.
func (t *throttle) take(ctx context.Context, bytes int, perSecond float64) error {
	if !limited(perSecond) {
		return nil
	}
	now := time.Now()
	t.mu.Lock()
	if t.free.Before(now) {
		t.free = now
	}
	// A rate that is next to nothing must not make a duration that does not fit.
	t.free = t.free.Add(time.Duration(min(float64(bytes)/max(perSecond, 1)*float64(time.Second), float64(24*time.Hour))))
	ahead := t.free.Sub(now)
	t.mu.Unlock()
	if ahead < throttleSlack {
		return nil
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// limited tells whether a rate is one that a disk could exceed; Kafka's default is the largest number.
func limited(perSecond float64) bool { return perSecond < math.MaxInt64 }
