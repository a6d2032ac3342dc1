package metadata

import (
	"cmp"
	"slices"
	"sync"
)

// Leaders that are no broker. They are two different things: a partition without a leader keeps its ISR and its place,
// a partition that is being deleted leaves the picture.
const (
	NoLeader       int32 = -1
	LeaderDeleting int32 = -2 // in an Update: the partition is being deleted
)

// Endpoint is where a broker listens.
type Endpoint struct {
	Listener string // upper case
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
	Host     string
	Port     int32
}

// Broker is a live broker.
type Broker struct {
	ID        int32
	Rack      *string
	Endpoints []Endpoint
}

// Endpoint finds the endpoint of a listener, whose name is in upper case.
func (b *Broker) Endpoint(listener string) (Endpoint, bool) {
	for _, e := range b.Endpoints {
		if e.Listener == listener {
			return e, true
		}
	}
	return Endpoint{}, false
}

// Partition is the state of a partition as the controller last told it.
type Partition struct {
	Index           int32
	Leader          int32 // NoLeader when none
	LeaderEpoch     int32
	ISR             []int32
	Replicas        []int32 // in the order of assignment, the preferred leader first
	Offline         []int32 // replicas on a failed log directory or a dead broker, as the controller sees it
	ControllerEpoch int32
	PartitionEpoch  int32 // dataVersion of the partition's state znode
}

// Topic is a topic with its partitions in the order of their indexes.
type Topic struct {
	Name       string
	ID         [16]byte // zero when the controller knows none
	Partitions []Partition
}

// Partition finds a partition of the topic by index. The result belongs to the image: it must not be written to.
func (t *Topic) Partition(index int32) (*Partition, bool) {
	// Indexes are 0..n-1 unless a partition is missing while a topic is being deleted or created.
	if index >= 0 && int(index) < len(t.Partitions) && t.Partitions[index].Index == index {
		return &t.Partitions[index], true
	}
	at, found := slices.BinarySearchFunc(t.Partitions, index, func(p Partition, index int32) int {
		return cmp.Compare(p.Index, index)
	})
	if !found {
		return nil, false
	}
	return &t.Partitions[at], true
}

// shardCount is how many maps the topics are spread over. With ten thousand topics a shard holds about forty, which
// is what a change of one topic copies; an image costs two arrays of this many pointers, 4 KiB.
const shardCount = 256

type (
	nameShard map[string]*Topic
	idShard   map[[16]byte]*Topic
)

// Image is the cluster at one moment. It is immutable; never keep one across a wait.
type Image struct {
	ClusterID    string
	ControllerID int32 // -1 unknown
	// Placement changes whenever a topic comes, goes, gets another id, or has partitions or replicas other than before, or
	// when a rack becomes known or another one. Who leads what does not change it: nor does a broker that is away.
	Placement uint64

	brokers    []*Broker // by id
	byName     [shardCount]nameShard
	byID       [shardCount]idShard // topics without an id are absent
	topics     int
	partitions int
	racks      map[int32]string // of brokers ever seen: one that is away is not elsewhere

	sortOnce sync.Once
	sorted   []*Topic // by name, made when first asked for: most images are never listed
}

// Broker finds a live broker.
func (i *Image) Broker(id int32) (*Broker, bool) {
	at, found := slices.BinarySearchFunc(i.brokers, id, func(b *Broker, id int32) int { return cmp.Compare(b.ID, id) })
	if !found {
		return nil, false
	}
	return i.brokers[at], true
}

// Rack is where a broker is, or was when it was last seen alive.
func (i *Image) Rack(id int32) (rack string, known bool) {
	rack, known = i.racks[id]
	return rack, known
}

// Racked tells whether any broker has a rack.
func (i *Image) Racked() bool { return len(i.racks) > 0 }

// Brokers lists the live brokers by id. The caller must not change the slice.
func (i *Image) Brokers() []*Broker { return i.brokers }

// Topic finds a topic by name.
func (i *Image) Topic(name string) (*Topic, bool) {
	t, ok := i.byName[nameShardOf(name)][name]
	return t, ok
}

// TopicByID finds a topic by its id; the zero id finds none.
func (i *Image) TopicByID(id [16]byte) (*Topic, bool) {
	t, ok := i.byID[idShardOf(id)][id]
	return t, ok
}

// Topics lists the topics by name. The caller must not change the slice.
func (i *Image) Topics() []*Topic {
	i.sortOnce.Do(func() {
		i.sorted = make([]*Topic, 0, i.topics)
		for _, shard := range i.byName {
			for _, t := range shard {
				i.sorted = append(i.sorted, t)
			}
		}
		slices.SortFunc(i.sorted, func(a, b *Topic) int { return cmp.Compare(a.Name, b.Name) })
	})
	return i.sorted
}

// TopicCount tells how many topics and partitions there are.
func (i *Image) TopicCount() (topics, partitions int) { return i.topics, i.partitions }

// nameShardOf is FNV-1a, folded to a byte.
func nameShardOf(name string) uint8 {
	h := uint32(2166136261)
	for j := range len(name) {
		h = (h ^ uint32(name[j])) * 16777619
	}
	return uint8(h ^ h>>8 ^ h>>16 ^ h>>24)
}

// idShardOf relies on topic ids being random; the last byte of a UUID carries no version bits.
func idShardOf(id [16]byte) uint8 { return id[15] }
