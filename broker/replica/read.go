package replica

import (
	"github.com/kbroker/kbroker/storage"
)

// Isolation says up to where a reader may read.
type Isolation int8

// The isolations of a fetch.
const (
	ReadUncommitted Isolation = iota // up to the high watermark
	ReadCommitted                    // up to the last stable offset
	ReadLogEnd                       // followers
)

// ReadRequest is one partition of a fetch.
type ReadRequest struct {
	Offset           int64
	MaxBytes         int64
	MinOne           bool
	Isolation        Isolation
	CurrentEpoch     int32 // -1: not checked
	LastFetchedEpoch int32 // -1: no check for divergence
	ReplicaID        int32 // of a follower, or -1
	LogStartOffset   int64 // a follower's
	// Again is set when a fetch that waits is read anew. It says nothing of the follower that the first time did not say.
	Again  bool
	Client bool // client metadata present (v11+): a follower may serve
	// Rack is a consumer's, empty when it has none; Listener is where it came in, and reaches other replicas.
	Rack, Listener string
}

// ReadResult is what a read found. The offsets are those of before the read, but for
// the high watermark that a follower is told; on error they are -1, as Kafka answers them.
type ReadResult struct {
	Slice            storage.Slice // to be released
	HighWatermark    int64
	LastStableOffset int64
	LogStartOffset   int64
	Aborted          []storage.Aborted
	DivergingEpoch   int32 // -1: none
	DivergingEnd     int64
	PreferredReplica int32 // that the consumer shall read from instead; -1: none. Nothing was read then.
	// Settled: the same read finds nothing else until the partition tells its watchers of a change, but for a log start
	// that retention moves.
	Settled bool
}

// unread is the result beside an error.
func unread() ReadResult {
	return ReadResult{
		HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1, DivergingEpoch: -1, DivergingEnd: -1, PreferredReplica: noReplica,
	}
}

// Read reads batches. A follower's fetch is noted, and may move the high watermark; one that diverges is not. Reading
// takes no lock of the partition: the role may change meanwhile, in the same moment in which the answer could have
// left before. Bytes of consumers are counted as going out here, so one who looks before it waits looks at them twice;
// with fetch.min.bytes of 1 nobody does.
func (p *Partition) Read(r ReadRequest) (ReadResult, error) {
	v, err := p.lookForRead(&r)
	if err != nil {
		return unread(), err
	}
	result := ReadResult{
		HighWatermark:    v.log.HighWatermark(),
		LastStableOffset: v.log.LastStableOffset(),
		LogStartOffset:   v.log.LogStartOffset(),
		DivergingEpoch:   -1,
		DivergingEnd:     -1,
		PreferredReplica: v.preferred,
	}
	if v.preferred != noReplica {
		return result, nil
	}
	logEnd := v.log.LogEndOffset()
	if r.Offset < result.LogStartOffset {
		return unread(), ErrOffsetOutOfRange
	}
	if r.LastFetchedEpoch >= 0 {
		epoch, end := v.log.EndOffsetFor(r.LastFetchedEpoch)
		if epoch < 0 || end < 0 {
			return unread(), ErrOffsetOutOfRange
		}
		if epoch < r.LastFetchedEpoch || end < r.Offset {
			result.DivergingEpoch, result.DivergingEnd = epoch, end
			return result, nil
		}
	}
	if r.Offset > logEnd {
		return unread(), ErrOffsetOutOfRange
	}
	if !p.heldBack(&r) {
		if err := p.readInto(&result, &r, v.log, logEnd); err != nil {
			return unread(), err
		}
	}
	if r.ReplicaID >= 0 {
		p.fed(result.Slice.Size)
		if r.Again {
			result.Settled = result.Settled && p.settledFor(r.ReplicaID)
		} else {
			p.followerFetched(&r, &result, v.leaderEpoch, logEnd)
		}
	}
	return result, nil
}

// lookForRead checks that this broker may answer the reader.
func (p *Partition) lookForRead(r *ReadRequest) (view, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Only consumers that can be told of a preferred replica may be served by a follower (KIP-392).
	v, err := p.lookLocked(r.CurrentEpoch, r.ReplicaID >= 0 || !r.Client)
	if err == nil && r.ReplicaID < 0 {
		v.preferred = p.preferredReplica(r)
	}
	if err != nil || r.ReplicaID < 0 || p.follower(r.ReplicaID) != nil {
		return v, err
	}
	// Not one of our followers, as we know them. With the epoch given, whose idea is stale is open: it retries.
	if r.CurrentEpoch >= 0 {
		return v, ErrUnknownLeaderEpoch
	}
	return v, ErrNotLeader
}

// readInto reads the bytes that the request's isolation lets through.
func (p *Partition) readInto(result *ReadResult, r *ReadRequest, log *storage.Log, logEnd int64) error {
	upTo := result.HighWatermark
	switch r.Isolation {
	case ReadLogEnd:
		upTo = logEnd
	case ReadCommitted:
		upTo = result.LastStableOffset
	}
	if r.Offset >= upTo {
		result.Settled = true
		return nil // in the range of the log, but not to be seen yet
	}
	slice, err := log.Read(r.Offset, upTo, r.MaxBytes, r.MinOne)
	if err != nil {
		return translate(err)
	}
	if r.Isolation == ReadCommitted && slice.Size > 0 {
		result.Aborted, err = log.AbortedIn(r.Offset, slice.NextOffset)
		if err != nil {
			slice.Release()
			return translate(err)
		}
	}
	if r.ReplicaID < 0 {
		p.topic.bytesOut.Add(uint64(slice.Size))
	}
	result.Slice = slice
	return nil
}
