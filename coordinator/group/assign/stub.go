package assign

// Topic is what an assignor knows of a topic.
type Topic struct {
	ID         [16]byte
	Partitions int32
	Racks      []map[string]struct{} // by partition, of the replicas; nil when no racks are known
}

// Topics finds topics by id. It must be fast and not change during a call.
type Topics interface {
	Topic(id [16]byte) (Topic, bool)
}

// Partitions is partition numbers by topic id; each list sorted. Values are never changed once made: they may be shared.
type Partitions map[[16]byte][]int32

// Member is what an assignor knows of a member.
type Member struct {
	ID         string
	InstanceID *string
	Rack       *string
	Subscribed map[[16]byte]struct{}
	Target     Partitions // what it was assigned before
}

// Group is what is to be assigned. Homogeneous: all members subscribe to the same topics.
type Group struct {
	Members     []Member // by id
	Homogeneous bool
}

// Assignor is uniform or range.
type Assignor interface {
	// Name as clients say it (group.remote.assignor).
	Name() string
	// Assign returns the target of every member, by id. Members without partitions have an empty entry. A member's target that did not change
	// is the same map as Target (so that callers need not compare).
	Assign(g Group, topics Topics) (map[string]Partitions, error)
}

// Uniform spreads all partitions evenly and moves few (UniformAssignor).
func Uniform() Assignor { panic("unwritten") }

// Range gives each member a range of every topic, co-partitioned (RangeAssignor).
func Range() Assignor { panic("unwritten") }
