package classic

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// TestScripts runs the stories in testdata. Every script begins with an empty group at time 0; run with -rewrite to take
// what is printed as what is expected. A reply is printed as "who <- what", after it what else the turn brought: the rebalance
// that began, writes, the next state, the next Tick. Members are named client-n or instance-n, n counted up.
//
//	config [max-size=n] [delay=3s]                     before the first request
//	join client=a [id=a-1] [instance=i] [session=10s] [rebalance=60s] [protocols=(range:t1+t2,sticky:t1)] [type=consumer]
//	     [version=3|4|9] [reason=...]                  "!..." as metadata is taken as it is, without topics
//	sync id=a-1 generation=1 [instance=i] [assign=(a-1:x,b-2:y)] [type=consumer] [protocol=range]
//	heartbeat id=a-1 generation=1 [instance=i]
//	leave members=(a-1,b-2/instance,/instance) [reason=...]
//	commit id=a-1 generation=1 [instance=i] [txn]
//	stored ok|CODE                                     the oldest write is done
//	advance 3s, late 3s                                with each Tick in time, or with one that comes late
//	load [record]                                      a new group of what is stored, or of the fields given
//	delete, close [code=NOT_COORDINATOR], convert, restore [reason=...]
//	state, describe, snapshot, subscribed topic=t, tick
//
// Together they make each cell of the table in doc.go happen.
func TestScripts(t *testing.T) {
	seen := map[cell]bool{}
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		w := newWorld()
		w.seen = seen
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w.out.Reset()
			w.do(t, d)
			for _, broken := range w.broken() {
				t.Errorf("%s: %s", d.Pos, broken)
			}
			if w.out.Len() == 0 {
				return "nothing\n"
			}
			return w.out.String()
		})
	})
	if !t.Failed() {
		checkTable(t, seen)
	}
}

// cell is an event in a state.
type cell struct {
	event string
	state State
}

// checkTable compares what happened with the table in doc.go.
func checkTable(t *testing.T, seen map[cell]bool) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	states := []State{Empty, PreparingRebalance, CompletingRebalance, Stable, Dead}
	gap := regexp.MustCompile(` {2,}`)
	known := map[string]bool{}
	for line := range strings.Lines(string(doc)) {
		columns := gap.Split(strings.TrimSpace(strings.TrimPrefix(line, "//\t")), -1)
		if len(columns) != len(states)+1 || columns[0] == "event" {
			continue
		}
		known[columns[0]] = true
		for i, s := range states {
			if happened := seen[cell{columns[0], s}]; happened != (columns[i+1] != "-") {
				t.Errorf("the table says %q of %q in %s; happened in a script: %v", columns[i+1], columns[0], s, happened)
			}
		}
	}
	for c := range seen {
		if !known[c.event] {
			t.Errorf("the table does not know %q", c.event)
		}
	}
}

// world is a group with the actor and the journal around it.
type world struct {
	*Group
	config Config
	ids    int
	start  time.Time
	now    time.Time
	timer  time.Time
	writes []journal.Write
	stored *journal.Record
	open   int // requests without an answer
	faults []string
	seen   map[cell]bool
	out    strings.Builder
}

func newWorld() *world {
	w := &world{start: time.UnixMilli(1_700_000_000_000)}
	w.now = w.start
	w.config = Config{
		MinSessionTimeout: 6 * time.Second, MaxSessionTimeout: 30 * time.Minute, InitialRebalanceDelay: 3 * time.Second, MaxSize: 100,
		NewID: func() string { w.ids++; return strconv.Itoa(w.ids) },
	}
	w.Group = New("g", &w.config)
	return w
}

func (w *world) printf(format string, args ...any) { fmt.Fprintf(&w.out, format+"\n", args...) }

func (w *world) happens(event string) {
	if w.seen != nil {
		w.seen[cell{event, w.State()}] = true
	}
}

