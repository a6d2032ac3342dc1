package replica

import (
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/storage"
)

// TruncateToLeader cuts what the leader does not have, which knows the epoch divergingEpoch to end at endOffset
// (KIP-595; Kafka: AbstractFetcherThread.getOffsetTruncationState). One cut may not be enough: where this log has an
// epoch that the leader lacks it goes back to the one before, and the leader's next answer tells whether that is
// shared (KIP-279). ErrNotFollower, ErrStorage.
func (p *Partition) TruncateToLeader(leaderEpoch, divergingEpoch int32, endOffset int64) (Position, error) {
	return p.cut(leaderEpoch, func(log *storage.Log) error {
		return p.truncate(log, sharedEnd(log, divergingEpoch, endOffset))
	})
}

// sharedEnd is where this log has to be cut by what the leader knows of an epoch.
func sharedEnd(log *storage.Log, epoch int32, endOffset int64) int64 {
	end := log.LogEndOffset()
	if endOffset < 0 {
		return end // the leader knows nothing: it will refuse the offset, and that is handled elsewhere
	}
	own, ownEnd := log.EndOffsetFor(epoch)
	switch {
	case epoch < 0, ownEnd < 0: // epochs are not known on either side
		return min(endOffset, end)
	case own != epoch: // the largest epoch below, which the leader may have or not
		return min(ownEnd, end)
	default:
		return min(ownEnd, endOffset, end)
	}
}

// TruncateTo cuts everything at offset and above; for a follower that is longer than its leader. ErrNotFollower,
// ErrStorage.
func (p *Partition) TruncateTo(leaderEpoch int32, offset int64) (Position, error) {
	return p.cut(leaderEpoch, func(log *storage.Log) error { return p.truncate(log, offset) })
}

// StartAt empties the log, which goes on at offset; for a follower that ends below its leader's log start.
// ErrNotFollower, ErrStorage.
func (p *Partition) StartAt(leaderEpoch int32, offset int64) (Position, error) {
	return p.cut(leaderEpoch, func(log *storage.Log) error { return log.TruncateFullyAndStartAt(offset) })
}

// cut changes the log of a follower; no append is in flight meanwhile.
func (p *Partition) cut(leaderEpoch int32, change func(*storage.Log) error) (Position, error) {
	p.gate.Lock()
	defer p.gate.Unlock()
	log, err := p.asFollower(leaderEpoch)
	if err != nil {
		return Position{}, err
	}
	if err := change(log); err != nil {
		return Position{}, translate(err)
	}
	return positionOf(log), nil
}

// truncate cuts a log, whose high watermark then is not above its end. That it has to go back is what happens after an
// unclean election; else it is data loss. The gate is held.
func (p *Partition) truncate(log *storage.Log, offset int64) error {
	if high := log.HighWatermark(); offset < high {
		p.env.log.Warn("truncating below the high watermark", p.fields(
			zap.Int64("offset", offset), zap.Int64("high_watermark", high), zap.Int64("log_end_offset", log.LogEndOffset()))...)
	}
	return log.TruncateTo(offset)
}
