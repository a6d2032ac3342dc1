package controller

import (
	"context"
	"slices"

	"go.uber.org/zap"
)

// setBouncedAside takes brokers out of the term that have registered anew since the in-sync replicas were written which count
// on them, and has them come back once everything else has begun. Between the two they are gone: other replicas
// lead, and they leave the ISR until they have caught up.
//
// A controller that is in office sees that a broker bounced by its epoch. One that takes over does not, and Kafka's then trusts a
// replica of which nobody knows what it brought back: a broker that was leader and controller and lost its unsynced writes with
// the power would lead on, in the same epoch, and have its followers truncate what was acknowledged. The zxids of the registration
// and of the partition's state tell. Where all replicas in sync have bounced there is no better one: see leadAnew.
func (t *term) setBouncedAside() {
	bounced := map[int32]bool{}
	for _, p := range t.partitionsWhere(func(p *partition) bool { return p.leadership != nil && p.leadership.ModifiedAt > 0 }) {
		anew := slices.DeleteFunc(slices.Clone(p.leadership.ISR), func(id int32) bool { return !t.bouncedSince(id, p.leadership.ModifiedAt) })
		stayed := slices.ContainsFunc(p.leadership.ISR, func(id int32) bool { return t.live(id) && !slices.Contains(anew, id) })
		if !stayed {
			continue
		}
		for _, id := range anew {
			bounced[id] = true
		}
	}
	if len(bounced) == 0 {
		return
	}
	for id := range bounced {
		t.log.Info("broker has restarted since partitions counted on it", zap.Int32("broker", id), zap.Int64("broker_epoch", t.brokers[id].Epoch))
		t.stopSender(id)
		delete(t.brokers, id)
	}
	t.watch("broker_change", (*term).brokersChanged)() // finds them registered
}

// leadAnew has leaders that have bounced lead on in another leader epoch. Their high watermark is what they last wrote down of it, and
// within an epoch none may move back. A leader that is alone in the ISR knows its own.
func (t *term) leadAnew(ctx context.Context) error {
	bounced := t.partitionsWhere(func(p *partition) bool {
		return p.state == onlinePartition && !p.topic.queued && p.leadership != nil && p.leadership.ModifiedAt > 0 &&
			len(p.leadership.ISR) > 1 && t.bouncedSince(p.leadership.Leader, p.leadership.ModifiedAt)
	})
	if len(bounced) == 0 {
		return nil
	}
	t.log.Info("leaders have restarted since they were elected, electing anew", zap.Int("partitions", len(bounced)))
	_, err := t.movePartitions(ctx, bounced, onlinePartition, electOffline)
	return err
}

func (t *term) bouncedSince(broker int32, zxid int64) bool {
	b, registered := t.brokers[broker]
	return registered && b.Epoch > zxid
}
