package group

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/group/consumer"
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

// remove deletes all that is stored of the group, in one batch, and then the group. The machine of the offsets forgets
// them before the batch is written: when it is refused, the log has what memory lacks, and the partition is loaded anew.
func (a *actor) remove(x *journal.Turn, reply func(*kerr.Error)) {
	forgotten := a.offsets.DeleteAll()
	records := forgotten
	if a.consumer != nil {
		records = append(records, a.consumer.Delete()...)
	} else if a.classic.Generation() > 0 {
		records = append(records, journal.GroupTombstone(a.id))
	}
	removed := false
	x.Append(journal.Write{
		Records: records,
		Applied: func(*journal.Turn) {
			removed = true
			a.leave()
			a.shard.log.Info("removed group", zap.String("group", a.id), zap.Int("tombstones", len(records)))
		},
		Done: func(_ *journal.Turn, err error) {
			if err == nil {
				reply(nil)
				return
			}
			if !removed && len(forgotten) > 0 {
				a.shard.groups.reload(a.shard)
			}
			reply(consumer.CodeOf(err))
		},
	})
}
