package config

// groupKeys are about the group coordinators: classic, consumer (KIP-848) and share (KIP-932). Where the default is not that of Kafka 3.9,
// which offers the consumer protocol in KRaft mode alone, it is that of 4.x.
var groupKeys = section{title: "Consumer groups", keys: []key{
	{
		"group.min.session.timeout.ms", Int, "6000", anything, Medium, ReadOnly, Acts, "",
		"Shortest session timeout in milliseconds that a member may ask for.",
	},
	{
		"group.max.session.timeout.ms", Int, "1800000", anything, Medium, ReadOnly, Acts, "",
		"Longest session timeout in milliseconds that a member may ask for.",
	},
	{
		"group.initial.rebalance.delay.ms", Int, "3000", anything, Medium, ReadOnly, Acts, "",
		"Milliseconds that an empty group waits for more members before its first rebalance.",
	},
	{
		"group.max.size", Int, "2147483647", atLeast(1), Medium, ReadOnly, Acts, "",
		"Members that one group may have.",
	},
	{
		"offset.metadata.max.bytes", Int, "4096", anything, High, ReadOnly, Acts, "",
		"Largest metadata text in bytes that may go with a committed offset.",
	},
	{
		"offsets.load.buffer.size", Int, "5242880", atLeast(1), High, ReadOnly, Acts, "",
		"Bytes read at a time while a coordinator loads its groups.",
	},
	{
		"offsets.retention.minutes", Int, "10080", atLeast(1), High, ReadOnly, Acts, "",
		"Minutes that offsets are kept after their group became empty.",
	},
	{
		"offsets.retention.check.interval.ms", Long, "600000", atLeast(1), High, ReadOnly, Acts, "",
		"Milliseconds between two looks for offsets to forget.",
	},
	{
		"offsets.topic.num.partitions", Int, "50", atLeast(1), High, ReadOnly, Acts, "",
		"Partitions of __consumer_offsets; must not change once the topic exists.",
	},
	{
		"offsets.topic.replication.factor", Short, "3", atLeast(1), High, ReadOnly, Acts, "",
		"Replicas of __consumer_offsets; it is not created while fewer brokers live.",
	},
	{
		"offsets.topic.segment.bytes", Int, "104857600", atLeast(1), High, ReadOnly, Acts, "",
		"Segment size in bytes of __consumer_offsets.",
	},
	{
		"offsets.topic.compression.codec", Int, "0", anything, High, ReadOnly, Acts, "",
		"Codec number of the batches in __consumer_offsets: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.",
	},
	{
		"offsets.commit.timeout.ms", Int, "5000", atLeast(1), High, ReadOnly, Acts, "",
		"Milliseconds that a commit may wait for the replicas of __consumer_offsets.",
	},
	{
		"offsets.commit.required.acks", Short, "-1", anything, High, ReadOnly, NoEffect, whyAllAcks,
		"Acknowledgements that a commit waits for; deprecated, leave at -1.",
	},
	{
		"group.coordinator.rebalance.protocols", List, "classic,consumer", oneOf("consumer", "classic", "share", "unknown"), Medium, ReadOnly, Acts, "",
		"Group protocols offered; classic cannot be left out.",
	},
	{
		"group.coordinator.threads", Int, "1", atLeast(1), Medium, ReadOnly, NoEffect, whyGoroutines,
		"Threads of the new group coordinator.",
	},
	{
		"group.coordinator.append.linger.ms", Int, "10", atLeast(0), Medium, ReadOnly, NoEffect, whyLinger,
		"Milliseconds that the new group coordinator collects writes.",
	},
	{
		"group.consumer.session.timeout.ms", Int, "45000", atLeast(1), Medium, ReadOnly, Acts, "",
		"Session timeout in milliseconds of the consumer protocol.",
	},
	{
		"group.consumer.min.session.timeout.ms", Int, "45000", atLeast(1), Medium, ReadOnly, Acts, "",
		"Shortest session timeout in milliseconds of the consumer protocol.",
	},
	{
		"group.consumer.max.session.timeout.ms", Int, "60000", atLeast(1), Medium, ReadOnly, Acts, "",
		"Longest session timeout in milliseconds of the consumer protocol.",
	},
	{
		"group.consumer.heartbeat.interval.ms", Int, "5000", atLeast(1), Medium, ReadOnly, Acts, "",
		"Heartbeat interval in milliseconds of the consumer protocol.",
	},
	{
		"group.consumer.min.heartbeat.interval.ms", Int, "5000", atLeast(1), Medium, ReadOnly, Acts, "",
		"Shortest heartbeat interval in milliseconds of the consumer protocol.",
	},
	{
		"group.consumer.max.heartbeat.interval.ms", Int, "15000", atLeast(1), Medium, ReadOnly, Acts, "",
		"Longest heartbeat interval in milliseconds of the consumer protocol.",
	},
	{
		"group.consumer.max.size", Int, "2147483647", atLeast(1), Medium, ReadOnly, Acts, "",
		"Members that a group of the consumer protocol may have.",
	},
	{
		"group.consumer.assignors", List, uniformAndRange, anything, Medium, ReadOnly, Acts, "",
		"Server-side assignors of the consumer protocol, the default first: uniform, range, or Kafka's Java classes of them.",
	},
	{
		"group.share.delivery.count.limit", Int, "5", between(2, 10), Medium, ReadOnly, NoEffect, whyShare,
		"Times that a record is handed out in a share group.",
	},
	{
		"group.share.heartbeat.interval.ms", Int, "5000", atLeast(1), Medium, ReadOnly, NoEffect, whyShare,
		"Heartbeat interval in milliseconds of a share group.",
	},
	{
		"group.share.min.heartbeat.interval.ms", Int, "5000", atLeast(1), Medium, ReadOnly, NoEffect, whyShare,
		"Shortest heartbeat interval in milliseconds of a share group.",
	},
	{
		"group.share.max.heartbeat.interval.ms", Int, "15000", atLeast(1), Medium, ReadOnly, NoEffect, whyShare,
		"Longest heartbeat interval in milliseconds of a share group.",
	},
	{
		"group.share.session.timeout.ms", Int, "45000", atLeast(1), Medium, ReadOnly, NoEffect, whyShare,
		"Session timeout in milliseconds of a share group.",
	},
	{
		"group.share.min.session.timeout.ms", Int, "45000", atLeast(1), Medium, ReadOnly, NoEffect, whyShare,
		"Shortest session timeout in milliseconds of a share group.",
	},
	{
		"group.share.max.session.timeout.ms", Int, "60000", atLeast(1), Medium, ReadOnly, NoEffect, whyShare,
		"Longest session timeout in milliseconds of a share group.",
	},
	{
		"group.share.max.groups", Short, "10", between(1, 100), Medium, ReadOnly, NoEffect, whyShare,
		"Share groups that there may be.",
	},
	{
		"group.share.max.size", Short, "200", between(10, 1000), Medium, ReadOnly, NoEffect, whyShare,
		"Members that a share group may have.",
	},
	{
		"group.share.record.lock.duration.ms", Int, "30000", between(1000, 60000), Medium, ReadOnly, NoEffect, whyShare,
		"Milliseconds that a record stays with the member that got it.",
	},
	{
		"group.share.min.record.lock.duration.ms", Int, "15000", between(1000, 30000), Medium, ReadOnly, NoEffect, whyShare,
		"Shortest record lock in milliseconds of a share group.",
	},
	{
		"group.share.max.record.lock.duration.ms", Int, "60000", between(30000, 3600000), Medium, ReadOnly, NoEffect, whyShare,
		"Longest record lock in milliseconds of a share group.",
	},
	{
		"group.share.partition.max.record.locks", Int, "200", between(100, 10000), Medium, ReadOnly, NoEffect, whyShare,
		"Records of a partition that may be with members at once.",
	},
}}
