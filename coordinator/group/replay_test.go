package group

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// TestReplayEqualsLive walks at random over groups of both kinds, and after every step compares what lives with what a
// replay of the log makes: of the group that the step was about, of all groups when it was about all, now and then of a
// compacted log, and now and then of a whole second coordinator. A step is a request of a member, a transaction's marker,
// a deletion, an expiry, a change of topics, time that passes, a leader that changes; any append may be refused, and any
// wait for replicas may take long or fail.
//
// A million steps take some minutes: KBROKER_REPLAY_STEPS=1000000 go test -run TestReplayEqualsLive -timeout 30m
// KBROKER_REPLAY_SEED=n repeats a walk that failed.
func TestReplayEqualsLive(t *testing.T) {
	steps, seed := fromEnv(t, "KBROKER_REPLAY_STEPS", 3000), fromEnv(t, "KBROKER_REPLAY_SEED", uint64(time.Now().UnixNano()))
	const stretch = 20_000 // steps of one bubble, whose groups and clock begin anew
	for done := uint64(0); done < steps; done += stretch {
		t.Run(fmt.Sprintf("seed=%d", seed+done/stretch), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newWalk(t, seed+done/stretch).run(int(min(stretch, steps-done))) })
		})
	}
}

func fromEnv(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

type walk struct {
	t         *testing.T
	rand      *rand.Rand
	settings  *settings
	journal   *memoryJournal
	groups    *Groups
	epoch     int32
	clients   []*client
	producers [3]struct {
		journal.Producer
		busy atomic.Bool
		open bool
	}
	partitions []offsets.Partition // all that there can be
	version    uint64
	story      []string // the last steps

	// Under the journal's lock, as appends look at them.
	refuse, fail bool // appends, waits for replicas, until the next step
	// tainted are classic groups whose record was refused or not committed: Kafka lets those live on as if it had been.
	tainted map[string]bool
	// unsure are groups of whose offsets a commit failed after it was appended: until the next one it is not known to count.
	unsure map[string]bool
	// stored is the members of classic groups as their last records have them, which during a rebalance is not how they live.
	stored map[string]string
}

func newWalk(t *testing.T, seed uint64) *walk {
	w := &walk{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), settings: newSettings(), journal: newMemoryJournal(),
		tainted: make(map[string]bool), unsure: make(map[string]bool), stored: make(map[string]string), version: 1, epoch: 1,
	}
	for _, topic := range topicNames {
		for i := range int32(4) {
			w.partitions = append(w.partitions, offsets.Partition{Topic: topic, Index: i})
		}
	}
	w.journal.refuse = w.appended
	w.groups = newGroups(t, w.journal, w.settings)
	for i := range 24 {
		c := &client{name: fmt.Sprintf("client-%d", i), group: fmt.Sprintf("group-%d", i%6), rand: rand.New(rand.NewPCG(seed, uint64(i+2)))}
		if i%5 == 0 {
			instance := fmt.Sprintf("instance-%d", i%10)
			c.instance = &instance
		}
		w.clients = append(w.clients, c)
	}
	for i := range w.producers {
		w.producers[i].ID, w.producers[i].Epoch = int64(i), 1
	}
	lead(w.groups, w.journal, w.epoch)
	synctest.Wait()
	return w
}

// classicKey is the version of the key of a classic group.
const classicKey = 2

// appended decides about an append, and remembers what a failure means.
func (w *walk) appended(records []journal.Record) error {
	for _, r := range records {
		group := groupOf(r.Key)
		if r.Key[1] < classicKey && !w.refuse {
			w.unsure[group] = w.fail
		}
		if r.Key[1] == classicKey {
			w.tainted[group] = w.refuse || w.fail
		}
		if !w.refuse && r.Key[1] == classicKey {
			delete(w.stored, group)
			if r.Value != nil {
				value, err := journal.ParseGroup(r.Value)
				if err != nil {
					w.t.Errorf("the record of %s: %v", group, err)
					continue
				}
				w.stored[group] = classicText(classic.Load(group, value, w.groups.classic))
			}
		}
	}
	if w.refuse {
		return kerr.NotEnoughReplicas
	}
	return nil
}

func (w *walk) run(steps int) {
	for step := range steps {
		w.mishap(w.rand.IntN(30) == 0, w.rand.IntN(60) == 0)
		if w.rand.IntN(100) == 0 {
			w.slowness(slowest * time.Duration(w.rand.IntN(2)))
		}
		about := w.step()
		synctest.Wait()
		w.check(about, step%50 == 0)
		switch {
		case step%500 == 499:
			w.second()
		case step%97 == 96:
			w.clean()
		}
		if w.t.Failed() {
			return
		}
	}
	w.mishap(false, false)
	w.slowness(0)
	time.Sleep(time.Hour)
	synctest.Wait()
	for _, c := range w.clients {
		if c.busy.Load() {
			w.t.Errorf("%s was never answered", c.name)
		}
	}
}

