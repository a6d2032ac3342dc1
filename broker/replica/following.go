package replica

import "errors"

// Fetchers copy the logs of leaders into the partitions that this broker follows. The Manager tells them what to
// copy, while it applies a change; they must not wait for the network, nor call the Manager back.
type Fetchers interface {
	// Follow begins to fetch partitions, or goes on with them from another leader or in another epoch.
	Follow(partitions []Followed)
	// Unfollow ends it. A fetch in flight may still bring something: the Partition refuses it by its epoch.
	Unfollow(partitions []*Partition)
}

// Followed is a partition that this broker follows.
type Followed struct {
	Partition   *Partition
	LeaderID    int32
	LeaderEpoch int32
}

// ErrNotFollower is the answer to a fetcher whose partition does not follow in its epoch any more: it forgets the partition.
var ErrNotFollower = errors.New("this broker does not follow the partition in this epoch")

// Position is where a follower goes on.
type Position struct {
	Offset         int64 // its log end
	LastEpoch      int32 // leader epoch of its last batch; -1: none
	LogStartOffset int64
}

// Fetched is what a leader answered for one partition.
type Fetched struct {
	Offset         int64  // that was asked for
	Batches        []byte // whole batches, the last may be cut short; they belong to the caller again after the call
	HighWatermark  int64  // the leader's
	LogStartOffset int64  // the leader's
}

// Position tells a fetcher where to go on. ErrNotFollower, ErrStorage.
func (p *Partition) Position(leaderEpoch int32) (Position, error) { panic("unwritten") }

// AppendAsFollower appends what a leader answered, moves the high watermark and the log start after the leader's, and
// tells where to go on. It takes the batches as they are. An answer for another offset than the log's end is ignored.
// ErrNotFollower, ErrStorage, record.ErrCorrupt (to be fetched again); with any other error the replica is broken.
func (p *Partition) AppendAsFollower(leaderEpoch int32, f Fetched) (Position, error) { panic("unwritten") }

// TruncateToLeader cuts what the leader does not have, which knows the epoch divergingEpoch to end at endOffset
// (KIP-595; Kafka: AbstractFetcherThread.getOffsetTruncationState).
func (p *Partition) TruncateToLeader(leaderEpoch, divergingEpoch int32, endOffset int64) (Position, error) {
	panic("unwritten")
}

// TruncateTo cuts everything at offset and above; for a follower that is longer than its leader.
func (p *Partition) TruncateTo(leaderEpoch int32, offset int64) (Position, error) { panic("unwritten") }

// StartAt empties the log, which goes on at offset; for a follower that ends below its leader's log start.
func (p *Partition) StartAt(leaderEpoch int32, offset int64) (Position, error) { panic("unwritten") }
