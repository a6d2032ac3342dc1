package consumer

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// topics is an image of named topics, whose ids are made of their names and how often they were created.
type topics struct {
	version uint64
	byName  map[string]assign.Topic
	byID    map[[16]byte]string
}

func (t *topics) Version() uint64 { return t.version }

func (t *topics) Topic(id [16]byte) (assign.Topic, bool) {
	name, ok := t.byID[id]
	return t.byName[name], ok
}

func (t *topics) TopicByName(name string) (assign.Topic, bool) {
	topic, ok := t.byName[name]
	return topic, ok
}

func (t *topics) Name(id [16]byte) (string, bool) { name, ok := t.byID[id]; return name, ok }

func (t *topics) Names() []string { return slices.Sorted(maps.Keys(t.byName)) }

// with returns the next image, in which a topic has that many partitions; none at all with 0.
func (t *topics) with(name string, partitions int32) *topics {
	next := &topics{t.version + 1, maps.Clone(t.byName), maps.Clone(t.byID)}
	topic, ok := next.byName[name]
	if partitions == 0 {
		delete(next.byName, name)
		delete(next.byID, topic.ID)
		return next
	}
	if !ok {
		copy(topic.ID[:], name)
		topic.ID[15] = byte(next.version)
	}
	topic.Partitions = partitions
	next.byName[name], next.byID[topic.ID] = topic, name
	return next
}

// world runs a group as the actor of the coordinator does, with a log and a clock of its own, and checks after every
// turn what must always be true.
type world struct {
	t      testing.TB
	g      *Group
	config *Config
	image  *topics
	now    time.Time
	wake   time.Time
	log    []journal.Record
	fail   error // appends are refused
	hold   bool  // appends succeed, and are not committed before release
	held   []func(*journal.Turn, error)
	out    *strings.Builder // what happened
	ids    int
	turns  int
	shadow *Group // what a replay of the log so far makes
	read   int    // how much of the log that is
	cheap  bool   // no checks
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, now: time.Unix(1_000_000, 0), out: &strings.Builder{}}
	w.image = &topics{version: 1, byName: map[string]assign.Topic{}, byID: map[[16]byte]string{}}
	w.config = &Config{
		SessionTimeout: 45 * time.Second, HeartbeatInterval: 5 * time.Second, MaxSize: 1000,
		Assignors: []assign.Assignor{assign.Uniform(), assign.Range()},
		Upgrade:   true, Downgrade: true, RegexRefresh: 10 * time.Minute,
		NewID: func() string { w.ids++; return fmt.Sprintf("id-%d", w.ids) },
	}
	w.g = New("g", w.config)
	return w
}

func (w *world) sayf(format string, args ...any) { fmt.Fprintf(w.out, format+"\n", args...) }

// turn runs one step of the machine and carries out what it asks for.
func (w *world) turn(step func(x *journal.Turn)) {
	x := &journal.Turn{Now: w.now}
	step(x)
	for i := 0; i < len(x.Writes); i++ {
		write := x.Writes[i]
		if w.fail != nil && len(write.Records) > 0 {
			w.sayf("append refused: %v", w.fail)
			write.Done(x, fmt.Errorf("append: %w", w.fail))
			continue
		}
		w.log = append(w.log, write.Records...)
		w.sayRecords(write.Records)
		if write.Applied != nil {
			write.Applied(x)
		}
		if w.hold {
			w.held = append(w.held, write.Done)
		} else if write.Done != nil {
			write.Done(x, nil)
		}
	}
	for _, r := range x.Rebalances {
		w.sayf("rebalance %d: %s", r.Generation, r.Reason)
	}
	if at := x.Wake(); !at.IsZero() && (w.wake.IsZero() || at.Before(w.wake)) {
		w.wake = at
	}
	if !w.cheap {
		w.check()
	}
}

// release ends all writes that are held, with an error or without.
func (w *world) release(err error) {
	held := w.held
	w.held = nil
	w.turn(func(x *journal.Turn) {
		for _, done := range held {
			done(x, err)
		}
	})
}

