package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kbroker/kbroker/zkmeta"
)

// Reassignment is a wish to have a partition elsewhere.
type Reassignment struct {
	zkmeta.TopicPartition
	// Target lists the brokers that shall hold the partition, the preferred leader first; nil cancels what is under way.
	Target []int32
}

// Reassigning is a partition under reassignment. Replicas holds the others, too.
type Reassigning struct {
	zkmeta.TopicPartition
	Replicas, Adding, Removing []int32
}

// AlterReassignments starts, changes and cancels reassignments, and returns when they are written and begun; each
// reason why one is not belongs to the wish of the same place. The wishes must differ in their partitions. The error is for
// all: ErrNotController, or the end of ctx, after which they may be carried out nevertheless.
func (c *Controller) AlterReassignments(ctx context.Context, wishes []Reassignment) ([]error, error) {
	if !c.Active() {
		return nil, ErrNotController
	}
	reasons, err := call(ctx, c, "alter_partition_reassignments", func(ctx context.Context) ([]error, error) {
		if c.term == nil {
			return nil, nil
		}
		return c.term.alterReassignments(ctx, wishes)
	})
	if err == nil && len(reasons) != len(wishes) {
		err = ErrNotController
	}
	return reasons, err
}

// Reassignments lists partitions under reassignment by topic and index: those among tps, or (with nil) all.
// ErrNotController when another broker is controller.
func (c *Controller) Reassignments(ctx context.Context, tps []zkmeta.TopicPartition) ([]Reassigning, error) {
	if !c.Active() {
		return nil, ErrNotController
	}
	type list struct {
		moving []Reassigning
		active bool
	}
	l, err := call(ctx, c, "list_partition_reassignments", func(context.Context) (list, error) {
		if c.term == nil {
			return list{}, nil
		}
		return list{c.term.reassignments(tps), true}, nil
	})
	if err == nil && !l.active {
		err = ErrNotController
	}
	return l.moving, err
}

// alterReassignments checks all wishes before it grants one, as Kafka does. A wish of the API takes the place of one that
// an old tool left in ZooKeeper.
func (m *machine) alterReassignments(ctx context.Context, wishes []Reassignment) ([]error, error) {
	reasons := make([]error, len(wishes))
	granted := map[zkmeta.TopicPartition]bool{}
	for i, w := range wishes {
		if reasons[i] = m.checkWish(w); reasons[i] == nil {
			granted[w.TopicPartition] = true
		}
	}
	if err := m.dropLegacy(ctx, func(tp zkmeta.TopicPartition, _ []int32) bool { return granted[tp] }); err != nil {
		return slices.Repeat([]error{forCaller(err)}, len(wishes)), err
	}
	for i, w := range wishes {
		if reasons[i] != nil {
			continue
		}
		p, target := m.partition(w.TopicPartition), w.Target
		if target == nil {
			target = p.assignment.origin() // checkWish found a reassignment, hence p
		}
		reasons[i] = m.trigger(ctx, p, target)
		var refused *Refusal
		if err := reasons[i]; err != nil && !errors.As(err, &refused) && !concernsOne(err) {
			for j := i; j < len(reasons); j++ {
				reasons[j] = forCaller(err)
			}
			return reasons, fmt.Errorf("reassign %s-%d: %w", w.Topic, w.Partition, err)
		}
	}
	return reasons, nil
}

// trigger reassigns a partition that exists and stays; p may be nil.
func (m *machine) trigger(ctx context.Context, p *partition, target []int32) error {
	if p == nil || p.topic.queued || len(p.replicas) == 0 {
		return refuse(ErrUnknownTopic, "The partition does not exist.")
	}
	return m.reassign(ctx, p, p.assignment.to(target))
}

// checkWish refuses as Kafka does, in its order; a partition that does not exist is found later.
func (m *machine) checkWish(w Reassignment) error {
	p := m.partition(w.TopicPartition)
	if w.Target == nil {
		if p == nil || !p.reassigning() {
			return ErrNoReassignment
		}
		return nil
	}
	var a assignment
	if p != nil {
		a = p.assignment
	}
	if err := checkTarget(w.Target); err != nil {
		return err
	}
	adding := a.to(w.Target).adding
	if slices.ContainsFunc(adding, func(id int32) bool { return !m.live(id) }) {
		live := slices.DeleteFunc(m.brokerIDs(), func(id int32) bool { return !m.live(id) })
		return refuse(ErrInvalidAssignment, "Replica assignment has brokers that are not alive. Replica list: %s, live broker list: %s",
			scala("ArrayBuffer", adding), scala("Set", live))
	}
	return nil
}

// checkTarget checks what needs no knowledge of the cluster.
func checkTarget(target []int32) error {
	switch {
	case len(target) == 0:
		return refuse(ErrInvalidAssignment, "Empty replica list specified in partition reassignment.")
	case hasDuplicate(target):
		return refuse(ErrInvalidAssignment, "Duplicate replica ids in partition reassignment replica list: %s", scala("ArrayBuffer", target))
	case slices.Min(target) < 0:
		return refuse(ErrInvalidAssignment, "Invalid broker id in replica list: %s", scala("ArrayBuffer", target))
	}
	return nil
}

// scala prints ids as a collection of Scala, which Kafka's messages contain.
func scala(kind string, list32 []int32) string { return kind + "(" + list(list32) + ")" }

func (c *cluster) reassignments(tps []zkmeta.TopicPartition) []Reassigning {
	var partitions []*partition
	if tps == nil {
		partitions = c.partitionsWhere(func(p *partition) bool { return p.reassigning() })
	} else {
		asked := map[*partition]bool{}
		for _, tp := range tps {
			if p := c.partition(tp); p != nil && p.reassigning() {
				asked[p] = true
			}
		}
		partitions = sorted(maps.Keys(asked))
	}
	moving := make([]Reassigning, len(partitions))
	for i, p := range partitions {
		moving[i] = Reassigning{p.key(), slices.Clone(p.replicas), slices.Clone(p.adding), slices.Clone(p.removing)}
	}
	return moving
}

func compareKeys(a, b zkmeta.TopicPartition) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}
