package offsets

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// Partition names a partition of a topic.
type Partition struct {
	Topic string
	Index int32
}

// Offset is what was committed for a partition.
type Offset struct {
	Offset      int64
	LeaderEpoch int32 // -1: unknown
	Metadata    string
	CommitTime  int64 // ms
	ExpireTime  int64 // ms, -1: by the retention of the broker (only OffsetCommit v2 to 4 sets it)
}

// Config is what the broker is configured to. Values are read once per call.
type Config struct {
	MetadataMaxBytes int32         // offset.metadata.max.bytes
	Retention        time.Duration // offsets.retention.minutes
}

// Group is the committed offsets of one group.
type Group struct{}

func New(group string) *Group { panic("unwritten") }

// Replay takes a record that the journal holds at an offset; a nil value is a tombstone. A record of a transaction (producer not nil) is pending
// until EndTxn. The last record of a key by offset wins.
func (g *Group) Replay(offset int64, key Partition, value *Offset, producer *journal.Producer) {
	panic("unwritten")
}

// EndTxn makes the pending offsets of a producer's transaction count, or drops them.
func (g *Group) EndTxn(producerID int64, commit bool) { panic("unwritten") }

// Commit is one partition of an OffsetCommit or TxnOffsetCommit.
type Commit struct {
	Partition
	Offset
	Err *kerr.Error // set by the caller for what it refused already (unknown topic), and by Commit for what fails
}

// Commit stores offsets that membership allowed, and replies with the Err of each set. One whose metadata is too long is refused alone (OFFSET_METADATA_TOO_LARGE).
// Errors of the journal become the codes of GroupMetadataManager.storeOffsets.
func (g *Group) Commit(x *journal.Turn, c Config, commits []Commit, producer *journal.Producer, reply func([]Commit)) {
	panic("unwritten")
}

// Fetched is one partition of an OffsetFetch.
type Fetched struct {
	Partition
	Offset             // Offset -1, LeaderEpoch -1 when nothing is committed
	Err    *kerr.Error // UNSTABLE_OFFSET_COMMIT with requireStable
}

// Fetch reads partitions; nil means all that have offsets, by topic and partition.
func (g *Group) Fetch(partitions []Partition, requireStable bool) []Fetched { panic("unwritten") }

// Delete removes offsets (OffsetDelete, topics deleted) and replies when that is stored. It tells of each whether there was one... those without are no error.
func (g *Group) Delete(x *journal.Turn, partitions []Partition, reply func(*kerr.Error)) {
	panic("unwritten")
}

// DeleteAll removes all of them, for DeleteGroups; the tombstones, for the caller's batch.
func (g *Group) DeleteAll() []journal.Record { panic("unwritten") }

// Rule tells what protects offsets from expiry (KIP-211, GroupMetadata.removeExpiredOffsets).
type Rule struct {
	// Since is when the group became empty; retention counts from the later... zero: each offset's own commit time counts (simple groups, and groups stored before KIP-211).
	Since time.Time
	// Subscribed topics never expire, whatever the time. nil: none.
	Subscribed func(topic string) bool
	// Never: nothing expires (a live group whose subscription is unknown).
	Never bool
}

// Expire removes what is past its retention and tells how many. Partitions with pending transactional offsets stay.
func (g *Group) Expire(x *journal.Turn, c Config, r Rule) (expired int) { panic("unwritten") }

// Len is how many partitions have offsets; Pending whether commits are being stored or transactions are open.
func (g *Group) Len() int { panic("unwritten") }

func (g *Group) Pending() bool { panic("unwritten") }
