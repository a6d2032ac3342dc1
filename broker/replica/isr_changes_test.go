package replica

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/kbroker/kbroker/storage"
	"github.com/kbroker/kbroker/storage/vfs"
)

func wantISR(t *testing.T, p *Partition, want ...int32) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.isr.committed, want) {
		t.Fatalf("isr %v, want %v", p.isr.committed, want)
	}
}

func TestAFollowerThatCaughtUpIsProposedOnce(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(4, []int32{1}, []int32{1, 2, 3}))
	appendTo(t, p, 5)
	fetchAs(t, p, 2, 4)
	h.wantNoProposal() // below the high watermark
	fetchAs(t, p, 2, 5)
	c := h.proposed()
	if c.Topic != "t" || c.TopicID != [16]byte{1} || c.LeaderEpoch != 4 || c.PartitionEpoch != 4 || c.Recovering || !slices.Equal(c.ISR, []int32{1, 2}) {
		t.Errorf("proposed %+v", c.ISRChange)
	}
	fetchAs(t, p, 2, 5)
	fetchAs(t, p, 3, 5)
	h.wantNoProposal() // while one is under way
	wantISR(t, p, 1)

	appendTo(t, p, 1)
	wantHighWatermark(t, p, 5) // the one that joins counts
	fetchAs(t, p, 2, 6)
	wantHighWatermark(t, p, 5) // 3 is caught up, and may be about to join
	fetchAs(t, p, 3, 6)
	wantHighWatermark(t, p, 6)

	c.accept(me)
	wantISR(t, p, 1, 2)
	fetchAs(t, p, 3, 6)
	if c := h.proposed(); c.PartitionEpoch != 5 || !slices.Equal(c.ISR, []int32{1, 2, 3}) {
		t.Errorf("then proposed %+v", c.ISRChange)
	}
}

// TestAFollowerJoinsOnlyWithAllOfTheLeadersEpochBefore is a new leader, whose high watermark is behind: a follower that
// has what is below it may lack what the former leader committed above.
func TestAFollowerJoinsOnlyWithAllThatThereWasBeforeTheEpoch(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2, 3}))
	appendTo(t, p, 5)
	h.apply(leading(1, []int32{1, 2}, []int32{1, 2, 3}))
	wantHighWatermark(t, p, 0)
	fetchAs(t, p, 3, 4)
	h.wantNoProposal()
	fetchAs(t, p, 3, 5)
	h.proposed()
}

func TestADeadFollowerIsNotProposed(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1, 2}))
	h.live(1, 3)
	fetchAs(t, p, 2, 0)
	h.wantNoProposal()
}

func TestAnswersToAProposal(t *testing.T) {
	for _, c := range []struct {
		name    string
		answer  ISRAnswer
		err     error
		isr     []int32
		pending bool
		high    int64
	}{
		{"made", ISRAnswer{LeaderEpoch: 3, PartitionEpoch: 4, ISR: []int32{1, 2}}, nil, []int32{1, 2}, false, 5},
		{"was so already", ISRAnswer{LeaderEpoch: 3, PartitionEpoch: 3, ISR: []int32{1, 2}}, nil, []int32{1, 2}, false, 5},
		{"of another epoch", ISRAnswer{LeaderEpoch: 4, PartitionEpoch: 9, ISR: []int32{1, 2}}, nil, []int32{1}, true, 5},
		{"of an older state", ISRAnswer{LeaderEpoch: 3, PartitionEpoch: 2, ISR: []int32{1, 2}}, nil, []int32{1}, true, 5},
		{"refused", ISRAnswer{}, ErrISRRefused, []int32{1}, false, 6},
		{"stale", ISRAnswer{}, ErrISRStale, []int32{1}, true, 5},
		{"anything", ISRAnswer{}, errors.New("x"), []int32{1}, true, 5},
	} {
		h := newHost(t, vfs.NewMem())
		p := h.apply(leading(3, []int32{1}, []int32{1, 2}))
		appendTo(t, p, 5)
		fetchAs(t, p, 2, 5)
		proposed := h.proposed()
		h.live(1)         // so that only its place in the maximal ISR holds the high watermark
		appendTo(t, p, 1) // that is not replicated
		proposed.answer(c.answer, c.err)
		wantISR(t, p, c.isr...)
		wantHighWatermark(t, p, c.high)
		if pending := p.isr.pending != nil; pending != c.pending {
			t.Errorf("%s: pending %v, want %v", c.name, pending, c.pending)
		}
		h.close()
	}
}

