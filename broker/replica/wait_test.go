package replica

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kbroker/kbroker/storage"
	"github.com/kbroker/kbroker/storage/vfs"
)

// awaiting starts AwaitHighWatermark in a goroutine and returns its result's channel once it waits. For synctest.
func awaiting(ctx context.Context, p *Partition, offset int64) chan error {
	result := make(chan error, 1)
	a := endingAt(p, offset)
	go func() { result <- p.AwaitHighWatermark(ctx, a) }()
	synctest.Wait()
	return result
}

// endingAt is an append of now that ends at offset.
func endingAt(p *Partition, offset int64) Appended {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Appended{storage.Appended{LastOffset: offset - 1}, p.tenure}
}

func wantWaiting(t *testing.T, result chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-result:
		t.Fatalf("returned %v, want it to wait", err)
	default:
	}
}

func wantResult(t *testing.T, result chan error, want error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-result:
		if !errors.Is(err, want) {
			t.Fatalf("returned %v, want %v", err, want)
		}
	default:
		t.Fatalf("still waits, want %v", want)
	}
}

func TestWithOneReplicaNobodyWaits(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	end := appendTo(t, p, 3)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.AwaitHighWatermark(ended, endingAt(p, end)); err != nil {
		t.Error(err)
	}
	ctx, a := t.Context(), endingAt(p, end)
	if n := testing.AllocsPerRun(100, func() { _ = p.AwaitHighWatermark(ctx, a) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func TestAcksAllWaitsForTheLastInSyncReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		p := h.apply(leading(0, []int32{1, 2, 3}, []int32{1, 2, 3}))
		first := awaiting(t.Context(), p, appendTo(t, p, 3))
		second := awaiting(t.Context(), p, appendTo(t, p, 2))
		fetchAs(t, p, 2, 5)
		wantWaiting(t, first)
		fetchAs(t, p, 3, 3)
		wantResult(t, first, nil)
		wantWaiting(t, second)
		fetchAs(t, p, 3, 5)
		wantResult(t, second, nil)
		if n := len(p.waiters); n != 0 {
			t.Errorf("%d waiters left", n)
		}
	})
}

func TestTheDeadlineEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
		end := appendTo(t, p, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		result := awaiting(ctx, p, end)
		<-time.After(999 * time.Millisecond)
		wantWaiting(t, result)
		<-time.After(time.Millisecond)
		wantResult(t, result, ErrTimedOut)

		gone, leave := context.WithCancel(t.Context())
		result = awaiting(gone, p, end)
		leave()
		wantResult(t, result, context.Canceled)
	})
}

func TestWhoeverWaitsLearnsThatTheLeaderIsGone(t *testing.T) {
	for name, depose := range map[string]func(h *host){
		"follower": func(h *host) { h.apply(following(1, 2)) },
		"no leader alive": func(h *host) {
			s := following(1, 7)
			h.apply(s)
		},
		"stopped": func(h *host) { h.Stop(h.t.Context(), []Stop{{Topic: "t", LeaderEpoch: 0}}) },
		"deleted": func(h *host) { h.Stop(h.t.Context(), []Stop{{Topic: "t", LeaderEpoch: -2, Delete: true}}) },
		"closed":  func(h *host) { h.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, vfs.NewMem())
				defer h.close()
				p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
				result := awaiting(t.Context(), p, appendTo(t, p, 1))
				w := NewWatchlist()
				p.Watch(w, &Watch{ReplicaID: ConsumerID})
				depose(h)
				wantResult(t, result, ErrNotLeader)
				select {
				case <-w.C:
				default:
					t.Error("a fetch that waits was not woken")
				}
			})
		})
	}
}

func TestAFailedDirectoryEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
		result := awaiting(t.Context(), p, appendTo(t, p, 1))
		h.DirFailed("/b", errors.New("another"))
		wantWaiting(t, result)
		h.DirFailed("/a", errors.New("this one"))
		wantResult(t, result, ErrStorage)
		if _, err := h.Partition("t", 0); !errors.Is(err, ErrStorage) {
			t.Errorf("found: %v", err)
		}
		if err := h.applyErr(leading(1, []int32{1}, []int32{1, 2})); !errors.Is(err, ErrStorage) {
			t.Errorf("applied: %v", err)
		}
		if err := h.Stop(t.Context(), []Stop{{Topic: "t", LeaderEpoch: -2, Delete: true}})[0]; !errors.Is(err, ErrStorage) {
			t.Errorf("stopped: %v", err)
		}
	})
}

func TestAShrunkISRIsToldAfterTheAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		h.overrides["t"] = map[string]string{"min.insync.replicas": "2"}
		p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
		end := appendTo(t, p, 1)
		fetchAs(t, p, 2, 1)
		h.apply(leading(1, []int32{1}, []int32{1, 2}))
		if err := p.AwaitHighWatermark(t.Context(), endingAt(p, end)); !errors.Is(err, ErrNotEnoughReplicasAfterAppend) {
			t.Errorf("%v", err)
		}
		result := awaiting(t.Context(), p, appendTo(t, p, 1))
		wantWaiting(t, result)
		// The operator lowers the demand: the high watermark moves without an append.
		h.SetTopicOverrides("t", map[string]string{"min.insync.replicas": "1"})
		<-time.After(time.Minute) // 2 is no longer caught up
		h.SetTopicOverrides("t", map[string]string{"min.insync.replicas": "1"})
		wantResult(t, result, nil)
	})
}

func TestWakingAllocatesNothing(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	full, empty := NewWatchlist(), NewWatchlist()
	watches := []*Watch{{ReplicaID: ConsumerID}, {ReplicaID: 2}, {ReplicaID: 2}}
	for i, l := range []*Watchlist{full, empty, full} {
		p.Watch(l, watches[i])
	}
	full.C <- struct{}{}
	if n := testing.AllocsPerRun(100, p.appended); n != 0 {
		t.Errorf("%v allocations", n)
	}
	select {
	case <-empty.C:
	default:
		t.Error("not woken")
	}
	if got := full.Take(nil); len(got) != 1 || got[0] != watches[2] { // a consumer sees nothing before the high watermark moves
		t.Errorf("%d changed", len(got))
	}
	watches[0].Unwatch()
	watches[1].Unwatch()
	watches[1].Unwatch()
	if len(p.watches) != 1 || p.watches[0] != watches[2] {
		t.Error("one Unwatch undid more than one Watch")
	}
}

func TestAnAppendWakesAFetch(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
	followers, consumers := NewWatchlist(), NewWatchlist()
	p.Watch(followers, &Watch{ReplicaID: 2})
	p.Watch(consumers, &Watch{ReplicaID: ConsumerID})
	appendTo(t, p, 1)
	<-followers.C
	select {
	case <-consumers.C:
		t.Error("consumers are woken before there is something to see")
	default:
	}
	fetchAs(t, p, 2, 1)
	<-consumers.C
	select {
	case <-followers.C:
		t.Error("followers are woken by the high watermark")
	default:
	}
	if len(followers.Take(nil)) != 1 { // but are told of it with the next answer
		t.Error("followers do not hear of the high watermark")
	}
}

// TestAnAppendOfAFormerTenureIsNotAcknowledged has this broker lead, follow and lead again before anybody looked: its
// record was cut, and another one is where it was.
func TestAnAppendOfAFormerTenureIsNotAcknowledged(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
	a, err := p.AppendAsLeader(batch(t, 1, 0), acksAll, storage.FromClient)
	if err != nil {
		t.Fatal(err)
	}
	h.apply(leading(1, []int32{1}, []int32{1, 2}))
	if err := p.AwaitHighWatermark(t.Context(), a); err != nil {
		t.Errorf("elected again: %v", err)
	}
	h.apply(following(2, 2))
	if _, err := p.TruncateTo(2, 0); err != nil {
		t.Fatal(err)
	}
	h.apply(leading(3, []int32{1}, []int32{1, 2}))
	appendTo(t, p, 1)
	wantHighWatermark(t, p, 1)
	if err := p.AwaitHighWatermark(t.Context(), a); !errors.Is(err, ErrNotLeader) {
		t.Errorf("leads another log: %v", err)
	}
}
