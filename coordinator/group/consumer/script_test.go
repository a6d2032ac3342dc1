package consumer

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// TestScripts runs the stories of testdata: commands, and what the group answered, stored and did.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &script{newWorld(t)}
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct{ *world }

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	s.out.Reset()
	commands := map[string]func(a args){
		"heartbeat": s.heartbeat, "advance": s.advanceBy, "topics": s.topics, "stored": s.stored, "state": s.state,
		"restart": s.restartFrom, "config": s.configure, "commit": s.commit, "fetch": s.fetch, "delete": s.delete,
		"close": func(args) { s.g.Close(kerr.NotCoordinator) }, "replay": s.replayOld,
		"classic-join": s.classicJoin, "classic-sync": s.classicSync, "classic-heartbeat": s.classicHeartbeat,
		"classic-leave": s.classicLeave, "convert": s.convert, "downgrade": s.downgrade,
	}
	command := commands[d.Cmd]
	if command == nil {
		d.Fatalf(t, "no command %s", d.Cmd)
	}
	command(args{d})
	return s.out.String()
}

// args reads arguments of a command; what is not said is nil, or a default.
type args struct{ *datadriven.TestData }

func (a args) ptr(name string) *string {
	for _, arg := range a.CmdArgs {
		if arg.Key == name {
			v := strings.Join(arg.Vals, ",")
			return &v
		}
	}
	return nil
}

func (a args) text(name, unsaid string) string {
	if p := a.ptr(name); p != nil {
		return *p
	}
	return unsaid
}

func (a args) number(name string, unsaid int) int32 {
	n, err := strconv.Atoi(a.text(name, strconv.Itoa(unsaid)))
	if err != nil {
		panic(err)
	}
	return int32(n)
}

func (a args) duration(name string, unsaid time.Duration) time.Duration {
	d, err := time.ParseDuration(a.text(name, unsaid.String()))
	if err != nil {
		panic(err)
	}
	return d
}

func (a args) list(name string) []string {
	p := a.ptr(name)
	if p == nil {
		return nil
	}
	return strings.FieldsFunc(*p, func(r rune) bool { return r == ',' })
}

// partitions reads foo:0 foo:1 bar:2 by topic name.
func (s *script) partitions(list []string) map[string][]int32 {
	m := map[string][]int32{}
	for _, p := range list {
		topic, number, _ := strings.Cut(p, ":")
		n, err := strconv.Atoi(number)
		if err != nil {
			panic(err)
		}
		m[topic] = append(m[topic], int32(n))
	}
	return m
}

func (s *script) owned(a args) assign.Partitions {
	if a.ptr("owned") == nil {
		return nil
	}
	owned := assign.Partitions{}
	for name, list := range s.partitions(a.list("owned")) {
		owned[s.image.byName[name].ID] = list
	}
	return owned
}

// heartbeat m=a epoch=0 topics=(foo,bar) owned=() rebalance=30s: a member that joins says the last two by itself. held=3s: it
// arrived so long ago.
func (s *script) heartbeat(a args) {
	r := HeartbeatRequest{
		Client:   classic.Client{ID: a.text("client", "app"), Host: "/10.0.0.1"},
		MemberID: a.text("m", ""), MemberEpoch: a.number("epoch", 0),
		InstanceID: a.ptr("instance"), Rack: a.ptr("rack"), TopicRegex: a.ptr("regex"), ServerAssignor: a.ptr("assignor"),
		RebalanceTimeout: a.duration("rebalance", -1), Owned: s.owned(a), Version: int16(a.number("v", 1)),
	}
	if a.HasArg("held") {
		r.Arrived = s.now.Add(-a.duration("held", 0))
	}
	if a.ptr("topics") != nil {
		r.Topics = append([]string{}, a.list("topics")...)
	}
	if r.MemberEpoch == joinEpoch && !a.HasArg("bare") {
		r.RebalanceTimeout = a.duration("rebalance", 30*time.Second)
		if r.Owned == nil {
			r.Owned = assign.Partitions{}
		}
	}
	s.turn(func(x *journal.Turn) {
		s.g.Heartbeat(x, s.image, r, func(resp HeartbeatResponse) {
			if resp.Err != nil {
				s.sayf("%s <- %s %s", r.MemberID, resp.Err.Message, resp.Message)
				return
			}
			answer := fmt.Sprintf("%s <- epoch %d", resp.MemberID, resp.MemberEpoch)
			if resp.Assignment != nil {
				answer += ", has " + s.named(resp.Assignment)
			}
			if resp.HeartbeatInterval != s.config.HeartbeatInterval && resp.MemberEpoch > 0 {
				answer += fmt.Sprintf(", every %v", resp.HeartbeatInterval)
			}
			s.sayf("%s", answer)
		})
	})
}

func (s *script) advanceBy(a args) {
	d, err := time.ParseDuration(a.CmdArgs[0].Key)
	if err != nil {
		panic(err)
	}
	s.advance(d)
}

