package server

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// order reserves memory in one goroutine for each size, one after the other, and notes who is let in.
type order struct {
	memory memory
	bound  int64
	in     chan int64
}

func (o *order) reserve(ctx context.Context, sizes ...int64) {
	for _, size := range sizes {
		go func() {
			if o.memory.reserve(ctx, size, o.bound) == nil {
				o.in <- size
			}
		}()
		synctest.Wait()
	}
}

// expect compares what was let in since the last look; sizes are given in ascending order.
func (o *order) expect(t *testing.T, want ...int64) {
	t.Helper()
	synctest.Wait()
	var got []int64
	for len(o.in) > 0 {
		got = append(got, <-o.in)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("frames of %d bytes were let in, want %d", got, want)
	}
}

func TestSmallFramesGoBeforeLargeOnesThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const large = smallFrame + 1
		o := order{bound: 2 * large, in: make(chan int64, 10)}
		o.reserve(t.Context(), large, large, large+1)
		o.expect(t, large, large)
		o.reserve(t.Context(), smallFrame) // there is some left on top for those
		o.expect(t, smallFrame)
		o.reserve(t.Context(), 7)
		o.expect(t) // now there is not
		o.memory.release(large)
		o.expect(t, 7) // the large one came before it, and waits
		o.memory.release(smallFrame)
		o.expect(t, large+1)
		o.memory.release(7)
		o.memory.release(large)
		o.memory.release(large + 1)
		if o.memory.inUse() != 0 {
			t.Errorf("%d bytes in use at the end", o.memory.inUse())
		}
	})
}

func TestAFrameGivenUpLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := order{bound: 100, in: make(chan int64, 10)}
		o.reserve(t.Context(), 100)
		o.expect(t, 100)
		ctx, cancel := context.WithCancel(t.Context())
		o.reserve(ctx, 50)
		o.reserve(t.Context(), 60)
		cancel()
		synctest.Wait()
		o.memory.release(100)
		o.expect(t, 60)
		if o.memory.inUse() != 60 {
			t.Errorf("%d bytes in use, want 60", o.memory.inUse())
		}
	})
}

func TestZeroIsNoBound(t *testing.T) {
	var m memory
	for _, bound := range []int64{0, -1} {
		if err := m.reserve(t.Context(), 1<<40, bound); err != nil {
			t.Error(err)
		}
	}
}

// A giant that was only announced holds nothing of the bound; one that comes holds its whole size.
func TestGiantsCountOnceTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 2 << 20
		s, l := start(t, handler{handle: func(_ context.Context, c *Call) Reply {
			end := string(c.Body[len(c.Body)-5:])
			c.Release()
			return Reply{Response: text(end)}
		}}, func(l *Limits) { l.QueuedMaxBytes = size })
		send := func(bytes []byte) *client {
			c := l.dial(t)
			go func() { _, _ = c.Write(bytes) }() // ends with the connection at the latest
			synctest.Wait()
			return c
		}
		expect := func(want int64) {
			t.Helper()
			if got := s.memory.inUse(); got != want {
				t.Errorf("%d bytes in use, want %d", got, want)
			}
		}
		giant := frame(1, strings.Repeat("x", size))
		inUse := int64(len(giant) - 4)
		for range 10 {
			send(giant[:1000])
		}
		expect(0)
		first := send(giant[:100<<10])
		expect(inUse)
		second := send(giant) // waits
		expect(inUse)
		send(frame(2, "small")).want(2, "small")
		go func() { _, _ = first.Write(giant[100<<10:]) }()
		first.want(1, "xxxxx")
		second.want(1, "xxxxx")
		expect(0)
	})
}
