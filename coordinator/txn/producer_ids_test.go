package txn

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// controller allots blocks as Kafka's does, slowly, and counts the calls.
type controller struct {
	mu    sync.Mutex
	next  int64
	calls int
	delay time.Duration
}

func (c *controller) allot(ctx context.Context) (int64, int32, error) {
	select {
	case <-time.After(c.delay):
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	first := c.next
	c.next += 1000
	return first, 1000, nil
}

func (c *controller) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

func TestIDsAreHandedOutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &controller{delay: time.Millisecond}
		p := NewProducerIDs(c.allot)
		defer p.Close()
		var mu sync.Mutex
		seen := map[int64]bool{}
		var wait sync.WaitGroup
		for range 10 {
			wait.Go(func() {
				for range 500 {
					id, err := p.Next(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if seen[id] {
						t.Errorf("id %d was handed out twice", id)
					}
					seen[id] = true
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		synctest.Wait()
		for id := range int64(5000) {
			if !seen[id] {
				t.Fatalf("id %d was skipped", id)
			}
		}
	})
}

func TestTheNextBlockIsFetchedBeforeItIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &controller{delay: time.Second}
		p := NewProducerIDs(c.allot)
		defer p.Close()
		for want := range int64(901) {
			if id, err := p.Next(t.Context()); err != nil || id != want {
				t.Fatalf("id %d, %v, want %d", id, err, want)
			}
			if want == 899 && c.count() != 1 {
				t.Errorf("%d fetches after 900 ids, want 1", c.count())
			}
		}
		<-time.After(2 * time.Second)
		if c.count() != 2 {
			t.Errorf("%d fetches after 901 ids, want 2", c.count())
		}
		start := time.Now()
		for range 200 {
			if _, err := p.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v though the block was there", waited)
		}
	})
}

func TestAFailureIsToldAndTriedAgain(t *testing.T) {
	down := errors.New("no controller")
	fail := true
	p := NewProducerIDs(func(context.Context) (int64, int32, error) {
		if fail {
			return 0, 0, down
		}
		return 5000, 1000, nil
	})
	defer p.Close()
	if _, err := p.Next(t.Context()); !errors.Is(err, ErrNoProducerID) || !errors.Is(err, down) {
		t.Errorf("error %v", err)
	}
	fail = false
	if id, err := p.Next(t.Context()); err != nil || id != 5000 {
		t.Errorf("id %d, %v", id, err)
	}
}

func TestBlocksThatOverlapOrOverflowAreRefused(t *testing.T) {
	for _, b := range []struct {
		first int64
		count int32
	}{{-1, 1000}, {0, 0}, {0, -5}, {math.MaxInt64 - 999, 1000}} {
		p := NewProducerIDs(func(context.Context) (int64, int32, error) { return b.first, b.count, nil })
		if id, err := p.Next(t.Context()); !errors.Is(err, ErrNoProducerID) {
			t.Errorf("block %+v gave id %d, %v", b, id, err)
		}
		p.Close()
	}

	p := NewProducerIDs(func(context.Context) (int64, int32, error) { return 0, 1, nil })
	defer p.Close()
	if _, err := p.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id, err := p.Next(t.Context()); !errors.Is(err, ErrNoProducerID) {
		t.Errorf("the same block again gave id %d, %v", id, err)
	}
}

func TestACallerThatLeavesDoesNotEndTheFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &controller{delay: time.Minute}
		p := NewProducerIDs(c.allot)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if id, err := p.Next(t.Context()); err != nil || id != 0 || c.count() != 1 {
			t.Errorf("id %d, %v after %d fetches", id, err, c.count())
		}
		p.Close()
		if _, err := p.Next(t.Context()); !errors.Is(err, ErrNoProducerID) {
			t.Errorf("error %v after Close", err)
		}
	})
}