// topics foo=3 bar=0: bar is gone.
func (s *script) topics(a args) {
	for _, arg := range a.CmdArgs {
		s.setTopic(arg.Key, a.number(arg.Key, 0))
	}
}

// stored ok, stored fail=NOT_ENOUGH_REPLICAS, stored late (nothing is committed), stored release or lost=...
func (s *script) stored(a args) {
	switch arg := a.CmdArgs[0]; arg.Key {
	case "ok":
		s.fail, s.hold = nil, false
	case "fail":
		s.fail = errorNamed(arg.Vals[0])
	case "late":
		s.hold = true
	case "release":
		s.hold = false
		s.release(nil)
	case "lost":
		s.hold = false
		s.release(errorNamed(arg.Vals[0]))
	}
}

func (s *script) state(args) {
	d := s.g.Describe()
	s.sayf("%s epoch %d, target %d by %s", d.State, d.Epoch, d.AssignmentEpoch, d.Assignor)
	for _, m := range d.Members {
		kind := ""
		if m.Classic {
			kind = " (classic)"
		}
		s.sayf("%s%s: epoch %d %v, has %s, shall have %s", m.ID, kind, m.Epoch, s.g.members[m.ID].state, s.named(m.Assignment), s.named(m.Target))
	}
	if !s.wake.IsZero() {
		s.sayf("looks again in %v", s.wake.Sub(s.now))
	}
}

func (s *script) restartFrom(a args) {
	if a.HasArg("compacted") {
		s.log = compacted(s.log, false)
	}
	s.restart()
}

func (s *script) configure(a args) {
	c := *s.config
	c.SessionTimeout = a.duration("session", c.SessionTimeout)
	c.HeartbeatInterval = a.duration("interval", c.HeartbeatInterval)
	c.MaxSize = a.number("size", int(c.MaxSize))
	c.Upgrade, c.Downgrade = a.text("upgrade", "true") == "true", a.text("downgrade", "true") == "true"
	s.config = &c
	s.turn(func(x *journal.Turn) { s.g.Configure(x, &c) })
}

func (s *script) sayCode(what string, err *kerr.Error) {
	if err == nil {
		s.sayf("%s: yes", what)
		return
	}
	s.sayf("%s: %s", what, err.Message)
}

func (s *script) commit(a args) {
	c := classic.Committer{MemberID: a.text("m", ""), Generation: a.number("epoch", -1), Txn: a.HasArg("txn")}
	version := int16(a.number("v", 9))
	s.sayCode("commit", s.g.MayCommit(c, version))
	for topic, partitions := range s.partitions(a.list("of")) {
		for _, p := range partitions {
			s.sayCode(fmt.Sprintf("commit of %s-%d", topic, p), s.g.MayCommitPartition(c, version, s.image.byName[topic].ID, p))
		}
	}
}

func (s *script) fetch(a args) {
	s.sayCode("fetch", s.g.MayFetch(a.text("m", ""), a.number("epoch", -1)))
}

func (s *script) delete(args) {
	s.sayCode("delete", s.g.MayDelete())
	if s.g.MayDelete() != nil {
		return
	}
	records := s.g.Delete()
	s.sayRecords(records)
	s.log = append(s.log, records...)
	s.g = s.replay(s.log)
	s.sayf("stored: %v", s.g.Stored())
}

// replayOld takes a record that only Kafka 4.0 wrote.
func (s *script) replayOld(args) {
	key := &journal.ConsumerGroupPartitionMetadataKey{GroupID: "g"}
	value := &journal.ConsumerGroupPartitionMetadataValue{Topics: []journal.ConsumerTopicMetadata{{TopicName: "foo"}}}
	s.log = append(s.log, journal.ConsumerRecord(key, value))
	s.g.Replay(key, value)
	s.check()
}

func (s *script) protocols(a args) []classic.Protocol {
	names := a.list("protocols")
	if names == nil {
		names = []string{"range"}
	}
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics, m.Rack = 3, a.list("topics"), a.ptr("rack")
	for name, list := range s.partitions(a.list("owned")) {
		m.OwnedPartitions = append(m.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: name, Partitions: list})
	}
	var protocols []classic.Protocol
	for _, name := range names {
		metadata := m.AppendTo(nil)
		if a.HasArg("broken") {
			metadata = metadata[:3]
		}
		protocols = append(protocols, classic.Protocol{Name: name, Metadata: metadata})
	}
	return protocols
}

func (s *script) join(a args) classic.JoinRequest {
	return classic.JoinRequest{
		Client: classic.Client{ID: "old", Host: "/10.0.0.2"}, MemberID: a.text("m", ""), InstanceID: a.ptr("instance"),
		SessionTimeout: a.duration("session", 10*time.Second), RebalanceTimeout: a.duration("rebalance", 20*time.Second),
		ProtocolType: a.text("type", "consumer"), Protocols: s.protocols(a), RequireKnownID: a.HasArg("known"),
	}
}

