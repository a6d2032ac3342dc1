package controller

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// Election is what became of a wish for another leader.
type Election struct {
	Leader int32 // who was elected
	Err    error // why nobody was
}

// ElectLeaders gives partitions their preferred leaders or, with unclean, leaders where there are none, even ones that are
// not in sync (KIP-460). The elections are in the order of the partitions, which must differ.
func (c *Controller) ElectLeaders(ctx context.Context, partitions []zkmeta.TopicPartition, unclean bool) []Election {
	all := func(err error) []Election { return slices.Repeat([]Election{{Err: err}}, len(partitions)) }
	if !c.Active() {
		return all(ErrNotController)
	}
	s := electPreferred
	if unclean {
		s = electUnclean
	}
	elected, err := call(ctx, c, "elect_leaders", func(ctx context.Context) ([]Election, error) {
		if c.term == nil {
			return all(ErrNotController), nil
		}
		elected, err := c.term.electLeaders(ctx, partitions, s)
		if err != nil {
			return all(forCaller(err)), err
		}
		return elected, nil
	})
	if err != nil {
		return all(err)
	}
	return elected
}

// electLeaders elects with electPreferred or electUnclean where that changes something
// (Kafka: KafkaController.processReplicaLeaderElection).
func (m *machine) electLeaders(ctx context.Context, tps []zkmeta.TopicPartition, s strategy) ([]Election, error) {
	elected := make([]Election, len(tps))
	at := make(map[*partition]int, len(tps)) // of those to elect for
	var partitions []*partition
	for i, tp := range tps {
		p := m.partition(tp)
		switch {
		case p == nil:
			elected[i].Err = refuse(ErrUnknownTopic, "The partition does not exist.")
		case p.topic.queued:
			elected[i].Err = refuse(ErrInvalidTopic, "The topic is being deleted")
		case p.leadership == nil:
			elected[i].Err = unavailable(p, s)
		case !m.wants(p, s):
			elected[i].Err = ErrElectionNotNeeded
		default:
			at[p] = i
			partitions = append(partitions, p)
		}
	}
	if len(partitions) == 0 {
		return elected, nil
	}
	m.log.Info("leaders are elected by request", zap.Stringer("strategy", s), zap.Int("count", len(partitions)))
	results, err := m.movePartitions(ctx, partitions, onlinePartition, s)
	if err != nil {
		return nil, err
	}
	for p, i := range at {
		if err := results[p]; err != nil {
			elected[i].Err = unavailable(p, s)
			continue
		}
		elected[i].Leader = p.leadership.Leader
	}
	return elected, nil
}

// wants tells whether a partition could have a better leader.
func (m *machine) wants(p *partition, s strategy) bool {
	if s == electUnclean {
		return !m.live(p.leadership.Leader)
	}
	return len(p.replicas) > 0 && p.replicas[0] != p.leadership.Leader
}

// unavailable is the refusal of an election that found nobody, in Kafka's words.
func unavailable(p *partition, s strategy) error {
	reason, name := ErrPreferredLeaderNotAvailable, "PreferredReplicaPartitionLeaderElectionStrategy"
	if s == electUnclean {
		reason, name = ErrEligibleLeadersNotAvailable, "OfflinePartitionLeaderElectionStrategy(true)"
	}
	return refuse(reason, "Failed to elect leader for partition %s-%d under strategy %s", p.topic.name, p.index, name)
}
