package replica

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
	"github.com/kbroker/kbroker/storage/vfs"
)

// pair is two brokers that replicate topic t, partition 0, without a network between them.
type pair struct {
	t    *testing.T
	one  *host
	two  *host
	part int32 // the partition epoch, which every state raises
}

func newPair(t *testing.T) *pair {
	return &pair{t: t, one: newBroker(t, 1, vfs.NewMem()), two: newBroker(t, 2, vfs.NewMem())}
}

// tell has a leader in an epoch, with these in sync, told to hosts.
func (p *pair) tell(leader, epoch int32, isr []int32, hosts ...*host) {
	p.t.Helper()
	p.part++
	for _, h := range hosts {
		h.apply(State{
			Topic: "t", TopicID: [16]byte{1}, Leader: leader, LeaderEpoch: epoch, PartitionEpoch: p.part,
			ISR: isr, Replicas: []int32{1, 2}, IsNew: epoch == 0,
		})
	}
}

func (h *host) partition() *Partition {
	h.t.Helper()
	p, err := h.Partition("t", 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// fetch is one fetch of a follower and what it does with the answer; false when there is nothing more to copy.
func fetch(t *testing.T, from, to *host) bool {
	t.Helper()
	lead, follow := from.partition(), to.partition()
	_, epoch := follow.Leader()
	at, err := follow.Position(epoch)
	if err != nil {
		t.Fatal(err)
	}
	r, err := lead.Read(ReadRequest{
		Offset: at.Offset, MaxBytes: 1 << 20, MinOne: true, Isolation: ReadLogEnd, CurrentEpoch: epoch,
		LastFetchedEpoch: at.LastEpoch, ReplicaID: to.env.brokerID, LogStartOffset: at.LogStartOffset,
	})
	if err != nil {
		t.Fatalf("fetch at %+v: %v", at, err)
	}
	defer r.Slice.Release()
	if r.DivergingEpoch >= 0 {
		if _, err := follow.TruncateToLeader(epoch, r.DivergingEpoch, r.DivergingEnd); err != nil {
			t.Fatal(err)
		}
		return true
	}
	answer := Fetched{Offset: at.Offset, HighWatermark: r.HighWatermark, LogStartOffset: r.LogStartOffset, Batches: bytesOf(t, &r.Slice)}
	next, err := follow.AppendAsFollower(epoch, answer)
	if err != nil {
		t.Fatal(err)
	}
	return next.Offset != at.Offset
}

func bytesOf(t *testing.T, s *storage.Slice) []byte {
	t.Helper()
	b := make([]byte, s.Size)
	if s.Size > 0 {
		if _, err := s.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// catchUp fetches until both logs are the same, and once more to tell the leader.
func catchUp(t *testing.T, from, to *host) {
	t.Helper()
	for range 20 {
		if !fetch(t, from, to) {
			wantSameLogs(t, from, to)
			return
		}
	}
	t.Fatal("does not come to an end")
}

func wantSameLogs(t *testing.T, one, two *host) {
	t.Helper()
	a, b := whole(t, one.partition()), whole(t, two.partition())
	if !bytes.Equal(a, b) {
		t.Fatalf("logs differ: %d bytes %v, %d bytes %v", len(a), epochsIn(a), len(b), epochsIn(b))
	}
}

func whole(t *testing.T, p *Partition) []byte {
	t.Helper()
	start, end := p.log.LogStartOffset(), p.log.LogEndOffset()
	if start == end {
		return nil
	}
	s, err := p.log.Read(start, end, 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	return bytesOf(t, &s)
}

// epochsIn lists base offset and leader epoch of every batch.
func epochsIn(b []byte) (list [][2]int64) {
	for len(b) > 0 {
		batch := record.Batch(b)
		list = append(list, [2]int64{batch.BaseOffset(), int64(batch.PartitionLeaderEpoch())})
		b = b[batch.Size():]
	}
	return list
}

func wantEnd(t *testing.T, h *host, want int64) {
	t.Helper()
	if got := h.partition().log.LogEndOffset(); got != want {
		t.Fatalf("log of broker %d ends at %d, want %d", h.env.brokerID, got, want)
	}
}

// expired is a context whose deadline has passed.
func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	t.Cleanup(cancel)
	return ctx
}

func TestAFollowerCopiesTheLogAndItsMarks(t *testing.T) {
	p := newPair(t)
	p.tell(1, 0, []int32{1, 2}, p.one, p.two)
	appendTo(t, p.one.partition(), 3)
	appendTo(t, p.one.partition(), 2)
	fetch(t, p.one, p.two)
	wantEnd(t, p.two, 5)
	wantHighWatermark(t, p.two.partition(), 0) // the leader does not know yet
	wantHighWatermark(t, p.one.partition(), 0)
	fetch(t, p.one, p.two)
	wantHighWatermark(t, p.one.partition(), 5)
	wantHighWatermark(t, p.two.partition(), 5) // with the answer to the fetch that moved it
	wantSameLogs(t, p.one, p.two)

	if _, err := p.one.partition().DeleteRecords(expired(t), 3); !errors.Is(err, ErrTimedOut) {
		t.Error(err) // waits for the follower's log start
	}
	fetch(t, p.one, p.two)
	if start := p.two.partition().LogStartOffset(); start != 3 {
		t.Errorf("log starts at %d, want 3", start)
	}
	fetch(t, p.one, p.two)
	if low, err := p.one.partition().DeleteRecords(expired(t), 3); err != nil || low != 3 {
		t.Errorf("low watermark %d, %v", low, err)
	}
}

func TestTheHighWatermarkOfAFollowerNeverMovesBackNorAboveItsEnd(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(following(3, 2))
	w := NewWatchlist()
	p.Watch(w, &Watch{ReplicaID: ConsumerID})
	woken := func() bool {
		select {
		case <-w.C:
			return true
		default:
			return false
		}
	}
	b := batch(t, 4, 0).Batch
	b.SetPartitionLeaderEpoch(3)
	for i, c := range []struct {
		f         Fetched
		high, end int64
		wakes     bool
	}{
		{Fetched{Offset: 0, Batches: b, HighWatermark: 2}, 2, 4, true},
		{Fetched{Offset: 4, HighWatermark: 1}, 2, 4, false}, // a new leader has not heard of its followers
		{Fetched{Offset: 0, Batches: b, HighWatermark: 9}, 2, 4, false},
		{Fetched{Offset: 4, HighWatermark: 9, LogStartOffset: 9}, 4, 4, true},
	} {
		at, err := p.AppendAsFollower(3, c.f)
		if err != nil || at.Offset != c.end || at.LastEpoch != 3 || p.HighWatermark() != c.high || woken() != c.wakes {
			t.Errorf("answer %d: %+v, high watermark %d, %v", i, at, p.HighWatermark(), err)
		}
	}
	if start := p.LogStartOffset(); start != 4 {
		t.Errorf("log start %d, want 4: that of the leader, but not above the high watermark", start)
	}
}

func TestAnswersOfAnotherEpochOrToALeaderAreRefused(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(following(3, 2))
	refused := func(epoch int32) {
		t.Helper()
		_, err := p.AppendAsFollower(epoch, Fetched{HighWatermark: 1})
		_, err2 := p.Position(epoch)
		_, err3 := p.TruncateToLeader(epoch, 0, 0)
		_, err4 := p.TruncateTo(epoch, 0)
		_, err5 := p.StartAt(epoch, 7)
		for _, err := range []error{err, err2, err3, err4, err5} {
			if !errors.Is(err, ErrNotFollower) {
				t.Errorf("in epoch %d: %v", epoch, err)
			}
		}
	}
	refused(2)
	refused(4)
	h.apply(leading(4, []int32{1}, []int32{1, 2}))
	refused(3)
	refused(4)
	h.apply(following(5, 2))
	h.apply(following(6, 3))
	refused(5)
	h.live(1, 2)
	h.apply(following(7, 3)) // a leader that is not alive
	refused(6)
	refused(7)
}

func TestCorruptBatchesAreNotAppended(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(following(3, 2))
	good, bad := batch(t, 2, 0).Batch, batch(t, 2, 0).Batch
	bad.SetBaseOffset(2)
	bad[len(bad)-1] ^= 1
	at, err := p.AppendAsFollower(3, Fetched{Batches: append(bytes.Clone(good), bad...), HighWatermark: 4})
	if !errors.Is(err, record.ErrCorrupt) || at.Offset != 2 {
		t.Errorf("%+v, %v", at, err)
	}
	at, err = p.AppendAsFollower(3, Fetched{Offset: 2, Batches: good, HighWatermark: 4}) // offset 0 again
	if err == nil || errors.Is(err, ErrStorage) || errors.Is(err, record.ErrCorrupt) || at.Offset != 2 {
		t.Errorf("%+v, %v", at, err)
	}
}

// TestAFollowerStartsWithinABatch is a leader whose records were deleted up to the middle of a batch.
func TestAFollowerStartsWithinABatch(t *testing.T) {
	p := newPair(t)
	p.tell(1, 0, []int32{1}, p.one, p.two)
	appendTo(t, p.one.partition(), 5)
	if _, err := p.one.partition().DeleteRecords(expired(t), 3); !errors.Is(err, ErrTimedOut) {
		t.Error(err)
	}
	if _, err := p.two.partition().StartAt(0, 3); err != nil { // as the fetcher does when 0 is out of range
		t.Fatal(err)
	}
	fetch(t, p.one, p.two)
	at, err := p.two.partition().Position(0)
	if want := (Position{Offset: 5, LastEpoch: 0, LogStartOffset: 3}); err != nil || at != want {
		t.Errorf("%+v, want %+v, %v", at, want, err)
	}
}
