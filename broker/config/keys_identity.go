package config

// identityKeys say who the broker is and how topics come to be.
var identityKeys = section{title: "Identity and general", keys: []key{
	{
		"broker.id", Int, "-1", anything, High, ReadOnly, Acts, "",
		"Number of this broker in the cluster; -1 has one generated from a counter in ZooKeeper.",
	},
	{
		"broker.id.generation.enable", Boolean, "true", anything, Medium, ReadOnly, Acts, "",
		"Allows generated broker ids; when off, broker.id must be given.",
	},
	{
		"reserved.broker.max.id", Int, "1000", atLeast(0), Medium, ReadOnly, Acts, "",
		"Largest broker.id that may be given by hand while generation is on; generated ids start above it.",
	},
	{
		"node.id", Int, "-1", anything, High, ReadOnly, Acts, "",
		"The KRaft name of broker.id; either may be given, and both must agree.",
	},
	{
		"broker.rack", String, null, anything, Medium, ReadOnly, Acts, "",
		"Rack or zone of this broker: replicas are spread over racks, and clients may read from a replica of their own.",
	},
	{
		"auto.create.topics.enable", Boolean, "true", anything, High, ReadOnly, Acts, "",
		"A metadata request for a topic that does not exist creates it.",
	},
	{
		"num.partitions", Int, "1", atLeast(1), Medium, ReadOnly, Acts, "",
		"Partitions of a topic that is created without saying how many.",
	},
	{
		"default.replication.factor", Int, "1", anything, Medium, ReadOnly, Acts, "",
		"Replicas of a partition whose creator does not say how many.",
	},
	{
		"delete.topic.enable", Boolean, "true", anything, High, ReadOnly, Acts, "",
		"Allows DeleteTopics; when off such requests are refused.",
	},
	{
		"request.timeout.ms", Int, "30000", anything, High, ReadOnly, Acts, "",
		"Milliseconds that this broker waits for an answer to a request of its own to another broker.",
	},
	{
		"background.threads", Int, "10", atLeast(1), High, ClusterWide, NoEffect, whyGoroutines,
		"Size of the pool for background work.",
	},
	{
		"compression.type", String, "producer", oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), High, ClusterWide, Acts, "",
		"Compression of stored batches: producer keeps each batch as it came, uncompressed and the codecs rewrite.",
	},
	{
		"compression.gzip.level", Int, "-1", gzipLevel, Medium, ClusterWide, Acts, "",
		"Level at which the broker compresses with gzip; -1 is the library's default.",
	},
	{
		"compression.lz4.level", Int, "9", between(1, 17), Medium, ClusterWide, Acts, "",
		"Level at which the broker compresses with lz4.",
	},
	{
		"compression.zstd.level", Int, "3", between(-131072, 22), Medium, ClusterWide, Acts, "",
		"Level at which the broker compresses with zstd; negative levels trade size for speed.",
	},
	{
		"message.max.bytes", Int, "1048588", atLeast(0), High, ClusterWide, Acts, "",
		"Largest record batch in bytes, as compressed, that a topic accepts.",
	},
	{
		"fetch.max.bytes", Int, "57671680", atLeast(1024), Medium, ReadOnly, Acts, "",
		"Most bytes in the answer to one fetch request; a first batch larger than this is still sent whole.",
	},
	{
		"max.incremental.fetch.session.cache.slots", Int, "1000", atLeast(0), Medium, ReadOnly, Acts, "",
		"How many incremental fetch sessions (KIP-227) are kept at once.",
	},
	{
		"max.request.partition.size.limit", Int, "2000", atLeast(1), Medium, ReadOnly, NoEffect, whyKRaft,
		"Most partitions in one answer to DescribeTopicPartitions.",
	},
	{
		"early.start.listeners", String, null, anything, High, ReadOnly, NoEffect, whyStart,
		"Listeners that open before authorization is ready.",
	},
	{
		"eligible.leader.replicas.enable", Boolean, "false", anything, High, ReadOnly, NoEffect, whyKRaft,
		"Keeps a set of eligible leader replicas per partition (KIP-966).",
	},
	{
		"create.topic.policy.class.name", Class, null, anything, Low, ReadOnly, Refused, whyJava,
		"Java class that may veto the creation of a topic.",
	},
	{
		"alter.config.policy.class.name", Class, null, anything, Low, ReadOnly, Refused, whyJava,
		"Java class that may veto a change of configuration.",
	},
	{
		"alter.config.policy.kraft.compatibility.enable", Boolean, "false", anything, Low, ReadOnly, NoEffect, whyJava,
		"Shows the whole configuration, not only the change, to the alter policy.",
	},
}}
