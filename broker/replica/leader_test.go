package replica

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kbroker/kbroker/storage"
	"github.com/kbroker/kbroker/storage/vfs"
)

func TestWithOneReplicaTheHighWatermarkIsTheEnd(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	wantHighWatermark(t, p, 0)
	appendTo(t, p, 3)
	wantHighWatermark(t, p, 3)
	if id, epoch := p.Leader(); id != me || epoch != 0 {
		t.Errorf("leader %d, epoch %d", id, epoch)
	}
}

func TestTheHighWatermarkIsTheSmallestEndInSync(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1, 2, 3}, []int32{1, 2, 3}))
	appendTo(t, p, 5)
	appendTo(t, p, 5)
	wantHighWatermark(t, p, 0)
	fetchAs(t, p, 2, 10)
	wantHighWatermark(t, p, 0) // of 3 nothing is known
	fetchAs(t, p, 3, 5)
	wantHighWatermark(t, p, 5)
	fetchAs(t, p, 3, 10)
	wantHighWatermark(t, p, 10)
}

func TestHighWatermarkNeverMovesBack(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
	appendTo(t, p, 10)
	fetchAs(t, p, 2, 10)
	wantHighWatermark(t, p, 10)
	fetchAs(t, p, 2, 0) // it lost its disk
	appendTo(t, p, 1)
	wantHighWatermark(t, p, 10)
}

func TestAFollowerOutsideTheISRCountsWhileItIsCaughtUpAndAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		h.env.isr.propose = nil
		p := h.apply(leading(0, []int32{1}, []int32{1, 2}))
		appendTo(t, p, 5)
		wantHighWatermark(t, p, 5) // 2 never fetched
		fetchAs(t, p, 2, 5)        // it is about to join
		appendTo(t, p, 5)
		wantHighWatermark(t, p, 5)

		h.live(1, 3)
		appendTo(t, p, 1)
		wantHighWatermark(t, p, 11) // dead brokers do not join

		h.live(1, 2, 3)
		fetchAs(t, p, 2, 11)
		appendTo(t, p, 1)
		wantHighWatermark(t, p, 11)
		<-time.After(31 * time.Second) // replica.lag.time.max.ms
		appendTo(t, p, 1)
		wantHighWatermark(t, p, 13)
	})
}

func TestASlowFollowerOfABusyLeaderStaysCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		h.env.isr.propose = nil
		p := h.apply(leading(0, []int32{1}, []int32{1, 2}))
		fetchAs(t, p, 2, 0)
		end := appendTo(t, p, 1)
		for range 10 {
			// It always is one append behind, but has what there was at its last fetch.
			<-time.After(20 * time.Second)
			fetchAs(t, p, 2, end-1)
			end = appendTo(t, p, 1)
			wantHighWatermark(t, p, end-2)
		}
	})
}

func TestReplicasThatAreJoiningCount(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1, 2}))
	p.mu.Lock()
	p.isr.joining = []int32{2}
	p.mu.Unlock()
	appendTo(t, p, 5)
	wantHighWatermark(t, p, 0)
	fetchAs(t, p, 2, 5)
	wantHighWatermark(t, p, 5)
}

func TestTooFewInSyncRefusesAcksAllAndHoldsTheHighWatermark(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.overrides["t"] = map[string]string{"min.insync.replicas": "2"}
	p := h.apply(leading(0, []int32{1}, []int32{1, 2}))
	if _, err := p.AppendAsLeader(batch(t, 1, 0), -1, storage.FromClient); !errors.Is(err, ErrNotEnoughReplicas) {
		t.Errorf("acks=all: %v", err)
	}
	appendTo(t, p, 1) // acks=1
	wantHighWatermark(t, p, 0)

	p = h.apply(leading(1, []int32{1, 2}, []int32{1, 2}))
	if _, err := p.AppendAsLeader(batch(t, 1, 0), -1, storage.FromClient); err != nil {
		t.Error(err)
	}
	fetchAs(t, p, 2, 2)
	wantHighWatermark(t, p, 2)
}

func TestMinInSyncReplicasIsAtMostTheNumberOfReplicas(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.overrides["t"] = map[string]string{"min.insync.replicas": "3"}
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	if _, err := p.AppendAsLeader(batch(t, 1, 0), -1, storage.FromClient); err != nil {
		t.Error(err)
	}
	wantHighWatermark(t, p, 1)
}

func TestANewLeaderForgetsItsFollowersEndsAndAnOldOneKeepsThem(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
	appendTo(t, p, 4)
	fetchAs(t, p, 2, 2)
	wantHighWatermark(t, p, 2)
	if end := p.follower(2).end; end != 2 {
		t.Fatalf("end %d", end)
	}
	h.apply(leading(1, []int32{1, 2}, []int32{1, 2}))
	if end := p.follower(2).end; end != 2 {
		t.Errorf("elected again: end %d, want 2", end)
	}
	h.apply(following(2, 2))
	h.apply(leading(3, []int32{1, 2}, []int32{1, 2}))
	if end := p.follower(2).end; end != -1 {
		t.Errorf("new leader: end %d, want unknown", end)
	}
	wantHighWatermark(t, p, 2)
}

func TestBecomingLeaderStartsItsEpochAtTheEnd(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	appendTo(t, p, 4)
	h.apply(leading(3, []int32{1}, []int32{1}))
	appendTo(t, p, 2)
	h.apply(leading(5, []int32{1}, []int32{1})) // nothing appended in it
	for _, want := range []struct {
		epoch, found int32
		end          int64
	}{{0, 0, 4}, {2, 0, 4}, {3, 3, 6}, {4, 3, 6}, {5, 5, 6}, {6, -1, -1}} {
		found, end, err := p.EndOffsetForEpoch(5, want.epoch)
		if err != nil || found != want.found || end != want.end {
			t.Errorf("epoch %d: %d ends at %d, %v; want %d, %d", want.epoch, found, end, err, want.found, want.end)
		}
	}
}

// TestNoBatchEntersAnOlderEpoch appends while the leader is elected again and again: the epochs in the log must rise
// with the offsets.
func TestNoBatchEntersAnOlderEpoch(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := p.AppendAsLeader(batch(t, 1, 0), 1, storage.FromClient); err != nil && !errors.Is(err, ErrNotLeader) {
					t.Error(err)
					return
				}
			}
		})
	}
	for epoch := int32(1); epoch < 400; epoch++ {
		s := leading(epoch, []int32{1}, []int32{1})
		if epoch%5 == 0 {
			s.Leader = 2
		}
		h.apply(s)
	}
	close(stop)
	wait.Wait()

	last := int32(0)
	for offset := range p.log.LogEndOffset() {
		r, err := p.log.Read(offset, p.log.LogEndOffset(), 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		header := make([]byte, 16)
		if _, err := r.ReadAt(header, 0); err != nil {
			t.Fatal(err)
		}
		r.Release()
		epoch := int32(header[12])<<24 | int32(header[13])<<16 | int32(header[14])<<8 | int32(header[15])
		if epoch < last || epoch != p.log.EpochAt(offset) {
			t.Fatalf("offset %d has epoch %d after %d, the cache says %d", offset, epoch, last, p.log.EpochAt(offset))
		}
		last = epoch
	}
}

func TestOnlyTheLeaderAppends(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(following(0, 2))
	a, err := p.AppendAsLeader(batch(t, 1, 0), 1, storage.FromClient)
	if !errors.Is(err, ErrNotLeader) || a.BaseOffset != -1 || a.LogStartOffset != -1 {
		t.Errorf("%+v, %v", a, err)
	}
}
