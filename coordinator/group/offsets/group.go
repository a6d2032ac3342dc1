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
	CommitTime  int64 // ms since 1970; in a Commit, -1 is the time of the turn
	ExpireTime  int64 // ms since 1970; -1: by the retention of the broker, as always but for OffsetCommit v2 to v4
}

// Config is what the broker is configured to.
type Config struct {
	MetadataMaxBytes int32         // offset.metadata.max.bytes, which counts UTF-16 units in truth
	Retention        time.Duration // offsets.retention.minutes
}

// Group is the committed offsets of one group. It is not for more than one goroutine at a time, and its callbacks run
// in the owner's turns.
type Group struct {
	id      string
	topics  map[string]*topic
	txns    map[int64]map[*entry]pending // by producer id; none is empty
	count   int                          // entries that exist
	storing int                          // commits between Commit and Done

	last      int64 // order of the newest record
	committed int64 // order of the newest write that is known to be committed
	// unsure is what failed after it was appended, and is newer than committed; of each partition the newest.
	unsure map[*entry]pending
}

// pending is an offset whose record is in the log and may come to count.
type pending struct {
	Offset
	order int64
}

// New makes a group without offsets.
func New(group string) *Group {
	return &Group{
		id:     group,
		topics: make(map[string]*topic),
		txns:   make(map[int64]map[*entry]pending),
		unsure: make(map[*entry]pending),
	}
}

// Replay takes a record that the journal holds at an offset; a nil value is a tombstone. A record of a transaction
// (producer not nil) is pending until EndTxn. Records are replayed in the order of the log, before anything else is
// done with the group.
func (g *Group) Replay(offset int64, key Partition, value *Offset, producer *journal.Producer) {
	g.last = max(g.last, offset)
	switch {
	case value != nil && producer != nil:
		g.setPending(producer.ID, g.entry(key), pending{*value, offset})
	case value != nil:
		g.set(g.entry(key), *value, offset)
	default:
		e := g.find(key)
		switch {
		case e == nil:
		case producer != nil:
			g.forgetPending(producer.ID, e)
			g.release(e)
		default:
			g.unset(e, offset)
		}
	}
}

// EndTxn makes the pending offsets of a producer's transaction count, or drops them. It is for a marker in a replay, and for
// a marker that was written when it is committed. A producer without pending offsets is none of this group's.
func (g *Group) EndTxn(producerID int64, commit bool) {
	txn := g.txns[producerID]
	delete(g.txns, producerID)
	for e, p := range txn {
		e.txns--
		if commit {
			g.set(e, p.Offset, p.order)
		}
		g.release(e)
	}
}

func (g *Group) setPending(producerID int64, e *entry, p pending) {
	txn := g.txns[producerID]
	if txn == nil {
		txn = make(map[*entry]pending)
		g.txns[producerID] = txn
	}
	if _, had := txn[e]; !had {
		e.txns++
	}
	txn[e] = p
}

func (g *Group) forgetPending(producerID int64, e *entry) {
	txn := g.txns[producerID]
	if _, had := txn[e]; !had {
		return
	}
	e.txns--
	delete(txn, e)
	if len(txn) == 0 {
		delete(g.txns, producerID)
	}
}

// Fetched is one partition of an OffsetFetch.
type Fetched struct {
	Partition
	Offset             // Offset and LeaderEpoch are -1, Metadata "", when there is none or with Err
	Err    *kerr.Error // UNSTABLE_OFFSET_COMMIT
}

// Fetch reads partitions, in the order asked for; nil means all that have offsets, by topic and partition. With
// requireStable (KIP-447) a partition of which a commit is being stored, or is pending in a transaction, is unstable.
func (g *Group) Fetch(partitions []Partition, requireStable bool) []Fetched {
	if partitions == nil {
		fetched := make([]Fetched, 0, g.count)
		for _, t := range g.sorted() {
			for _, e := range t.entries {
				if e.exists {
					fetched = append(fetched, fetch(e.partition(), e, requireStable))
				}
			}
		}
		return fetched
	}
	fetched := make([]Fetched, 0, len(partitions))
	for _, p := range partitions {
		fetched = append(fetched, fetch(p, g.find(p), requireStable))
	}
	return fetched
}

func fetch(p Partition, e *entry, requireStable bool) Fetched {
	f := Fetched{Partition: p, Offset: Offset{Offset: -1, LeaderEpoch: -1, CommitTime: -1, ExpireTime: -1}}
	switch {
	case e == nil:
	case requireStable && e.unstable():
		f.Err = kerr.UnstableOffsetCommit
	case e.exists:
		f.Offset = e.Offset
	}
	return f
}

// Len is how many partitions have offsets. Together with Pending it tells whether the group can go.
func (g *Group) Len() int { return g.count }

// Pending tells whether commits are being stored or transactions are open.
func (g *Group) Pending() bool { return g.storing > 0 || len(g.txns) > 0 }
