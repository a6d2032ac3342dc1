// Package zkmeta is Kafka's tree of znodes: typed reads and conditional writes, the session,
// registration, controller election, and change notifications. It knows neither storage nor the network
// nor the broker.
package zkmeta

import (
	"context"
	"errors"
	"net"
	"time"

	"go.uber.org/zap"
)

// Errors of this package. Others wrap what ZooKeeper said.
var (
	ErrNoNode          = errors.New("znode does not exist")
	ErrNodeExists      = errors.New("znode exists already")
	ErrBadVersion      = errors.New("znode was changed meanwhile")
	ErrControllerMoved = errors.New("another broker became controller") // the check of the controller epoch failed
	ErrSessionExpired  = errors.New("zookeeper session expired")
	ErrClosed          = errors.New("zookeeper client is closed")
	// ErrBrokerIDTaken: another session holds /brokers/ids/<id>.
	ErrBrokerIDTaken = errors.New("broker id is registered by another session")
)

// Options are what a Client is made of.
type Options struct {
	Connect           string // zookeeper.connect, with an optional chroot, which is created when absent
	SessionTimeout    time.Duration
	ConnectionTimeout time.Duration                                                          // how long Connect waits; logs why while it does
	MaxInFlight       int                                                                    // zookeeper.max.in.flight.requests
	Dial              func(network, address string, timeout time.Duration) (net.Conn, error) // nil: net.DialTimeout
	Logger            *zap.Logger
	// Observe, when not nil, is given the latency of every request.
	Observe func(operation string, elapsed time.Duration)
}

// SessionState is what the session loop publishes.
type SessionState int8

// Disconnected does not end a session; Expired does, and a new one follows with Connected.
const (
	Disconnected SessionState = iota
	Connected
	Expired
)

// Client is a session with ZooKeeper. Its calls may come from several goroutines; they retry on
// connection loss until ctx ends, re-reading where the outcome of a write is unknown. Expiry ends calls of the
// old session with ErrSessionExpired; the Client then opens a new session by itself, and calls made after that work again.
type Client struct{}

func Connect(ctx context.Context, o Options) (*Client, error) { panic("unwritten") }
func (c *Client) Close()                                      { panic("unwritten") }

// Session returns the id of the current session and its state.
func (c *Client) Session() (id int64, state SessionState) { panic("unwritten") }

// Subscribe calls f for every change of state, in order, from one goroutine; f must not block. cancel ends it.
func (c *Client) Subscribe(f func(SessionState)) (cancel func()) { panic("unwritten") }

// Notify is given to a read that shall set a watch: it is called at most once, from a
// goroutine that must not be blocked, when what was read may have changed (also on expiry). The reader
// then reads again, which sets the next watch. nil sets none.
type Notify func()

// --- roots, cluster, features

func (c *Client) EnsureRoots(ctx context.Context) error         { panic("unwritten") }
func (c *Client) ClusterID(ctx context.Context) (string, error) { panic("unwritten") } // creates it when absent
func (c *Client) GenerateBrokerID(ctx context.Context, reservedMax int32) (int32, error) {
	panic("unwritten")
}

// Feature is /feature; EnsureFeature creates or enables it as the controller does (kafka-facts: 1.7).
type Feature struct {
	Version  int32 // dataVersion of the znode: finalizedFeaturesEpoch
	Exists   bool
	Features map[string]int16
}

func (c *Client) Feature(ctx context.Context, n Notify) (Feature, error) { panic("unwritten") }
func (c *Client) EnsureFeature(ctx context.Context, l Lease) error       { panic("unwritten") }

// --- brokers

// Endpoint is one advertised listener.
type Endpoint struct {
	Listener, Protocol, Host string
	Port                     int32
}

// Broker is /brokers/ids/<id>.
type Broker struct {
	ID        int32
	Epoch     int64 // czxid; filled by reads
	Endpoints []Endpoint
	Rack      *string
}

// RegisterBroker makes the ephemeral registration under the current session and returns the broker epoch.
// ErrBrokerIDTaken when another live session holds it.
func (c *Client) RegisterBroker(ctx context.Context, b Broker) (epoch int64, err error) {
	panic("unwritten")
}
func (c *Client) UpdateBroker(ctx context.Context, b Broker) error { panic("unwritten") }

// Brokers lists the live brokers with their epochs; n watches /brokers/ids.
func (c *Client) Brokers(ctx context.Context, n Notify) ([]Broker, error) { panic("unwritten") }

// Broker reads one registration; n watches its data.
func (c *Client) Broker(ctx context.Context, id int32, n Notify) (Broker, error) { panic("unwritten") }

// --- controller

// Lease proves that its holder is the elected controller: every write made with it checks that
// /controller_epoch still has EpochVersion, and fails with ErrControllerMoved otherwise.
type Lease struct {
	Epoch        int32 // controller epoch
	EpochVersion int32 // dataVersion of /controller_epoch
}

// Controller reads /controller: the broker id, or ok=false. n watches for creation, change and deletion.
func (c *Client) Controller(ctx context.Context, n Notify) (brokerID int32, ok bool, err error) {
	panic("unwritten")
}

// Elect tries to become controller. ErrControllerMoved when another is.
func (c *Client) Elect(ctx context.Context, brokerID int32) (Lease, error) { panic("unwritten") }

// Abdicate deletes /controller if the lease still holds.
func (c *Client) Abdicate(ctx context.Context, l Lease) error { panic("unwritten") }

// --- topics

