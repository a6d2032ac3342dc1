// Package config is every configuration key of Kafka 3.9: its type, default,
// legal values, synonyms, update mode and documentation, and the effective values of
// this broker from flags, server.properties and ZooKeeper.
package config

import (
	"time"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
)

// Source says where a value comes from; the numbers are DescribeConfigs'.
type Source int8

// The sources of a value, in the order of precedence within their level.
const (
	SourceUnknown              Source = 0
	SourceTopic                Source = 1
	SourceDynamicBroker        Source = 2
	SourceDynamicDefaultBroker Source = 3
	SourceStatic               Source = 4
	SourceDefault              Source = 5
)

// Setting is a value given at start, with where it was given for messages: a file and line,
// or a flag.
type Setting struct {
	Value  string
	Origin string
}

// Entry is a key as DescribeConfigs shows it.
type Entry struct {
	Name      string
	Value     *string // nil: null, or sensitive
	Source    Source
	ReadOnly  bool
	Sensitive bool
	Type      int8 // DescribeConfigs' ConfigType
	Doc       string
	Synonyms  []Synonym // in the order of precedence, the effective one first
}

// Synonym is one of the values that a key could have.
type Synonym struct {
	Name   string
	Value  *string
	Source Source
}

// Invalid is the error of a value outside what its key allows. Error() names key, value and
// legal range, as Kafka's ConfigException does ("Invalid value x for configuration y: ...").
type Invalid struct {
	Key, Value, Message string
}

func (e *Invalid) Error() string { return e.Message }

// Endpoint is one of listeners or advertised.listeners.
type Endpoint struct {
	Listener string // upper case
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
	Host     string // empty: every interface
	Port     int32
}

// Broker is the typed, effective configuration at one moment, as far as this
// program's code reads it. It is immutable. (Fields: one per key that kbroker acts on.)
type Broker struct {
	BrokerID             int32 // broker.id; -1 generate
	Rack                 *string
	ZooKeeperConnect     string
	ZooKeeperSession     time.Duration
	ZooKeeperConnection  time.Duration
	LogDirs              []string // absolute
	Listeners            []Endpoint
	Advertised           []Endpoint
	InterBrokerListener  string
	ControlPlaneListener string // empty: the inter-broker listener

	SocketRequestMaxBytes                 int32
	QueuedMaxRequestBytes                 int64
	MaxConnections                        int32
	MaxConnectionsPerIP                   int32
	MaxConnectionsPerIPOverrides          map[string]int32
	MaxConnectionCreationRate             int32
	ConnectionsMaxIdle                    time.Duration
	SocketSendBuffer, SocketReceiveBuffer int32 // -1: the system's
	RequestTimeout                        time.Duration
	FetchMaxBytes                         int32
	FetchSessionSlots                     int32 // max.incremental.fetch.session.cache.slots

	AutoCreateTopics                bool
	NumPartitions                   int32
	DefaultReplicationFactor        int16
	DeleteTopicEnable               bool
	AutoLeaderRebalance             bool
	LeaderImbalanceInterval         time.Duration
	LeaderImbalancePercent          int32
	ControlledShutdown              bool
	ReplicaLagTimeMax               time.Duration
	HighWatermarkCheckpointInterval time.Duration

	RecoveryThreads                    int32
	RetentionCheckInterval             time.Duration
	FlushSchedulerInterval             time.Duration
	FlushOffsetCheckpointInterval      time.Duration
	FlushStartOffsetCheckpointInterval time.Duration
	ProducerIDExpiration               time.Duration
	ProducerIDExpirationCheckInterval  time.Duration

	OffsetsTopicPartitions        int32
	OffsetsTopicReplicationFactor int16
}

// Store holds the configuration: static settings for good, dynamic ones as ZooKeeper last gave
// them. It may be used from several goroutines.
type Store struct{}

// NewStore makes a Store of the settings given at start. Warnings are one sentence each:
// unknown keys with the nearest known one, known but without effect here, deprecated ones.
// An error names every bad key (*Invalid, joined).
func NewStore(static map[string]Setting) (s *Store, warnings []string, err error) { panic("unwritten") }

// Broker returns the effective configuration of now.
func (s *Store) Broker() *Broker { panic("unwritten") }

// SetBrokerID fixes broker.id once it is known (generated or read from meta.properties).
func (s *Store) SetBrokerID(id int32) { panic("unwritten") }

// SetDynamic replaces the dynamic settings: those of this broker (/config/brokers/<id>) and the
// cluster-wide ones (/config/brokers/<default>). Values that are invalid are left out and
// returned as errors, as Kafka goes on with what it had. changed lists keys whose effective value changed.
func (s *Store) SetDynamic(perBroker, clusterWide map[string]string) (changed []string, err error) {
	panic("unwritten")
}

// OnChange registers f to be called after the effective broker configuration changed.
func (s *Store) OnChange(f func(changed []string)) { panic("unwritten") }

// Topic is the typed, effective configuration of a topic.
type Topic struct {
	Log                   *storage.Config
	Rules                 record.Rules
	MinInSyncReplicas     int32
	UncleanLeaderElection bool
	DownConversion        bool // message.downconversion.enable
	CompressionType       string
}

// Topic returns the effective configuration of a topic with these overrides
// (/config/topics/<t>); keys that are invalid fall back to the broker's.
func (s *Store) Topic(overrides map[string]string) *Topic { panic("unwritten") }

// DescribeTopic and DescribeBroker list every key; names nil or empty means all. DescribeDefaultBroker
// lists only the cluster-wide dynamic ones.
func (s *Store) DescribeTopic(overrides map[string]string, names []string) []Entry {
	panic("unwritten")
}
func (s *Store) DescribeBroker(names []string) []Entry        { panic("unwritten") }
func (s *Store) DescribeDefaultBroker(names []string) []Entry { panic("unwritten") }

// ValidateTopic checks overrides as CreateTopics and AlterConfigs do: unknown names, types, ranges and
// rules between keys. The error's text is what Kafka answers with INVALID_CONFIG.
func (s *Store) ValidateTopic(overrides map[string]string) error { panic("unwritten") }

// ValidateDynamicBroker checks a new set of dynamic settings for this broker (perBroker) or the cluster.
func (s *Store) ValidateDynamicBroker(settings map[string]string, perBroker bool) error {
	panic("unwritten")
}

// IsListKey tells whether APPEND and SUBTRACT apply to a key (IncrementalAlterConfigs).
func IsListKey(topic bool, name string) bool { panic("unwritten") }

// ReadProperties reads a Java properties file (server.properties), later keys winning.
func ReadProperties(path string) (map[string]Setting, error) { panic("unwritten") }
