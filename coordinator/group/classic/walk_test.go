package classic

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// walker sends a group whatever clients, clocks and disks can, in any order, and holds what it answers to what it
// answered before.
type walker struct {
	*world
	t       *testing.T
	random  *rand.Rand
	clients []*client
	// protocols and assigned are what was answered and stored for each generation.
	protocols map[int32]string
	assigned  map[int32]map[string][]byte
	lost      bool // the last write was not stored
}

// client is a process, as it knows itself.
type client struct {
	name       string
	static     bool
	id         string
	generation int32
	leads      bool
	protocols  []Protocol
}

func TestRandomWalk(t *testing.T) {
	reached := map[State]int{}
	for seed := range uint64(150) {
		w := newWalker(t, seed)
		for range 400 {
			w.step()
			reached[w.State()]++
			for _, broken := range w.broken() {
				t.Fatalf("seed %d: %s\n%s", seed, broken, w.out.String())
			}
		}
		w.Close(kerr.NotCoordinator)
		for _, broken := range w.broken() {
			t.Fatalf("seed %d: at the end %s", seed, broken)
		}
	}
	for _, s := range []State{Empty, PreparingRebalance, CompletingRebalance, Stable} {
		if reached[s] < 100 {
			t.Errorf("only %d steps in %s", reached[s], s)
		}
	}
}

func newWalker(t *testing.T, seed uint64) *walker {
	w := &walker{
		world: newWorld(), t: t, random: rand.New(rand.NewPCG(seed, 7)),
		protocols: map[int32]string{}, assigned: map[int32]map[string][]byte{},
	}
	for i := range 6 {
		w.clients = append(w.clients, &client{name: fmt.Sprintf("c%d", i), static: i >= 4})
	}
	return w
}

func (w *walker) step() {
	c := w.clients[w.random.IntN(len(w.clients))]
	w.printf("> %v %s", w.now.Sub(w.start), c.name)
	switch n := w.random.IntN(100); {
	case n < 34:
		w.joins(c)
	case n < 54:
		w.syncs(c)
	case n < 60:
		w.turn(func(x *journal.Turn) {
			w.Heartbeat(x, HeartbeatRequest{MemberID: c.id, InstanceID: c.instance(), Generation: c.generation})
		})
	case n < 63:
		w.turn(func(x *journal.Turn) {
			w.Leave(x, LeaveRequest{Members: []Leaving{{MemberID: c.id, InstanceID: c.instance()}}})
		})
	case n < 65:
		w.turn(func(x *journal.Turn) { w.MayCommit(x, Committer{MemberID: c.id, Generation: c.generation}) })
	case n < 82:
		w.stores()
	case n < 96:
		w.advance(time.Duration(w.random.IntN(8000)) * time.Millisecond)
	case n < 98:
		w.config.MaxSize = int32(2 + w.random.IntN(6))
	default:
		w.reload()
	}
	w.compareStored()
}

func (c *client) instance() *string {
	if !c.static {
		return nil
	}
	return &c.name
}

func (w *walker) joins(c *client) {
	if c.protocols == nil || w.random.IntN(6) == 0 {
		names := [][]string{{"range", "sticky"}, {"sticky", "range"}, {"range"}, {"sticky", "x"}}[w.random.IntN(4)]
		c.protocols = nil
		for _, n := range names {
			c.protocols = append(c.protocols, Protocol{Name: n, Metadata: []byte{byte(w.random.IntN(2))}})
		}
	}
	if w.random.IntN(8) == 0 { // a restart
		c.id = ""
	}
	version := []int{3, 4, 8, 9}[w.random.IntN(4)]
	r := JoinRequest{
		Client: Client{ID: c.name}, MemberID: c.id, InstanceID: c.instance(), ProtocolType: "consumer", Protocols: slices.Clone(c.protocols),
		SessionTimeout: time.Duration(6+w.random.IntN(20)) * time.Second, RebalanceTimeout: time.Duration(w.random.IntN(20)) * time.Second,
		RequireKnownID: version >= 4, SkipAssignment: version >= 9,
	}
	answers := 0
	reply := w.joined(c.name, &answers)
	w.turn(func(x *journal.Turn) {
		w.Join(x, r, func(r JoinResponse) {
			reply(r)
			w.checkJoined(c, r)
		})
	})
}

func (w *walker) checkJoined(c *client, r JoinResponse) {
	switch r.Err {
	case nil:
	case kerr.MemberIDRequired, kerr.UnknownMemberID:
		c.id = r.MemberID
		return
	default:
		return
	}
	c.id, c.generation, c.leads = r.MemberID, r.Generation, r.Leader == r.MemberID
	if known, ok := w.protocols[r.Generation]; ok && known != *r.Protocol {
		w.t.Errorf("protocols %s and %s in generation %d", known, *r.Protocol, r.Generation)
	}
	w.protocols[r.Generation] = *r.Protocol
	if !slices.ContainsFunc(c.protocols, func(p Protocol) bool { return p.Name == *r.Protocol }) {
		// A join that was given up is answered with the protocols it had; the member as it is now need not support them.
		w.printf("%s has changed its mind", c.name)
	}
	if in := slices.ContainsFunc(r.Members, func(m JoinMember) bool { return m.ID == r.MemberID }); in != (len(r.Members) > 0) {
		w.t.Errorf("a leader that is no member")
	}
}

