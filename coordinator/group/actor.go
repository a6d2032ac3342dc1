package group

import (
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// actor is one group: its members, as a machine of the one protocol or the other, and its offsets. All but what is marked
// otherwise belongs to who runs in the mailbox.
type actor struct {
	shard *shard
	id    string
	box   journal.Mailbox

	// Either is nil, never both.
	classic  *classic.Group
	consumer *consumer.Group
	offsets  *offsets.Group
	// stray is the tombstones of the other kind of group: a broker that does not know the new protocol ignores its
	// records, and may have made a classic group beside them.
	stray []journal.Record

	// gone: deleted, or the shard is over. No request is run and nothing is written any more, but who waits for a
	// write is still told how it ended.
	gone    bool
	pending []*pending // writes whose end is awaited, in the order of the log
	written int64      // the offset behind what the group wrote last; zero while it wrote nothing
	timer   *time.Timer
	wake    time.Time // when timer rings; zero when it does not

	// For metrics, of any goroutine: what was seen of the group last, and whether turns came after that.
	view    atomic.Pointer[view]
	changed atomic.Bool
}

// newActor makes a group that nothing is stored of.
func newActor(s *shard, id string, k kind) *actor {
	a := &actor{shard: s, id: id, offsets: offsets.New(id)}
	if k == consumerKind {
		a.consumer = consumer.New(id, s.groups.o.Consumer(id))
	} else {
		a.classic = classic.New(id, s.groups.classic)
	}
	return a
}

func (a *actor) kind() kind {
	if a.consumer != nil {
		return consumerKind
	}
	return classicKind
}

// post queues a task, and returns the actor if nobody runs it: then it is to be lent a goroutine. The caller holds the
// shard's lock.
func (a *actor) post(t task) (idle *actor) {
	if !a.box.Queue(func() {
		if a.gone {
			// The group was deleted while the task waited: there may be a new one, and if not, the task may make it.
			a.shard.submit(t)
			return
		}
		a.turn(func(x *journal.Turn) { t.run(a, x) })
	}) {
		return nil
	}
	return a
}

// loaded is the first turn of a group that was read from the log.
func (a *actor) loaded() {
	if a.gone {
		return
	}
	a.turn(func(x *journal.Turn) {
		if a.consumer != nil {
			a.consumer.Loaded(x)
		} else {
			a.classic.Loaded(x)
		}
		if a.stray != nil {
			a.shard.log.Warn("a group was stored as classic and as consumer group: the newer one stays",
				zap.String("group", a.id), zap.String("type", a.kind().String()))
			x.Append(journal.Write{Records: a.stray})
			a.stray = nil
		}
	})
}

func (a *actor) tick() {
	if a.gone {
		return
	}
	a.wake = time.Time{}
	a.turn(func(x *journal.Turn) {
		if a.consumer != nil {
			a.consumer.Tick(x, a.shard.groups.o.Image())
		} else {
			a.classic.Tick(x)
		}
	})
}

// leave is the end of a group that was deleted.
func (a *actor) leave() {
	a.gone = true
	a.stopTimer()
	a.shard.remove(a)
}

// end is the last turn of a group whose shard is over. Whoever waits is answered now, not when the journal gives up.
func (a *actor) end(err *kerr.Error) {
	if !a.gone {
		a.gone = true
		a.stopTimer()
		if a.consumer != nil {
			a.consumer.Close(err)
		} else {
			a.classic.Close(err)
		}
	}
	x := &journal.Turn{Now: time.Now()}
	for _, p := range a.pending {
		p.done(x, kerr.NotLeaderForPartition)
	}
	a.pending = nil
	a.finish(x)
}

// empty tells whether the group has no members, as Kafka's state Empty does.
func (a *actor) empty() bool {
	if a.consumer != nil {
		return a.consumer.State() == string(classic.Empty)
	}
	return a.classic.State() == classic.Empty
}

func (a *actor) topicsChanged(x *journal.Turn, gone []offsets.Partition) {
	if a.consumer != nil {
		a.consumer.TopicsChanged(x)
	}
	if len(gone) == 0 {
		return
	}
	if a.offsets.Len() == 0 && !a.offsets.Pending() {
		// Kafka looks for unused groups of the old protocol whenever partitions are deleted (GroupMetadataManager.cleanupGroupMetadata).
		if a.consumer == nil {
			a.removeIfUnused(x)
		}
		return
	}
	a.offsets.Delete(x, gone, func(err *kerr.Error) {
		if err != nil {
			a.shard.log.Warn("offsets of deleted topics stay until they expire", zap.String("group", a.id), zap.Error(err))
		}
	})
	x.Append(journal.Write{Applied: a.removeIfUnused})
}
