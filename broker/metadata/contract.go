// Package metadata is the broker's picture of the cluster: an immutable image, replaced by every
// UpdateMetadata request (Kafka: ZkMetadataCache.scala).
package metadata

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

// Endpoint finds the endpoint of a listener.
func (b *Broker) Endpoint(listener string) (Endpoint, bool) { panic("unwritten") }

// Leaders that are no broker.
const (
	NoLeader       int32 = -1
	LeaderDeleting int32 = -2 // in an Update: the partition is being deleted
)

// Partition is the state of a partition as the controller last told it.
type Partition struct {
	Index           int32
	Leader          int32
	LeaderEpoch     int32
	ISR             []int32
	Replicas        []int32
	Offline         []int32
	ControllerEpoch int32
	PartitionEpoch  int32
}

// Topic is a topic with its partitions in the order of their indexes.
type Topic struct {
	Name       string
	ID         [16]byte
	Partitions []Partition
}

// Partition finds a partition of the topic by index.
func (t *Topic) Partition(index int32) (*Partition, bool) { panic("unwritten") }

// Image is the cluster at one moment. It is immutable; never keep one across a wait.
type Image struct {
	ClusterID    string
	ControllerID int32 // -1 unknown
}

func (i *Image) Broker(id int32) (*Broker, bool)      { panic("unwritten") }
func (i *Image) Brokers() []*Broker                   { panic("unwritten") } // by id
func (i *Image) Topic(name string) (*Topic, bool)     { panic("unwritten") }
func (i *Image) TopicByID(id [16]byte) (*Topic, bool) { panic("unwritten") }
func (i *Image) Topics() []*Topic                     { panic("unwritten") } // by name
func (i *Image) TopicCount() (topics, partitions int) { panic("unwritten") }

// Update is one UpdateMetadata request: brokers replace the live set, topics are merged; a partition whose
// leader is LeaderDeleting is removed, and its topic with the last one.
type Update struct {
	ControllerID int32
	Brokers      []Broker
	Topics       []Topic // only the partitions that are told of
}

// Cache holds the current Image. Safe for concurrent use; updates are serialised.
type Cache struct{}

func NewCache(clusterID string) *Cache { panic("unwritten") }
func (c *Cache) Load() *Image          { panic("unwritten") }

// Apply makes the next image. It copies only the shards of the topic map that change. deleted lists removed partitions by topic.
func (c *Cache) Apply(u Update) (deleted map[string][]int32) { panic("unwritten") }

// Changed returns a channel that is closed at the next Apply: take it, look, then wait.
func (c *Cache) Changed() <-chan struct{} { panic("unwritten") }
