package offsets

import (
	"errors"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// Commit is one partition of an OffsetCommit or TxnOffsetCommit.
type Commit struct {
	Partition
	Offset
	Err *kerr.Error // set by the caller for what it refused already (unknown topic), and by Group.Commit for what fails
}

// Commit stores offsets that membership allowed, those with an Err excepted, and replies with the same slice when
// that is done or failed; it may reply before it returns. An offset whose metadata is too long is refused alone, with
// OFFSET_METADATA_TOO_LARGE. With a producer the offsets are pending until EndTxn.
func (g *Group) Commit(x *journal.Turn, c Config, commits []Commit, producer *journal.Producer, reply func([]Commit)) {
	w := &write{g: g, producer: producer, commits: commits, reply: reply}
	now := x.Now.UnixMilli()
	for i := range commits {
		commit := &commits[i]
		if commit.Err == nil && tooLong(commit.Metadata, c.MetadataMaxBytes) {
			commit.Err = kerr.OffsetMetadataTooLarge
		}
		if commit.Err != nil {
			continue
		}
		if commit.CommitTime == -1 {
			commit.CommitTime = now
		}
		if commit.ExpireTime != -1 {
			commit.LeaderEpoch = -1 // the record of such an offset cannot hold it
		}
		w.entries = append(w.entries, g.entry(commit.Partition))
	}
	if len(w.entries) == 0 {
		reply(commits)
		return
	}

	records := make([]journal.Record, 0, len(w.entries))
	for i := range commits {
		if commits[i].Err == nil {
			records = append(records, g.record(&commits[i]))
		}
	}
	for _, e := range w.entries {
		e.storing++
	}
	g.storing++
	x.Append(journal.Write{Records: records, Producer: producer, Applied: w.applied, Done: w.done})
}

func (g *Group) record(c *Commit) journal.Record {
	return journal.OffsetRecord(g.key(c.Partition), kmsg.OffsetCommitValue{
		Offset:          c.Offset.Offset,
		LeaderEpoch:     c.LeaderEpoch,
		Metadata:        c.Metadata,
		CommitTimestamp: c.CommitTime,
		ExpireTimestamp: c.ExpireTime,
	})
}

func (g *Group) key(p Partition) kmsg.OffsetCommitKey {
	return kmsg.OffsetCommitKey{Group: g.id, Topic: p.Topic, Partition: p.Index}
}

// tooLong compares as Kafka does, by the length of Java's string: what the limit calls bytes are UTF-16 units.
// Whatever the limit, a record holds no more than 32,767 bytes.
func tooLong(metadata string, limit int32) bool {
	if len(metadata) > math.MaxInt16 {
		return true
	}
	if len(metadata) <= int(limit) {
		return false // there are no more units than bytes
	}
	units := utf8.RuneCountInString(metadata)
	for _, r := range metadata {
		if r > math.MaxUint16 {
			units++
		}
	}
	return units > int(limit)
}

// write is a commit on its way.
type write struct {
	g        *Group
	entries  []*entry // of the commits without Err, in their order
	producer *journal.Producer
	commits  []Commit
	reply    func([]Commit)
	order    int64 // 0 before it is in the log
}

func (w *write) applied(*journal.Turn) {
	w.g.last++
	w.order = w.g.last
	if w.producer != nil {
		w.each(func(e *entry, c *Commit) { w.g.setPending(w.producer.ID, e, w.pending(c)) })
	}
}

func (w *write) pending(c *Commit) pending {
	o := c.Offset
	o.Metadata = strings.Clone(o.Metadata) // and not a part of a request
	return pending{o, w.order}
}

func (w *write) done(_ *journal.Turn, err error) {
	g := w.g
	g.storing--
	if err == nil {
		g.settle(w.order)
	}
	w.each(func(e *entry, c *Commit) {
		e.storing--
		switch {
		case w.producer != nil || w.order == 0: // pending in a transaction, or not in the log
		case w.order <= g.committed: // also if it failed, and a later one did not
			g.set(e, c.Offset, w.order)
		case w.order > e.order && w.order >= g.unsure[e].order: // twice of one partition, the last counts
			g.unsure[e] = w.pending(c)
		}
		g.release(e)
	})
	if code := codeOf(err); code != nil {
		w.each(func(_ *entry, c *Commit) { c.Err = code })
	}
	w.reply(w.commits)
}

// each visits the commits that are written.
func (w *write) each(visit func(*entry, *Commit)) {
	entries := w.entries
	for i := range w.commits {
		if c := &w.commits[i]; c.Err == nil {
			visit(entries[0], c)
			entries = entries[1:]
		}
	}
}

// settle is told that a write is committed, and all that is older with it.
func (g *Group) settle(order int64) {
	g.committed = max(g.committed, order)
	for e, p := range g.unsure {
		if p.order <= g.committed {
			delete(g.unsure, e)
			g.set(e, p.Offset, p.order)
			g.release(e)
		}
	}
}

// codeOf is what a client is told of an error of the journal (GroupMetadataManager.maybeConvertOffsetCommitError).
func codeOf(err error) *kerr.Error {
	if err == nil {
		return nil
	}
	var code *kerr.Error
	if !errors.As(err, &code) {
		return kerr.UnknownServerError
	}
	switch code {
	case kerr.NetworkException: // of the check whether the transaction is open: clients retry this at once
		return kerr.CoordinatorLoadInProgress
	case kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend:
		return kerr.CoordinatorNotAvailable
	case kerr.NotLeaderForPartition, kerr.KafkaStorageError:
		return kerr.NotCoordinator
	case kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidFetchSize:
		return kerr.InvalidCommitOffsetSize
	default:
		return code
	}
}
