package classic

import (
	"fmt"
	"maps"
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

// args are the arguments of a command.
type args map[string][]string

func parse(d *datadriven.TestData) args {
	a := args{}
	for _, arg := range d.CmdArgs {
		a[arg.Key] = arg.Vals
	}
	return a
}

func (a args) text(key, otherwise string) string {
	if v, ok := a[key]; ok {
		return strings.Join(v, ", ")
	}
	return otherwise
}

func (a args) pointer(key string) *string {
	if _, ok := a[key]; !ok {
		return nil
	}
	s := a.text(key, "")
	return &s
}

func (a args) number(key string, otherwise int) int32 {
	n, err := strconv.Atoi(a.text(key, strconv.Itoa(otherwise)))
	if err != nil {
		panic(err)
	}
	return int32(n)
}

func (a args) duration(key, otherwise string) time.Duration {
	d, err := time.ParseDuration(a.text(key, otherwise))
	if err != nil {
		panic(err)
	}
	return d
}

// protocols reads range:t1+t2; the metadata is a consumer's unless it begins with "!".
func (a args) protocols() (list []Protocol) {
	values, ok := a["protocols"]
	if !ok {
		values = []string{"range:t"}
	}
	for _, v := range values {
		name, metadata, _ := strings.Cut(strings.TrimSpace(v), ":")
		if name == "" {
			continue
		}
		p := Protocol{Name: name}
		if raw, ok := strings.CutPrefix(metadata, "!"); ok {
			p.Metadata = []byte(raw)
		} else {
			m := kmsg.NewConsumerMemberMetadata()
			m.Version = 1
			m.Topics = strings.Split(metadata, "+")
			p.Metadata = m.AppendTo(nil)
		}
		list = append(list, p)
	}
	return list
}

func code(name string) error {
	if name == "ok" {
		return nil
	}
	for n := range int16(150) {
		if e, ok := kerr.ErrorForCode(n).(*kerr.Error); ok && e.Message == name {
			return fmt.Errorf("append: %w", e)
		}
	}
	return fmt.Errorf("%s", name)
}

func (w *world) do(t *testing.T, d *datadriven.TestData) {
	a := parse(d)
	switch d.Cmd {
	case "config":
		w.Group.config.MaxSize = a.number("max-size", 100)
		w.Group.config.InitialRebalanceDelay = a.duration("delay", "3s")
	case "join":
		w.join(a)
	case "sync":
		w.sync(a)
	case "heartbeat":
		id := a.text("id", "")
		w.about("beats", id)
		w.turn(func(x *journal.Turn) {
			err := w.Heartbeat(x, HeartbeatRequest{MemberID: id, InstanceID: a.pointer("instance"), Generation: a.number("generation", 0)})
			w.printf("%s <- %s", who(id), errText(err))
		})
	case "leave":
		w.leave(a)
	case "commit":
		w.commit(a)
	case "stored":
		w.storedWith(code(d.CmdArgs[0].Key))
	case "advance":
		by, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		w.advance(by)
	case "late":
		by, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(by)
		w.tick()
	case "tick":
		w.tick()
	default:
		w.doRest(t, d, a)
	}
}

// doRest is the commands of a coordinator rather than of a member.
func (w *world) doRest(t *testing.T, d *datadriven.TestData, a args) {
	switch d.Cmd {
	case "load":
		w.load(t, a, d.Input)
	case "delete":
		w.happens("delete")
		if err := w.MayDelete(); err != nil {
			w.printf("%s", err.Message)
			return
		}
		for _, r := range w.Delete() {
			w.printf("%s for %q", describeRecord(r), r.Key)
		}
		w.printf("state %s", w.State())
	case "close":
		w.happens("close")
		w.Close(kerr.NotCoordinator)
		w.printf("state %s", w.State())
	case "convert":
		w.Convert()
		w.printf("state %s", w.State())
	case "restore":
		s := w.Snapshot()
		if a.text("leader", s.Leader) == "" {
			s.Leader, s.Protocol = "", ""
		}
		w.timer = time.Time{}
		w.turn(func(x *journal.Turn) { w.Group = Restore(x, "g", s, &w.config, a.text("reason", "")) })
		w.printState()
	case "state":
		w.printState()
	case "describe":
		x := w.Describe()
		w.printf("%s %q %q", x.State, x.ProtocolType, x.Protocol)
		for _, m := range x.Members {
			w.printf("%s instance %s client %s%s (%s) %q", m.ID, nullable(m.InstanceID), m.Client.ID, m.Host, topics(m.Metadata), m.Assignment)
		}
	case "snapshot":
		s := w.Snapshot()
		w.printf("generation %d %s/%s leader %s", s.Generation, s.ProtocolType, s.Protocol, s.Leader)
		for _, m := range s.Members {
			w.printf("%s instance %s (%s) %q %v %v %s %d", m.ID, nullable(m.InstanceID), topics(m.Metadata), m.Assignment,
				m.SessionTimeout, m.RebalanceTimeout, m.ProtocolType, len(m.Protocols))
		}
	case "subscribed":
		subscribed, known := w.Subscribed(a.text("topic", ""))
		w.printf("subscribed %v, known %v", subscribed, known)
	default:
		t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
	}
}

// about notes an event that a member, pending id or stranger causes.
func (w *world) about(verb, id string) {
	switch {
	case w.members[id] == nil:
		w.happens("stranger " + verb)
	case verb == "syncs" && w.leader.id == id:
		w.happens("leader " + verb)
	case verb == "syncs":
		w.happens("follower " + verb)
	default:
		w.happens("member " + verb)
	}
}

func (w *world) join(a args) {
	version := a.number("version", 9)
	r := JoinRequest{
		Client: Client{ID: a.text("client", who(a.text("id", ""))), Host: "/10.0.0.7"}, MemberID: a.text("id", ""), InstanceID: a.pointer("instance"),
		SessionTimeout: a.duration("session", "10s"), RebalanceTimeout: a.duration("rebalance", "60s"),
		ProtocolType: a.text("type", "consumer"), Protocols: a.protocols(), Reason: a.text("reason", ""),
		RequireKnownID: version >= 4, SkipAssignment: version >= 9,
	}
	w.noteJoin(r)
	name := r.Client.ID
	if r.InstanceID != nil {
		name = *r.InstanceID
	}
	again := 0
	w.turn(func(x *journal.Turn) { w.Join(x, r, w.joined(name, &again)) })
}

func (w *world) noteJoin(r JoinRequest) {
	m := w.members[r.MemberID]
	_, pending := w.pending[r.MemberID]
	switch {
	case pending:
		w.happens("pending id joins")
	case r.MemberID == "" && r.InstanceID != nil && w.instances[*r.InstanceID] != nil:
		w.happens("static member returns")
	case r.MemberID == "":
		w.happens("new member joins")
	case m == nil:
		w.happens("stranger joins")
	case !slices.EqualFunc(m.protocols, r.Protocols, func(a, b Protocol) bool { return a.Name == b.Name && string(a.Metadata) == string(b.Metadata) }):
		w.happens("member joins changed")
	case m == w.leader:
		w.happens("leader joins")
	default:
		w.happens("follower joins")
	}
}

func (w *world) sync(a args) {
	r := SyncRequest{
		MemberID: a.text("id", ""), InstanceID: a.pointer("instance"), Generation: a.number("generation", 0),
		ProtocolType: a.pointer("type"), Protocol: a.pointer("protocol"), Assignments: map[string][]byte{},
	}
	for _, v := range a["assign"] {
		id, assignment, _ := strings.Cut(strings.TrimSpace(v), ":")
		r.Assignments[id] = []byte(assignment)
	}
	w.about("syncs", r.MemberID)
	again := 0
	w.turn(func(x *journal.Turn) { w.Sync(x, r, w.synced(who(r.MemberID), &again)) })
}

func (w *world) leave(a args) {
	var r LeaveRequest
	for _, v := range a["members"] {
		id, instanceID, static := strings.Cut(strings.TrimSpace(v), "/")
		l := Leaving{MemberID: id, Reason: a.text("reason", "")}
		if static {
			l.InstanceID = &instanceID
		}
		r.Members = append(r.Members, l)
		if _, pending := w.pending[id]; pending {
			w.happens("pending id leaves")
		} else if id != "" {
			w.about("leaves", id)
		}
	}
	w.turn(func(x *journal.Turn) {
		left := w.Leave(x, r)
		if left == nil {
			w.printf("nobody is answered")
		}
		for _, l := range left {
			w.printf("%s/%s <- left %s", l.MemberID, text(l.InstanceID), errText(l.Err))
		}
	})
}

func (w *world) commit(a args) {
	_, txn := a["txn"]
	c := Committer{MemberID: a.text("id", ""), InstanceID: a.pointer("instance"), Generation: a.number("generation", -1), Txn: txn}
	switch {
	case c.Generation < 0 && c.MemberID == "" && txn:
		w.happens("nobody commits in txn")
	case c.Generation < 0 && c.MemberID == "":
		w.happens("nobody commits")
	case w.members[c.MemberID] != nil && txn:
		w.happens("member commits in txn")
	default:
		w.about("commits", c.MemberID)
	}
	w.turn(func(x *journal.Turn) { w.printf("%s <- commit %s", who(c.MemberID), errText(w.MayCommit(x, c))) })
}

// load starts anew from what is stored, or from a record with the given fields and a member in each line: id, instance, topics.
func (w *world) load(t *testing.T, a args, lines string) {
	var v kmsg.GroupMetadataValue
	if len(a) == 0 {
		if err := v.ReadFrom(w.stored.Value); err != nil {
			t.Fatal(err)
		}
	} else {
		v = kmsg.GroupMetadataValue{
			Version: int16(a.number("version", 3)), ProtocolType: a.text("type", "consumer"), Generation: a.number("generation", 1),
			Protocol: a.pointer("protocol"), Leader: a.pointer("leader"), CurrentStateTimestamp: int64(a.number("timestamp", -1)),
		}
		for line := range strings.Lines(lines) {
			f := strings.Fields(line)
			m := kmsg.GroupMetadataValueMember{MemberID: f[0], ClientID: who(f[0]), SessionTimeoutMillis: 10000, RebalanceTimeoutMillis: 60000}
			if f[1] != "-" {
				m.InstanceID = &f[1]
			}
			m.Subscription = args{"protocols": {"range:" + f[2]}}.protocols()[0].Metadata
			v.Members = append(v.Members, m)
		}
	}
	w.timer, w.writes = time.Time{}, nil
	w.Group = Load("g", &v, &w.config)
	w.turn(w.Loaded)
	w.printState()
}

func (w *world) printState() {
	w.printf("%s generation %d %s/%s leader %s", w.State(), w.Generation(), w.ProtocolType(), nullable(w.protocol), w.leaderID())
	for m := range w.all() {
		s := m.id + instance(m)
		if m.join != nil {
			s += ", parked join"
		}
		if m.sync != nil {
			s += ", parked sync"
		}
		if m.fresh {
			s += ", fresh"
		}
		if m.owesSync {
			s += ", owes sync"
		}
		if !m.deadline.IsZero() {
			s += fmt.Sprintf(", until %v", m.deadline.Sub(w.start))
		}
		w.printf("  %s", s)
	}
	for _, id := range slices.Sorted(maps.Keys(w.pending)) {
		w.printf("  pending %s until %v", id, w.pending[id].Sub(w.start))
	}
	if since := w.EmptySince(); !since.IsZero() {
		w.printf("  empty since %v", since.Sub(w.start))
	}
}
