package config

// topicKeys can be set for each topic; synonyms.go names the broker keys that give their defaults.
var topicKeys = section{title: "Topics", keys: []key{
	{
		"cleanup.policy", List, "delete", oneOf("compact", "delete"), Medium, PerTopic, Acts, "",
		"What happens to old segments: delete drops them, compact keeps the last record of each key; both may be given.",
	},
	{
		"compression.gzip.level", Int, "-1", gzipLevel, Medium, PerTopic, Acts, "",
		"Level at which the broker compresses with gzip; -1 is the library's default.",
	},
	{
		"compression.lz4.level", Int, "9", between(1, 17), Medium, PerTopic, Acts, "",
		"Level at which the broker compresses with lz4.",
	},
	{
		"compression.type", String, "producer", oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), Medium, PerTopic, Acts, "",
		"Compression of stored batches: producer keeps each batch as it came, uncompressed and the codecs rewrite.",
	},
	{
		"compression.zstd.level", Int, "3", between(-131072, 22), Medium, PerTopic, Acts, "",
		"Level at which the broker compresses with zstd; negative levels trade size for speed.",
	},
	{
		"delete.retention.ms", Long, "86400000", atLeast(0), Medium, PerTopic, Acts, "",
		"Milliseconds that a tombstone stays readable after it was cleaned.",
	},
	{
		"file.delete.delay.ms", Long, "60000", atLeast(0), Medium, PerTopic, Acts, "",
		"Milliseconds between the renaming of a deleted file and its removal.",
	},
	{
		"flush.messages", Long, "9223372036854775807", atLeast(1), Medium, PerTopic, Acts, "",
		"Records after which the log is forced to disk.",
	},
	{
		"flush.ms", Long, "9223372036854775807", atLeast(0), Medium, PerTopic, Acts, "",
		"Milliseconds after which the log is forced to disk.",
	},
	{
		"follower.replication.throttled.replicas", List, "", throttled, Medium, PerTopic, Acts, "",
		"Replicas whose fetching is throttled, as partition:broker, or * for all.",
	},
	{
		"index.interval.bytes", Int, "4096", atLeast(0), Medium, PerTopic, Acts, "",
		"Bytes of records between two entries of the offset index.",
	},
	{
		"leader.replication.throttled.replicas", List, "", throttled, Medium, PerTopic, Acts, "",
		"Replicas whose feeding is throttled, as partition:broker, or * for all.",
	},
	{
		"local.retention.bytes", Long, "-2", atLeast(-2), Medium, PerTopic, NoEffect, whyTiered,
		"Bytes that stay on disk after their upload; -2 follows retention.bytes.",
	},
	{
		"local.retention.ms", Long, "-2", atLeast(-2), Medium, PerTopic, NoEffect, whyTiered,
		"Milliseconds that a segment stays on disk after its upload; -2 follows retention.ms.",
	},
	{
		"max.compaction.lag.ms", Long, "9223372036854775807", atLeast(1), Medium, PerTopic, Acts, "",
		"Milliseconds after which a record is due for cleaning whatever the ratio.",
	},
	{
		"max.message.bytes", Int, "1048588", atLeast(0), Medium, PerTopic, Acts, "",
		"Largest record batch in bytes, as compressed, that the topic accepts.",
	},
	{
		"message.downconversion.enable", Boolean, "true", anything, Low, PerTopic, Acts, "",
		"Converts records for fetches of versions that predate the current format.",
	},
	{
		"message.format.version", String, "3.0-IV1", version, Medium, PerTopic, NoEffect, whyFormat,
		"Format in which records were once written; deprecated.",
	},
	{
		"message.timestamp.after.max.ms", Long, "9223372036854775807", atLeast(0), Medium, PerTopic, Acts, "",
		"Most milliseconds that a record's timestamp may lie after now.",
	},
	{
		"message.timestamp.before.max.ms", Long, "9223372036854775807", atLeast(0), Medium, PerTopic, Acts, "",
		"Most milliseconds that a record's timestamp may lie before now.",
	},
	{
		"message.timestamp.difference.max.ms", Long, "9223372036854775807", atLeast(0), Medium, PerTopic, Acts, "",
		"Most milliseconds between a record's timestamp and now, either way; deprecated for before and after.",
	},
	{
		"message.timestamp.type", String, "CreateTime", oneOf("CreateTime", "LogAppendTime"), Medium, PerTopic, Acts, "",
		"CreateTime keeps the producer's timestamps, LogAppendTime sets the broker's.",
	},
	{
		"min.cleanable.dirty.ratio", Double, "0.5", between(0, 1), Medium, PerTopic, Acts, "",
		"Share of the log that must be dirty before it is cleaned.",
	},
	{
		"min.compaction.lag.ms", Long, "0", atLeast(0), Medium, PerTopic, Acts, "",
		"Milliseconds that a record is safe from the cleaner.",
	},
	{
		"min.insync.replicas", Int, "1", atLeast(1), Medium, PerTopic, Acts, "",
		"In-sync replicas that must hold a batch with acks=all; with fewer it is refused.",
	},
	{
		"preallocate", Boolean, "false", anything, Medium, PerTopic, NoEffect, whyPreallocate,
		"Gives a new segment its full size on disk at once.",
	},
	{
		"remote.log.copy.disable", Boolean, "false", anything, Medium, PerTopic, Refused, whyTiered,
		"Stops uploads and leaves what is remote readable.",
	},
	{
		"remote.log.delete.on.disable", Boolean, "false", anything, Medium, PerTopic, Refused, whyTiered,
		"Deletes remote data when tiered storage is turned off.",
	},
	{
		"remote.storage.enable", Boolean, "false", anything, Medium, PerTopic, Refused, whyTiered,
		"Turns tiered storage on for the topic.",
	},
	{
		"retention.bytes", Long, "-1", anything, Medium, PerTopic, Acts, "",
		"Bytes of a partition above which its oldest segments are deleted; -1 no limit.",
	},
	{
		"retention.ms", Long, "604800000", atLeast(-1), Medium, PerTopic, Acts, "",
		"Milliseconds that a closed segment is kept; -1 for ever.",
	},
	{
		"segment.bytes", Int, "1073741824", atLeast(14), Medium, PerTopic, Acts, "",
		"Bytes at which a segment is closed and the next begins.",
	},
	{
		"segment.index.bytes", Int, "10485760", atLeast(4), Medium, PerTopic, Acts, "",
		"Size in bytes at which an index file is full and its segment closed.",
	},
	{
		"segment.jitter.ms", Long, "0", atLeast(0), Medium, PerTopic, Acts, "",
		"Most milliseconds taken at random from segment.ms, so that segments do not all roll at once.",
	},
	{
		"segment.ms", Long, "604800000", atLeast(1), Medium, PerTopic, Acts, "",
		"Milliseconds after which a segment is closed though it is not full.",
	},
	{
		"unclean.leader.election.enable", Boolean, "false", anything, Medium, PerTopic, Acts, "",
		"Lets a replica that is not in sync become leader when no other is alive, at the price of lost records.",
	},
}}
