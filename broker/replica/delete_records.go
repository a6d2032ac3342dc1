package replica

import (
	"context"
)

// DeleteRecords advances the log start offset (offset -1: the high watermark) and returns the low watermark: the
// smallest log start of this and the live followers, once it has reached the offset. On ErrTimedOut the low watermark
// is that of before the wait; on any other error it is -1.
func (p *Partition) DeleteRecords(ctx context.Context, offset int64) (lowWatermark int64, err error) {
	v, err := p.look(-1, true)
	if err != nil {
		return -1, err
	}
	if !p.TopicConfig().Log.Delete {
		return -1, ErrPolicyViolation
	}
	if offset == -1 {
		offset = v.log.HighWatermark()
	}
	if offset < 0 {
		return -1, ErrOffsetOutOfRange
	}
	if err := v.log.AdvanceLogStart(offset); err != nil {
		return -1, translate(err)
	}

	lowWatermark = -1
	err = p.await(ctx, onAnything, func() (bool, error) {
		if _, err := p.lookLocked(-1, true); err != nil {
			lowWatermark = -1
			return false, err
		}
		lowWatermark = p.lowWatermark()
		return lowWatermark >= offset, nil
	})
	return lowWatermark, err
}

// lowWatermark is the smallest log start offset of the live replicas, and of the copy on its way to another directory
// (Kafka: lowWatermarkIfLeader). p.mu is held, this broker leads.
func (p *Partition) lowWatermark() int64 {
	lowest := p.log.LogStartOffset()
	if future := p.log.Future(); future != nil {
		lowest = min(lowest, future.LogStartOffset())
	}
	for i := range p.followers {
		if f := &p.followers[i]; f.logStart < lowest && p.env.alive(f.id) {
			lowest = f.logStart
		}
	}
	return lowest
}
