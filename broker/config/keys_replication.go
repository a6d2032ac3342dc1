package config

// replicationKeys are about followers, leaders and the controller.
var replicationKeys = section{title: "Replication and controller", keys: []key{
	{
		"replica.lag.time.max.ms", Long, "30000", anything, High, ReadOnly, Acts, "",
		"Milliseconds that a follower may trail the leader's end before it leaves the in-sync replicas.",
	},
	{
		"replica.socket.timeout.ms", Int, "30000", anything, High, ReadOnly, Acts, "",
		"Milliseconds that a follower waits for the answer to a fetch.",
	},
	{
		"replica.socket.receive.buffer.bytes", Int, "65536", anything, High, ReadOnly, NoEffect, whyBuffers,
		"SO_RCVBUF in bytes of the connections over which a follower fetches.",
	},
	{
		"replica.fetch.max.bytes", Int, "1048576", atLeast(0), Medium, ReadOnly, Acts, "",
		"Most bytes of one partition in a follower's fetch; a first batch larger than this is still sent whole.",
	},
	{
		"replica.fetch.wait.max.ms", Int, "500", anything, High, ReadOnly, Acts, "",
		"Milliseconds that a leader may hold a follower's fetch while there is too little to send.",
	},
	{
		"replica.fetch.min.bytes", Int, "1", anything, High, ReadOnly, Acts, "",
		"Bytes that must be there before a leader answers a follower's fetch early.",
	},
	{
		"replica.fetch.backoff.ms", Int, "1000", atLeast(0), Medium, ReadOnly, Acts, "",
		"Most milliseconds before a follower tries a partition or a leader again that failed; the first tries come sooner.",
	},
	{
		"replica.fetch.response.max.bytes", Int, "10485760", atLeast(0), Medium, ReadOnly, Acts, "",
		"Most bytes in the answer to one fetch of a follower.",
	},
	{
		"num.replica.fetchers", Int, "1", anything, High, ClusterWide, Acts, "",
		"Loops that fetch from each leader broker, over a connection each.",
	},
	{
		"replica.high.watermark.checkpoint.interval.ms", Long, "5000", anything, High, ReadOnly, Acts, "",
		"Milliseconds between two writes of the high watermarks to disk.",
	},
	{
		"replica.selector.class", String, null, anything, Medium, ReadOnly, Acts, "",
		"Java class that picks the replica from which a consumer reads (KIP-392): RackAwareReplicaSelector or LeaderSelector of org.apache.kafka.common.replica.",
	},
	{
		"min.insync.replicas", Int, "1", atLeast(1), High, ClusterWide, Acts, "",
		"In-sync replicas that must hold a batch with acks=all; with fewer it is refused.",
	},
	{
		"unclean.leader.election.enable", Boolean, "false", anything, High, ClusterWide, Acts, "",
		"Lets a replica that is not in sync become leader when no other is alive, at the price of lost records.",
	},
	{
		"auto.leader.rebalance.enable", Boolean, "true", anything, High, ReadOnly, Acts, "",
		"The controller hands leadership back to preferred replicas now and then.",
	},
	{
		"leader.imbalance.check.interval.seconds", Long, "300", atLeast(1), High, ReadOnly, Acts, "",
		"Seconds between two looks at the balance of leaders.",
	},
	{
		"leader.imbalance.per.broker.percentage", Int, "10", anything, High, ReadOnly, Acts, "",
		"Share of a broker's partitions, in percent, that others may lead before leadership is handed back.",
	},
	{
		"controlled.shutdown.enable", Boolean, "true", anything, Medium, ReadOnly, Acts, "",
		"A stopping broker first has its leaderships moved.",
	},
	{
		"controlled.shutdown.max.retries", Int, "3", anything, Medium, ReadOnly, Acts, "",
		"Tries at a controlled shutdown before the broker stops all the same.",
	},
	{
		"controlled.shutdown.retry.backoff.ms", Long, "5000", anything, Medium, ReadOnly, Acts, "",
		"Milliseconds between two tries at a controlled shutdown.",
	},
	{
		"controller.socket.timeout.ms", Int, "30000", anything, Medium, ReadOnly, Acts, "",
		"Milliseconds that the controller and a broker wait for each other's answers.",
	},
	{
		"fetch.purgatory.purge.interval.requests", Int, "1000", anything, Medium, ReadOnly, NoEffect, whyPurgatory,
		"Completed fetches after which the purgatory is cleaned.",
	},
	{
		"producer.purgatory.purge.interval.requests", Int, "1000", anything, Medium, ReadOnly, NoEffect, whyPurgatory,
		"Completed produce requests after which the purgatory is cleaned.",
	},
	{
		"delete.records.purgatory.purge.interval.requests", Int, "1", anything, Medium, ReadOnly, NoEffect, whyPurgatory,
		"Completed DeleteRecords requests after which the purgatory is cleaned.",
	},
}}
