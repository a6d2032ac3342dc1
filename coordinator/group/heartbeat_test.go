package group

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/classic"
)

// oneMember makes a stable group of one member, whose session times out after ten seconds.
func oneMember(t *testing.T, g *Groups, group string) classic.HeartbeatRequest {
	t.Helper()
	r := joinRequest("")
	r.SessionTimeout = 10 * time.Second
	joined := g.Join(t.Context(), group, r)
	synced := g.Sync(t.Context(), group, classic.SyncRequest{MemberID: joined.MemberID, Generation: joined.Generation})
	if joined.Err != nil || synced.Err != nil {
		t.Fatal(joined.Err, synced.Err)
	}
	return classic.HeartbeatRequest{MemberID: joined.MemberID, Generation: joined.Generation}
}

func TestHeartbeatOfAnIdleGroupAllocatesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		r := oneMember(t, g, "g")
		ctx := t.Context()
		if n := testing.AllocsPerRun(100, func() {
			if err := g.Heartbeat(ctx, "g", r); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// A heartbeat that has to wait for its turn counts, though its caller has given up and the frame that it came in is another's.
func TestHeartbeatOfABusyGroupKeepsNothingOfItsFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, s := newMemoryJournal(), newSettings()
		g := newGroups(t, j, s)
		lead(g, j, 1)
		synctest.Wait()
		r := oneMember(t, g, "g")
		actor := g.shards[0].actors["g"]
		time.Sleep(8 * time.Second)

		busy := make(chan struct{})
		actor.box.Post(func() { <-busy })
		ctx, cancel := context.WithCancel(t.Context())
		frame := []byte("g" + r.MemberID)
		text := unsafe.String(unsafe.SliceData(frame), len(frame))
		answered := make(chan *kerr.Error)
		go func() {
			answered <- g.Heartbeat(ctx, text[:1], classic.HeartbeatRequest{MemberID: text[1:], Generation: r.Generation})
		}()
		synctest.Wait()
		cancel()
		if err := <-answered; err != kerr.CoordinatorNotAvailable {
			t.Errorf("a caller who gives up is told %v", err)
		}
		clear(frame)
		close(busy)

		time.Sleep(8 * time.Second) // 16 after the join
		if err := g.Heartbeat(t.Context(), "g", r); err != nil {
			t.Errorf("8 seconds after a heartbeat: %v", err)
		}
		time.Sleep(11 * time.Second)
		if err := g.Heartbeat(t.Context(), "g", r); err != kerr.UnknownMemberID {
			t.Errorf("11 seconds after a heartbeat: %v", err)
		}
	})
}
