package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/zkmeta"
)

// doReassign runs the commands about reassignments, and fails for those that nobody knows.
//
//	show-writes                       from now on writes are printed, before the requests that follow from them
//	hide-metadata                     from now on UpdateMetadata is not printed
//	reassign                          lines: t-0: 3,2 or t-0: cancel; prints what was refused
//	list [partitions=(t-0)]
//	in-sync topic=t partition=0 isr=(1,2,3)    a leader changes its ISR by AlterPartition
//	old-tool                          the same lines in /admin/reassign_partitions, taken up
//	old-tool-elects partitions=(t-0)
//	vanished topic=t                  somebody deletes the topic's znode
//	newer topic=t partition=0         a newer controller has written the state
//	fail-over                         another controller reads what is written, and begins
func (s *script) doReassign(t *testing.T, d *datadriven.TestData) error {
	ctx := t.Context()
	switch d.Cmd {
	case "show-writes":
		s.ledger.written = func(line string) { s.out.WriteString("wrote " + line + "\n") }
		return nil
	case "hide-metadata":
		s.deliver = func(out []outgoing) {
			for _, o := range out {
				if _, hidden := o.request.(*kmsg.UpdateMetadataRequest); !hidden {
					s.out.WriteString(describe(o.broker, o.request))
				}
			}
		}
		return nil
	case "reassign":
		wishes := reassignments(t, d)
		reasons, err := s.alterReassignments(ctx, wishes)
		for i, w := range wishes {
			if reasons[i] != nil {
				fmt.Fprintf(&s.out, "%s-%d: %v\n", w.Topic, w.Partition, reasons[i])
			}
		}
		return err
	case "list":
		var asked []zkmeta.TopicPartition
		if d.HasArg("partitions") {
			asked = []zkmeta.TopicPartition{}
			for _, name := range words(t, d, "partitions") {
				asked = append(asked, key(t, name))
			}
		}
		for _, r := range s.reassignments(asked) {
			fmt.Fprintf(&s.out, "%s-%d replicas=%s adding=%s removing=%s\n", r.Topic, r.Partition, ids(r.Replicas), ids(r.Adding), ids(r.Removing))
		}
		return nil
	case "in-sync":
		return s.inSync(t, d)
	case "old-tool":
		s.ledger.legacy = map[zkmeta.TopicPartition][]int32{}
		for _, w := range reassignments(t, d) {
			s.ledger.legacy[w.TopicPartition] = w.Target
		}
		_, err := s.reassignLegacy(ctx, maps.Clone(s.ledger.legacy))
		return err
	case "old-tool-elects":
		var tps []zkmeta.TopicPartition
		for _, name := range words(t, d, "partitions") {
			tps = append(tps, key(t, name))
		}
		return s.electLegacy(ctx, tps)
	case "vanished":
		s.ledger.vanished[word(t, d, "topic")] = true
		return nil
	case "newer":
		tp := s.partitionOf(t, d).key()
		state := s.ledger.states[tp]
		state.ControllerEpoch = 99
		s.ledger.states[tp] = state
		return nil
	case "fail-over":
		return s.failOver(ctx)
	}
	d.Fatalf(t, "unknown command %s", d.Cmd)
	return nil
}

// inSync is what AlterPartition does: the controller writes, tells all brokers, and looks whether a reassignment is
// complete.
func (s *script) inSync(t *testing.T, d *datadriven.TestData) error {
	p := s.partitionOf(t, d)
	state := s.ledger.states[p.key()]
	state.ISR = numbers(t, d, "isr")
	outcomes, err := s.ledger.UpdatePartitionStates(t.Context(), s.origin.lease, map[zkmeta.TopicPartition]zkmeta.PartitionState{p.key(): state})
	if err != nil {
		return err
	}
	s.setLeadership(p, outcomes[p.key()].State)
	return s.reassignmentsChanged(t.Context(), []*partition{p})
}

// failOver makes a new picture of what is written.
func (s *script) failOver(ctx context.Context) error {
	old := s.cluster
	s.ledger.epoch++
	s.origin.lease.Epoch++
	s.cluster = newCluster()
	s.brokers = old.brokers
	for _, t := range old.sortedTopics() {
		added := s.addPartitions(s.addTopic(t.name, t.id), t.written())
		for _, p := range added {
			if state, ok := s.ledger.states[p.key()]; ok {
				s.setLeadership(p, state)
			}
		}
		s.topics[t.name].queued = t.queued
		s.topics[t.name].ineligible = t.queued && s.ineligibleAtStart(s.topics[t.name])
	}
	s.sendMetadata(s.brokerIDs())
	if err := s.start(ctx); err != nil {
		return err
	}
	return s.resume(ctx)
}

// resume is the end of a term's beginning.
func (s *script) resume(ctx context.Context) error {
	if err := s.resumeReassignments(ctx, func(*partition) bool { return true }); err != nil {
		return err
	}
	return s.goOnDeleting(ctx)
}

func (s *script) partitionOf(t *testing.T, d *datadriven.TestData) *partition {
	var index int32
	d.ScanArgs(t, "partition", &index)
	return s.topics[word(t, d, "topic")].partition(index)
}

func reassignments(t *testing.T, d *datadriven.TestData) []Reassignment {
	var wishes []Reassignment
	for line := range strings.Lines(d.Input) {
		name, target, _ := strings.Cut(strings.TrimSpace(line), ":")
		w := Reassignment{TopicPartition: key(t, name)}
		switch target = strings.TrimSpace(target); target {
		case "cancel":
		case "":
			w.Target = []int32{}
		default:
			w.Target = parse(t, target)
		}
		wishes = append(wishes, w)
	}
	return wishes
}

func key(t *testing.T, name string) zkmeta.TopicPartition {
	topic, index, _ := strings.Cut(name, "-")
	return zkmeta.TopicPartition{Topic: topic, Partition: number(t, index)}
}

func TestTargetsOfReassignments(t *testing.T) {
	for _, c := range []struct {
		now    assignment
		target []int32
		want   assignment
	}{
		{assignment{replicas: []int32{1, 2}}, []int32{3, 2}, assignment{[]int32{3, 2, 1}, []int32{3}, []int32{1}}},
		{assignment{replicas: []int32{1, 2}}, []int32{2, 1}, assignment{[]int32{2, 1}, nil, nil}},
		{assignment{replicas: []int32{1, 2, 3}}, []int32{3, 4, 2}, assignment{[]int32{3, 4, 2, 1}, []int32{4}, []int32{1}}},
		// Another target: the origin stays 1,2; 3 is forgotten.
		{assignment{[]int32{3, 2, 1}, []int32{3}, []int32{1}}, []int32{4, 2}, assignment{[]int32{4, 2, 1}, []int32{4}, []int32{1}}},
		// Back: the order of the origin is lost.
		{assignment{[]int32{3, 2, 1}, []int32{3}, []int32{1}}, []int32{2, 1}, assignment{[]int32{2, 1}, nil, nil}},
	} {
		if got := c.now.to(c.target); !got.equal(c.want) {
			t.Errorf("%v to %v: %v, want %v", c.now, c.target, got, c.want)
		}
	}
	if a := (assignment{[]int32{3, 2, 1}, []int32{3}, []int32{1}}); !slices.Equal(a.origin(), []int32{2, 1}) || !slices.Equal(a.target(), []int32{3, 2}) {
		t.Errorf("origin %v, target %v", a.origin(), a.target())
	}
}
