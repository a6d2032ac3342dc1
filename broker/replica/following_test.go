package replica

import (
	"errors"
	"testing"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/storage/vfs"
)

func TestFetchersAreToldOncePerRequest(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	states := make([]State, 4)
	for i := range states {
		states[i] = following(0, 2)
		states[i].Partition = int32(i)
	}
	states[1].Leader = 3
	states[2].Leader = me
	states[3].Leader = metadata.NoLeader
	for i, err := range h.Apply(t.Context(), 9, 0, states) {
		if err != nil {
			t.Errorf("state %d: %v", i, err)
		}
	}
	h.wantDirected("follow t-0 of 2 in 0 t-1 of 3 in 0")

	for i := range states {
		states[i].LeaderEpoch, states[i].PartitionEpoch, states[i].IsNew = 1, 1, false
	}
	states[0].Leader, states[2].Leader, states[3].Leader = me, 2, 2
	h.Apply(t.Context(), 9, 0, states)
	h.wantDirected("unfollow t-0", "follow t-1 of 3 in 1 t-2 of 2 in 1 t-3 of 2 in 1")
}

func TestAStateThatIsToldAgainChangesNothing(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.apply(following(3, 2))
	h.wantDirected("follow t-0 of 2 in 3")
	s := following(3, 2)
	s.PartitionEpoch++
	if err := h.applyErr(s); !errors.Is(err, ErrStaleControllerEpoch) {
		t.Errorf("same leader epoch, newer partition epoch: %v", err) // ReplicaManager takes it from KRaft alone
	}
	s = following(4, 2)
	s.PartitionEpoch = 2
	h.apply(s) // older than what is known: nothing to be done, says Kafka
	h.wantDirected()
}

func TestAPartitionIsFollowedOnceItsLeaderIsAlive(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(following(0, 2))
	h.live(1, 2)
	h.apply(following(1, 3))
	h.wantDirected("follow t-0 of 2 in 0", "unfollow t-0")
	if id, epoch := p.Leader(); id != metadata.NoLeader || epoch != 0 {
		t.Errorf("leader %d in epoch %d", id, epoch)
	}
	h.live(1, 3)
	h.apply(following(1, 3)) // as before
	h.wantDirected("follow t-0 of 3 in 1")
}

func TestFetchingEndsWithTheReplica(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.apply(following(1, 2))
	h.wantDirected("follow t-0 of 2 in 1")
	h.Stop(t.Context(), []Stop{{Topic: "t", LeaderEpoch: 0}})
	h.wantDirected() // it was meant for an earlier life
	h.Stop(t.Context(), []Stop{{Topic: "t", LeaderEpoch: 1}, {Topic: "other", LeaderEpoch: 1}})
	h.wantDirected("unfollow t-0")
	h.Stop(t.Context(), []Stop{{Topic: "t", LeaderEpoch: 1}})
	h.wantDirected()

	h.apply(following(2, 2))
	h.Stop(t.Context(), []Stop{{Topic: "t", LeaderEpoch: stopDuringTopic, Delete: true}})
	h.wantDirected("follow t-0 of 2 in 2", "unfollow t-0")

	h.apply(following(0, 2))
	p := h.partition()
	h.DirFailed("/a", errors.New("gone"))
	h.wantDirected("follow t-0 of 2 in 0", "unfollow t-0")
	if _, err := p.Position(0); !errors.Is(err, ErrStorage) {
		t.Errorf("position on a failed directory: %v", err)
	}
}

func TestFetchingEndsWithTheBroker(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.apply(following(1, 2))
	h.Close()
	h.wantDirected("follow t-0 of 2 in 1", "unfollow t-0")
}

// TestTheHighWatermarkOfAFollowerIsKept restarts a follower: it serves consumers, and leads, from where it was.
func TestTheHighWatermarkOfAFollowerIsKept(t *testing.T) {
	fs := vfs.NewMem()
	h := newHost(t, fs)
	p := h.apply(following(1, 2))
	b := batch(t, 4, 0).Batch
	b.SetPartitionLeaderEpoch(1)
	if _, err := p.AppendAsFollower(1, Fetched{Batches: b, HighWatermark: 3}); err != nil {
		t.Fatal(err)
	}
	h.close()
	h = newHost(t, fs)
	s := following(1, 2)
	s.IsNew = false
	p = h.apply(s)
	wantHighWatermark(t, p, 3)
	if at, err := p.Position(1); err != nil || at != (Position{Offset: 4, LastEpoch: 1}) {
		t.Errorf("%+v, %v", at, err)
	}
}
