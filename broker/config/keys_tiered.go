package config

// tieredKeys are about tiered storage (KIP-405).
var tieredKeys = section{title: "Tiered storage", keys: []key{
	{
		"remote.log.storage.system.enable", Boolean, "false", anything, Medium, ReadOnly, Refused, whyTiered,
		"Turns tiered storage on.",
	},
	{
		"log.local.retention.ms", Long, "-2", atLeast(-2), Medium, ClusterWide, NoEffect, whyTiered,
		"Milliseconds that a segment stays on disk after its upload; -2 follows log.retention.ms.",
	},
	{
		"log.local.retention.bytes", Long, "-2", atLeast(-2), Medium, ClusterWide, NoEffect, whyTiered,
		"Bytes that stay on disk after their upload; -2 follows log.retention.bytes.",
	},
	{
		"remote.fetch.max.wait.ms", Int, "500", atLeast(1), Medium, ClusterWide, NoEffect, whyTiered,
		"Milliseconds that a fetch may wait for remote data.",
	},
	{
		"remote.log.index.file.cache.total.size.bytes", Long, "1073741824", atLeast(1), Low, ClusterWide, NoEffect, whyTiered,
		"Bytes of remote index files cached on disk.",
	},
	{
		"remote.log.manager.copier.thread.pool.size", Int, "-1", poolSize, Medium, ReadOnly, NoEffect, whyTiered,
		"Threads that upload segments.",
	},
	{
		"remote.log.manager.copy.max.bytes.per.second", Long, "9223372036854775807", atLeast(1), Medium, ClusterWide, NoEffect, whyTiered,
		"Bytes per second uploaded.",
	},
	{
		"remote.log.manager.copy.quota.window.num", Int, "11", atLeast(1), Medium, ReadOnly, NoEffect, whyTiered,
		"Samples over which the upload rate is measured.",
	},
	{
		"remote.log.manager.copy.quota.window.size.seconds", Int, "1", atLeast(1), Medium, ReadOnly, NoEffect, whyTiered,
		"Seconds of each sample of the upload rate.",
	},
	{
		"remote.log.manager.expiration.thread.pool.size", Int, "-1", poolSize, Medium, ReadOnly, NoEffect, whyTiered,
		"Threads that delete expired remote segments.",
	},
	{
		"remote.log.manager.fetch.max.bytes.per.second", Long, "9223372036854775807", atLeast(1), Medium, ClusterWide, NoEffect, whyTiered,
		"Bytes per second read from remote storage.",
	},
	{
		"remote.log.manager.fetch.quota.window.num", Int, "11", atLeast(1), Medium, ReadOnly, NoEffect, whyTiered,
		"Samples over which the remote read rate is measured.",
	},
	{
		"remote.log.manager.fetch.quota.window.size.seconds", Int, "1", atLeast(1), Medium, ReadOnly, NoEffect, whyTiered,
		"Seconds of each sample of the remote read rate.",
	},
	{
		"remote.log.manager.task.interval.ms", Long, "30000", atLeast(1), Low, ReadOnly, NoEffect, whyTiered,
		"Milliseconds between two rounds of uploads and deletions.",
	},
	{
		"remote.log.manager.thread.pool.size", Int, "10", atLeast(1), Medium, ReadOnly, NoEffect, whyTiered,
		"Threads of the remote log manager.",
	},
	{
		"remote.log.metadata.custom.metadata.max.bytes", Int, "128", atLeast(0), Low, ReadOnly, NoEffect, whyTiered,
		"Largest custom metadata in bytes of a remote segment.",
	},
	{
		"remote.log.metadata.manager.class.name", String, "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager", nonEmpty, Medium, ReadOnly, NoEffect, whyTiered,
		"Java class that keeps the metadata of remote segments.",
	},
	{
		"remote.log.metadata.manager.class.path", String, null, anything, Medium, ReadOnly, NoEffect, whyTiered,
		"Class path of that class.",
	},
	{
		"remote.log.metadata.manager.impl.prefix", String, "rlmm.config.", nonEmpty, Medium, ReadOnly, NoEffect, whyTiered,
		"Prefix of the keys handed to that class.",
	},
	{
		"remote.log.metadata.manager.listener.name", String, null, nonEmpty, Medium, ReadOnly, NoEffect, whyTiered,
		"Listener over which that class reaches the brokers.",
	},
	{
		"remote.log.reader.max.pending.tasks", Int, "100", atLeast(1), Medium, ReadOnly, NoEffect, whyTiered,
		"Remote reads that may wait.",
	},
	{
		"remote.log.reader.threads", Int, "10", atLeast(1), Medium, ReadOnly, NoEffect, whyTiered,
		"Threads that read from remote storage.",
	},
	{
		"remote.log.storage.manager.class.name", String, null, nonEmpty, Medium, ReadOnly, NoEffect, whyTiered,
		"Java class that talks to the remote storage.",
	},
	{
		"remote.log.storage.manager.class.path", String, null, anything, Medium, ReadOnly, NoEffect, whyTiered,
		"Class path of that class.",
	},
	{
		"remote.log.storage.manager.impl.prefix", String, "rsm.config.", nonEmpty, Medium, ReadOnly, NoEffect, whyTiered,
		"Prefix of the keys handed to that class.",
	},
}}
