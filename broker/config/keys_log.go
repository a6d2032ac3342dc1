package config

// logKeys are about log folders and segments; many are the defaults of topic keys.
var logKeys = section{title: "Logs", keys: []key{
	{
		"log.dirs", String, null, anything, High, ReadOnly, Acts, "",
		"Comma-separated folders that hold the partitions; when unset log.dir.",
	},
	{
		"log.dir", String, "/tmp/kafka-logs", anything, High, ReadOnly, Acts, "",
		"The one folder that holds the partitions, when log.dirs is unset.",
	},
	{
		"log.segment.bytes", Int, "1073741824", atLeast(14), High, ClusterWide, Acts, "",
		"Bytes at which a segment is closed and the next begins.",
	},
	{
		"log.roll.ms", Long, null, anything, High, ClusterWide, Acts, "",
		"Milliseconds after which a segment is closed though it is not full; before log.roll.hours.",
	},
	{
		"log.roll.hours", Int, "168", atLeast(1), High, ReadOnly, Acts, "",
		"Hours after which a segment is closed though it is not full, when log.roll.ms is unset.",
	},
	{
		"log.roll.jitter.ms", Long, null, anything, High, ClusterWide, Acts, "",
		"Most milliseconds taken at random from log.roll.ms, so that segments do not all roll at once.",
	},
	{
		"log.roll.jitter.hours", Int, "0", atLeast(0), High, ReadOnly, Acts, "",
		"The same in hours, when log.roll.jitter.ms is unset.",
	},
	{
		"log.retention.ms", Long, null, anything, High, ClusterWide, Acts, "",
		"Milliseconds that a closed segment is kept; -1 for ever. Before minutes and hours.",
	},
	{
		"log.retention.minutes", Int, null, anything, High, ReadOnly, Acts, "",
		"Minutes that a closed segment is kept, when log.retention.ms is unset.",
	},
	{
		"log.retention.hours", Int, "168", anything, High, ReadOnly, Acts, "",
		"Hours that a closed segment is kept, when neither milliseconds nor minutes are set.",
	},
	{
		"log.retention.bytes", Long, "-1", anything, High, ClusterWide, Acts, "",
		"Bytes of a partition above which its oldest segments are deleted; -1 no limit.",
	},
	{
		"log.retention.check.interval.ms", Long, "300000", atLeast(1), Medium, ReadOnly, Acts, "",
		"Milliseconds between two looks for segments to delete.",
	},
	{
		"log.cleanup.policy", List, "delete", oneOf("compact", "delete"), Medium, ClusterWide, Acts, "",
		"What happens to old segments: delete drops them, compact keeps the last record of each key; both may be given.",
	},
	{
		"log.index.size.max.bytes", Int, "10485760", atLeast(4), Medium, ClusterWide, Acts, "",
		"Size in bytes at which an index file is full and its segment closed.",
	},
	{
		"log.index.interval.bytes", Int, "4096", atLeast(0), Medium, ClusterWide, Acts, "",
		"Bytes of records between two entries of the offset index.",
	},
	{
		"log.flush.interval.messages", Long, "9223372036854775807", atLeast(1), High, ClusterWide, Acts, "",
		"Records after which a log is forced to disk.",
	},
	{
		"log.flush.interval.ms", Long, null, anything, High, ClusterWide, Acts, "",
		"Milliseconds after which a log is forced to disk; when unset log.flush.scheduler.interval.ms.",
	},
	{
		"log.flush.scheduler.interval.ms", Long, "9223372036854775807", anything, High, ReadOnly, Acts, "",
		"Milliseconds between two looks for logs to force to disk.",
	},
	{
		"log.flush.offset.checkpoint.interval.ms", Int, "60000", atLeast(0), High, ReadOnly, Acts, "",
		"Milliseconds between two writes of the recovery points.",
	},
	{
		"log.flush.start.offset.checkpoint.interval.ms", Int, "60000", atLeast(0), High, ReadOnly, Acts, "",
		"Milliseconds between two writes of the log start offsets.",
	},
	{
		"log.segment.delete.delay.ms", Long, "60000", atLeast(0), High, ClusterWide, Acts, "",
		"Milliseconds between the renaming of a deleted file and its removal.",
	},
	{
		"log.preallocate", Boolean, "false", anything, Medium, ClusterWide, NoEffect, whyPreallocate,
		"Gives a new segment its full size on disk at once.",
	},
	{
		"num.recovery.threads.per.data.dir", Int, "1", atLeast(1), High, ClusterWide, Acts, "",
		"Logs of one folder that are loaded and recovered at a time, at start; at least as many as there are cores, up to four.",
	},
	{
		"num.replica.alter.log.dirs.threads", Int, null, anything, High, ReadOnly, Acts, "",
		"Replicas that are moved between folders at a time; when unset one per folder.",
	},
	{
		"log.dir.failure.timeout.ms", Long, "30000", atLeast(1), Low, ReadOnly, NoEffect, whyKRaft,
		"Milliseconds to report a failed folder to the controller before the broker stops.",
	},
	{
		"log.message.format.version", String, "3.0-IV1", version, Medium, ReadOnly, NoEffect, whyFormat,
		"Format in which records were once written; deprecated.",
	},
	{
		"log.message.timestamp.type", String, "CreateTime", oneOf("CreateTime", "LogAppendTime"), Medium, ClusterWide, Acts, "",
		"CreateTime keeps the producer's timestamps, LogAppendTime sets the broker's.",
	},
	{
		"log.message.timestamp.difference.max.ms", Long, "9223372036854775807", atLeast(0), Medium, ClusterWide, Acts, "",
		"Most milliseconds between a record's timestamp and now, either way; deprecated for the two below.",
	},
	{
		"log.message.timestamp.before.max.ms", Long, "9223372036854775807", atLeast(0), Medium, ClusterWide, Acts, "",
		"Most milliseconds that a record's timestamp may lie before now.",
	},
	{
		"log.message.timestamp.after.max.ms", Long, "9223372036854775807", atLeast(0), Medium, ClusterWide, Acts, "",
		"Most milliseconds that a record's timestamp may lie after now.",
	},
	{
		"log.message.downconversion.enable", Boolean, "true", anything, Low, ClusterWide, Acts, "",
		"Converts records for fetches of versions that predate the current format.",
	},
	{
		"producer.id.expiration.ms", Int, "86400000", atLeast(1), Low, ClusterWide, Acts, "",
		"Milliseconds without a batch after which a producer id is forgotten by a partition.",
	},
}}

