package controller

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

const (
	maxTopicName = 249
	// noCount in NewTopic means the broker's default.
	noCount = -1
)

// NewTopic is a topic to be created.
type NewTopic struct {
	Name              string
	Partitions        int32              // -1: num.partitions
	ReplicationFactor int16              // -1: default.replication.factor
	Assignment        map[int32][]int32  // excludes the two above
	Config            map[string]*string // a nil value is refused as Kafka does
}

// Created is what became of a NewTopic.
type Created struct {
	ID                [16]byte
	Partitions        int32
	ReplicationFactor int16
	Config            map[string]string // the overrides
	Err               error
}

// ValidateTopicName checks a name as Kafka's Topic.validate does; the error is
// a *Refusal of ErrInvalidTopic.
func ValidateTopicName(name string) error {
	const prefix = "Topic name is invalid: "
	switch {
	case name == "":
		return refuse(ErrInvalidTopic, prefix+"the empty string is not allowed")
	case name == "." || name == "..":
		return refuse(ErrInvalidTopic, prefix+"'%s' is not allowed", name)
	case len(utf16.Encode([]rune(name))) > maxTopicName: // as Java counts
		return refuse(ErrInvalidTopic, prefix+"the length of '%s' is longer than the max allowed length %d", name, maxTopicName)
	case strings.ContainsFunc(name, func(c rune) bool { return !legalInName(c) }):
		return refuse(ErrInvalidTopic, prefix+"'%s' contains one or more characters other than "+
			"ASCII alphanumerics, '.', '_' and '-'", name)
	}
	return nil
}

func legalInName(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// names are the topics that a new one must not meet. Names that differ only in
// '.' and '_' collide, because metric names cannot tell them apart.
type names struct {
	exists  map[string]bool
	marked  map[string]bool // for deletion
	unified map[string][]string
}

func newNames(existing, marked []string) *names {
	n := &names{
		exists:  make(map[string]bool, len(existing)),
		marked:  make(map[string]bool, len(marked)),
		unified: map[string][]string{},
	}
	for _, name := range existing {
		n.add(name)
	}
	for _, name := range marked {
		n.marked[name] = true
	}
	return n
}

func (n *names) add(name string) {
	n.exists[name] = true
	if strings.ContainsAny(name, "._") {
		key := strings.ReplaceAll(name, ".", "_")
		n.unified[key] = append(n.unified[key], name)
	}
}

// check says whether a topic of this name may be created.
func (n *names) check(name string) error {
	switch {
	case n.marked[name]:
		return refuse(ErrTopicExists, "Topic '%s' is marked for deletion.", name)
	case n.exists[name]:
		return refuse(ErrTopicExists, "Topic '%s' already exists.", name)
	}
	if others := n.unified[strings.ReplaceAll(name, ".", "_")]; len(others) > 0 {
		return refuse(ErrInvalidTopic, "Topic '%s' collides with existing topics: %s", name, strings.Join(others, ", "))
	}
	return nil
}

// planner turns a NewTopic into what is written for it, or into the refusal
// that Kafka gives (ZkAdminManager.createTopics, AdminZkClient.validateTopicCreate).
type planner struct {
	names             *names
	sites             []site
	partitions        int32 // the default
	replicationFactor int16 // the default
	validateConfig    func(overrides map[string]string) error
	intn              func(n int) int // draws from [0, n)
}

// plan checks in Kafka's order, so that a topic with several faults is refused
// for the same one.
func (p *planner) plan(t NewTopic) (assignment map[int32][]int32, overrides map[string]string, err error) {
	if p.names.exists[t.Name] && !p.names.marked[t.Name] {
		return nil, nil, p.names.check(t.Name)
	}
	if overrides, err = overridesOf(t.Config); err != nil {
		return nil, nil, err
	}
	if len(t.Assignment) > 0 && (t.Partitions != noCount || t.ReplicationFactor != noCount) {
		return nil, nil, refuse(ErrInvalidRequest, "Both numPartitions or replicationFactor and replicasAssignments were set. "+
			"Both cannot be used at the same time.")
	}
	assignment = t.Assignment
	if len(assignment) == 0 {
		if assignment, err = p.assign(t); err != nil {
			return nil, nil, err
		}
	}
	if err := ValidateTopicName(t.Name); err != nil {
		return nil, nil, err
	}
	if err := p.names.check(t.Name); err != nil {
		return nil, nil, err
	}
	if err := checkAssignment(assignment); err != nil {
		return nil, nil, err
	}
	if err := p.validateConfig(overrides); err != nil {
		return nil, nil, &Refusal{Err: ErrInvalidConfig, Message: err.Error()}
	}
	return assignment, overrides, nil
}

func overridesOf(config map[string]*string) (map[string]string, error) {
	overrides := make(map[string]string, len(config))
	var null []string
	for key, value := range config {
		if value == nil {
			null = append(null, key)
			continue
		}
		overrides[key] = *value
	}
	if len(null) > 0 {
		slices.Sort(null)
		return nil, refuse(ErrInvalidConfig, "Null value not supported for topic configs: %s", strings.Join(null, ","))
	}
	return overrides, nil
}

func (p *planner) assign(t NewTopic) (map[int32][]int32, error) {
	partitions, replicationFactor := t.Partitions, t.ReplicationFactor
	if partitions == noCount {
		partitions = p.partitions
	}
	if replicationFactor == noCount {
		replicationFactor = p.replicationFactor
	}
	var s spread
	if len(p.sites) > 0 {
		s.start, s.shift = p.intn(len(p.sites)), p.intn(len(p.sites))
	}
	replicas, err := assign(p.sites, partitions, int(replicationFactor), s)
	if err != nil {
		return nil, err
	}
	assignment := make(map[int32][]int32, len(replicas))
	for i, r := range replicas {
		assignment[int32(i)] = r
	}
	return assignment, nil
}

// checkAssignment checks what a client may have chosen. That the brokers
// exist is not checked, as in Kafka.
func checkAssignment(assignment map[int32][]int32) error {
	indexes := slices.Sorted(maps.Keys(assignment))
	for _, index := range indexes {
		replicas := assignment[index]
		switch {
		case len(replicas) == 0:
			return refuse(ErrInvalidAssignment, "Cannot have replication factor of 0 for partition id %d.", index)
		case len(replicas) != len(assignment[indexes[0]]):
			return refuse(ErrInvalidAssignment, "All partitions should have the same number of replicas")
		case hasDuplicate(replicas):
			return refuse(ErrInvalidAssignment, "Duplicate replica assignment found: %v", assignment)
		case slices.Min(replicas) < 0:
			return refuse(ErrInvalidAssignment, "Invalid broker id in replica list: %v", replicas)
		}
	}
	for i, index := range indexes {
		if int32(i) != index {
			return refuse(ErrInvalidAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
	}
	return nil
}

func hasDuplicate(ids []int32) bool {
	sorted := slices.Sorted(slices.Values(ids))
	return len(slices.Compact(sorted)) != len(ids)
}
