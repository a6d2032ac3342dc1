package controller

import (
	"context"

	"go.uber.org/zap"
)

// AllocateProducerIDs gives a block of producer ids to a broker, which must be
// registered with exactly this epoch: a former process must not take ids that nobody uses.
func (c *Controller) AllocateProducerIDs(ctx context.Context, brokerID int32, brokerEpoch int64) (first int64, count int32, err error) {
	type block struct {
		first int64
		count int32
		err   error
	}
	if !c.Active() {
		return 0, 0, ErrNotController
	}
	b, err := call(ctx, c, "allocate_producer_ids", func(ctx context.Context) (block, error) {
		if c.term == nil {
			return block{err: ErrNotController}, nil
		}
		broker, ok := c.term.brokers[brokerID]
		switch {
		case !ok:
			return block{err: ErrBrokerNotRegistered}, nil
		case broker.Epoch != brokerEpoch:
			return block{err: ErrStaleBrokerEpoch}, nil
		}
		ids, err := c.zk.AllocateProducerIDs(ctx, c.term.origin.lease, brokerID)
		if err != nil {
			return block{err: ErrNotController}, err
		}
		c.log.Info("producer ids allocated", zap.Int32("broker", brokerID), zap.Int64("first", ids.First), zap.Int64("last", ids.Last))
		return block{first: ids.First, count: int32(ids.Last - ids.First + 1)}, nil
	})
	if err != nil {
		return 0, 0, err
	}
	return b.first, b.count, b.err
}