// cleanerKeys are about compaction.
var cleanerKeys = section{title: "Log cleaner", keys: []key{
	{
		"log.cleaner.enable", Boolean, "true", anything, Medium, ReadOnly, Acts, "",
		"Runs the cleaner; without it compacted topics, __consumer_offsets among them, only grow.",
	},
	{
		"log.cleaner.threads", Int, "1", atLeast(0), Medium, ClusterWide, Acts, "",
		"Logs that are cleaned at a time.",
	},
	{
		"log.cleaner.dedupe.buffer.size", Long, "134217728", anything, Medium, ClusterWide, Acts, "",
		"Bytes for the maps of keys of all cleaners together; at least 1 MiB each.",
	},
	{
		"log.cleaner.io.buffer.size", Int, "524288", atLeast(0), Medium, ClusterWide, Acts, "",
		"Bytes for the I/O buffers of all cleaners together; they grow for a batch that is larger.",
	},
	{
		"log.cleaner.io.buffer.load.factor", Double, "0.9", anything, Medium, ClusterWide, Acts, "",
		"How full a map of keys may become, as a share of its slots.",
	},
	{
		"log.cleaner.io.max.bytes.per.second", Double, "1.7976931348623157E308", anything, Medium, ClusterWide, Acts, "",
		"Bytes per second that all cleaners together may read and write.",
	},
	{
		"log.cleaner.backoff.ms", Long, "15000", atLeast(0), Medium, ClusterWide, Acts, "",
		"Milliseconds to sleep when there is nothing to clean.",
	},
	{
		"log.cleaner.min.cleanable.ratio", Double, "0.5", between(0, 1), Medium, ClusterWide, Acts, "",
		"Share of a log that must be dirty before it is cleaned.",
	},
	{
		"log.cleaner.delete.retention.ms", Long, "86400000", atLeast(0), Medium, ClusterWide, Acts, "",
		"Milliseconds that a tombstone stays readable after it was cleaned.",
	},
	{
		"log.cleaner.min.compaction.lag.ms", Long, "0", atLeast(0), Medium, ClusterWide, Acts, "",
		"Milliseconds that a record is safe from the cleaner.",
	},
	{
		"log.cleaner.max.compaction.lag.ms", Long, "9223372036854775807", atLeast(1), Medium, ClusterWide, Acts, "",
		"Milliseconds after which a record is due for cleaning whatever the ratio.",
	},
}}
