package replica

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
)

// AppendAsFollower appends what a leader answered, moves the high watermark and the log start after the leader's, and
// tells where to go on. It takes the batches as they are. An answer for another offset than the log's end is ignored.
//
// ErrNotFollower; ErrStorage, which passes when it wraps a full disk (a directory that failed is unfollowed);
// record.ErrCorrupt (to be fetched again); with any other error the replica is broken. Beside an error of the log the
// position tells how far it got all the same. (Kafka: ReplicaFetcherThread.processPartitionData.)
func (p *Partition) AppendAsFollower(leaderEpoch int32, f Fetched) (Position, error) {
	// Alone: the log's end must not move between the look at it and the append, whoever else still thinks that it
	// fetches this partition. A follower has no other appends that could wait for this one.
	p.gate.Lock()
	defer p.gate.Unlock()
	log, err := p.asFollower(leaderEpoch)
	if err != nil {
		return Position{}, err
	}
	if f.Offset != log.LogEndOffset() {
		return positionOf(log), nil
	}
	if len(f.Batches) > 0 {
		if err := p.appendFetched(log, f.Batches); err != nil {
			return positionOf(log), err
		}
	}
	p.followMarks(log, &f)
	// The high watermark comes first, since the start must not be above it; it is not, in a leader's answer.
	if start := min(f.LogStartOffset, log.HighWatermark()); start > log.LogStartOffset() {
		if err := log.AdvanceLogStart(start); err != nil {
			return positionOf(log), translate(err)
		}
	}
	return positionOf(log), nil
}

func (p *Partition) appendFetched(log *storage.Log, batches []byte) error {
	_, err := log.AppendAsFollower(batches)
	if !errors.Is(err, storage.ErrUnexpectedOffset) {
		return translate(err)
	}
	end := log.LogEndOffset()
	first, last, ok := firstBatch(batches)
	if !ok || end != log.LogStartOffset() || first >= end || last < end {
		return fmt.Errorf("append what the leader answered at %d: %w", end, err)
	}
	// The leader's log starts within a batch, since records were deleted (DeleteRecords), and this one is empty: it has
	// to start where the batch does.
	p.env.log.Info("log starts below the log start offset, with the batch that holds it", p.fields(
		zap.Int64("base_offset", first), zap.Int64("log_start_offset", end))...)
	if err := log.TruncateFullyAndStartAt(first); err != nil {
		return translate(err)
	}
	_, err = log.AppendAsFollower(batches)
	return translate(err)
}

// firstBatch gives the offsets of the first batch; none of the old formats.
func firstBatch(batches []byte) (first, last int64, ok bool) {
	_, magic, err := record.EntrySize(batches)
	if err != nil || magic != 2 || len(batches) < record.HeaderSize {
		return 0, 0, false
	}
	b := record.Batch(batches)
	return b.BaseOffset(), b.LastOffset(), true
}

// followMarks takes the leader's high watermark, as far as this log goes, and wakes the consumers that read here. What
// was below it once is so for good: a new leader that has not heard of its followers yet tells a lower one.
func (p *Partition) followMarks(log *storage.Log, f *Fetched) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaderHigh = f.HighWatermark
	to := min(f.HighWatermark, log.LogEndOffset())
	if to <= log.HighWatermark() {
		return
	}
	log.SetHighWatermark(to)
	p.wake(onAnything)
}
