package config

// quotaKeys are about quotas and metrics.
var quotaKeys = section{title: "Quotas and metrics", keys: []key{
	{
		"quota.window.num", Int, "11", atLeast(1), Low, ReadOnly, Later, whyQuotas,
		"Samples over which the rate of a client is measured.",
	},
	{
		"quota.window.size.seconds", Int, "1", atLeast(1), Low, ReadOnly, Later, whyQuotas,
		"Seconds of each sample of a client's rate.",
	},
	{
		"replication.quota.window.num", Int, "11", atLeast(1), Low, ReadOnly, Acts, "",
		"Samples over which the rate of throttled replication is measured.",
	},
	{
		"replication.quota.window.size.seconds", Int, "1", atLeast(1), Low, ReadOnly, Acts, "",
		"Seconds of each sample of the rate of throttled replication.",
	},
	{
		"alter.log.dirs.replication.quota.window.num", Int, "11", atLeast(1), Low, ReadOnly, NoEffect, whySamples,
		"Samples over which the rate of moves between folders is measured.",
	},
	{
		"alter.log.dirs.replication.quota.window.size.seconds", Int, "1", atLeast(1), Low, ReadOnly, NoEffect, whySamples,
		"Seconds of each sample of the rate of moves between folders.",
	},
	{
		"controller.quota.window.num", Int, "11", atLeast(1), Low, ReadOnly, Later, whyQuotas,
		"Samples over which the rate of topic changes is measured.",
	},
	{
		"controller.quota.window.size.seconds", Int, "1", atLeast(1), Low, ReadOnly, Later, whyQuotas,
		"Seconds of each sample of the rate of topic changes.",
	},
	{
		"client.quota.callback.class", Class, null, anything, Low, ReadOnly, Refused, whyJava,
		"Java class that decides the quota of each client.",
	},
	{
		"metric.reporters", List, "", anything, Low, ClusterWide, NoEffect, whyMetrics,
		"Java classes that receive the metrics.",
	},
	{
		"auto.include.jmx.reporter", Boolean, "true", anything, Low, ReadOnly, NoEffect, whyMetrics,
		"Reports metrics over JMX too; deprecated.",
	},
	{
		"metrics.num.samples", Int, "2", atLeast(1), Low, ReadOnly, NoEffect, whyMetrics,
		"Samples kept for each metric.",
	},
	{
		"metrics.recording.level", String, "INFO", anything, Low, ReadOnly, NoEffect, whyMetrics,
		"Least level of the metrics that are recorded.",
	},
	{
		"metrics.sample.window.ms", Long, "30000", atLeast(1), Low, ReadOnly, NoEffect, whyMetrics,
		"Milliseconds of each sample of a metric.",
	},
	{
		"kafka.metrics.polling.interval.secs", Int, "10", atLeast(1), Low, ReadOnly, NoEffect, whyMetrics,
		"Seconds between two reports of the older metrics.",
	},
	{
		"kafka.metrics.reporters", List, "", anything, Low, ReadOnly, NoEffect, whyMetrics,
		"Java classes that receive the older metrics.",
	},
	{
		"telemetry.max.bytes", Int, "1048576", atLeast(1), Low, ReadOnly, NoEffect, whyKRaft,
		"Largest push of client metrics in bytes (KIP-714).",
	},
}}

// dynamicOnlyKeys cannot stand in server.properties, only in ZooKeeper.
var dynamicOnlyKeys = section{title: "Only settable at run time", keys: []key{
	{
		"leader.replication.throttled.rate", Long, "9223372036854775807", atLeast(0), Medium, DynamicOnly, Acts, "",
		"Bytes per second sent to throttled followers; only settable at run time.",
	},
	{
		"follower.replication.throttled.rate", Long, "9223372036854775807", atLeast(0), Medium, DynamicOnly, Acts, "",
		"Bytes per second fetched by throttled followers; only settable at run time.",
	},
	{
		"replica.alter.log.dirs.io.max.bytes.per.second", Long, "9223372036854775807", atLeast(0), Medium, DynamicOnly, Acts, "",
		"Bytes per second of moves between folders; only settable at run time.",
	},
}}
