package replica

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kbroker/kbroker/storage/vfs"
)

func TestDeleteRecordsMovesTheLogStart(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	appendTo(t, p, 5)
	for _, c := range []struct {
		offset, want int64
		err          error
	}{
		{2, 2, nil}, {1, 2, nil}, {6, -1, ErrOffsetOutOfRange}, {-2, -1, ErrOffsetOutOfRange}, {-1, 5, nil},
	} {
		low, err := p.DeleteRecords(t.Context(), c.offset)
		if low != c.want || !errors.Is(err, c.err) {
			t.Errorf("delete below %d: %d, %v; want %d, %v", c.offset, low, err, c.want, c.err)
		}
	}
	if _, err := p.Read(consumerFetch(4)); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Errorf("read below the start: %v", err)
	}
}

func TestDeleteRecordsWaitsForLiveFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2, 3}))
		appendTo(t, p, 5)
		h.live(1, 2) // nobody waits for 3
		fetchAs(t, p, 2, 5)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if low, err := p.DeleteRecords(ctx, 3); !errors.Is(err, ErrTimedOut) || low != 0 {
			t.Errorf("low watermark %d, %v", low, err)
		}

		result := make(chan int64, 1)
		go func() {
			low, err := p.DeleteRecords(t.Context(), 3)
			if err != nil {
				t.Error(err)
			}
			result <- low
		}()
		synctest.Wait()
		r := followerFetch(p, 2, 5)
		r.LogStartOffset = 4 // its retention was ahead
		if _, err := p.Read(r); err != nil {
			t.Fatal(err)
		}
		if low := <-result; low != 3 {
			t.Errorf("low watermark %d", low)
		}
	})
}

func TestDeleteRecordsIsForTheLeaderOfATopicThatDeletes(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.overrides["t"] = map[string]string{"cleanup.policy": "compact"}
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	if _, err := p.DeleteRecords(t.Context(), 0); !errors.Is(err, ErrPolicyViolation) {
		t.Errorf("compacted: %v", err)
	}
	h.SetTopicOverrides("t", map[string]string{"cleanup.policy": "compact,delete"})
	if _, err := p.DeleteRecords(t.Context(), 0); err != nil {
		t.Errorf("compacted and deleted: %v", err)
	}
	h.apply(following(1, 2))
	if _, err := p.DeleteRecords(t.Context(), 0); !errors.Is(err, ErrNotLeader) {
		t.Errorf("follower: %v", err)
	}
}