// mishap has appends refused, and waits for replicas fail.
func (w *walk) mishap(refuse, fail bool) {
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	w.refuse, w.fail, w.journal.fails = refuse, fail, nil
	if fail {
		w.journal.fails = kerr.RequestTimedOut
	}
}

// slowest is how long a wait for replicas takes, when it takes long.
const slowest = 20 * time.Millisecond

func (w *walk) slowness(delay time.Duration) {
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	w.journal.delay = delay
}

// note tells the story of a step.
func (w *walk) note(format string, args ...any) {
	w.story = append(w.story, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	if len(w.story) > 40 {
		w.story = slices.Delete(w.story, 0, 20)
	}
}

// step does something, and tells which group it is about; "" for all.
func (w *walk) step() string {
	switch n := w.rand.IntN(1000); {
	case n < 120:
		return w.all("advance", func() { time.Sleep(time.Duration(w.rand.IntN(4000)) * time.Millisecond) })
	case n < 140:
		return w.all("advance far", func() { time.Sleep(time.Duration(w.rand.IntN(50)) * time.Second) })
	case n < 142:
		w.mishap(false, false) // what is refused is tried again twice in a second: for days that takes long
		return w.all("advance by days", func() { time.Sleep(time.Duration(w.rand.IntN(9)) * 24 * time.Hour) })
	case n < 150:
		return w.all("expire", func() { w.shard().each(func(a *actor, x *journal.Turn) { a.expire(x) }) })
	case n < 155:
		return w.all("topics", w.changeTopics)
	case n < 158:
		return w.all("failover", w.failover)
	case n < 190:
		return w.endTxn()
	case n < 210:
		group := fmt.Sprintf("group-%d", w.rand.IntN(6))
		w.note("delete %s", group)
		go w.groups.Delete(w.t.Context(), group)
		return group
	case n < 230:
		group, some := fmt.Sprintf("group-%d", w.rand.IntN(6)), somePartitions(w.rand)
		w.note("delete offsets of %s", group)
		go w.groups.DeleteOffsets(w.t.Context(), group, some)
		return group
	default:
		return w.act(w.clients[w.rand.IntN(len(w.clients))])
	}
}

func (w *walk) all(what string, f func()) string {
	w.note("%s", what)
	f()
	return ""
}

// act has a client do something that makes some sense for it.
func (w *walk) act(c *client) string {
	if c.busy.Load() {
		return c.group
	}
	ctx, g := w.t.Context(), w.groups
	start := func(what string, f func()) string {
		w.note("%s %s of %s epoch %d: %s", c.name, c.id, c.group, c.epoch, what)
		c.busy.Store(true)
		go func() {
			f()
			c.busy.Store(false)
		}()
		return c.group
	}
	switch n := w.rand.IntN(100); {
	case n < 15:
		return start("commit", func() { c.commit(ctx, g, nil) })
	case n < 25:
		p := &w.producers[w.rand.IntN(len(w.producers))]
		if p.busy.Load() {
			return c.group
		}
		p.busy.Store(true)
		p.open = true
		return start("transactional commit", func() {
			c.commit(ctx, g, &journal.Producer{ID: p.ID, Epoch: p.Epoch})
			p.busy.Store(false)
		})
	case n < 30:
		return start("leave", func() { c.leave(ctx, g) })
	case n < 35 && c.id != "": // change the protocol, joining anew
		if c.modern {
			return start("join", func() { c.joinClassic(ctx, g) })
		}
		return start("heartbeat (new)", func() { c.heartbeat(ctx, g) })
	case c.id == "" && n%2 == 0 || c.modern && c.id != "":
		return start("heartbeat (new)", func() { c.heartbeat(ctx, g) })
	case c.id == "" || n < 50:
		return start("join", func() { c.joinClassic(ctx, g) })
	case n < 80:
		return start("sync", func() { c.sync(ctx, g) })
	default:
		return start("heartbeat", func() { c.heartbeatClassic(ctx, g) })
	}
}

func (w *walk) endTxn() string {
	p := &w.producers[w.rand.IntN(len(w.producers))]
	if p.busy.Load() || !p.open {
		return ""
	}
	p.open = false
	marker := journal.Commit
	if w.rand.IntN(3) == 0 {
		marker = journal.Abort
	}
	return w.all(fmt.Sprintf("end the transaction of %d: %d", p.ID, marker), func() {
		w.journal.mark(0, p.Producer, marker)
		w.groups.EndTxn(0, p.ID, marker == journal.Commit)
	})
}

func (w *walk) changeTopics() {
	w.version++
	partitions := map[string]int32{"orders": 4, "payments": w.rand.Int32N(4) + 1, "refunds": 1}
	gone := topicNames[w.rand.IntN(4)%3]
	delete(partitions, gone)
	w.settings.setImage(newImage(w.version, partitions))
	w.groups.TopicsChanged(map[string][]int32{gone: {0, 1, 2, 3}})
}

// failover has the groups loaded anew, after all that waited were sent away.
func (w *walk) failover() {
	w.mishap(false, false)
	w.groups.LeadershipChanged(0, w.epoch, false)
	synctest.Wait()
	time.Sleep(slowest) // a commit to a group that was deleted meanwhile ends when its wait for replicas does
	synctest.Wait()
	for _, c := range w.clients {
		if c.busy.Load() {
			w.t.Errorf("%s waits for a group that is not here\n%s", c.name, strings.Join(w.story, "\n"))
		}
	}
	w.epoch++
	lead(w.groups, w.journal, w.epoch)
	synctest.Wait()
	w.journal.mu.Lock()
	clear(w.tainted)
	clear(w.unsure)
	w.journal.mu.Unlock()
	for i := range 6 {
		group := fmt.Sprintf("group-%d", i)
		if _, stored, _ := w.look(w.live(group)); !stored {
			w.t.Errorf("%s is in a rebalance after it was loaded", group)
		}
	}
}

func (w *walk) shard() *shard {
	w.groups.mu.RLock()
	defer w.groups.mu.RUnlock()
	return w.groups.shards[0]
}

func (w *walk) live(group string) *actor {
	s := w.shard()
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.actors[group]
}

// check compares groups with what the log says of them.
func (w *walk) check(about string, compacted bool) {
	entries := w.journal.snapshot(0)
	if compacted {
		entries = compact(entries, w.rand.IntN(2) == 0)
	}
	for i := range 6 {
		group := fmt.Sprintf("group-%d", i)
		if about == "" || group == about {
			w.compare(group, w.replayed(entries, group))
		}
	}
}

// replayed makes a group of the log, without the rest of a coordinator.
func (w *walk) replayed(entries []entry, group string) *actor {
	r := newReplay(&shard{groups: w.groups, log: zap.NewNop()})
	for _, e := range entries {
		if e.Marker == journal.NoMarker && e.group != group {
			continue
		}
		if err := r.visit(e.Entry); err != nil {
			w.t.Fatalf("replay: %v", err)
		}
	}
	return r.actors()[group]
}

// look dumps a group in its mailbox. settled is false while it waits for a write to be committed.
func (w *walk) look(a *actor) (d dump, stored, settled bool) {
	if a == nil {
		d, stored = dumpOf(nil, w.partitions)
		return d, stored, true
	}
	looked := make(chan struct{})
	a.box.Post(func() {
		d, stored = dumpOf(a, w.partitions)
		settled = len(a.pending) == 0
		close(looked)
	})
	<-looked
	return d, stored, settled
}

func (w *walk) compare(group string, replayed *actor) {
	want, stored, settled := w.look(w.live(group))
	if !settled {
		return
	}
	got, _, _ := w.look(replayed)
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	if w.unsure[group] {
		got.offsets, want.offsets = "", ""
	}
	switch {
	case w.tainted[group]:
		got.members, want.members = "", ""
	case stored:
	case w.stored[group] != "":
		want.members = w.stored[group]
	default:
		want.members = "no members stored"
	}
	if got != want {
		w.t.Errorf("%s\nlives as\n%+v\nis replayed as\n%+v\nafter\n%s", group, want, got, strings.Join(w.story, "\n"))
	}
}

// second compares all groups with those of a coordinator that loads a copy of the log.
func (w *walk) second() {
	j := newMemoryJournal()
	j.replace(0, w.journal.snapshot(0))
	g := newGroups(w.t, j, w.settings)
	lead(g, j, 1)
	synctest.Wait()
	for i := range 6 {
		group := fmt.Sprintf("group-%d", i)
		g.mu.RLock()
		replayed := g.shards[0].actors[group]
		g.mu.RUnlock()
		w.compare(group, replayed)
	}
	g.Close()
	synctest.Wait()
}

// clean has the log cleaned.
func (w *walk) clean() {
	w.note("clean the log")
	w.journal.replace(0, compact(w.journal.snapshot(0), w.rand.IntN(2) == 0))
	w.check("", false)
}