// advance moves the clock, with a Tick whenever one is due.
func (w *world) advance(d time.Duration) {
	end := w.now.Add(d)
	for !w.wake.IsZero() && !w.wake.After(end) {
		w.now = later(w.now, w.wake)
		w.wake = time.Time{}
		w.turn(func(x *journal.Turn) { w.g.Tick(x, w.image) })
	}
	w.now = end
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (w *world) setTopic(name string, partitions int32) {
	w.image = w.image.with(name, partitions)
	w.turn(func(x *journal.Turn) { w.g.TopicsChanged(x) })
}

// replay makes a group of records.
func (w *world) replay(records []journal.Record) *Group {
	g := New("g", w.config)
	w.replayInto(g, records)
	return g
}

func (w *world) replayInto(g *Group, records []journal.Record) {
	for _, r := range records {
		key, err := journal.ParseKey(r.Key)
		if err != nil {
			w.t.Fatalf("key of a record: %v", err)
		}
		k, ok := key.(journal.ConsumerKey)
		if !ok {
			continue // a classic group's
		}
		value, err := journal.ParseConsumer(k, r.Value)
		if err != nil {
			w.t.Fatalf("value of a record: %v", err)
		}
		g.Replay(k, value)
	}
}

// compacted leaves the newest record of each key, in order; tombstones too or not.
func compacted(log []journal.Record, tombstones bool) []journal.Record {
	newest := map[string]int{}
	for i, r := range log {
		newest[string(r.Key)] = i
	}
	var left []journal.Record
	for i, r := range log {
		if newest[string(r.Key)] == i && (tombstones || r.Value != nil) {
			left = append(left, r)
		}
	}
	return left
}

// restart puts in place of the group what is read back from the log.
func (w *world) restart() {
	w.g = w.replay(w.log)
	w.wake, w.held, w.shadow = time.Time{}, nil, nil
	w.turn(func(x *journal.Turn) { w.g.Loaded(x) })
}

func (w *world) check() {
	w.t.Helper()
	if w.shadow == nil {
		w.shadow, w.read = New("g", w.config), 0
	}
	w.replayInto(w.shadow, w.log[w.read:])
	w.read = len(w.log)
	replays := map[string]*Group{"log": w.shadow}
	if w.turns++; w.turns%20 == 1 {
		replays["compacted log"] = w.replay(compacted(w.log, true))
		newest := compacted(w.log, false)
		replays["compacted log without tombstones"] = w.replay(newest)
		rand.Shuffle(len(newest), func(i, j int) { newest[i], newest[j] = newest[j], newest[i] })
		replays["shuffled compacted log"] = w.replay(newest)
	}
	live := dump(w.g)
	for name, g := range replays {
		if replayed := dump(g); replayed != live {
			w.t.Fatalf("the %s makes another group\n%s\nthan the live one\n%s\nafter\n%s", name, replayed, live, w.out)
		}
	}
	owners := map[ownedPartition]string{}
	for _, s := range w.g.order {
		for _, h := range []holding{s.assigned, s.revoking} {
			for topic, held := range h {
				for _, p := range held.partitions {
					if other, ok := owners[ownedPartition{topic, p}]; ok {
						w.t.Fatalf("%s and %s both hold partition %d of %q after\n%s", other, s.id, p, topic[:4], w.out)
					}
					owners[ownedPartition{topic, p}] = s.id
				}
			}
		}
	}
	if !maps.Equal(owners, w.g.owners) {
		w.t.Fatalf("the table of owners is %v, want %v", w.g.owners, owners)
	}
}

// dump is all stored state of a group and its indexes as text.
func dump(g *Group) string {
	var b strings.Builder
	fmt.Fprintf(&b, "epoch %d hash %x stored %v target %d at %d stored %v old metadata %v\n",
		g.epoch, g.hash, g.epochStored, g.targetEpoch, g.targetTime, g.targetEpochStored, g.hasPartitionMetadata)
	for _, s := range g.order {
		fmt.Fprintf(&b, "member %s instance %s rack %s client %v topics %q regex %q x%d rebalance %v assignor %q epoch %d previous %d %v\n assigned %s\n revoking %s\n",
			s.id, text(s.instance), text(s.rack), s.client, s.sub.topics, s.sub.regex, s.sub.members, s.rebalanceTimeout, s.assignor,
			s.epoch, s.previousEpoch, s.state, dumpHolding(s.assigned), dumpHolding(s.revoking))
		if s.classic != nil {
			fmt.Fprintf(&b, " classic %v %q\n", s.classic.sessionTimeout, s.classic.protocols)
		}
	}
	for _, id := range sortedKeys(g.targets) {
		fmt.Fprintf(&b, "target %s", id)
		for _, topic := range topicsOf(g.targets[id]) {
			fmt.Fprintf(&b, " %x:%v", topic, g.targets[id][topic])
		}
		b.WriteByte('\n')
	}
	for _, regex := range sortedKeys(g.regexes) {
		fmt.Fprintf(&b, "regex %s %+v\n", regex, *g.regexes[regex])
	}
	fmt.Fprintf(&b, "instances %v subs %d regex members %d assignors %v classics %d %v owners %v\n",
		g.instances, len(g.subs), g.regexMembers, g.assignors, g.classics, g.classicProtocols, g.owners)
	return b.String()
}

func dumpHolding(h holding) string {
	var b strings.Builder
	for _, topic := range topicsOf(h) {
		fmt.Fprintf(&b, " %x:%v@%v", topic, h[topic].partitions, h[topic].epochs)
	}
	return b.String()
}

func text(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

// named is partitions with the names of their topics.
func (w *world) named(p assign.Partitions) string {
	if len(p) == 0 {
		return "nothing"
	}
	var list []string
	for topic, partitions := range p {
		name, _, _ := bytes.Cut(topic[:15], []byte{0})
		list = append(list, fmt.Sprintf("%s%v", name, partitions))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// errorNamed finds an error by Kafka's name for it.
func errorNamed(name string) *kerr.Error {
	for code := int16(-1); code < 140; code++ {
		if e := kerr.TypedErrorForCode(code); e != nil && e.Message == name {
			return e
		}
	}
	panic("no error " + name)
}

// TestALateTombstoneTakesNothingFromASuccessor: a log in which an older record of one key outlived a newer one of
// another, as while it is being cleaned.
func TestALateTombstoneTakesNothingFromASuccessor(t *testing.T) {
	g := New("g", newWorld(t).config)
	instance := "i"
	held := holding{{1}: heldSince([]int32{0}, 1)}
	for _, id := range []string{"old", "new"} {
		m := newMember(id)
		m.instance, m.assigned = &instance, held
		memberSet{m}.apply(g)
		currentSet{m}.apply(g)
	}
	currentGone{"old"}.apply(g)
	memberGone{"old"}.apply(g)
	if g.instances[instance] != "new" || g.owners[ownedPartition{[16]byte{1}, 0}] != "new" {
		t.Errorf("instances %v, owners %v", g.instances, g.owners)
	}
}
