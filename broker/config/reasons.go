package config

// Reasons why a key has no effect, or not yet.
const (
	whyACL            = "authorization is not yet supported"
	whyAllAcks        = "commits always wait for all in-sync replicas"
	whyBacklog        = "the kernel's own limit (net.core.somaxconn) is used"
	whyBuffers        = "the kernel sizes the receive buffers of followers"
	whyExpiry         = "producer ids are forgotten where retention is looked at, every log.retention.check.interval.ms"
	whyFormat         = "Kafka 3.x ignores it too: records are always written in format v2"
	whyGoroutines     = "work runs on goroutines, not on pools of threads"
	whyJava           = "it belongs to the Java runtime, or names a Java class, which kbroker cannot load"
	whyKRaft          = "it belongs to KRaft; kbroker runs on ZooKeeper"
	whyKerberos       = "Kerberos is not yet supported"
	whyLinger         = "records of different groups are not collected: each is written at once"
	whyMetrics        = "metrics are offered in Prometheus' format instead"
	whyMigration      = "kbroker cannot migrate to KRaft"
	whyOAuth          = "OAUTHBEARER is not yet supported"
	whyOneCoordinator = "one coordinator serves both protocols"
	whyPending        = "requests do not queue for threads; queued.max.request.bytes bounds them"
	whyPreallocate    = "it served file systems that are slow to grow files, at the price of files whose end has to be searched after a crash"
	whyPrincipal      = "principals are built in Kafka's default way"
	whyPurgatory      = "waiting requests are dropped the moment they complete"
	whyQuotas         = "quotas are not yet supported"
	whySamples        = "the rate is kept to at any time, not measured over samples"
	whySASL           = "SASL is not yet supported"
	whyShare          = "share groups belong to KRaft"
	whyStart          = "there is nothing that it could change here"
	whyTLS            = "TLS is not yet supported"
	whyTiered         = "tiered storage is not supported"
	whyTransactions   = "the transaction coordinator is not yet there"
	whyVersion        = "brokers are always spoken to as Kafka 3.9 does"
	whyZooACL         = "ACLs of znodes are not yet supported"
	whyZooTLS         = "TLS towards ZooKeeper is not yet supported"
)

// Defaults too long for a row.
const uniformAndRange = "org.apache.kafka.coordinator.group.assignor.UniformAssignor," +
	"org.apache.kafka.coordinator.group.assignor.RangeAssignor"