func (w *walker) syncs(c *client) {
	r := SyncRequest{MemberID: c.id, InstanceID: c.instance(), Generation: c.generation, Assignments: map[string][]byte{}}
	if c.leads {
		for id := range w.members {
			r.Assignments[id] = fmt.Appendf(nil, "%s in %d", id, w.random.IntN(1000))
		}
	}
	answers := 0
	reply := w.synced(c.name, &answers)
	before := len(w.writes)
	w.turn(func(x *journal.Turn) {
		w.Sync(x, r, func(s SyncResponse) {
			reply(s)
			if s.Err == nil && !w.mayBeAssigned(r, s) {
				w.t.Errorf("generation %d: %s is assigned %q", r.Generation, r.MemberID, s.Assignment)
			}
		})
	})
	if len(w.writes) > before {
		w.assigned[r.Generation] = r.Assignments
	}
}

// mayBeAssigned: the id may be that of a static member whose assignment was made under an earlier one.
func (w *walker) mayBeAssigned(r SyncRequest, s SyncResponse) bool {
	if r.InstanceID == nil {
		return bytes.Equal(w.assigned[r.Generation][r.MemberID], s.Assignment)
	}
	return len(s.Assignment) == 0 || strings.HasPrefix(string(s.Assignment), who(r.MemberID)+"-")
}

// stores ends the oldest write. When one fails so do those after it.
func (w *walker) stores() {
	if w.random.IntN(4) > 0 {
		if len(w.writes) > 0 {
			w.lost = false
			w.storedWith(nil)
		}
		return
	}
	for n := len(w.writes); n > 0; n-- {
		w.lost = true
		w.storedWith(errors.New("no disk"))
	}
}

// reload is a failover: the group is what is stored.
func (w *walker) reload() {
	w.Close(kerr.NotCoordinator)
	w.timer, w.writes, w.lost = time.Time{}, nil, false
	w.protocols = map[int32]string{}
	if w.stored == nil {
		w.Group = New("g", &w.config)
		return
	}
	w.Group = loadRecord(w.t, *w.stored, &w.config)
	w.turn(w.Loaded)
}

func loadRecord(t *testing.T, r journal.Record, c *Config) *Group {
	var v kmsg.GroupMetadataValue
	if err := v.ReadFrom(r.Value); err != nil {
		t.Fatal(err)
	}
	return Load("g", &v, c)
}

// compareStored holds the group to what is stored, when it should be that, and that to its replay.
func (w *walker) compareStored() {
	if w.stored == nil {
		return
	}
	again := loadRecord(w.t, *w.stored, &w.config).Record(w.now)
	if !bytes.Equal(again.Key, w.stored.Key) || !bytes.Equal(again.Value, w.stored.Value) {
		w.t.Errorf("a replay makes\n%s\nof\n%s", describeRecord(again), describeRecord(*w.stored))
	}
	if w.State() != Stable || len(w.writes) > 0 || w.lost {
		return
	}
	if live, stored := describeRecord(w.Record(w.now)), describeRecord(*w.stored); live != stored {
		w.t.Errorf("the group is\n%s\nbut stored is\n%s", live, stored)
	}
}

// FuzzLoad: no record breaks a group that is made of it.
func FuzzLoad(f *testing.F) {
	w := newWorld()
	w.join(args{"client": {"a"}, "version": {"3"}})
	w.join(args{"instance": {"i"}})
	f.Add(w.Record(w.now).Value)
	w.advance(6 * time.Second)
	f.Add(w.Record(w.now).Value)
	f.Fuzz(func(t *testing.T, b []byte) {
		var v kmsg.GroupMetadataValue
		if v.ReadFrom(b) != nil {
			return
		}
		w := newWorld()
		w.Group = Load("g", &v, &w.config)
		w.turn(w.Loaded)
		w.Describe()
		for id := range w.members {
			w.join(args{"id": {id}})
		}
		w.join(args{"client": {"c"}, "version": {"3"}})
		w.advance(time.Second)
		for _, broken := range w.broken() {
			t.Error(broken)
		}
	})
}

func FuzzSubscription(f *testing.F) {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics, m.UserData = 3, []string{"t", "u"}, []byte("data")
	f.Add(m.AppendTo(nil))
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		topics := map[string]struct{}{}
		ok := addTopics(topics, b)
		if m := kmsg.NewConsumerMemberMetadata(); m.ReadFrom(b) == nil {
			for _, name := range m.Topics {
				if _, found := topics[name]; !found && ok {
					t.Errorf("%q is missing in %v", name, topics)
				}
			}
		}
	})
}
