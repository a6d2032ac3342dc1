package zkmeta

import (
	"cmp"
	"fmt"
	"slices"
)

// Prefixes of sequential znodes.
const (
	isrChangePrefix   = "isr_change_"
	logDirEventPrefix = "log_dir_event_"
)

// partitionJSON is how several znodes name a partition.
type partitionJSON struct {
	Topic     *string `json:"topic"`
	Partition *int32  `json:"partition"`
	Replicas  []int32 `json:"replicas,omitempty"`
}

type partitionsJSON struct {
	Version    int             `json:"version"`
	Partitions []partitionJSON `json:"partitions"`
}

func encodePartitions(tps []TopicPartition) []byte {
	raw := partitionsJSON{1, make([]partitionJSON, 0, len(tps))}
	for _, tp := range tps {
		raw.Partitions = append(raw.Partitions, partitionJSON{Topic: &tp.Topic, Partition: &tp.Partition})
	}
	return encodeJSON(raw)
}

func decodePartitions(what string, data []byte) ([]partitionJSON, error) {
	var raw partitionsJSON
	if err := decodeJSON(what, data, &raw); err != nil {
		return nil, err
	}
	if raw.Partitions == nil {
		return nil, fmt.Errorf("decode %s: key \"partitions\" is missing", what)
	}
	for _, p := range raw.Partitions {
		if p.Topic == nil || p.Partition == nil {
			return nil, fmt.Errorf("decode %s: a partition lacks its topic or number", what)
		}
	}
	return raw.Partitions, nil
}

func partitionNames(raw []partitionJSON) []TopicPartition {
	var tps []TopicPartition
	for _, p := range raw {
		tps = append(tps, TopicPartition{*p.Topic, *p.Partition})
	}
	return tps
}

// isrChangeZNode is /isr_change_notification/isr_change_<n>, written by leaders before 2.7 only.
type isrChangeZNode []TopicPartition

func (z isrChangeZNode) encode() []byte { return encodePartitions(z) }

func decodeISRChange(data []byte) (isrChangeZNode, error) {
	raw, err := decodePartitions("isr change", data)
	return partitionNames(raw), err
}

// preferredElectionZNode is /admin/preferred_replica_election: partitions of which the first replica shall lead.
type preferredElectionZNode []TopicPartition

func (preferredElectionZNode) path() string { return preferredElectionPath }

func (z preferredElectionZNode) encode() []byte { return encodePartitions(z) }

func decodePreferredElection(data []byte) (preferredElectionZNode, error) {
	raw, err := decodePartitions(preferredElectionPath, data)
	return partitionNames(raw), err
}

// reassignmentZNode is /admin/reassign_partitions: the replicas that partitions shall have, as tools before
// KIP-455 asked for it.
type reassignmentZNode map[TopicPartition][]int32

func (reassignmentZNode) path() string { return reassignPath }

func (z reassignmentZNode) encode() []byte {
	type entry struct {
		Topic     string  `json:"topic"`
		Partition int32   `json:"partition"`
		Replicas  []int32 `json:"replicas"`
	}
	raw := struct {
		Version    int     `json:"version"`
		Partitions []entry `json:"partitions"`
	}{1, make([]entry, 0, len(z))}
	for tp, replicas := range z {
		raw.Partitions = append(raw.Partitions, entry{tp.Topic, tp.Partition, append([]int32{}, replicas...)})
	}
	slices.SortFunc(raw.Partitions, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return encodeJSON(raw)
}

func decodeReassignment(data []byte) (reassignmentZNode, error) {
	raw, err := decodePartitions(reassignPath, data)
	if err != nil {
		return nil, err
	}
	z := make(reassignmentZNode, len(raw))
	for _, p := range raw {
		z[TopicPartition{*p.Topic, *p.Partition}] = p.Replicas
	}
	return z, nil
}

// logDirEventZNode is /log_dir_event_notification/log_dir_event_<n>: a broker lost a log directory (event 1, the
// only one there is).
type logDirEventZNode struct{ BrokerID int32 }

func (logDirEventZNode) path() string { return logDirEventsPath + "/" + logDirEventPrefix }

func (z logDirEventZNode) encode() []byte {
	return encodeJSON(struct {
		Version int   `json:"version"`
		Broker  int32 `json:"broker"`
		Event   int   `json:"event"`
	}{1, z.BrokerID, 1})
}

func decodeLogDirEvent(data []byte) (logDirEventZNode, error) {
	var raw struct {
		Broker *int32 `json:"broker"`
	}
	const what = "log directory event"
	if err := decodeJSON(what, data, &raw); err != nil {
		return logDirEventZNode{}, err
	}
	broker, err := need(what, "broker", raw.Broker)
	return logDirEventZNode{broker}, err
}
