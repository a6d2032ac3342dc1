package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/kbroker/kbroker/zkmeta"
)

// TestMachine runs the scripts in testdata/machine. Each command prints the
// requests that it made, what was logged as an error, and its own error. Run with -rewrite to take the output
// as the expected one.
//
//	registered brokers=(1,2)          brokers of the picture, before begin
//	written topic=t                   topic of the picture and the ledger; lines: 0: 1,2,3 [leader=1 isr=1,2 epoch=4 ...]
//	begin                             the start of a term
//	create topic=t, grow topic=t      lines: 0: 1,2,3
//	start brokers=(1), fail brokers=(1)
//	elect strategy=preferred topic=t
//	elect-leaders strategy=preferred partitions=(t-0,u-1)    what ElectLeaders does
//	balance percent=10                what auto.leader.rebalance.enable does
//	shut-down broker=1                what ControlledShutdown does
//	alter broker=1                    proposals of in-sync replicas; lines: t-0 epoch=1 version=2 isr=1,2 [recovering]
//	between topic=t partition=0 leader=1 isr=(1)   a leader writes this just before the next write
//	dirs broker=1 failed=(t-0) working=(t-1)       an answer to LeaderAndIsr
//	delete topics=(t)
//	stopped broker=1 topic=t [failed]              an answer to StopReplica(delete)
//	unclean topic=t                   allow unclean leaders
//	moved                             another broker becomes controller
//	states                            prints all partitions
//
// More commands are in reassign_test.go.
func TestMachine(t *testing.T) {
	datadriven.Walk(t, "testdata/machine", func(t *testing.T, path string) {
		s := newScript()
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	*machine
	ledger  *bookkeeping
	allowed map[string]bool
	out     strings.Builder
	logged  *observer.ObservedLogs
	epochs  int64
}

func newScript() *script {
	core, logged := observer.New(zapcore.ErrorLevel)
	s := &script{ledger: newBookkeeping(7), allowed: map[string]bool{}, logged: logged, epochs: 100}
	s.machine = &machine{
		cluster:  newCluster(),
		origin:   origin{controllerID: 1, lease: zkmeta.Lease{Epoch: 7}, interBrokerListener: "PLAINTEXT"},
		ledger:   s.ledger,
		unclean:  func(context.Context, []string) map[string]bool { return s.allowed },
		deletion: true,
		log:      zap.New(core),
		deliver: func(out []outgoing) {
			for _, o := range out {
				s.out.WriteString(describe(o.broker, o.request))
			}
		},
	}
	return s
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	s.out.Reset()
	if err := s.do(t, d); err != nil {
		fmt.Fprintf(&s.out, "error: %v\n", err)
	}
	for _, e := range s.logged.TakeAll() {
		fields := e.ContextMap()
		keys := slices.Sorted(maps.Keys(fields))
		fmt.Fprintf(&s.out, "logged: %s", e.Message)
		for _, k := range keys {
			fmt.Fprintf(&s.out, " %s=%v", k, fields[k])
		}
		s.out.WriteString("\n")
	}
	if s.out.Len() == 0 {
		return "nothing\n"
	}
	return s.out.String()
}

func (s *script) do(t *testing.T, d *datadriven.TestData) error {
	ctx := t.Context()
	switch d.Cmd {
	case "registered":
		for _, id := range numbers(t, d, "brokers") {
			s.register(id)
		}
		return nil
	case "written":
		return s.written(t, d)
	case "begin":
		s.sendMetadata(s.brokerIDs())
		if err := s.start(ctx); err != nil {
			return err
		}
		return s.goOnDeleting(ctx)
	case "create":
		return s.createPartitions(ctx, s.addPartitions(s.addTopic(word(t, d, "topic"), [16]byte{1}), assignments(t, d)))
	case "grow":
		return s.createPartitions(ctx, s.addPartitions(s.topics[word(t, d, "topic")], assignments(t, d)))
	case "start":
		started := numbers(t, d, "brokers")
		for _, id := range started {
			s.register(id)
		}
		return s.brokersStarted(ctx, started)
	case "fail":
		failed := numbers(t, d, "brokers")
		for _, id := range failed {
			delete(s.brokers, id)
		}
		return s.brokersFailed(ctx, failed)
	case "shutting-down":
		for _, id := range numbers(t, d, "brokers") {
			s.shuttingDown[id] = true
		}
		return nil
	case "elect":
		return s.electBy(t, d)
	case "between":
		var partition, leader int32
		d.ScanArgs(t, "partition", &partition)
		d.ScanArgs(t, "leader", &leader)
		tp := zkmeta.TopicPartition{Topic: word(t, d, "topic"), Partition: partition}
		state := s.ledger.states[tp]
		state.Leader, state.ISR = leader, numbers(t, d, "isr")
		s.ledger.between[tp] = state
		return nil
	case "unclean":
		s.allowed[word(t, d, "topic")] = true
		return nil
	case "moved":
		s.ledger.epoch++
		return nil
	case "states":
		s.printStates()
		return nil
	}
	if call, ok := s.calls()[d.Cmd]; ok {
		return call(t, d)
	}
	return s.doAnswer(t, d)
}

// calls are the commands that stand for calls of brokers and clients, and of the clock.
func (s *script) calls() map[string]func(*testing.T, *datadriven.TestData) error {
	return map[string]func(*testing.T, *datadriven.TestData) error{
		"alter":         s.alter,
		"elect-leaders": s.electLeadersOf,
		"shut-down": func(t *testing.T, d *datadriven.TestData) error {
			var broker int32
			d.ScanArgs(t, "broker", &broker)
			remaining, err := s.shutDown(t.Context(), broker)
			fmt.Fprintf(&s.out, "remaining: %v\n", remaining)
			return err
		},
		"balance": func(t *testing.T, d *datadriven.TestData) error {
			var percent int32
			d.ScanArgs(t, "percent", &percent)
			return s.balance(t.Context(), percent)
		},
	}
}

// doAnswer runs the commands about deletion and about what brokers answer.
func (s *script) doAnswer(t *testing.T, d *datadriven.TestData) error {
	ctx := t.Context()
	switch d.Cmd {
	case "dirs":
		var broker int32
		d.ScanArgs(t, "broker", &broker)
		return s.dirsAnswered(ctx, broker, s.named(t, d, "failed"), s.named(t, d, "working"))
	case "ask-dirs":
		return s.askForDirs(ctx, numbers(t, d, "brokers"))
	case "delete":
		var going []*topic
		for _, name := range words(t, d, "topics") {
			going = append(going, s.topics[name])
		}
		return s.queueDeletion(ctx, going)
	case "stopped":
		var broker int32
		d.ScanArgs(t, "broker", &broker)
		var answered []replica
		for _, p := range s.topics[word(t, d, "topic")].partitions {
			if p.replicaState(broker) == replicaDeletionStarted {
				answered = append(answered, replica{p, broker})
			}
		}
		if d.HasArg("failed") {
			return s.failDeletion(ctx, answered)
		}
		return s.completeDeletion(ctx, answered)
	}
	return s.doReassign(t, d)
}

func (s *script) register(id int32) {
	s.epochs++
	s.brokers[id] = zkmeta.Broker{ID: id, Epoch: s.epochs, Endpoints: []zkmeta.Endpoint{
		{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: "b" + strconv.Itoa(int(id)), Port: 9092},
	}}
}

func (s *script) electBy(t *testing.T, d *datadriven.TestData) error {
	name := word(t, d, "strategy")
	chosen := electOffline
	for ; chosen.String() != name; chosen++ {
	}
	results, err := s.movePartitions(t.Context(), s.topics[word(t, d, "topic")].partitions, onlinePartition, chosen)
	for _, p := range sorted(maps.Keys(results)) {
		fmt.Fprintf(&s.out, "%s-%d: %v\n", p.topic.name, p.index, results[p])
	}
	return err
}

func (s *script) electLeadersOf(t *testing.T, d *datadriven.TestData) error {
	chosen := electPreferred
	if word(t, d, "strategy") == electUnclean.String() {
		chosen = electUnclean
	}
	var tps []zkmeta.TopicPartition
	for _, name := range words(t, d, "partitions") {
		topic, index, _ := strings.Cut(name, "-")
		tps = append(tps, zkmeta.TopicPartition{Topic: topic, Partition: number(t, index)})
	}
	elected, err := s.electLeaders(t.Context(), tps, chosen)
	for i, e := range elected {
		fmt.Fprintf(&s.out, "%s-%d: leader=%d %v\n", tps[i].Topic, tps[i].Partition, e.Leader, e.Err)
	}
	return err
}

// alter reads lines such as "t-0 epoch=1 version=2 isr=1,2 recovering".
func (s *script) alter(t *testing.T, d *datadriven.TestData) error {
	var broker int32
	d.ScanArgs(t, "broker", &broker)
	var proposals []ISRProposal
	for line := range strings.Lines(d.Input) {
		words := strings.Fields(line)
		topic, index, _ := strings.Cut(words[0], "-")
		r := ISRProposal{Topic: topic, Partition: number(t, index)}
		for _, w := range words[1:] {
			key, value, _ := strings.Cut(w, "=")
			switch key {
			case "epoch":
				r.LeaderEpoch = number(t, value)
			case "version":
				r.PartitionEpoch = number(t, value)
			case "isr":
				r.ISR = parse(t, value)
			case "recovering":
				r.Recovering = true
			}
		}
		proposals = append(proposals, r)
	}
	outcomes, changed, err := s.alterPartitions(t.Context(), broker, proposals)
	for i, o := range outcomes {
		r := proposals[i]
		fmt.Fprintf(&s.out, "%s-%d: ", r.Topic, r.Partition)
		if o.Err != nil {
			fmt.Fprintln(&s.out, o.Err)
			continue
		}
		fmt.Fprintf(&s.out, "leader=%d epoch=%d isr=%s version=%d recovering=%v\n",
			o.State.Leader, o.State.LeaderEpoch, ids(o.State.ISR), o.State.PartitionEpoch, o.State.Recovering)
	}
	for _, p := range changed {
		fmt.Fprintf(&s.out, "stands: %s-%d\n", p.topic.name, p.index)
	}
	return err
}

// written reads lines such as "0: 1,2,3 leader=1 isr=1,2 epoch=4 version=9 by=6".
func (s *script) written(t *testing.T, d *datadriven.TestData) error {
	topic := s.addTopic(word(t, d, "topic"), [16]byte{1})
	topic.queued = d.HasArg("marked")
	a := zkmeta.TopicAssignment{Partitions: map[int32][]int32{}, Adding: map[int32][]int32{}, Removing: map[int32][]int32{}}
	states := map[int32]zkmeta.PartitionState{}
	for line := range strings.Lines(d.Input) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), ": ")
		index := number(t, name)
		words := strings.Fields(rest)
		a.Partitions[index] = parse(t, words[0])
		state := zkmeta.PartitionState{ControllerEpoch: 6}
		for _, w := range words[1:] {
			key, value, _ := strings.Cut(w, "=")
			switch key {
			case "leader":
				state.Leader = number(t, value)
			case "isr":
				state.ISR = parse(t, value)
			case "epoch":
				state.LeaderEpoch = number(t, value)
			case "version":
				state.PartitionEpoch = number(t, value)
			case "by":
				state.ControllerEpoch = number(t, value)
			case "adding":
				a.Adding[index] = parse(t, value)
			case "removing":
				a.Removing[index] = parse(t, value)
			}
			states[index] = state
		}
	}
	for _, p := range s.addPartitions(topic, a) {
		if state, ok := states[p.index]; ok {
			s.ledger.states[p.key()] = state
			s.setLeadership(p, state)
		}
	}
	return nil
}

