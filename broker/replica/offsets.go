package replica

import (
	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
)

// Timestamps of ListOffsets that are questions rather than times (Kafka: ListOffsetsRequest.java).
const (
	TimestampLatest        int64 = -1
	TimestampEarliest      int64 = -2
	TimestampMax           int64 = -3 // KIP-734
	TimestampEarliestLocal int64 = -4 // KIP-405
	TimestampLatestTiered  int64 = -5 // KIP-1005
)

// Replica ids of those who are no replica.
const (
	ConsumerID int32 = -1
	DebuggerID int32 = -2 // any replica may answer it
)

// ListOffset answers ListOffsets: timestamp is Kafka's (-1 latest, -2 earliest, -3 max, -4 earliest local, ...). found is false when no
// record is that new. errors: ErrNotLeader, epoch errors, ErrOffsetNotAvailable. Isolation binds consumers alone: a
// follower (replicaID >= 0) is told of the whole log.
func (p *Partition) ListOffset(timestamp int64, isolation Isolation, currentEpoch int32, replicaID int32) (o storage.TimestampOffset, found bool, err error) {
	v, err := p.look(currentEpoch, replicaID != DebuggerID)
	if err != nil {
		return o, false, err
	}
	upTo := v.log.LogEndOffset()
	if replicaID == ConsumerID {
		upTo = v.log.HighWatermark()
		if isolation == ReadCommitted {
			upTo = v.log.LastStableOffset()
		}
	}
	// A new leader's high watermark may lie below what its predecessor's was.
	behind := replicaID == ConsumerID && v.leading && v.epochStart > v.log.HighWatermark()

	switch timestamp {
	case TimestampLatest:
		if behind {
			return o, false, ErrOffsetNotAvailable
		}
		return storage.TimestampOffset{Offset: upTo, Timestamp: record.NoTimestamp, LeaderEpoch: v.leaderEpoch}, true, nil
	case TimestampEarliest, TimestampEarliestLocal:
		start := v.log.LogStartOffset()
		return storage.TimestampOffset{Offset: start, Timestamp: record.NoTimestamp, LeaderEpoch: v.log.EpochAt(start)}, true, nil
	case TimestampLatestTiered:
		// Nothing is tiered here; Kafka finds an offset of -1 then.
		return storage.TimestampOffset{Offset: -1, Timestamp: record.NoTimestamp, LeaderEpoch: record.NoLeaderEpoch}, true, nil
	case TimestampMax:
		o, found, err = v.log.MaxTimestampOffset()
	default:
		o, found, err = v.log.OffsetForTimestamp(timestamp)
	}
	switch {
	case err != nil:
		return storage.TimestampOffset{}, false, translate(err)
	case found && o.Offset < upTo:
		return o, true, nil
	case behind:
		return storage.TimestampOffset{}, false, ErrOffsetNotAvailable
	default:
		return storage.TimestampOffset{}, false, nil
	}
}

// EndOffset is the end of a partition for consumers, against which their lag counts: its high watermark. It is false when
// this broker does not lead the partition.
func (m *Manager) EndOffset(topic string, index int32) (int64, bool) {
	p := m.hosted(storage.TopicPartition{Topic: topic, Partition: index})
	if p == nil {
		return 0, false
	}
	v, err := p.look(anyEpoch, true)
	if err != nil {
		return 0, false
	}
	return v.log.HighWatermark(), true
}

// EndOffsetForEpoch answers OffsetForLeaderEpoch: the end of the largest epoch that is not above epoch; -1, -1 when unknown.
func (p *Partition) EndOffsetForEpoch(currentEpoch, epoch int32) (foundEpoch int32, endOffset int64, err error) {
	v, err := p.look(currentEpoch, true)
	if err != nil {
		return -1, -1, err
	}
	foundEpoch, endOffset = v.log.EndOffsetFor(epoch)
	return foundEpoch, endOffset, nil
}

// Producers lists the active producers. As in Kafka a follower answers too, since an administrator may ask any replica;
// ErrNotLeader where there is no log.
func (p *Partition) Producers() ([]storage.Producer, error) {
	v, err := p.look(-1, false)
	if err != nil {
		return nil, err
	}
	return v.log.Producers(), nil
}