// turn is what the actor does with a step.
func (w *world) turn(f func(x *journal.Turn)) {
	before, timer := w.State(), w.timer
	x := &journal.Turn{Now: w.now}
	f(x)
	for _, r := range x.Rebalances {
		w.printf("rebalance %s to generation %d: %s", r.Kind, r.Generation, r.Reason)
	}
	for _, b := range x.Writes {
		w.printf("write %s", describeRecord(b.Records[0]))
		w.writes = append(w.writes, b)
	}
	if s := w.State(); s != before {
		w.printf("state %s", s)
	}
	if next := x.Wake(); !next.IsZero() && (w.timer.IsZero() || next.Before(w.timer)) {
		w.timer = next
	}
	if !w.timer.Equal(timer) {
		w.printf("tick at %v", w.timer.Sub(w.start))
	}
}

func (w *world) advance(by time.Duration) {
	end := w.now.Add(by)
	for !w.timer.IsZero() && !w.timer.After(end) {
		w.now = w.timer
		w.tick()
	}
	w.now = end
}

// tick prints nothing when nothing was due, but asks of the machine that it does.
func (w *world) tick() {
	w.timer = time.Time{}
	w.noteDue()
	at := w.out.Len()
	w.turn(w.Tick)
	if printed := w.out.String()[at:]; printed != "" {
		text := w.out.String()[:at]
		w.out.Reset()
		w.out.WriteString(text)
		if strings.HasPrefix(printed, "tick at") {
			return
		}
		fmt.Fprintf(&w.out, "-- %v --\n%s", w.now.Sub(w.start), printed)
	}
}

// noteDue notes what is due first.
func (w *world) noteDue() {
	var first time.Time
	var event string
	look := func(at time.Time, e string) {
		if isDue(at, w.now) && (first.IsZero() || at.Before(first)) {
			first, event = at, e
		}
	}
	for m := range w.all() {
		if m.fresh || !m.parked() {
			look(m.deadline, "session is over")
		}
	}
	for _, at := range w.pending {
		look(at, "pending id lapses")
	}
	look(w.joinBy, "time to join is over")
	look(w.syncBy, "time to sync is over")
	if event != "" && w.State() != Dead {
		w.happens(event)
	}
}

// storedWith ends the oldest write.
func (w *world) storedWith(err error) {
	if len(w.writes) == 0 {
		w.printf("nothing is being stored")
		return
	}
	b := w.writes[0]
	w.writes = w.writes[1:]
	if err == nil {
		w.stored = &b.Records[0]
		w.happens("write is done")
	} else {
		w.happens("write failed")
	}
	if b.Done != nil {
		w.turn(func(x *journal.Turn) { b.Done(x, err) })
	}
}

// once counts the answers to a request.
func (w *world) once(who string, answers *int) {
	if *answers++; *answers > 1 {
		w.faults = append(w.faults, who+" is answered again")
	}
}

func (w *world) joined(who string, again *int) func(JoinResponse) {
	w.open++
	return func(r JoinResponse) {
		w.open--
		w.once(who, again)
		switch {
		case r.Err != nil && r.Generation != -1:
			w.printf("%s <- join %s id %q generation %d %s/%s leader %s", who, r.Err.Message, r.MemberID, r.Generation,
				text(r.ProtocolType), text(r.Protocol), r.Leader)
		case r.Err != nil:
			w.printf("%s <- join %s id %q", who, r.Err.Message, r.MemberID)
		default:
			members := ""
			for _, m := range r.Members {
				members += " " + m.ID
				if m.InstanceID != nil {
					members += "/" + *m.InstanceID
				}
				members += "(" + topics(m.Metadata) + ")"
			}
			if members != "" {
				members = " of" + members
			}
			if r.SkipAssignment {
				members += " skip assignment"
			}
			w.printf("%s <- joined as %s generation %d %s/%s leader %s%s", who, r.MemberID, r.Generation,
				text(r.ProtocolType), text(r.Protocol), r.Leader, members)
		}
	}
}

