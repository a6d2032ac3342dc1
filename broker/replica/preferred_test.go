package replica

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/storage/vfs"
)

// racks makes these the live brokers, each with a rack and a listener.
func (h *host) racks(of map[int32]string) {
	var u metadata.Update
	for id, rack := range of {
		u.Brokers = append(u.Brokers, metadata.Broker{ID: id, Rack: &rack, Endpoints: []metadata.Endpoint{{Listener: "OUTSIDE"}}})
	}
	h.metadata.Apply(u)
}

// readFrom reads as a consumer in a rack does, which must work.
func readFrom(t *testing.T, p *Partition, listener, rack string, offset int64) ReadResult {
	t.Helper()
	r := consumerFetch(offset)
	r.Client, r.Rack, r.Listener = true, rack, listener
	result, err := p.Read(r)
	if err != nil {
		t.Fatal(err)
	}
	result.Slice.Release()
	return result
}

func TestTheReplicaThatAConsumerShallReadFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		h.env.rackAware = true
		h.racks(map[int32]string{1: "a", 2: "b", 3: "b", 4: "b", 5: "c"})
		p := h.apply(leading(0, []int32{1, 2, 3, 5}, []int32{1, 2, 3, 4, 5}))
		appendTo(t, p, 10)
		read := func(rack string, offset int64) ReadResult { return readFrom(t, p, "OUTSIDE", rack, offset) }
		for _, c := range []struct {
			why  string
			with func()
			rack string
			at   int64
			want int32
		}{
			{"nothing is known of the followers", func() {}, "b", 0, -1},
			{"2 has the offset", func() { fetchAs(t, p, 2, 5) }, "b", 5, 2},
			{"nobody has it", func() {}, "b", 6, -1},
			{"3 has got further", func() { fetchAs(t, p, 3, 6) }, "b", 5, 3},
			{"4 still further, but it is not in sync", func() { fetchAs(t, p, 4, 10) }, "b", 5, 3},
			{"of two that are as far the larger id", func() { fetchAs(t, p, 2, 6) }, "b", 5, 3},
			{"unless the other was caught up later", func() {
				fetchAs(t, p, 2, 10)
				fetchAs(t, p, 3, 10)
				<-time.After(time.Second)
				fetchAs(t, p, 2, 10)
			}, "b", 5, 2},
			{"the leader is in the rack", func() {}, "a", 5, -1},
			{"another has no replica", func() {}, "x", 5, -1},
			{"no rack", func() {}, "", 5, -1},
			{"a follower of which records were deleted", func() {
				r := followerFetch(p, 5, 10)
				r.LogStartOffset = 4
				if _, err := p.Read(r); err != nil {
					t.Fatal(err)
				}
			}, "c", 3, -1},
			{"above those it has all", func() {}, "c", 4, 5},
			{"the leader is in the rack, and a follower too", func() {
				h.racks(map[int32]string{1: "b", 2: "b", 3: "b"})
			}, "b", 5, -1},
			{"2 is dead", func() { h.racks(map[int32]string{1: "a", 3: "b"}) }, "b", 5, 3},
		} {
			c.with()
			r := read(c.rack, c.at)
			if r.PreferredReplica != c.want {
				t.Errorf("%s: %d, want %d", c.why, r.PreferredReplica, c.want)
			}
			if c.want >= 0 && (r.Slice.Size != 0 || r.HighWatermark != p.HighWatermark() || r.LogStartOffset != 0) {
				t.Errorf("%s: %+v", c.why, r)
			}
		}

		if r := readFrom(t, p, "INSIDE", "b", 5); r.PreferredReplica != -1 {
			t.Errorf("on a listener that the others lack: %+v", r)
		}
		h.env.rackAware = false
		if r := read("b", 5); r.PreferredReplica != -1 {
			t.Errorf("without a selector: %+v", r)
		}
		h.env.rackAware = true
		h.apply(following(1, 3))
		if r := read("b", 5); r.PreferredReplica != -1 {
			t.Errorf("from a follower: %+v", r)
		}
	})
}

// TestAFollowerServesUpToItsOwnHighWatermark: what a consumer asks for beyond is not there yet, and out of range only
// beyond the end, as in Kafka; it asks the leader then.
func TestAFollowerServesUpToItsOwnHighWatermark(t *testing.T) {
	p := newPair(t)
	p.tell(1, 0, []int32{1, 2}, p.one, p.two)
	appendTo(t, p.one.partition(), 2)
	catchUp(t, p.one, p.two)
	appendTo(t, p.one.partition(), 2)
	fetch(t, p.one, p.two)
	for _, c := range []struct {
		offset int64
		bytes  bool
		err    error
	}{{0, true, nil}, {2, false, nil}, {3, false, nil}, {4, false, nil}, {5, false, ErrOffsetOutOfRange}} {
		r := consumerFetch(c.offset)
		r.Client = true
		got, err := p.two.partition().Read(r)
		if err != c.err || (got.Slice.Size > 0) != c.bytes || got.Slice.Size > 0 && got.Slice.NextOffset != 2 {
			t.Errorf("at %d: %d bytes, %v", c.offset, got.Slice.Size, err)
		}
		got.Slice.Release()
	}
}
