package replica

import (
	"errors"
	"testing"

	"github.com/kbroker/kbroker/storage/vfs"
)

func TestReadersSeeWhatTheirIsolationAllows(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
	appendTo(t, p, 3)
	fetchAs(t, p, 2, 3)
	appendTo(t, p, 2) // above the high watermark

	r, err := p.Read(consumerFetch(0))
	if err != nil || r.Slice.NextOffset != 3 || r.HighWatermark != 3 || r.LastStableOffset != 3 || r.LogStartOffset != 0 || r.DivergingEpoch != -1 {
		t.Errorf("consumer: %+v, %v", r, err)
	}
	size := r.Slice.Size
	r.Slice.Release()
	r, err = p.Read(followerFetch(p, 2, 0))
	if err != nil || r.Slice.Size <= size {
		t.Errorf("follower: %+v, %v", r, err)
	}
	r.Slice.Release()
	for _, offset := range []int64{3, 4, 5} {
		r, err := p.Read(consumerFetch(offset))
		if err != nil || r.Slice.Size != 0 {
			t.Errorf("consumer at %d: %+v, %v", offset, r, err)
		}
		r.Slice.Release()
	}
	for _, offset := range []int64{-1, 6} {
		r, err := p.Read(consumerFetch(offset))
		if !errors.Is(err, ErrOffsetOutOfRange) || r.HighWatermark != -1 || r.LogStartOffset != -1 || r.LastStableOffset != -1 {
			t.Errorf("consumer at %d: %+v, %v", offset, r, err)
		}
	}
}

func TestEpochsAreChecked(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(4, []int32{1}, []int32{1, 2}))
	appendTo(t, p, 1)
	for _, c := range []struct {
		epoch int32
		want  error
	}{{-1, nil}, {4, nil}, {3, ErrFencedLeaderEpoch}, {5, ErrUnknownLeaderEpoch}} {
		r := consumerFetch(0)
		r.CurrentEpoch = c.epoch
		got, err := p.Read(r)
		if !errors.Is(err, c.want) {
			t.Errorf("read with epoch %d: %v, want %v", c.epoch, err, c.want)
		}
		got.Slice.Release()
		if _, _, err := p.ListOffset(TimestampEarliest, ReadUncommitted, c.epoch, ConsumerID); !errors.Is(err, c.want) {
			t.Errorf("list with epoch %d: %v, want %v", c.epoch, err, c.want)
		}
		if _, _, err := p.EndOffsetForEpoch(c.epoch, 4); !errors.Is(err, c.want) {
			t.Errorf("end with epoch %d: %v, want %v", c.epoch, err, c.want)
		}
	}
}

func TestOnlyReplicasMayFetchAsFollowers(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(4, []int32{1}, []int32{1, 2}))
	r := followerFetch(p, 3, 0)
	if _, err := p.Read(r); !errors.Is(err, ErrUnknownLeaderEpoch) {
		t.Errorf("with an epoch: %v", err)
	}
	r.CurrentEpoch = -1
	if _, err := p.Read(r); !errors.Is(err, ErrNotLeader) {
		t.Errorf("without an epoch: %v", err)
	}
}

func TestAFollowerServesOnlyClientsThatKnowOfIt(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	appendTo(t, p, 1)
	h.apply(following(1, 2))
	r := consumerFetch(0)
	if _, err := p.Read(r); !errors.Is(err, ErrNotLeader) {
		t.Errorf("old client: %v", err)
	}
	r.Client = true
	got, err := p.Read(r)
	if err != nil || got.Slice.Size == 0 {
		t.Errorf("new client: %+v, %v", got, err)
	}
	got.Slice.Release()
	if _, err := p.Read(ReadRequest{ReplicaID: 2, CurrentEpoch: 1, LastFetchedEpoch: -1, Client: true}); !errors.Is(err, ErrNotLeader) {
		t.Errorf("follower: %v", err)
	}
}

func TestADivergingFollowerIsToldWhereAndNotNoted(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(1, []int32{1, 2}, []int32{1, 2}))
	appendTo(t, p, 4)
	fetchAs(t, p, 2, 2)
	h.apply(leading(4, []int32{1, 2}, []int32{1, 2}))
	appendTo(t, p, 4)

	for _, c := range []struct {
		last   int32
		offset int64
		epoch  int32
		end    int64
		err    error
	}{
		{last: 1, offset: 4, epoch: -1, end: -1},        // the same history
		{last: 1, offset: 6, epoch: 1, end: 4},          // longer than epoch 1 was
		{last: 3, offset: 6, epoch: 1, end: 4},          // an epoch that we never had
		{last: 4, offset: 6, epoch: -1, end: -1},        // in epoch 4
		{last: 4, offset: 9, epoch: 4, end: 8},          // beyond our end
		{last: 0, offset: 3, epoch: 0, end: 0},          // before our first
		{last: 5, offset: 6, err: ErrOffsetOutOfRange},  // of the future
		{last: 4, offset: -1, err: ErrOffsetOutOfRange}, // below the start
	} {
		before := p.follower(2).end
		r := followerFetch(p, 2, c.offset)
		r.LastFetchedEpoch = c.last
		got, err := p.Read(r)
		if !errors.Is(err, c.err) {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if err == nil && (got.DivergingEpoch != c.epoch || got.DivergingEnd != c.end) {
			t.Errorf("%+v: diverges in %d at %d", c, got.DivergingEpoch, got.DivergingEnd)
		}
		got.Slice.Release()
		noted := p.follower(2).end != before
		if diverged := c.epoch >= 0 || err != nil; diverged && noted {
			t.Errorf("%+v: was noted", c)
		}
		if c.epoch >= 0 && got.Slice.Size != 0 {
			t.Errorf("%+v: got %d bytes", c, got.Slice.Size)
		}
	}
}