func (w *world) synced(who string, again *int) func(SyncResponse) {
	w.open++
	return func(r SyncResponse) {
		w.open--
		w.once(who, again)
		if r.Err != nil {
			w.printf("%s <- sync %s", who, r.Err.Message)
			return
		}
		w.printf("%s <- assigned %q %s/%s", who, r.Assignment, text(r.ProtocolType), text(r.Protocol))
	}
}

// topics shows a member's metadata.
func topics(b []byte) string {
	var m kmsg.ConsumerMemberMetadata
	if m.ReadFrom(b) != nil {
		return string(b)
	}
	return strings.Join(m.Topics, "+")
}

func describeRecord(r journal.Record) string {
	if r.Value == nil {
		return "tombstone"
	}
	var v kmsg.GroupMetadataValue
	if err := v.ReadFrom(r.Value); err != nil {
		return err.Error()
	}
	s := fmt.Sprintf("v%d %s generation %d protocol %s leader %s", v.Version, v.ProtocolType, v.Generation, nullable(v.Protocol), nullable(v.Leader))
	for _, m := range v.Members {
		s += fmt.Sprintf("\n  %s instance %s client %s%s timeouts %d %d (%s) %q", m.MemberID, nullable(m.InstanceID), m.ClientID, m.ClientHost,
			m.SessionTimeoutMillis, m.RebalanceTimeoutMillis, topics(m.Subscription), m.Assignment)
	}
	return s
}

func nullable(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

// broken tells which invariants do not hold.
func (w *world) broken() (broken []string) {
	holds := func(ok bool, what string) {
		if !ok {
			broken = append(broken, what)
		}
	}
	broken = w.faults
	g := w.Group
	count, joining, owing, syncing := 0, 0, 0, 0
	supporters, instances := map[string]int{}, 0
	for m := range g.all() {
		count++
		holds(g.members[m.id] == m, "a member is not under its id")
		holds(m.next != nil || g.last == m, "the last member is not the last")
		if m.join != nil {
			joining++
		}
		if m.sync != nil {
			syncing++
		}
		if m.owesSync {
			owing++
		}
		if m.instanceID != nil {
			instances++
			holds(g.instances[*m.instanceID] == m, "a static member is not under its instance")
		}
		for _, p := range m.protocols {
			supporters[p.Name]++
		}
		if g.state != Dead {
			holds(!m.deadline.IsZero() || m.parked(), "nothing will end the membership of "+m.id)
			holds(!m.fresh || g.state == PreparingRebalance, "a fresh member outside of a rebalance")
			holds(m.deadline.IsZero() || !m.deadline.Before(w.timer), "the timer is late for "+m.id)
		}
	}
	holds(count == len(g.members) && instances == len(g.instances), "members are lost")
	holds(joining == g.joining && owing == g.owing, "miscounted")
	holds(maps.Equal(supporters, g.supporters), "miscounted supporters")
	holds(count == 0 || slices.Contains(slices.Collect(maps.Values(supporters)), count), "no common protocol")
	holds((g.leader == nil) == (count == 0) && (count == 0 || g.members[g.leader.id] == g.leader), "the leader is no member")
	holds((owing > 0) == !g.syncBy.IsZero() || g.state == Dead, "the time to sync is wrong")
	holds((g.state == PreparingRebalance) == !g.joinBy.IsZero(), "the time to join is wrong")
	holds(syncing == 0 || g.state == CompletingRebalance, "a parked sync")
	holds(joining == 0 || g.state == PreparingRebalance || g.state == Stable && len(w.writes) > 0, "a parked join")
	holds(joining+syncing == w.open, fmt.Sprintf("%d requests without answer, %d parked", w.open, joining+syncing))
	switch g.state {
	case Empty:
		holds(count == 0, "an empty group has members")
	case CompletingRebalance, Stable:
		holds(count > 0, "a live group has no members")
	}
	return broken
}

// who is the client or instance of a member id.
func who(id string) string {
	if i := strings.LastIndex(id, "-"); i > 0 {
		return id[:i]
	}
	return cmp.Or(id, "nobody")
}

func errText(err *kerr.Error) string {
	if err == nil {
		return "none"
	}
	return err.Message
}
