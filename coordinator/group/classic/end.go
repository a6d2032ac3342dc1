package classic

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// MayDelete tells whether DeleteGroups may: nil, NON_EMPTY_GROUP, or GROUP_ID_NOT_FOUND for a Dead group.
func (g *Group) MayDelete() *kerr.Error {
	switch g.state {
	case Empty:
		return nil
	case Dead:
		return kerr.GroupIDNotFound
	default:
		return kerr.NonEmptyGroup
	}
}

// Delete makes the group Dead and returns the tombstone of what is stored of it: none in generation 0, before which
// nothing is. The group must be Empty.
func (g *Group) Delete() []journal.Record {
	g.die()
	if g.generation == 0 {
		return nil
	}
	return []journal.Record{{Key: recordKey(g.id)}}
}

// Close ends the machine on this broker: whoever waits gets the error (NOT_COORDINATOR at unloading).
func (g *Group) Close(err *kerr.Error) {
	for m := range g.all() {
		answerJoin(g, m, joinError(m.id, err))
		answerSync(m, SyncResponse{Err: err})
	}
	g.die()
}

// Convert ends the group on this broker because it became a consumer group: parked joins and syncs get
// REBALANCE_IN_PROGRESS, as Kafka does.
func (g *Group) Convert() { g.Close(kerr.RebalanceInProgress) }

// die makes the group Dead. Writes in flight come back to a group that does not mind them.
func (g *Group) die() {
	g.state, g.since = Dead, time.Time{}
	g.joinBy, g.syncBy, g.wake = time.Time{}, time.Time{}, time.Time{}
}