func TestListOffset(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
	for _, timestamp := range []int64{1000, 3000, 2000, 4000} {
		if _, err := p.AppendAsLeader(batch(t, 1, timestamp), 1, 0); err != nil {
			t.Fatal(err)
		}
	}
	fetchAs(t, p, 2, 3) // the record of 4000 is not to be seen yet

	for _, c := range []struct {
		timestamp int64
		replica   int32
		found     bool
		offset    int64
		time      int64
		epoch     int32
	}{
		{TimestampLatest, ConsumerID, true, 3, -1, 0},
		{TimestampLatest, 2, true, 4, -1, 0},
		{TimestampLatest, DebuggerID, true, 4, -1, 0},
		{TimestampEarliest, ConsumerID, true, 0, -1, 0},
		{TimestampEarliestLocal, ConsumerID, true, 0, -1, 0},
		{TimestampLatestTiered, ConsumerID, true, -1, -1, -1},
		{TimestampMax, ConsumerID, false, 0, 0, 0},
		{TimestampMax, 2, true, 3, 4000, 0},
		{0, ConsumerID, true, 0, 1000, 0},
		{1001, ConsumerID, true, 1, 3000, 0},
		{3001, ConsumerID, false, 0, 0, 0},
		{3001, 2, true, 3, 4000, 0},
		{4001, 2, false, 0, 0, 0},
	} {
		o, found, err := p.ListOffset(c.timestamp, ReadUncommitted, -1, c.replica)
		if err != nil || found != c.found || found && (o.Offset != c.offset || o.Timestamp != c.time || o.LeaderEpoch != c.epoch) {
			t.Errorf("timestamp %d as %d: %+v, %v, %v", c.timestamp, c.replica, o, found, err)
		}
	}
}

func TestOffsetsAreNotToldBeforeTheHighWatermarkReachesTheEpoch(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
	appendTo(t, p, 3)
	fetchAs(t, p, 2, 1)
	h.apply(following(1, 2))
	h.apply(leading(2, []int32{1, 2}, []int32{1, 2})) // epoch starts at 3, the high watermark is 1

	for _, timestamp := range []int64{TimestampLatest, 1 << 40} {
		if _, _, err := p.ListOffset(timestamp, ReadUncommitted, -1, ConsumerID); !errors.Is(err, ErrOffsetNotAvailable) {
			t.Errorf("timestamp %d: %v", timestamp, err)
		}
	}
	if o, found, err := p.ListOffset(TimestampEarliest, ReadUncommitted, -1, ConsumerID); err != nil || !found || o.Offset != 0 {
		t.Errorf("earliest: %+v, %v, %v", o, found, err)
	}
	if o, found, err := p.ListOffset(TimestampLatest, ReadUncommitted, -1, 2); err != nil || !found || o.Offset != 3 {
		t.Errorf("latest for a follower: %+v, %v, %v", o, found, err)
	}
	fetchAs(t, p, 2, 3)
	if o, found, err := p.ListOffset(TimestampLatest, ReadUncommitted, -1, ConsumerID); err != nil || !found || o.Offset != 3 {
		t.Errorf("latest: %+v, %v, %v", o, found, err)
	}
}

func TestListOffsetAsksTheLeader(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(following(0, 2))
	if _, _, err := p.ListOffset(TimestampLatest, ReadUncommitted, -1, ConsumerID); !errors.Is(err, ErrNotLeader) {
		t.Errorf("consumer: %v", err)
	}
	if _, found, err := p.ListOffset(TimestampLatest, ReadUncommitted, -1, DebuggerID); err != nil || !found {
		t.Errorf("debugger: %v", err)
	}
	if _, _, err := p.EndOffsetForEpoch(-1, 0); !errors.Is(err, ErrNotLeader) {
		t.Errorf("end of epoch: %v", err)
	}
	if _, err := p.Producers(); err != nil {
		t.Errorf("producers: %v", err)
	}
}
