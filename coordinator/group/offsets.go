package group

import (
	"cmp"
	"context"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// consumerProtocol is the protocol type of groups of consumers, whose members say what they subscribe to.
const consumerProtocol = "consumer"

// CommitRequest is an OffsetCommit, or a TxnOffsetCommit with Producer. Version is the API's, on which some codes depend.
type CommitRequest struct {
	classic.Committer
	Version  int16
	Producer *journal.Producer
	Commits  []offsets.Commit // those that the caller refused have their Err and are left alone
}

// Commit answers with the Err of each. A commit outside of any generation makes the group, as one that only keeps offsets; so
// does any transactional one, as in Kafka.
func (g *Groups) Commit(ctx context.Context, group string, r CommitRequest) []offsets.Commit {
	refuse := func(err *kerr.Error) []offsets.Commit {
		if err == kerr.GroupIDNotFound && (r.Version < 9 || !g.o.Config().ConsumerProtocol) {
			err = kerr.IllegalGeneration
		}
		// The request's own slice may be in use by a commit that ctx did not wait for.
		answers := make([]offsets.Commit, len(r.Commits))
		for i, c := range r.Commits {
			if c.Err == nil {
				c.Err = err
			}
			answers[i] = c
		}
		return answers
	}
	if group == "" && r.Producer != nil {
		return refuse(kerr.InvalidGroupID)
	}
	create := none
	if r.Generation < 0 || r.Producer != nil {
		create = classicKind
	}
	commits := append([]offsets.Commit(nil), r.Commits...)
	return ask(ctx, g, group, create, func(a *actor, x *journal.Turn, reply func([]offsets.Commit)) {
		if err := a.mayCommit(x, r); err != nil {
			reply(refuse(err))
			return
		}
		if r.Producer != nil {
			a.shard.txnOpened(r.Producer.ID, a.id)
		}
		a.offsets.Commit(x, g.o.Config().Offsets, commits, r.Producer, func(answers []offsets.Commit) {
			g.metrics.committed(answers)
			reply(answers)
		})
	}, refuse)
}

// mayCommit tells whether membership allows the commit. In a group of the new protocol an older epoch is good for partitions that
// the member has held since (KIP-1251); one that it does not hold fails the request.
func (a *actor) mayCommit(x *journal.Turn, r CommitRequest) *kerr.Error {
	c := r.Committer
	c.Txn = r.Producer != nil
	if a.consumer == nil {
		return a.classic.MayCommit(x, c)
	}
	err := a.consumer.MayCommit(c, r.Version)
	if err == kerr.StaleMemberEpoch {
		err = a.mayCommitAll(c, r)
	}
	if err == kerr.StaleMemberEpoch && c.Txn {
		return kerr.IllegalGeneration // producers do not know the other
	}
	return err
}

func (a *actor) mayCommitAll(c classic.Committer, r CommitRequest) *kerr.Error {
	image := a.shard.groups.o.Image()
	for _, p := range r.Commits {
		if p.Err != nil {
			continue
		}
		topic, _ := image.TopicByName(p.Topic)
		if err := a.consumer.MayCommitPartition(c, r.Version, topic.ID, p.Index); err != nil {
			return err
		}
	}
	return nil
}

// FetchRequest is the part of an OffsetFetch about one group.
type FetchRequest struct {
	MemberID      string // "": not said (before v9)
	MemberEpoch   int32
	RequireStable bool
	Partitions    []offsets.Partition // nil: all
}

// Fetch tells what is committed. A group that is not known has no offsets: that is no error.
func (g *Groups) Fetch(ctx context.Context, group string, r FetchRequest) ([]offsets.Fetched, *kerr.Error) {
	type answer struct {
		fetched []offsets.Fetched
		err     *kerr.Error
	}
	refuse := func(err *kerr.Error) answer {
		if err != kerr.GroupIDNotFound {
			return answer{err: err}
		}
		fetched := make([]offsets.Fetched, 0, len(r.Partitions))
		for _, p := range r.Partitions {
			fetched = append(fetched, offsets.Fetched{Partition: p, Offset: offsets.Offset{Offset: -1, LeaderEpoch: -1}})
		}
		return answer{fetched: fetched}
	}
	got := ask(ctx, g, group, none, func(a *actor, x *journal.Turn, reply func(answer)) {
		if a.consumer != nil {
			if err := a.consumer.MayFetch(r.MemberID, r.MemberEpoch); err != nil {
				reply(answer{err: err})
				return
			}
		}
		reply(answer{fetched: a.offsets.Fetch(r.Partitions, r.RequireStable)})
	}, refuse)
	return got.fetched, got.err
}

// DeletedOffset is the outcome of an OffsetDelete for one partition.
type DeletedOffset struct {
	offsets.Partition
	Err *kerr.Error
}

// DeleteOffsets removes committed offsets (OffsetDelete, KIP-496), except those of topics that a member subscribes to: those
// get GROUP_SUBSCRIBED_TO_TOPIC. Where subscriptions cannot be known, the group must be empty (NON_EMPTY_GROUP).
func (g *Groups) DeleteOffsets(ctx context.Context, group string, partitions []offsets.Partition) ([]DeletedOffset, *kerr.Error) {
	type answer struct {
		deleted []DeletedOffset
		err     *kerr.Error
	}
	if group == "" {
		return nil, kerr.InvalidGroupID
	}
	got := ask(ctx, g, group, none, func(a *actor, x *journal.Turn, reply func(answer)) {
		subscribed, err := a.subscriptions()
		if err != nil {
			reply(answer{err: err})
			return
		}
		deleted := make([]DeletedOffset, 0, len(partitions))
		var free []offsets.Partition
		for _, p := range partitions {
			d := DeletedOffset{Partition: p}
			if subscribed(p.Topic) {
				d.Err = kerr.GroupSubscribedToTopic
			} else {
				free = append(free, p)
			}
			deleted = append(deleted, d)
		}
		if len(free) == 0 {
			reply(answer{deleted: deleted})
			return
		}
		a.offsets.Delete(x, free, func(err *kerr.Error) {
			if err != nil {
				reply(answer{err: err})
				return
			}
			reply(answer{deleted: deleted})
		})
		x.Append(journal.Write{Applied: a.removeIfUnused})
	}, func(err *kerr.Error) answer { return answer{err: err} })
	return got.deleted, got.err
}

// subscriptions tells which topics' offsets members may be using.
func (a *actor) subscriptions() (func(topic string) bool, *kerr.Error) {
	if a.consumer != nil {
		return a.consumer.Subscribed, nil
	}
	switch {
	case a.classic.State() == classic.Empty:
		return func(string) bool { return false }, nil
	case a.classic.ProtocolType() != consumerProtocol:
		return nil, kerr.NonEmptyGroup
	}
	return func(topic string) bool {
		subscribed, known := a.classic.Subscribed(topic)
		return subscribed || !known
	}, nil
}

func comparePartitions(a, b offsets.Partition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Index, b.Index))
}
