package replica

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/storage"
	"github.com/kbroker/kbroker/storage/vfs"
)

func TestAStateIsAppliedOnce(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(3, []int32{1}, []int32{1}))
	for _, epoch := range []int32{3, 2} {
		if err := h.applyErr(leading(epoch, []int32{1}, []int32{1})); !errors.Is(err, ErrStaleControllerEpoch) {
			t.Errorf("epoch %d again: %v", epoch, err)
		}
	}
	if _, epoch := p.Leader(); epoch != 3 {
		t.Errorf("epoch %d", epoch)
	}
	both := []State{leading(4, []int32{1}, []int32{1}), leading(5, []int32{1}, []int32{1})}
	errs := h.Apply(t.Context(), 9, 0, both)
	if errs[0] != nil || !errors.Is(errs[1], ErrStaleControllerEpoch) {
		t.Errorf("told twice: %v", errs)
	}
}

func TestOldControllersAreFenced(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.SetBrokerEpoch(100)
	for _, c := range []struct {
		controller int32
		broker     int64
		want       error
	}{
		{5, 100, nil},
		{5, 101, nil},
		{5, -1, nil},
		{5, 99, ErrStaleBrokerEpoch},
		{4, 100, ErrStaleControllerEpoch},
		{4, 99, ErrStaleBrokerEpoch},
		{6, 100, nil},
		{5, 100, ErrStaleControllerEpoch},
	} {
		if err := h.CheckController(c.controller, c.broker); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := h.Apply(t.Context(), 9, 5, []State{leading(0, []int32{1}, []int32{1})})[0]; !errors.Is(err, ErrStaleControllerEpoch) {
		t.Errorf("applied: %v", err)
	}
	if _, err := h.UpdateMetadata(5, 100, metadata.Update{ControllerID: 9}); !errors.Is(err, ErrStaleControllerEpoch) {
		t.Errorf("updated: %v", err)
	}
	if _, err := h.UpdateMetadata(6, 100, metadata.Update{ControllerID: 9}); err != nil || h.metadata.Load().ControllerID != 9 {
		t.Errorf("not updated: %v", err)
	}
}

func TestAPartitionIsRefusedForAReason(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	if err := h.applyErr(leading(0, []int32{2}, []int32{2})); !errors.Is(err, ErrUnknownPartition) {
		t.Errorf("not a replica: %v", err)
	}
	if _, err := h.Partition("t", 0); !errors.Is(err, ErrUnknownPartition) {
		t.Errorf("found: %v", err)
	}
	h.metadata.Apply(metadata.Update{Topics: []metadata.Topic{{Name: "t", Partitions: []metadata.Partition{{Leader: 2}}}}})
	if _, err := h.Partition("t", 0); !errors.Is(err, ErrNotLeader) {
		t.Errorf("hosted by others: %v", err)
	}
	if _, err := h.Partition("t", 1); !errors.Is(err, ErrUnknownPartition) {
		t.Errorf("found: %v", err)
	}
	h.live(1, 2)
	h.apply(leading(0, []int32{1}, []int32{1}))
	other := leading(1, []int32{1}, []int32{1})
	other.TopicID = [16]byte{2}
	if err := h.applyErr(other); !errors.Is(err, ErrInconsistentTopicID) {
		t.Errorf("other id: %v", err)
	}
	other.TopicID = [16]byte{}
	h.apply(other)
}

func TestATopicIDIsTakenWithoutANewEpoch(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	s := leading(0, []int32{1}, []int32{1})
	s.TopicID = [16]byte{}
	p := h.apply(s)
	if p.TopicID() != ([16]byte{}) {
		t.Fatalf("id %x", p.TopicID())
	}
	h.apply(leading(0, []int32{1}, []int32{1}))
	if p.TopicID() != ([16]byte{1}) {
		t.Errorf("id %x", p.TopicID())
	}
	if err := h.applyErr(leading(0, []int32{1}, []int32{1})); !errors.Is(err, ErrStaleControllerEpoch) {
		t.Errorf("told again: %v", err)
	}
}

func TestAnOlderPartitionEpochChangesNothing(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	s := leading(1, []int32{1}, []int32{1})
	s.PartitionEpoch = 7
	p := h.apply(s)
	s = following(2, 2)
	s.PartitionEpoch = 6
	h.apply(s)
	if id, epoch := p.Leader(); id != me || epoch != 1 {
		t.Errorf("leader %d, epoch %d", id, epoch)
	}
}

// TestAnEpochIsNotedOnlyWhenTheChangeIsComplete is KAFKA-9307: what failed half-way must be done when it is told again.
func TestAnEpochIsNotedOnlyWhenTheChangeIsComplete(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.readError = errors.New("connection to ZooKeeper lost")
	if err := h.applyErr(leading(0, []int32{1}, []int32{1})); !errors.Is(err, h.readError) {
		t.Fatalf("%v", err)
	}
	if _, err := h.Partition("t", 0); !errors.Is(err, ErrUnknownPartition) {
		t.Errorf("found: %v", err)
	}
	if len(h.topics) != 0 {
		t.Error("a topic without partitions is kept")
	}
	h.readError = nil
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	appendTo(t, p, 1)
}

func TestALeaderThatIsNotAliveIsNotFollowedButObeyed(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1, 2}))
	appendTo(t, p, 2)
	h.live(1)
	h.apply(following(1, 2))
	if _, err := p.AppendAsLeader(batch(t, 1, 0), 1, storage.FromClient); !errors.Is(err, ErrNotLeader) {
		t.Errorf("appended: %v", err)
	}
	if _, epoch := p.Leader(); epoch != 0 {
		t.Errorf("epoch %d was noted", epoch)
	}
	h.live(1, 2)
	h.apply(following(1, 2))
	if id, epoch := p.Leader(); id != 2 || epoch != 1 {
		t.Errorf("leader %d, epoch %d", id, epoch)
	}

	s := following(2, metadata.NoLeader)
	h.apply(s)
	if id, epoch := p.Leader(); id != metadata.NoLeader || epoch != 2 {
		t.Errorf("leader %d, epoch %d", id, epoch)
	}
	if p.log.LogEndOffset() != 2 {
		t.Errorf("log ends at %d", p.log.LogEndOffset())
	}
}

