// Package offsets is the committed offsets of one group, of either protocol: a pure machine. It decides what is written
// and what a fetch sees; it has no clock, no lock and no log. Whoever owns the group calls it, one call at a time, and
// asks membership first.
//
// # Files
//
//   - group.go: the group, replay, the end of a transaction, fetch
//   - table.go: where the offsets are kept
//   - commit.go: commits, from the request to the reply
//   - remove.go: deletion
//   - expire.go: expiry (KIP-211)
//
// # Which offset counts
//
// The newest record of a partition does, by its place in the log, however the callbacks of writes arrive. A record of a
// transaction is pending until the transaction ends, and takes its place of old then: an offset that was committed
// without a transaction in the meantime is newer and stays (GroupMetadata.completePendingTxnOffsetCommit). So a replay
// comes to the same result as the live group, also when the log was compacted.
//
// The machine is not told the offsets of what it writes and does not need them: what it replays comes before all that it
// writes, and a group's writes are appended in the order in which their Applied runs. It numbers them on from the last
// offset of the replay.
//
// # When it counts
//
//   - An offset is seen when its record is committed (Done), never before.
//   - A tombstone counts when it is in the local log (Applied). Kafka, too, waits for no replica here. It ends what is
//     pending of its partition, in transactions as well, for all of that is older; a replay does the same. That is why
//     a deletion writes tombstones for partitions of which there is only something pending. Kafka's replay would bring
//     back a pending offset that it had deleted.
//   - A transactional offset is pending from Applied on, and counts when EndTxn is called, which is after the marker was
//     committed, and with it all records before it.
//
// # What fails after it was appended
//
// NOT_ENOUGH_REPLICAS_AFTER_APPEND or a timeout leave the record in the log of the leader, where it may be committed yet.
// The client is told of the failure and commits again, or it does not. Kafka forgets the offset and finds it again when
// the group is loaded the next time. Here, too, it stays unseen at first. But as soon as a later write of the group is
// known to be committed, this one is as well, and it is seen unless a newer one is. So the live offsets always are what
// a replay up to the last write that is known to be committed would give, plus deletions. Until then it is no pending
// commit to fetches and to expiry. A transactional one simply stays pending, and its transaction decides.
//
// A refused append changes nothing.
//
// # Memory
//
// A partition costs about 90 bytes beyond its metadata in a large group and 140 in a small one (BenchmarkMemory). Strings are copied when they are kept, so that no request is kept
// alive, and a topic's name is kept once in a group.
package offsets
