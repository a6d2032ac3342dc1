package placement

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// AnyLogDir leaves the choice of a log directory to the broker.
const AnyLogDir = "any"

// Partition is a partition with its replicas, the preferred leader first.
type Partition struct {
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Replicas  []int32  `json:"replicas"`
	LogDirs   []string `json:"log_dirs,omitempty"` // as many as replicas, or none
}

// Name is topic-partition, as Kafka writes it.
func (p *Partition) Name() string { return fmt.Sprintf("%s-%d", p.Topic, p.Partition) }

// Plan is a file of kafka-reassign-partitions.
type Plan struct {
	Version    int         `json:"version"`
	Partitions []Partition `json:"partitions"`
}

// NewPlan makes a plan of partitions, sorted, with log directories spelled out as Kafka's tool does.
func NewPlan(partitions []Partition) *Plan {
	plan := &Plan{Version: 1, Partitions: []Partition{}}
	for _, p := range partitions {
		if p.LogDirs == nil {
			p.LogDirs = slices.Repeat([]string{AnyLogDir}, len(p.Replicas))
		}
		plan.Partitions = append(plan.Partitions, p)
	}
	Sort(plan.Partitions)
	return plan
}

// Sort sorts by topic and partition.
func Sort(partitions []Partition) {
	slices.SortFunc(partitions, func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}

// ReadPlan reads a plan and refuses what cannot be meant: no partitions, one twice, a broker twice, no replicas.
func ReadPlan(content []byte) (*Plan, error) {
	var file struct {
		Version    *int
		Partitions []struct {
			Topic     *string
			Partition *int32
			Replicas  []int32
			LogDirs   []string `json:"log_dirs"`
		}
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, err
	}
	if file.Version != nil && *file.Version != 1 {
		return nil, fmt.Errorf("version %d is not known, only 1", *file.Version)
	}
	if len(file.Partitions) == 0 {
		return nil, errors.New("it lists no partitions")
	}
	plan := &Plan{Version: 1}
	seen := map[string]bool{}
	for i, f := range file.Partitions {
		if f.Topic == nil || *f.Topic == "" || f.Partition == nil || *f.Partition < 0 {
			return nil, fmt.Errorf("entry %d names no topic or partition", i)
		}
		p := Partition{Topic: *f.Topic, Partition: *f.Partition, Replicas: f.Replicas, LogDirs: f.LogDirs}
		if seen[p.Name()] {
			return nil, fmt.Errorf("%s is listed twice", p.Name())
		}
		seen[p.Name()] = true
		if err := p.check(); err != nil {
			return nil, err
		}
		plan.Partitions = append(plan.Partitions, p)
	}
	return plan, nil
}

func (p *Partition) check() error {
	if len(p.Replicas) == 0 {
		return fmt.Errorf("%s has no replicas", p.Name())
	}
	if p.LogDirs != nil && len(p.LogDirs) != len(p.Replicas) {
		return fmt.Errorf("%s has %d replicas and %d log directories", p.Name(), len(p.Replicas), len(p.LogDirs))
	}
	for i, r := range p.Replicas {
		if r < 0 {
			return fmt.Errorf("%s: %d is no broker id", p.Name(), r)
		}
		if slices.Contains(p.Replicas[:i], r) {
			return fmt.Errorf("%s has broker %d twice", p.Name(), r)
		}
	}
	return nil
}

// ReadTopics reads a file of topics to move, as kafka-reassign-partitions --topics-to-move-json-file takes it.
func ReadTopics(content []byte) ([]string, error) {
	var file struct {
		Topics []struct{ Topic string }
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, err
	}
	var topics []string
	for _, t := range file.Topics {
		if t.Topic == "" || slices.Contains(topics, t.Topic) {
			return nil, fmt.Errorf("topic %q is nothing, or listed twice", t.Topic)
		}
		topics = append(topics, t.Topic)
	}
	if len(topics) == 0 {
		return nil, errors.New(`it lists no topics; it should be as {"version": 1, "topics": [{"topic": "orders"}]}`)
	}
	return topics, nil
}
