package config

// transactionKeys are about the transaction coordinator.
var transactionKeys = section{title: "Transactions", keys: []key{
	{
		"transaction.max.timeout.ms", Int, "900000", atLeast(1), High, ReadOnly, Later, whyTransactions,
		"Longest transaction timeout in milliseconds that a producer may ask for.",
	},
	{
		"transactional.id.expiration.ms", Int, "604800000", atLeast(1), High, ReadOnly, Later, whyTransactions,
		"Milliseconds without use after which a transactional id is forgotten.",
	},
	{
		"transaction.state.log.num.partitions", Int, "50", atLeast(1), High, ReadOnly, Acts, "",
		"Partitions of __transaction_state; must not change once the topic exists.",
	},
	{
		"transaction.state.log.replication.factor", Short, "3", atLeast(1), High, ReadOnly, Acts, "",
		"Replicas of __transaction_state; it is not created while fewer brokers live.",
	},
	{
		"transaction.state.log.min.isr", Int, "2", atLeast(1), High, ReadOnly, Acts, "",
		"min.insync.replicas of __transaction_state.",
	},
	{
		"transaction.state.log.segment.bytes", Int, "104857600", atLeast(1), High, ReadOnly, Acts, "",
		"Segment size in bytes of __transaction_state.",
	},
	{
		"transaction.state.log.load.buffer.size", Int, "5242880", atLeast(1), High, ReadOnly, Later, whyTransactions,
		"Bytes read at a time while a coordinator loads its transactions.",
	},
	{
		"transaction.abort.timed.out.transaction.cleanup.interval.ms", Int, "10000", atLeast(1), Low, ReadOnly, Later, whyTransactions,
		"Milliseconds between two looks for transactions that ran too long.",
	},
	{
		"transaction.remove.expired.transaction.cleanup.interval.ms", Int, "3600000", atLeast(1), Low, ReadOnly, Later, whyTransactions,
		"Milliseconds between two looks for transactional ids to forget.",
	},
	{
		"transaction.partition.verification.enable", Boolean, "true", anything, Low, ClusterWide, Later, whyTransactions,
		"Asks the coordinator whether a partition belongs to the transaction before the first append (KIP-890).",
	},
}}