func TestStop(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	name := storage.TopicPartition{Topic: "t"}
	p := h.apply(leading(5, []int32{1}, []int32{1}))
	appendTo(t, p, 3)
	stop := func(epoch int32, remove bool) error {
		return h.Stop(t.Context(), []Stop{{Topic: "t", LeaderEpoch: epoch, Delete: remove}})[0]
	}
	if err := stop(4, true); !errors.Is(err, ErrFencedLeaderEpoch) {
		t.Errorf("older epoch: %v", err)
	}
	if err := stop(5, false); err != nil {
		t.Error(err)
	}
	if _, err := p.AppendAsLeader(batch(t, 1, 0), 1, storage.FromClient); !errors.Is(err, ErrNotLeader) {
		t.Errorf("appended: %v", err)
	}
	if p = h.apply(leading(6, []int32{1}, []int32{1})); p.HighWatermark() != 3 {
		t.Errorf("high watermark %d after the stop, want 3", p.HighWatermark())
	}
	if err := stop(-2, true); err != nil {
		t.Error(err)
	}
	if _, err := h.Partition("t", 0); !errors.Is(err, ErrUnknownPartition) {
		t.Errorf("found: %v", err)
	}
	if _, ok := h.logs.Log(name); ok {
		t.Error("the log is still there")
	}
	if err := stop(-1, true); err != nil {
		t.Errorf("stopped again: %v", err)
	}

	// The topic is made again.
	s := leading(0, []int32{1}, []int32{1})
	s.TopicID = [16]byte{2}
	p = h.apply(s)
	if end := appendTo(t, p, 1); end != 1 || p.HighWatermark() != 1 {
		t.Errorf("a new log ends at %d, high watermark %d", end, p.HighWatermark())
	}
}

func TestALeftOverLogIsDeletedWithoutAPartition(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	name := storage.TopicPartition{Topic: "old"}
	if _, err := h.logs.Create(name, [16]byte{7}, h.store.Topic(nil).Log); err != nil {
		t.Fatal(err)
	}
	if err := h.Stop(t.Context(), []Stop{{Topic: "old", LeaderEpoch: -2, Delete: true}})[0]; err != nil {
		t.Fatal(err)
	}
	if _, ok := h.logs.Log(name); ok {
		t.Error("the log is still there")
	}
}