func TestAnAnswerAfterANewStateSaysNothing(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(3, []int32{1}, []int32{1, 2}))
	fetchAs(t, p, 2, 0)
	old := h.proposed()
	h.apply(leading(4, []int32{1}, []int32{1, 2}))
	if p.isr.pending != nil || p.isr.joining != nil {
		t.Errorf("the proposal of epoch 3 holds in epoch 4: %+v", p.isr)
	}
	old.accept(me)
	wantISR(t, p, 1)
	fetchAs(t, p, 2, 0)
	newer := h.proposed()
	old.answer(ISRAnswer{}, ErrISRRefused)
	if p.isr.pending == nil {
		t.Error("the answer to the old proposal ended the new one")
	}
	h.apply(following(5, 2))
	newer.accept(me)
	wantISR(t, p)
}

// TestAStateIsNotOlderThanAnAnswer has a controller's state come late, which the leader has moved on from.
func TestAStateIsNotOlderThanAnAnswer(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(3, []int32{1}, []int32{1, 2}))
	fetchAs(t, p, 2, 0)
	c := h.proposed()
	c.accept(me) // partition epoch 4
	s := leading(4, []int32{1}, []int32{1, 2})
	s.PartitionEpoch = 3
	h.apply(s)
	wantISR(t, p, 1, 2)
}

func TestAFollowerThatLagsIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		core, logged := observer.New(zap.InfoLevel)
		h.env.log = zap.New(core)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); h.Run(ctx) }()
		defer func() { cancel(); <-done }()

		p := h.apply(leading(0, []int32{1, 2, 3}, []int32{1, 2, 3}))
		appendTo(t, p, 4)
		for range 4 { // 40 s in which 3 fetches what there is, and 2 nothing
			fetchAs(t, p, 3, 4)
			<-time.After(10 * time.Second)
		}
		synctest.Wait()
		h.wantNoProposal() // the looks were at 15 and 30 s, when it was not late yet
		<-time.After(6 * time.Second)
		synctest.Wait()
		c := h.proposed()
		if !slices.Equal(c.ISR, []int32{1, 3}) {
			t.Errorf("proposed %+v", c.ISRChange)
		}
		entry := logged.FilterMessage("shrinking isr").All()
		if len(entry) != 1 {
			t.Fatalf("%d entries", len(entry))
		}
		late := entry[0].ContextMap()["out_of_sync"].([]any)[0].(map[string]any)
		if late["broker"] != int32(2) || late["end_offset"] != int64(-1) || late["lag"] != 45*time.Second {
			t.Errorf("out of sync: %v", late)
		}

		wantHighWatermark(t, p, 0) // it counts until the controller agrees
		<-time.After(60 * time.Second)
		synctest.Wait()
		h.wantNoProposal()
		p.mu.Lock()
		if p.isr.maximal() != 3 {
			t.Errorf("maximal ISR of %d", p.isr.maximal())
		}
		p.mu.Unlock()
		awaited := awaiting(t.Context(), p, 4)
		c.accept(me)
		wantISR(t, p, 1, 3)
		if err := <-awaited; err != nil {
			t.Error(err)
		}
	})
}

func TestAFollowerAtTheEndDoesNotLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
		end := appendTo(t, p, 4)
		fetchAs(t, p, 2, end)
		<-time.After(time.Hour)
		p.submit(p.maybeShrink(30 * time.Second))
		h.wantNoProposal()
		appendTo(t, p, 1)
		p.submit(p.maybeShrink(30 * time.Second))
		h.proposed()
	})
}

func TestAChangeThatFailedIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); h.Run(ctx) }()
		defer func() { cancel(); <-done }()

		p := h.apply(leading(3, []int32{1}, []int32{1, 2}))
		fetchAs(t, p, 2, 0)
		first := h.proposed()
		first.answer(ISRAnswer{}, errors.New("no controller"))
		synctest.Wait()
		h.wantNoProposal() // not at once
		<-time.After(isrRetryAfter)
		synctest.Wait()
		second := h.proposed()
		if !slices.Equal(second.ISR, first.ISR) || second.PartitionEpoch != first.PartitionEpoch {
			t.Errorf("then asked for %+v", second.ISRChange)
		}
		second.answer(ISRAnswer{}, errors.New("no controller"))
		h.apply(leading(4, []int32{1}, []int32{1, 2}))
		<-time.After(time.Second)
		synctest.Wait()
		h.wantNoProposal() // the state of epoch 4 is another
	})
}