func (s *script) printStates() {
	for _, t := range s.sortedTopics() {
		var flags string
		for _, f := range []struct {
			set  bool
			name string
		}{{t.queued, " queued"}, {t.started, " started"}, {t.ineligible, " ineligible"}} {
			if f.set {
				flags += f.name
			}
		}
		fmt.Fprintf(&s.out, "%s%s\n", t.name, flags)
		for _, p := range t.partitions {
			fmt.Fprintf(&s.out, "  %d %s replicas=%s", p.index, p.state, ids(p.replicas))
			if p.reassigning() {
				fmt.Fprintf(&s.out, " adding=%s removing=%s", ids(p.adding), ids(p.removing))
			}
			if l := p.leadership; l != nil {
				fmt.Fprintf(&s.out, " leader=%d epoch=%d isr=%s", l.Leader, l.LeaderEpoch, ids(l.ISR))
			}
			for _, id := range p.replicas {
				fmt.Fprintf(&s.out, " %d:%s", id, p.replicaState(id))
			}
			s.out.WriteString("\n")
		}
	}
	fmt.Fprintf(&s.out, "partitions=%d offline=%d imbalanced=%d removed=%v\n", s.partitions, s.offline, s.imbalanced, s.ledger.removed)
}

// named finds partitions written as (t-0,t-1).
func (s *script) named(t *testing.T, d *datadriven.TestData, key string) []*partition {
	if !d.HasArg(key) {
		return nil
	}
	var found []*partition
	for _, name := range words(t, d, key) {
		topic, index, _ := strings.Cut(name, "-")
		found = append(found, s.topics[topic].partition(number(t, index)))
	}
	return found
}

func assignments(t *testing.T, d *datadriven.TestData) zkmeta.TopicAssignment {
	a := zkmeta.TopicAssignment{Partitions: map[int32][]int32{}}
	for line := range strings.Lines(d.Input) {
		index, replicas, _ := strings.Cut(strings.TrimSpace(line), ": ")
		a.Partitions[number(t, index)] = parse(t, replicas)
	}
	return a
}

func word(t *testing.T, d *datadriven.TestData, key string) string {
	var value string
	d.ScanArgs(t, key, &value)
	return value
}

func words(t *testing.T, d *datadriven.TestData, key string) []string {
	for _, arg := range d.CmdArgs {
		if arg.Key == key {
			return arg.Vals
		}
	}
	d.Fatalf(t, "no argument %s", key)
	return nil
}

func numbers(t *testing.T, d *datadriven.TestData, key string) []int32 {
	return parse(t, strings.Join(words(t, d, key), ","))
}

func parse(t *testing.T, list string) []int32 {
	var numbers []int32
	for w := range strings.SplitSeq(list, ",") {
		numbers = append(numbers, number(t, w))
	}
	return numbers
}

func number(t *testing.T, text string) int32 {
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return int32(n)
}