func (s *script) classicJoin(a args) {
	r := s.join(a)
	s.turn(func(x *journal.Turn) {
		s.g.ClassicJoin(x, s.image, r, func(resp classic.JoinResponse) {
			if resp.Err != nil {
				s.sayf("%s <- %s generation %d", resp.MemberID, resp.Err.Message, resp.Generation)
				return
			}
			s.sayf("%s <- generation %d %s/%s leader %q", resp.MemberID, resp.Generation, *resp.ProtocolType, *resp.Protocol, resp.Leader)
		})
	})
}

func (s *script) classicSync(a args) {
	r := classic.SyncRequest{
		MemberID: a.text("m", ""), InstanceID: a.ptr("instance"), Generation: a.number("generation", 0),
		ProtocolType: a.ptr("type"), Protocol: a.ptr("protocol"),
	}
	s.turn(func(x *journal.Turn) {
		s.g.ClassicSync(x, s.image, r, func(resp classic.SyncResponse) {
			if resp.Err != nil {
				s.sayf("%s <- %s", r.MemberID, resp.Err.Message)
				return
			}
			s.sayf("%s <- %s", r.MemberID, s.showAssignment(resp.Assignment))
		})
	})
}

func (s *script) showAssignment(b []byte) string {
	var m kmsg.ConsumerMemberAssignment
	if err := m.ReadFrom(b); err != nil {
		s.t.Fatal(err)
	}
	text := fmt.Sprintf("v%d", m.Version)
	for _, topic := range m.Topics {
		text += fmt.Sprintf(" %s%v", topic.Topic, topic.Partitions)
	}
	return text
}

func (s *script) classicHeartbeat(a args) {
	r := classic.HeartbeatRequest{MemberID: a.text("m", ""), InstanceID: a.ptr("instance"), Generation: a.number("generation", 0)}
	s.turn(func(x *journal.Turn) { s.sayCode(r.MemberID, s.g.ClassicHeartbeat(x, r)) })
}

// classic-leave m=(a,b) or instance=x, with m=
func (s *script) classicLeave(a args) {
	var r classic.LeaveRequest
	for _, id := range a.list("m") {
		r.Members = append(r.Members, classic.Leaving{MemberID: id, InstanceID: a.ptr("instance")})
	}
	if len(r.Members) == 0 {
		r.Members = append(r.Members, classic.Leaving{InstanceID: a.ptr("instance")})
	}
	s.turn(func(x *journal.Turn) {
		s.g.Leave(x, s.image, r, func(left []classic.Left) {
			for _, l := range left {
				s.sayCode(l.MemberID+" left", l.Err)
			}
		})
	})
}

// convert puts in place of the group what becomes of a classic one, whose members are given one a line: a topics=(foo)
// has=(foo:0).
func (s *script) convert(a args) {
	snapshot := classic.Snapshot{Generation: a.number("generation", 1), ProtocolType: a.text("type", "consumer"), Protocol: "range"}
	for line := range strings.Lines(a.Input) {
		name, cmdArgs, err := datadriven.ParseLine(strings.TrimSpace(line))
		if err != nil {
			s.t.Fatal(err)
		}
		m := args{&datadriven.TestData{CmdArgs: cmdArgs}}
		r := s.join(m)
		assignment := kmsg.NewConsumerMemberAssignment()
		for topic, list := range s.partitions(m.list("has")) {
			assignment.Topics = append(assignment.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: topic, Partitions: list})
		}
		if m.HasArg("userdata") {
			assignment.UserData = []byte("x")
		}
		snapshot.Members = append(snapshot.Members, classic.SnapshotMember{
			Member:         classic.Member{ID: name, InstanceID: r.InstanceID, Client: r.Client, Metadata: r.Protocols[0].Metadata, Assignment: assignment.AppendTo(nil)},
			SessionTimeout: r.SessionTimeout, RebalanceTimeout: r.RebalanceTimeout, ProtocolType: "consumer", Protocols: r.Protocols,
		})
	}
	if code := MayConvert(snapshot, s.config); code != nil {
		s.sayCode("convert", code)
		return
	}
	g, records, err := Convert("g", snapshot, s.config, s.image)
	if err != nil {
		s.sayf("%v", err)
		return
	}
	s.sayRecords(records)
	s.g, s.log, s.wake, s.shadow = g, append(s.log, records...), time.Time{}, nil
	s.turn(func(x *journal.Turn) { s.g.Loaded(x) })
}

func (s *script) downgrade(args) {
	snapshot, records, ok := s.g.Downgrade(s.now)
	if !ok {
		s.sayf("stays")
		return
	}
	s.sayRecords(records)
	s.sayf("generation %d protocol %s leader %s", snapshot.Generation, snapshot.Protocol, snapshot.Leader)
	for _, m := range snapshot.Members {
		s.sayf("%s session %v rebalance %v has %s", m.ID, m.SessionTimeout, m.RebalanceTimeout, s.showAssignment(m.Assignment))
	}
	if g := s.replay(append(s.log, records...)); g.Stored() {
		s.t.Fatalf("the consumer group is still stored:\n%s", dump(g))
	}
}