// TestTooFewInSync follows min.insync.replicas through a shrink: refused before an append, told after one.
func TestTooFewInSyncAfterAShrink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		h.overrides["t"] = map[string]string{"min.insync.replicas": "2"}
		p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
		a, err := p.AppendAsLeader(batch(t, 1, 0), acksAll, storage.FromClient)
		if err != nil {
			t.Fatal(err)
		}
		result := awaiting(t.Context(), p, a.LastOffset+1)
		<-time.After(31 * time.Second)
		p.submit(p.maybeShrink(30 * time.Second))
		c := h.proposed()
		if _, err := p.AppendAsLeader(batch(t, 1, 0), acksAll, storage.FromClient); err != nil {
			t.Errorf("before the controller agrees: %v", err)
		}
		c.accept(me)
		if _, err := p.AppendAsLeader(batch(t, 1, 0), acksAll, storage.FromClient); !errors.Is(err, ErrNotEnoughReplicas) {
			t.Errorf("after it agreed: %v", err)
		}
		wantHighWatermark(t, p, 0) // held: two have to have it
		synctest.Wait()
		select {
		case err := <-result:
			t.Fatalf("acknowledged: %v", err)
		default:
		}
		fetchAs(t, p, 2, 2)
		joining := h.proposed()
		wantHighWatermark(t, p, 0)
		joining.accept(me)
		if err := <-result; err != nil {
			t.Error(err)
		}
		wantHighWatermark(t, p, 2)
	})
}

// TestTheOneThatJoinsCountsForMinInSync is what Kafka answers to a producer whose record is on enough replicas, of which
// the controller does not know yet.
func TestTheOneThatJoinsCountsForMinInSync(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.overrides["t"] = map[string]string{"min.insync.replicas": "2"}
	p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
	a, err := p.AppendAsLeader(batch(t, 1, 0), acksAll, storage.FromClient)
	if err != nil {
		t.Fatal(err)
	}
	fetchAs(t, p, 2, 1)
	h.apply(leading(1, []int32{1}, []int32{1, 2}))
	if err := p.AwaitHighWatermark(t.Context(), a); !errors.Is(err, ErrNotEnoughReplicasAfterAppend) {
		t.Errorf("alone: %v", err)
	}
	fetchAs(t, p, 2, 1)
	h.proposed()
	if err := p.AwaitHighWatermark(t.Context(), a); err != nil {
		t.Errorf("with one that joins: %v", err)
	}
}

// A session does not read for a follower that has nothing to fetch. It is in touch by the session's rounds, and only by them.
func TestAQuietFollowerIsInTouchBySession(t *testing.T) {
	for name, c := range map[string]struct {
		rounds, behind, dropped bool
	}{
		"rounds go on":                   {rounds: true},
		"it fell silent":                 {dropped: true},
		"rounds go on, but it is behind": {rounds: true, behind: true, dropped: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, vfs.NewMem())
				defer h.close()
				p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
				session, watch := NewWatchlist(), &Watch{ReplicaID: 2}
				p.Watch(session, watch)
				end := appendTo(t, p, 5)
				if c.behind {
					end = 2
				}
				fetchAs(t, p, 2, end)
				session.Take(nil) // for the append, and for the high watermark
				if r := fetchAs(t, p, 2, end); r.Settled == c.behind {
					t.Fatalf("settled: %t", r.Settled)
				} else if r.Settled {
					session.Rest(watch)
				}
				for range 120 {
					time.Sleep(500 * time.Millisecond)
					if c.rounds {
						session.Take(nil)
					}
				}
				appendTo(t, p, 1)
				if got := p.maybeShrink(30*time.Second) != nil; got != c.dropped {
					t.Errorf("dropped: %t", got)
				}
			})
		})
	}
}

// TestARefusedReplicaIsProposedOnceForEachFetch: a fetch that waits is read anew whenever something moves, which is not the
// follower, and a refusal moves nothing. Else a follower that shuts down is proposed and refused as fast as the network goes.
func TestARefusedReplicaIsProposedOnceForEachFetch(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(3, []int32{1}, []int32{1, 2}))
	fetchAs(t, p, 2, 0)
	waiting, watch := NewWatchlist(), &Watch{ReplicaID: 2}
	p.Watch(waiting, watch)
	defer watch.Unwatch()
	h.proposed().answer(ISRAnswer{}, ErrISRRefused)
	select {
	case <-waiting.C:
		t.Error("a refusal wakes the fetches that wait")
	default:
	}
	again := followerFetch(p, 2, 0)
	again.Again = true
	if _, err := p.Read(again); err != nil {
		t.Fatal(err)
	}
	h.wantNoProposal()
	fetchAs(t, p, 2, 0)
	h.proposed()
}
