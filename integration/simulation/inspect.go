package simulation

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/kbroker/kbroker/zkmeta"
)

// Image is what ZooKeeper holds of topics.
type Image struct {
	Controller int32
	Topics     map[string]zkmeta.TopicAssignment
	States     map[zkmeta.TopicPartition]zkmeta.PartitionState
}

// inspect opens a session of its own to look at the znodes.
func (w *World) inspect(ctx context.Context) (*zkmeta.Client, error) {
	if w.inspector == nil {
		w.inspector = w.Net.Host("inspector")
	}
	c, err := zkmeta.Connect(ctx, zkmeta.Options{Connect: zooKeeperAddress, Dial: w.inspector.DialTimeout})
	if err != nil {
		return nil, fmt.Errorf("inspect the znodes: %w", err)
	}
	return c, nil
}

// ReadImage reads the znodes, and tells what is not yet as it is when nothing is left to do: every broker registered, every
// partition with a leader and all replicas in sync, no deletion or reassignment under way.
func (w *World) ReadImage(ctx context.Context, c *zkmeta.Client) (image Image, pending []string, err error) {
	wait := func(format string, args ...any) { pending = append(pending, fmt.Sprintf(format, args...)) }
	brokers, err := c.Brokers(ctx, nil)
	if err != nil {
		return image, nil, err
	}
	if len(brokers) != len(w.Nodes) {
		wait("%d of %d brokers are registered", len(brokers), len(w.Nodes))
	}
	controller, elected, err := c.Controller(ctx, nil)
	if err != nil {
		return image, nil, err
	}
	if image.Controller = controller; !elected {
		wait("no controller")
	}
	deleting, err := c.DeletionMarkers(ctx, nil)
	if err != nil {
		return image, nil, err
	}
	if len(deleting) > 0 {
		wait("topics to be deleted: %v", deleting)
	}
	topics, err := c.Topics(ctx, nil)
	if err != nil {
		return image, nil, err
	}
	if image.Topics, err = c.Assignments(ctx, topics, nil); err != nil {
		return image, nil, err
	}
	var partitions []zkmeta.TopicPartition
	for topic, assignment := range image.Topics {
		if len(assignment.Adding)+len(assignment.Removing) > 0 {
			wait("%s is being reassigned", topic)
		}
		for p := range assignment.Partitions {
			partitions = append(partitions, zkmeta.TopicPartition{Topic: topic, Partition: p})
		}
	}
	slices.SortFunc(partitions, func(a, b zkmeta.TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	if image.States, err = c.PartitionStates(ctx, partitions, nil); err != nil {
		return image, nil, err
	}
	for _, tp := range partitions {
		state, exists := image.States[tp]
		replicas := image.Topics[tp.Topic].Partitions[tp.Partition]
		switch {
		case !exists:
			wait("%s-%d has no state", tp.Topic, tp.Partition)
		case state.Leader < 0 || len(state.ISR) < len(replicas):
			wait("%s-%d has leader %d, in sync %v of %v", tp.Topic, tp.Partition, state.Leader, state.ISR, replicas)
		}
	}
	return image, pending, nil
}

// Faults finds contradictions in the znodes of a cluster that has converged.
func (i Image) Faults() (found []string) {
	for tp, state := range i.States {
		replicas := i.Topics[tp.Topic].Partitions[tp.Partition]
		if !slices.Contains(state.ISR, state.Leader) {
			found = append(found, fmt.Sprintf("leader %d of %s-%d is not in sync: %v", state.Leader, tp.Topic, tp.Partition, state.ISR))
		}
		for _, id := range state.ISR {
			if !slices.Contains(replicas, id) {
				found = append(found, fmt.Sprintf("%d is in sync and no replica of %s-%d: %v", id, tp.Topic, tp.Partition, replicas))
			}
		}
	}
	return found
}
