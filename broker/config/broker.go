package config

import "time"

// Endpoint is one of listeners or advertised.listeners.
type Endpoint struct {
	Listener string // upper case
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
	Host     string // empty: every interface; when advertised, this machine's name
	Port     int32  // 0: any free port; when advertised, the bound one
}

// ListenerLimits bound the connections of one listener.
type ListenerLimits struct {
	MaxConnections            int32 // max.connections
	MaxConnectionCreationRate int32 // max.connection.creation.rate; per second
}

// Broker is the typed, effective configuration at one moment, as far as this
// program's code reads it. It is immutable. Sizes are in bytes.
type Broker struct {
	// Who and where.

	BrokerID              int32 // broker.id; -1 generate
	GenerateBrokerID      bool  // broker.id.generation.enable
	ReservedBrokerMaxID   int32 // reserved.broker.max.id
	Rack                  *string
	ZooKeeperConnect      string
	ZooKeeperSession      time.Duration
	ZooKeeperConnection   time.Duration
	ZooKeeperMaxInFlight  int32
	LogDirs               []string // absolute
	AlterLogDirsThreads   int      // num.replica.alter.log.dirs.threads; one per folder when unset
	Listeners             []Endpoint
	Advertised            []Endpoint
	InterBrokerListener   string
	ControlPlaneListener  string // empty: the inter-broker listener
	ConnectionSetup       time.Duration
	ConnectionSetupMax    time.Duration
	ControllerSocketLimit time.Duration // controller.socket.timeout.ms

	// Connections and requests.

	SocketRequestMaxBytes                 int32
	QueuedMaxRequestBytes                 int64 // 0 or less: not set
	MaxConnections                        int32
	MaxConnectionsPerIP                   int32
	MaxConnectionsPerIPOverrides          map[string]int32
	MaxConnectionCreationRate             int32
	ListenerLimits                        map[string]ListenerLimits // by upper-case listener, for those that have their own
	ConnectionsMaxIdle                    time.Duration             // negative: for ever
	FailedAuthenticationDelay             time.Duration
	SocketSendBuffer, SocketReceiveBuffer int32 // -1: the system's
	RequestTimeout                        time.Duration
	FetchMaxBytes                         int32
	FetchSessionSlots                     int32 // max.incremental.fetch.session.cache.slots

	// Topics, controller and replication.

	AutoCreateTopics                bool
	NumPartitions                   int32
	DefaultReplicationFactor        int16
	DeleteTopicEnable               bool
	AutoLeaderRebalance             bool
	LeaderImbalanceInterval         time.Duration
	LeaderImbalancePercent          int32
	ControlledShutdown              bool
	ControlledShutdownRetries       int32
	ControlledShutdownBackoff       time.Duration
	UncleanLeaderElection           bool // default of topics; the controller watches its change
	ReplicaLagTimeMax               time.Duration
	ReplicaSocketTimeout            time.Duration
	ReplicaSocketReceiveBuffer      int32
	ReplicaFetchMaxBytes            int32
	ReplicaFetchResponseMaxBytes    int32
	ReplicaFetchMinBytes            int32
	ReplicaFetchWaitMax             time.Duration
	ReplicaFetchBackoff             time.Duration
	ReplicaFetchers                 int32   // num.replica.fetchers; may change
	ReplicaSelector                 *string // replica.selector.class
	HighWatermarkCheckpointInterval time.Duration

	// Logs.

	RecoveryThreads                    int32
	RetentionCheckInterval             time.Duration
	FlushSchedulerInterval             time.Duration
	FlushOffsetCheckpointInterval      time.Duration
	FlushStartOffsetCheckpointInterval time.Duration
	ProducerIDExpiration               time.Duration
	Cleaner                            Cleaner

	// Groups and transactions.

	OffsetsTopicPartitions        int32
	OffsetsTopicReplicationFactor int16
	OffsetsTopicSegmentBytes      int32
	Groups                        Groups
	Transactions                  Transactions

	Quotas Quotas
}

// ConnectWithin returns how long a connection to another broker may take to come up, at the first try and at most, when
// whoever wants it waits no longer than patience.
func (b *Broker) ConnectWithin(patience time.Duration) (first, most time.Duration) {
	return min(b.ConnectionSetup, patience), min(b.ConnectionSetupMax, patience)
}

// Cleaner is what the log cleaner needs; the settings of topics are in Topic.Log.
type Cleaner struct {
	Enable              bool
	Threads             int32
	DedupeBufferSize    int64 // of all threads together
	IOBufferSize        int32 // of all threads together
	LoadFactor          float64
	IOMaxBytesPerSecond float64
	Backoff             time.Duration
}

// Groups is what the group coordinator needs.
type Groups struct {
	MinSessionTimeout      time.Duration
	MaxSessionTimeout      time.Duration
	InitialRebalanceDelay  time.Duration
	MaxSize                int32
	OffsetMetadataMaxBytes int32
	LoadBufferSize         int32
	OffsetsRetention       time.Duration
	OffsetsRetentionCheck  time.Duration
	OffsetsCompression     int32 // a codec's number
	CommitTimeout          time.Duration
	CommitRequiredAcks     int16

	ConsumerProtocol bool // consumer is among group.coordinator.rebalance.protocols
	Consumer         ConsumerGroups
}

// ConsumerGroups is what groups of the new protocol need (KIP-848).
type ConsumerGroups struct {
	ConsumerTimes
	MinSessionTimeout, MaxSessionTimeout       time.Duration
	MinHeartbeatInterval, MaxHeartbeatInterval time.Duration
	MaxSize                                    int32
	Assignors                                  []string // uniform, range; the first is the default
	Upgrade, Downgrade                         bool     // group.consumer.migration.policy
}

// ConsumerTimes is what may be set for single groups.
type ConsumerTimes struct{ SessionTimeout, HeartbeatInterval time.Duration }

// Transactions is what the transaction coordinator and its topic need.
type Transactions struct {
	TopicPartitions        int32
	TopicReplicationFactor int16
	TopicMinISR            int32
	TopicSegmentBytes      int32
	LoadBufferSize         int32
	MaxTimeout             time.Duration
	IDExpiration           time.Duration
	AbortCheckInterval     time.Duration
	ExpiryCheckInterval    time.Duration
	VerifyPartitions       bool // transaction.partition.verification.enable
}

// Quotas is how rates are measured, and the limits on replication. Rates are bytes per second.
type Quotas struct {
	Samples                 int32
	Window                  time.Duration // of one sample
	ReplicationSamples      int32
	ReplicationWindow       time.Duration
	ControllerSamples       int32
	ControllerWindow        time.Duration
	AlterLogDirsSamples     int32
	AlterLogDirsWindow      time.Duration
	LeaderReplicationRate   int64 // leader.replication.throttled.rate
	FollowerReplicationRate int64 // follower.replication.throttled.rate
	AlterLogDirsRate        int64 // replica.alter.log.dirs.io.max.bytes.per.second
}
