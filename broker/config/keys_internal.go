package config

// internalKeys exist in Kafka for its own use: it reads them, but lists them only when they are set.
var internalKeys = section{title: "Internal to Kafka", keys: []key{
	{
		"unstable.api.versions.enable", Boolean, "false", anything, High, ReadOnly, NoEffect, whyStart,
		"Offers API versions that are still being developed.",
	},
	{
		"unstable.feature.versions.enable", Boolean, "false", anything, High, ReadOnly, NoEffect, whyStart,
		"Offers feature versions that are still being developed.",
	},
	{
		"unclean.leader.election.interval.ms", Long, "300000", atLeast(1), Medium, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds between two rounds of unclean elections.",
	},
	{
		"zookeeper.metadata.migration.min.batch.size", Int, "200", atLeast(1), Medium, ReadOnly, NoEffect, whyMigration,
		"Records in a batch of the migration to KRaft.",
	},
	{
		"log.initial.task.delay.ms", Long, "30000", atLeast(0), Low, ReadOnly, NoEffect, whyStart,
		"Milliseconds from start to the first background task of the logs.",
	},
	{
		"producer.id.expiration.check.interval.ms", Int, "600000", atLeast(1), Low, ReadOnly, NoEffect, whyExpiry,
		"Milliseconds between two looks for producer ids to forget.",
	},
	{
		"group.coordinator.new.enable", Boolean, "false", anything, Medium, ReadOnly, NoEffect, whyOneCoordinator,
		"Turns on the new group coordinator.",
	},
	{
		"group.consumer.migration.policy", String, "bidirectional", migrationPolicy, Medium, ReadOnly, Acts, "",
		"Which way groups with members may change between the protocols.",
	},
	{
		"group.share.enable", Boolean, "false", anything, Medium, ReadOnly, NoEffect, whyShare,
		"Turns share groups on.",
	},
	{
		"server.max.startup.time.ms", Long, "9223372036854775807", atLeast(0), Medium, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds that a KRaft node may take to start.",
	},
	{
		"metadata.log.segment.min.bytes", Int, "8388608", atLeast(12), High, ReadOnly, NoEffect, whyKRaft,
		"Least segment size in bytes of the KRaft metadata log.",
	},
	{
		"remote.log.manager.task.retry.backoff.ms", Long, "500", atLeast(1), Low, ReadOnly, NoEffect, whyTiered,
		"First pause in milliseconds after a failed round.",
	},
	{
		"remote.log.manager.task.retry.backoff.max.ms", Long, "30000", atLeast(1), Low, ReadOnly, NoEffect, whyTiered,
		"Longest pause in milliseconds after a failed round.",
	},
	{
		"remote.log.manager.task.retry.jitter", Double, "0.2", between(0, 0.5), Low, ReadOnly, NoEffect, whyTiered,
		"Random share added to that pause.",
	},
}}
