package zkmeta

import (
	"fmt"
	"strconv"
)

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// TopicAssignment is /brokers/topics/<t>.
type TopicAssignment struct {
	Topic      string
	ID         [16]byte // zero: absent
	Partitions map[int32][]int32
	Adding     map[int32][]int32
	Removing   map[int32][]int32
	Version    int32 // dataVersion, filled by reads
}

// PartitionState is .../partitions/<p>/state.
type PartitionState struct {
	Leader          int32 // -1 none
	LeaderEpoch     int32
	ISR             []int32
	ControllerEpoch int32
	Recovering      bool
	PartitionEpoch  int32 // dataVersion
	ModifiedAt      int64 // zxid of the last write; filled by reads
}

func topicPath(topic string) string      { return topicsPath + "/" + topic }
func partitionsPath(topic string) string { return topicPath(topic) + "/partitions" }

func (tp TopicPartition) path() string {
	return partitionsPath(tp.Topic) + "/" + strconv.Itoa(int(tp.Partition))
}
func (tp TopicPartition) statePath() string { return tp.path() + "/state" }

// topicZNode is /brokers/topics/<t>, written as version 3; versions 1 and 2 lack the id and the changes.
type topicZNode TopicAssignment

func (z topicZNode) path() string { return topicPath(z.Topic) }

func (z topicZNode) encode() []byte {
	raw := struct {
		Version    int                `json:"version"`
		Partitions map[string][]int32 `json:"partitions"`
		Adding     map[string][]int32 `json:"adding_replicas"`
		Removing   map[string][]int32 `json:"removing_replicas"`
		ID         string             `json:"topic_id,omitempty"`
	}{
		Version:    3,
		Partitions: make(map[string][]int32, len(z.Partitions)),
		Adding:     map[string][]int32{},
		Removing:   map[string][]int32{},
	}
	for partition, replicas := range z.Partitions {
		key := strconv.Itoa(int(partition))
		raw.Partitions[key] = append([]int32{}, replicas...) // [], never null
		if adding := z.Adding[partition]; len(adding) > 0 {
			raw.Adding[key] = adding
		}
		if removing := z.Removing[partition]; len(removing) > 0 {
			raw.Removing[key] = removing
		}
	}
	if z.ID != [16]byte{} {
		raw.ID = encodeUUID(z.ID)
	}
	return encodeJSON(raw)
}

func decodeTopic(data []byte) (topicZNode, error) {
	var raw struct {
		Partitions map[string][]int32 `json:"partitions"`
		Adding     map[string][]int32 `json:"adding_replicas"`
		Removing   map[string][]int32 `json:"removing_replicas"`
		ID         *string            `json:"topic_id"`
	}
	const what = "topic assignment"
	if err := decodeJSON(what, data, &raw); err != nil {
		return topicZNode{}, err
	}
	var z topicZNode
	var err error
	if raw.ID != nil {
		if z.ID, err = decodeUUID(*raw.ID); err != nil {
			return topicZNode{}, fmt.Errorf("decode %s: topic_id: %w", what, err)
		}
	}
	for _, field := range []struct {
		raw map[string][]int32
		out *map[int32][]int32
	}{{raw.Partitions, &z.Partitions}, {raw.Adding, &z.Adding}, {raw.Removing, &z.Removing}} {
		*field.out = make(map[int32][]int32, len(field.raw))
		for key, replicas := range field.raw {
			partition, err := strconv.ParseInt(key, 10, 32)
			if err != nil || partition < 0 {
				return topicZNode{}, fmt.Errorf("decode %s: %q is not a partition", what, key)
			}
			(*field.out)[int32(partition)] = replicas
		}
	}
	return z, nil
}

// partitionStateZNode is .../partitions/<p>/state.
type partitionStateZNode PartitionState

func (z partitionStateZNode) encode() []byte {
	raw := struct {
		Version         int     `json:"version"`
		Leader          int32   `json:"leader"`
		LeaderEpoch     int32   `json:"leader_epoch"`
		ControllerEpoch int32   `json:"controller_epoch"`
		ISR             []int32 `json:"isr"`
		Recovery        int     `json:"leader_recovery_state,omitempty"` // KIP-704
	}{1, z.Leader, z.LeaderEpoch, z.ControllerEpoch, append([]int32{}, z.ISR...), 0}
	if z.Recovering {
		raw.Recovery = 1
	}
	return encodeJSON(raw)
}

func decodePartitionState(data []byte) (partitionStateZNode, error) {
	const what = "partition state"
	var raw struct {
		Leader          *int32   `json:"leader"`
		LeaderEpoch     *int32   `json:"leader_epoch"`
		ControllerEpoch *int32   `json:"controller_epoch"`
		ISR             *[]int32 `json:"isr"`
		Recovery        int32    `json:"leader_recovery_state"`
	}
	if err := decodeJSON(what, data, &raw); err != nil {
		return partitionStateZNode{}, err
	}
	if raw.Leader == nil || raw.LeaderEpoch == nil || raw.ControllerEpoch == nil || raw.ISR == nil {
		return partitionStateZNode{}, fmt.Errorf("decode %s: leader, leader_epoch, controller_epoch or isr is missing", what)
	}
	if raw.Recovery != 0 && raw.Recovery != 1 {
		return partitionStateZNode{}, fmt.Errorf("decode %s: leader_recovery_state %d is unknown", what, raw.Recovery)
	}
	return partitionStateZNode{
		Leader: *raw.Leader, LeaderEpoch: *raw.LeaderEpoch, ControllerEpoch: *raw.ControllerEpoch,
		ISR: *raw.ISR, Recovering: raw.Recovery == 1,
	}, nil
}