func TestTheCoordinatorsAreToldInOrder(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	state := func(topic string, partition, leader int32) State {
		s := leading(0, []int32{1}, []int32{1, 2})
		s.Topic, s.Partition, s.Leader = topic, partition, leader
		return s
	}
	h.Apply(t.Context(), 9, 0, []State{
		state("__consumer_offsets", 1, 1), state("t", 0, 1), state("__consumer_offsets", 0, 2), state("__transaction_state", 3, 1),
	})
	h.Apply(t.Context(), 9, 0, []State{state("__consumer_offsets", 1, 1)}) // stale
	later := func(epoch, leader int32) {
		s := state("__consumer_offsets", 1, leader)
		s.LeaderEpoch, s.PartitionEpoch = epoch, epoch
		h.Apply(t.Context(), 9, 0, []State{s})
	}
	later(1, 1) // it stays leader
	later(2, 2)
	later(3, 1)
	later(4, 1)
	h.Stop(t.Context(), []Stop{
		{Topic: "__consumer_offsets", Partition: 1, LeaderEpoch: -2, Delete: true},
		{Topic: "__transaction_state", Partition: 3, LeaderEpoch: -1},
	})
	want := []string{
		"__consumer_offsets 1 0 true", "__consumer_offsets 0 0 false", "__transaction_state 3 0 true",
		"__consumer_offsets 1 0 true", "__consumer_offsets 1 2 false", "__consumer_offsets 1 3 true", "__consumer_offsets 1 3 true",
		"__consumer_offsets 1 4 false",
	}
	if !reflect.DeepEqual(h.announced, want) {
		t.Errorf("told %q, want %q", h.announced, want)
	}
}

func TestHighWatermarksSurviveARestart(t *testing.T) {
	fs := vfs.NewMem()
	h := newHost(t, fs)
	p := h.apply(leading(0, []int32{1, 2}, []int32{1, 2}))
	appendTo(t, p, 5)
	fetchAs(t, p, 2, 3)
	h.close()

	h = newHost(t, fs)
	p = h.apply(leading(1, []int32{1, 2}, []int32{1, 2}))
	wantHighWatermark(t, p, 3)
}

func TestRunCheckpointsHighWatermarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		p := h.apply(leading(0, []int32{1}, []int32{1}))
		appendTo(t, p, 5)
		done := make(chan struct{})
		ctx := t.Context()
		go func() { defer close(done); h.Run(ctx) }()
		<-time.After(6 * time.Second) // replica.high.watermark.checkpoint.interval.ms
		if got := h.logs.CheckpointedHighWatermark(p.name()); got != 5 {
			t.Errorf("checkpointed %d, want 5", got)
		}
	})
}

func TestAfterCloseNothingIsApplied(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.Close()
	if err := h.applyErr(leading(0, []int32{1}, []int32{1})); err == nil {
		t.Error("applied")
	}
	if err := h.Stop(t.Context(), []Stop{{Topic: "t", Delete: true}})[0]; err == nil {
		t.Error("stopped")
	}
}

// TestManyStatesAreQuick bounds generously what a loaded machine under the race detector may take, and would fail if
// every log waited for the disk in turn. BenchmarkApplyTenThousand measures.
func TestManyStatesAreQuick(t *testing.T) {
	h := newHost(t, vfs.OS{}, t.TempDir())
	states := manyStates(1_000)
	start := time.Now()
	for i, err := range h.Apply(t.Context(), 9, 0, states) {
		if err != nil {
			t.Fatalf("state %d: %v", i, err)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if n := len(h.Partitions()); n != len(states) {
		t.Errorf("%d partitions", n)
	}
}

func manyStates(count int) []State {
	states := make([]State, count)
	for i := range states {
		s := leading(0, []int32{1}, []int32{1})
		s.Topic, s.Partition = fmt.Sprintf("topic-%d", i/10), int32(i%10)
		states[i] = s
	}
	return states
}
