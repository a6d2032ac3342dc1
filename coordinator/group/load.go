package group

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// load begins to lead a partition: it starts to read its groups, and returns at once.
func (g *Groups) load(partition, epoch int32) *shard {
	ctx, stop := context.WithCancel(context.Background())
	s := &shard{
		groups: g, partition: partition, epoch: epoch, stop: stop,
		log: g.log.With(zap.Int32("partition", partition), zap.Int32("leader_epoch", epoch)),
	}
	g.running.Go(func() {
		defer stop()
		select {
		case g.loading <- struct{}{}:
			begun := time.Now()
			r, err := s.read(ctx)
			<-g.loading
			s.begin(ctx, r, err, begun)
		case <-ctx.Done():
		}
	})
	return s
}

// read reads the partition.
func (s *shard) read(ctx context.Context) (*replay, error) {
	r := newReplay(s)
	return r, s.groups.o.Journal.Load(ctx, s.partition, s.epoch, r.visit)
}

// begin brings the groups that were read to life, once what was read can no longer be lost: a new leader may hold commits that
// another one never got, and offsets that were served must not go back.
func (s *shard) begin(ctx context.Context, r *replay, err error, start time.Time) {
	if err == nil {
		err = s.groups.o.Journal.Settled(ctx, s.partition, s.epoch, r.end)
	}
	took := time.Since(start)
	switch {
	case ctx.Err() != nil || errors.Is(err, kerr.NotLeaderForPartition):
		s.fail()
		s.groups.metrics.loaded("over", took)
		s.log.Info("stopped to load groups as leadership moved on")
		return
	case err != nil:
		s.fail()
		s.groups.metrics.loaded("failed", took)
		s.log.Error("could not load groups: the groups of this partition have no coordinator until its leader changes; "+
			"if that fails alike, the record at this offset has to go (compact it away, or delete records up to it)", zap.Error(err))
		return
	}
	actors := r.actors()
	groups := len(actors) // activate gives them away
	if !s.activate(actors, r.open) {
		return
	}
	s.groups.metrics.loaded("loaded", took)
	level := zap.InfoLevel
	if r.entries == 0 {
		level = zap.DebugLevel // fifty lines about nothing
	}
	s.log.Log(level, "loaded groups", zap.Int("groups", groups), zap.Int64("entries", r.entries), zap.Duration("took", took))
}

// replay is the groups of a partition as they come out of its log.
type replay struct {
	shard   *shard
	groups  map[string]*replayed
	open    map[int64]map[string]struct{} // groups by producer with an open transaction
	entries int64
	end     int64           // offset behind the last entry
	skipped map[string]bool // unknown keys that a warning told of
}

// replayed is what was read of a group so far.
type replayed struct {
	offsets *offsets.Group
	classic *kmsg.GroupMetadataValue // nil: none, or a tombstone
	// consumer is nil before the first record of the new protocol; a group that its tombstones made empty is not stored.
	consumer *consumer.Group
	// The offsets of the last records of either kind that are no tombstones.
	classicAt, consumerAt int64
}

func newReplay(s *shard) *replay {
	return &replay{
		shard: s, groups: make(map[string]*replayed), open: make(map[int64]map[string]struct{}),
		skipped: make(map[string]bool),
	}
}

// visit takes one entry of the log.
func (r *replay) visit(e journal.Entry) error {
	r.entries++
	r.end = e.Offset + 1
	if e.Marker != journal.NoMarker {
		r.endTxn(e)
		return nil
	}
	key, err := journal.ParseKey(e.Key)
	if errors.Is(err, journal.ErrUnknownKey) {
		r.skip(err)
		return nil
	}
	if err == nil {
		err = r.apply(e, key)
	}
	if err != nil {
		return fmt.Errorf("replay the record at offset %d: %w", e.Offset, err)
	}
	return nil
}

func (r *replay) apply(e journal.Entry, key any) error {
	switch key := key.(type) {
	case *kmsg.OffsetCommitKey:
		return r.offset(e, key)
	case *kmsg.GroupMetadataKey:
		g := r.group(key.Group)
		g.classic = nil
		if e.Value == nil {
			return nil
		}
		value, err := journal.ParseGroup(e.Value)
		if err != nil {
			return err
		}
		g.classic, g.classicAt = value, e.Offset
	case journal.ConsumerKey:
		value, err := journal.ParseConsumer(key, e.Value)
		if err != nil {
			return err
		}
		g := r.group(key.Group())
		if g.consumer == nil {
			g.consumer = consumer.New(key.Group(), r.shard.groups.o.Consumer(key.Group()))
		}
		g.consumer.Replay(key, value)
		if value != nil {
			g.consumerAt = e.Offset
		}
	}
	return nil
}

func (r *replay) offset(e journal.Entry, key *kmsg.OffsetCommitKey) error {
	g := r.group(key.Group)
	p := offsets.Partition{Topic: key.Topic, Index: key.Partition}
	if e.Producer != nil {
		addOpen(r.open, e.Producer.ID, key.Group)
	}
	if e.Value == nil {
		g.offsets.Replay(e.Offset, p, nil, e.Producer)
		return nil
	}
	v, err := journal.ParseOffset(e.Value)
	if err != nil {
		return err
	}
	g.offsets.Replay(e.Offset, p, &offsets.Offset{
		Offset: v.Offset, LeaderEpoch: v.LeaderEpoch, Metadata: v.Metadata,
		CommitTime: v.CommitTimestamp, ExpireTime: v.ExpireTimestamp,
	}, e.Producer)
	return nil
}

func (r *replay) endTxn(e journal.Entry) {
	for group := range r.open[e.Producer.ID] {
		r.groups[group].offsets.EndTxn(e.Producer.ID, e.Marker == journal.Commit)
	}
	delete(r.open, e.Producer.ID)
}

func (r *replay) group(id string) *replayed {
	g := r.groups[id]
	if g == nil {
		g = &replayed{offsets: offsets.New(id)}
		r.groups[id] = g
	}
	return g
}

// skip warns once of each unknown version.
func (r *replay) skip(err error) {
	if r.skipped[err.Error()] {
		return
	}
	r.skipped[err.Error()] = true
	r.shard.log.Warn("skipped records that another kind of coordinator wrote, maybe a newer Kafka", zap.Error(err))
}

// actors is the groups that live.
func (r *replay) actors() map[string]*actor {
	actors := make(map[string]*actor, len(r.groups))
	for id, g := range r.groups {
		if a := g.actor(r.shard, id); a != nil {
			actors[id] = a
		}
	}
	return actors
}

// actor makes a group of what was read of it; nil when nothing is left. A group that only has offsets is a classic one
// without a protocol type.
func (g *replayed) actor(s *shard, id string) *actor {
	a := &actor{shard: s, id: id, offsets: g.offsets}
	stored := g.consumer != nil && g.consumer.Stored()
	switch {
	case stored && (g.classic == nil || g.consumerAt > g.classicAt):
		a.consumer = g.consumer
		if g.classic != nil {
			a.stray = []journal.Record{journal.GroupTombstone(id)}
		}
	case g.classic != nil:
		a.classic = classic.Load(id, g.classic, s.groups.classic)
		if stored {
			a.stray = g.consumer.Delete()
		}
	case g.offsets.Len() > 0 || g.offsets.Pending():
		a.classic = classic.New(id, s.groups.classic)
	default:
		return nil
	}
	return a
}
