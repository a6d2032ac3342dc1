package config

// kraftKeys belong to a cluster without ZooKeeper.
var kraftKeys = section{title: "KRaft", keys: []key{
	{
		"process.roles", List, "", oneOf("broker", "controller"), High, ReadOnly, Refused, whyKRaft,
		"Roles of a KRaft node; empty is a broker on ZooKeeper.",
	},
	{
		"controller.listener.names", String, null, anything, High, ReadOnly, Refused, whyKRaft,
		"Listeners of the KRaft controllers.",
	},
	{
		"controller.quorum.voters", List, "", nonNullList, High, ReadOnly, NoEffect, whyKRaft,
		"The KRaft controllers as id@host:port.",
	},
	{
		"controller.quorum.bootstrap.servers", List, "", nonNullList, High, ReadOnly, NoEffect, whyKRaft,
		"Addresses from which the KRaft quorum is found.",
	},
	{
		"controller.quorum.append.linger.ms", Int, "25", anything, Medium, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds that the KRaft leader collects writes.",
	},
	{
		"controller.quorum.election.backoff.max.ms", Int, "1000", anything, High, ReadOnly, NoEffect, whyKRaft,
		"Longest pause in milliseconds before another KRaft election.",
	},
	{
		"controller.quorum.election.timeout.ms", Int, "1000", anything, High, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds without a KRaft leader before an election.",
	},
	{
		"controller.quorum.fetch.timeout.ms", Int, "2000", anything, High, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds without a fetch before a KRaft node gives its leader up.",
	},
	{
		"controller.quorum.request.timeout.ms", Int, "2000", anything, Medium, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds to wait for an answer within the KRaft quorum.",
	},
	{
		"controller.quorum.retry.backoff.ms", Int, "20", anything, Low, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds between two tries of a request within the KRaft quorum.",
	},
	{
		"sasl.mechanism.controller.protocol", String, "GSSAPI", anything, High, ReadOnly, NoEffect, whyKRaft,
		"SASL mechanism towards KRaft controllers.",
	},
	{
		"broker.heartbeat.interval.ms", Int, "2000", anything, Medium, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds between two heartbeats to the KRaft controller.",
	},
	{
		"broker.session.timeout.ms", Int, "9000", anything, Medium, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds without a heartbeat after which a KRaft broker counts as dead.",
	},
	{
		"initial.broker.registration.timeout.ms", Int, "60000", anything, Medium, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds that a KRaft broker tries to register.",
	},
	{
		"metadata.log.dir", String, null, anything, High, ReadOnly, NoEffect, whyKRaft,
		"Folder of the KRaft metadata log.",
	},
	{
		"metadata.log.max.record.bytes.between.snapshots", Long, "20971520", atLeast(1), High, ReadOnly, NoEffect, whyKRaft,
		"Bytes of KRaft metadata between two snapshots.",
	},
	{
		"metadata.log.max.snapshot.interval.ms", Long, "3600000", atLeast(0), High, ReadOnly, NoEffect, whyKRaft,
		"Longest time in milliseconds between two KRaft snapshots.",
	},
	{
		"metadata.log.segment.bytes", Int, "1073741824", atLeast(12), High, ReadOnly, NoEffect, whyKRaft,
		"Segment size in bytes of the KRaft metadata log.",
	},
	{
		"metadata.log.segment.ms", Long, "604800000", anything, High, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds after which a segment of the KRaft metadata log is closed.",
	},
	{
		"metadata.max.idle.interval.ms", Int, "500", atLeast(0), Low, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds between two no-op records of the KRaft leader.",
	},
	{
		"metadata.max.retention.bytes", Long, "104857600", anything, High, ReadOnly, NoEffect, whyKRaft,
		"Bytes of KRaft metadata log and snapshots above which old ones go.",
	},
	{
		"metadata.max.retention.ms", Long, "604800000", anything, High, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds that KRaft metadata log and snapshots are kept.",
	},
}}
