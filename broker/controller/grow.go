package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kbroker/kbroker/zkmeta"
)

// MorePartitions is one topic of CreatePartitions.
type MorePartitions struct {
	Topic      string
	Count      int32     // that the topic shall have
	Assignment [][]int32 // of the new partitions; nil: assigned by the controller
}

// CreatePartitions adds partitions to topics, and returns when they are
// written; an error belongs to the topic of the same place. Topics must differ.
func (c *Controller) CreatePartitions(ctx context.Context, topics []MorePartitions, validateOnly bool) []error {
	all := func(err error) []error { return slices.Repeat([]error{err}, len(topics)) }
	if !c.Active() {
		return all(ErrNotController)
	}
	errs, err := call(ctx, c, "create_partitions", func(ctx context.Context) ([]error, error) {
		if c.term == nil {
			return all(ErrNotController), nil
		}
		return c.term.growTopics(ctx, topics, validateOnly)
	})
	if err != nil {
		return all(err)
	}
	return errs
}

func (t *term) growTopics(ctx context.Context, topics []MorePartitions, validateOnly bool) ([]error, error) {
	errs := make([]error, len(topics))
	var names []string
	for _, more := range topics {
		// ZooKeeper has no path for every name that a client can send, and what it refuses would end the term.
		if ValidateTopicName(more.Topic) == nil {
			names = append(names, more.Topic)
		}
	}
	assignments, err := t.c.zk.Assignments(ctx, names, nil)
	if err != nil {
		return slices.Repeat([]error{forCaller(err)}, len(topics)), err
	}
	var grown []string
	for i, more := range topics {
		a, ok := assignments[more.Topic]
		if known := t.topics[more.Topic]; known != nil && known.queued {
			errs[i] = refuse(ErrInvalidTopic, "The topic is queued for deletion.")
			continue
		}
		if !ok {
			errs[i] = refuse(ErrUnknownTopic, "The topic '%s' does not exist.", more.Topic)
			continue
		}
		if errs[i] = t.grow(a, more); errs[i] != nil || validateOnly {
			continue
		}
		err := t.c.zk.SetAssignment(ctx, t.origin.lease, a)
		if errors.Is(err, zkmeta.ErrNoNode) {
			errs[i] = refuse(ErrUnknownTopic, "The topic '%s' does not exist.", more.Topic)
			continue
		}
		if err != nil {
			for j := i; j < len(errs); j++ {
				errs[j] = ErrNotController
			}
			return errs, fmt.Errorf("write partitions of topic %s: %w", more.Topic, err)
		}
		grown = append(grown, more.Topic)
	}
	// The watches on the topics would come to the same, later.
	return errs, t.topicsModified(ctx, grown)
}

// grow adds the new partitions to a, or refuses them as Kafka does
// (ZkAdminManager.createPartitions, AdminZkClient.createNewPartitionsAssignment).
func (t *term) grow(a zkmeta.TopicAssignment, more MorePartitions) error {
	if len(a.Adding) > 0 || len(a.Removing) > 0 {
		return refuse(ErrReassignmentInProgress, "A partition reassignment is in progress for the topic '%s'.", a.Topic)
	}
	has := int32(len(a.Partitions))
	switch {
	case more.Count < has:
		return refuse(ErrInvalidPartitions, "Topic currently has %d partitions, which is higher than the requested %d.", has, more.Count)
	case more.Count == has:
		return refuse(ErrInvalidPartitions, "Topic already has %d partitions.", has)
	}
	model, ok := a.Partitions[0]
	if !ok || len(model) == 0 {
		return refuse(errAdministration, "Unexpected existing replica assignment for topic '%s', partition id 0 is missing.", a.Topic)
	}
	added := more.Assignment
	if added != nil {
		if err := t.checkGrowth(added, int(more.Count-has), len(model), has); err != nil {
			return err
		}
	} else {
		sites, start := make([]site, 0, len(t.brokers)), 0
		for i, id := range t.brokerIDs() {
			sites = append(sites, site{id, t.brokers[id].Rack})
			if id < model[0] {
				start = i + 1
			}
		}
		if start == len(sites) {
			start = 0
		}
		var err error
		if added, err = assign(sites, more.Count-has, len(model), spread{start: start, shift: start, first: int(has)}); err != nil {
			return err
		}
	}
	for i, replicas := range added {
		a.Partitions[has+int32(i)] = replicas
	}
	return nil
}

// checkGrowth checks replicas that a client chose for new partitions. Unlike
// at creation the brokers must be known.
func (t *term) checkGrowth(added [][]int32, count, replicationFactor int, has int32) error {
	unknown := map[int32]bool{}
	for _, replicas := range added {
		for _, id := range replicas {
			if _, ok := t.brokers[id]; !ok {
				unknown[id] = true
			}
		}
	}
	if len(unknown) > 0 {
		return refuse(ErrInvalidAssignment, "Unknown broker(s) in replica assignment: %s.", list(slices.Sorted(maps.Keys(unknown))))
	}
	if len(added) != count {
		return refuse(ErrInvalidAssignment, "Increasing the number of partitions by %d but %d assignments provided.", count, len(added))
	}
	var bad, factors []int32
	for i, replicas := range added {
		index := has + int32(i)
		switch {
		case len(replicas) == 0:
			return refuse(ErrInvalidAssignment, "Cannot have replication factor of 0 for partition id %d.", index)
		case hasDuplicate(replicas):
			return refuse(ErrInvalidAssignment, "Duplicate brokers not allowed in replica assignment: %s for partition id %d.", list(replicas), index)
		case len(replicas) != replicationFactor:
			bad, factors = append(bad, index), append(factors, int32(len(replicas)))
		}
	}
	if len(bad) > 0 {
		return refuse(ErrInvalidAssignment, "Inconsistent replication factor between partitions, "+
			"partition 0 has %d while partitions [%s] have replication factors [%s], respectively.",
			replicationFactor, list(bad), list(factors))
	}
	return nil
}

func list(ids []int32) string {
	text := make([]string, len(ids))
	for i, id := range ids {
		text[i] = strconv.Itoa(int(id))
	}
	return strings.Join(text, ", ")
}
