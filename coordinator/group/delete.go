package group

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// Delete removes a group without members, and its offsets (DeleteGroups, KIP-229).
func (g *Groups) Delete(ctx context.Context, group string) *kerr.Error {
	return ask(ctx, g, group, none, func(a *actor, x *journal.Turn, reply func(*kerr.Error)) {
		if err := a.mayDelete(); err != nil {
			reply(err)
			return
		}
		a.remove(x, reply)
	}, func(err *kerr.Error) *kerr.Error { return err })
}

func (a *actor) mayDelete() *kerr.Error {
	if a.consumer != nil {
		return a.consumer.MayDelete()
	}
	return a.classic.MayDelete()
}

// remove deletes all that is stored of the group, in one batch, and then the group. When the batch is refused, the group
// stays as it was: what a replay would find must be there.
func (a *actor) remove(x *journal.Turn, reply func(*kerr.Error)) {
	records := a.offsets.DeleteAll()
	if a.consumer != nil {
		records = append(records, a.consumer.Delete()...)
	} else if a.classic.Generation() > 0 {
		records = append(records, journal.GroupTombstone(a.id))
	}
	x.Append(journal.Write{
		Records: records,
		Applied: func(*journal.Turn) {
			a.leave()
			if a.classic != nil {
				a.classic.Close(kerr.CoordinatorNotAvailable)
			}
			a.shard.log.Info("removed group", zap.String("group", a.id), zap.Int("tombstones", len(records)))
		},
		Done: func(_ *journal.Turn, err error) {
			if err == nil {
				reply(nil)
				return
			}
			reply(codeOf(err))
		},
	})
}
