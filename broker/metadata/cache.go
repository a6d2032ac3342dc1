package metadata

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Update is one UpdateMetadata request. Brokers replace the live set and ControllerID the controller; topics are
// merged, and the zero id takes a topic's id away. A partition whose leader is LeaderDeleting is removed, and its topic
// with the last one. The Cache owns everything in the Update from Apply on.
type Update struct {
	ControllerID int32
	Brokers      []Broker
	Topics       []Topic // only the partitions that are told of, in any order
}

// Cache holds the current Image. Safe for concurrent use; updates are serialised.
type Cache struct {
	image atomic.Pointer[Image]

	mu      sync.Mutex
	changed chan struct{} // guarded by mu; closed and replaced by every Apply
}

// NewCache makes a cache that knows the cluster's id and nothing else yet.
func NewCache(clusterID string) *Cache {
	c := &Cache{changed: make(chan struct{})}
	c.image.Store(&Image{ClusterID: clusterID, ControllerID: -1})
	return c
}

// Load returns the image of now.
func (c *Cache) Load() *Image { return c.image.Load() }

// Changed returns a channel that is closed at the next Apply: take it, look, then wait.
func (c *Cache) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// Apply makes the next image and publishes it. deleted lists the partitions that left the picture, by topic; it is
// nil when there are none. Whether the sender is the current controller is for the caller to check.
func (c *Cache) Apply(u Update) (deleted map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()

	e := edit(c.image.Load())
	e.image.ControllerID = u.ControllerID
	e.image.brokers = sortedBrokers(u.Brokers)
	e.place(u.Brokers)
	for i := range u.Topics {
		e.merge(&u.Topics[i])
	}
	c.image.Store(e.image)

	// Only after the image is there to be seen.
	close(c.changed)
	c.changed = make(chan struct{})
	return e.deleted
}

// editor makes an image from another, copying what it changes.
type editor struct {
	image   *Image
	deleted map[string][]int32
	// ownName and ownID tell which shards are already this image's own copy.
	ownName, ownID [shardCount]bool
}

func edit(from *Image) *editor {
	return &editor{image: &Image{
		ClusterID:  from.ClusterID,
		byName:     from.byName,
		byID:       from.byID,
		Placement:  from.Placement,
		racks:      from.racks,
		topics:     from.topics,
		partitions: from.partitions,
	}}
}

// merge brings one topic of an update into the image.
func (e *editor) merge(t *Topic) {
	old, existed := e.image.Topic(t.Name)
	var known []Partition
	if existed {
		known = old.Partitions
	}
	same := existed && old.ID == t.ID && t.ID != [16]byte{}
	next := &Topic{Name: t.Name, ID: t.ID, Partitions: mergePartitions(known, t.Partitions, same)}
	for i := range t.Partitions {
		p := &t.Partitions[i]
		if p.Leader != LeaderDeleting {
			continue
		}
		if e.deleted == nil {
			e.deleted = make(map[string][]int32)
		}
		e.deleted[t.Name] = append(e.deleted[t.Name], p.Index)
	}
	if existed && !samePlaces(old, next) || !existed && len(next.Partitions) > 0 {
		e.image.Placement++
	}
	e.image.partitions += len(next.Partitions) - len(known)
	if existed {
		e.remove(old)
	}
	if len(next.Partitions) > 0 {
		e.add(next)
	}
}

// place notes the racks of brokers that are alive.
func (e *editor) place(brokers []Broker) {
	own := false
	for i := range brokers {
		b := &brokers[i]
		rack, known := e.image.racks[b.ID]
		if b.Rack == nil && !known || b.Rack != nil && known && *b.Rack == rack {
			continue
		}
		if !own {
			own = true
			e.image.racks = clone(e.image.racks)
			e.image.Placement++
		}
		if b.Rack == nil {
			delete(e.image.racks, b.ID)
		} else {
			e.image.racks[b.ID] = *b.Rack
		}
	}
}

// samePlaces tells whether a topic has the same partitions on the same brokers.
func samePlaces(a, b *Topic) bool {
	return a.ID == b.ID && slices.EqualFunc(a.Partitions, b.Partitions, func(a, b Partition) bool {
		return a.Index == b.Index && slices.Equal(a.Replicas, b.Replicas)
	})
}

// mergePartitions lays the told partitions over the known ones, both of which stay as they are. Within the same topic what is
// known stays where it is newer: a controller that was not answered says what it said again on another connection, and goes on, while
// the first one may still bring it. (Kafka takes whatever comes last.)
func mergePartitions(known, told []Partition, sameTopic bool) []Partition {
	told = slices.Clone(told)
	slices.SortStableFunc(told, func(a, b Partition) int { return cmp.Compare(a.Index, b.Index) })
	merged := make([]Partition, 0, max(len(known), len(told)))
	for len(known) > 0 || len(told) > 0 {
		var had *Partition
		switch {
		case len(told) == 0 || len(known) > 0 && known[0].Index < told[0].Index:
			merged, known = append(merged, known[0]), known[1:]
			continue
		case len(known) > 0 && known[0].Index == told[0].Index:
			had, known = &known[0], known[1:]
		}
		// Of a partition told twice the later word counts.
		for len(told) > 1 && told[1].Index == told[0].Index {
			told = told[1:]
		}
		switch {
		case told[0].Leader == LeaderDeleting:
		case sameTopic && had != nil && had.PartitionEpoch > told[0].PartitionEpoch:
			merged = append(merged, *had)
		default:
			merged = append(merged, told[0])
		}
		told = told[1:]
	}
	return slices.Clip(merged)
}

func (e *editor) add(t *Topic) {
	e.nameShard(t.Name)[t.Name] = t
	e.image.topics++
	if t.ID != ([16]byte{}) {
		e.idShard(t.ID)[t.ID] = t
	}
}

func (e *editor) remove(t *Topic) {
	delete(e.nameShard(t.Name), t.Name)
	e.image.topics--
	// A topic deleted and made again has another id; the old one must lead nowhere.
	if named, ok := e.image.TopicByID(t.ID); ok && named.Name == t.Name {
		delete(e.idShard(t.ID), t.ID)
	}
}

// nameShard returns the shard of a name for writing.
func (e *editor) nameShard(name string) nameShard {
	at := nameShardOf(name)
	if !e.ownName[at] {
		e.ownName[at] = true
		e.image.byName[at] = clone(e.image.byName[at])
	}
	return e.image.byName[at]
}

// idShard returns the shard of a topic id for writing.
func (e *editor) idShard(id [16]byte) idShard {
	at := idShardOf(id)
	if !e.ownID[at] {
		e.ownID[at] = true
		e.image.byID[at] = clone(e.image.byID[at])
	}
	return e.image.byID[at]
}

// clone is maps.Clone with an empty map for nil.
func clone[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return make(M)
	}
	return maps.Clone(m)
}

func sortedBrokers(brokers []Broker) []*Broker {
	sorted := make([]*Broker, len(brokers))
	for i := range brokers {
		sorted[i] = &brokers[i]
	}
	slices.SortFunc(sorted, func(a, b *Broker) int { return cmp.Compare(a.ID, b.ID) })
	return sorted
}