// TopicAssignment is /brokers/topics/<t>.
type TopicAssignment struct {
	Topic      string
	ID         [16]byte // zero: absent
	Partitions map[int32][]int32
	Adding     map[int32][]int32
	Removing   map[int32][]int32
	Version    int32 // dataVersion, filled by reads
}

// Topics lists the names; n watches /brokers/topics.
func (c *Client) Topics(ctx context.Context, n Notify) ([]string, error) { panic("unwritten") }

// Assignments reads topics, pipelined; those that do not exist are absent from the result. n (may be nil) is asked for
// each topic's Notify.
func (c *Client) Assignments(ctx context.Context, topics []string, n func(topic string) Notify) (map[string]TopicAssignment, error) {
	panic("unwritten")
}

// CreateTopic writes config and topic znode, in that order, in one multi; ErrNodeExists when the topic is there.
// A nil lease creates as any broker may (auto-creation).
func (c *Client) CreateTopic(ctx context.Context, l *Lease, a TopicAssignment, config map[string]string) error {
	panic("unwritten")
}

// SetAssignment rewrites a topic's znode under the lease (any version, as Kafka).
func (c *Client) SetAssignment(ctx context.Context, l Lease, a TopicAssignment) error {
	panic("unwritten")
}

// RemoveTopic deletes the topic's tree, its config and its deletion marker.
func (c *Client) RemoveTopic(ctx context.Context, l Lease, topic string) error { panic("unwritten") }

// --- partition states

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// PartitionState is .../partitions/<p>/state.
type PartitionState struct {
	Leader          int32 // -1 none
	LeaderEpoch     int32
	ISR             []int32
	ControllerEpoch int32
	Recovering      bool
	PartitionEpoch  int32 // dataVersion
}

// PartitionStates reads states, pipelined; absent ones are left out. n may be nil.
func (c *Client) PartitionStates(ctx context.Context, tps []TopicPartition, n func(TopicPartition) Notify) (map[TopicPartition]PartitionState, error) {
	panic("unwritten")
}

// Outcome is what became of one write of a batch: the new state or the error (ErrBadVersion, ErrNoNode, ErrNodeExists).
type Outcome struct {
	State PartitionState
	Err   error
}

// CreatePartitionStates creates .../partitions, .../<p> and .../state, pipelined; large batches share multis.
// The error is for the batch as a whole (ErrControllerMoved, ErrSessionExpired).
func (c *Client) CreatePartitionStates(ctx context.Context, l Lease, states map[TopicPartition]PartitionState) (map[TopicPartition]Outcome, error) {
	panic("unwritten")
}

// UpdatePartitionStates writes states on condition of their PartitionEpoch.
func (c *Client) UpdatePartitionStates(ctx context.Context, l Lease, states map[TopicPartition]PartitionState) (map[TopicPartition]Outcome, error) {
	panic("unwritten")
}

// --- topic deletion

func (c *Client) MarkForDeletion(ctx context.Context, topic string) error         { panic("unwritten") } // ErrNodeExists when marked already
func (c *Client) DeletionMarkers(ctx context.Context, n Notify) ([]string, error) { panic("unwritten") }
func (c *Client) RemoveDeletionMarkers(ctx context.Context, l Lease, topics []string) error {
	panic("unwritten")
}

// --- configs

// Entity names a config znode: Type is topics, brokers, clients, users or ips; the default entity's Name is
// "<default>"; a client under a user has the Name "<user>/clients/<client>", sanitised.
type Entity struct{ Type, Name string }

// Config reads a config znode; absent gives nil, nil.
func (c *Client) Config(ctx context.Context, e Entity) (map[string]string, error) { panic("unwritten") }

// Configs reads all entities of a type, pipelined, by name.
func (c *Client) Configs(ctx context.Context, entityType string) (map[string]map[string]string, error) {
	panic("unwritten")
}

// SetConfig writes a config znode and then its change notification.
func (c *Client) SetConfig(ctx context.Context, e Entity, config map[string]string) error {
	panic("unwritten")
}

// WatchConfigs calls f for every changed entity, in order, until ctx ends: it follows /config/changes level-triggered (also
// after expiry), purges notifications older than 15 minutes, and returns after the first scan so that the caller then reads all configs.
func (c *Client) WatchConfigs(ctx context.Context, f func(Entity)) error { panic("unwritten") }

// --- producer ids, notifications

// ProducerIDBlock is /latest_producer_id_block.
type ProducerIDBlock struct {
	BrokerID    int32
	First, Last int64 // inclusive
}

// AllocateProducerIDs takes the next block of 1,000 for a broker.
func (c *Client) AllocateProducerIDs(ctx context.Context, l Lease, brokerID int32) (ProducerIDBlock, error) {
	panic("unwritten")
}

// ISRChanges and LogDirEvents list notification znodes; Remove... deletes them.
func (c *Client) ISRChanges(ctx context.Context, n Notify) (names []string, tps []TopicPartition, err error) {
	panic("unwritten")
}
func (c *Client) RemoveISRChanges(ctx context.Context, l Lease, names []string) error {
	panic("unwritten")
}
func (c *Client) LogDirEvents(ctx context.Context, n Notify) (names []string, brokers []int32, err error) {
	panic("unwritten")
}
func (c *Client) RemoveLogDirEvents(ctx context.Context, l Lease, names []string) error {
	panic("unwritten")
}
func (c *Client) ReportLogDirFailure(ctx context.Context, brokerID int32) error { panic("unwritten") }
