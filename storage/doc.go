// Package storage keeps the logs of partitions on disk, in Apache Kafka's own files: a
// broker may stop as Kafka and start as kbroker, and the reverse.
//
// A Manager owns the log directories (log.dirs); a Log is one replica's log in one of
// them. A Log gives out Slices, which are sent to a connection without copying. The
// package knows protocol/record and storage/vfs. It must not know the broker, topics'
// configuration keys, the network, ZooKeeper, roles or ISRs: who leads, how far the high
// watermark is and when a replica is cut is told to it.
//
// # Files of a partition
//
//	topic-0/
//	  00000000000000000000.log        batches, one behind the other       segment.go cursor.go
//	  00000000000000000000.index      offset -> position                  index.go offset_index.go
//	  00000000000000000000.timeindex  timestamp -> offset                 index.go time_index.go
//	  00000000000000000000.txnindex   aborted transactions, if any        txn_index.go
//	  00000000000000000042.snapshot   producers as of offset 42           producer_snapshot.go
//	  leader-epoch-checkpoint         where leader epochs begin           leader_epochs.go
//	  partition.metadata              the topic's id                      metafiles.go
//
// and of a log directory: checkpoint.go (recovery points, start offsets, high
// watermarks), metafiles.go (meta.properties), .lock, .kafka_cleanshutdown.
//
// The last segment is active and appended to; the others are sealed. The newest index
// entries of the active segment are in memory, and no file of an index is kept open or
// mapped, so that ten thousand partitions fit a few thousand descriptors (openfiles.go).
//
// # Where to look
//
//	append.go fetched.go   appending as leader and as follower; the order of steps
//	read.go timestamps.go  reading; searching by timestamp
//	roll.go flush.go       new segments; durability, shared syncs, the recovery point
//	marks.go               high watermark, open transactions, last stable offset
//	cleaner.go             compaction, with a map of its files
//	producer_state.go      idempotent and transactional producers
//	truncate.go retention.go trash.go   cutting the tail; dropping the head; removing files
//	open.go load.go recover.go close.go starting and stopping
//	future.go              moving a log to another directory, with a map of its files
//	manager.go directory.go background.go
//
// # What an acknowledgement means
//
// An append that returned without error is in the operating system's memory and visible to readers. It
// survives the end of this process, however sudden. It survives the loss of power only once it is
// flushed: Kafka's way is to rely on replicas for that, and so it is here by default. With
// flush.messages=1 an append returns only when the batch, and the folder that it is in, are
// synced; many appends share one sync.
//
//   - Clean stop: everything is durable, no segment is read at the next start.
//   - Killed process: nothing is lost. The next start reads the segments from the recovery point on.
//   - Power lost: what lies below the recovery point stays; of the rest, what the disk kept of it, up to the
//     first batch that is not whole. The log ends there and a line in the log says what was cut.
//   - Deleted records, retention: the new start offset is durable with the next checkpoint. Until
//     then a crash may bring deleted records back, as in Kafka.
//   - Truncation: a crash soon after may bring the cut records back, until something was appended and
//     flushed over them. Followers compare epochs before they go on, and cut again.
//   - Full disk: the append is undone and refused with ErrDiskFull; reading goes on, and appending
//     when there is space.
//   - Any other error of the disk takes its directory offline for good: all operations on its logs
//     return ErrOffline, and Options.DirFailed is called once. After a failed sync nobody knows what the
//     kernel dropped.
//
// # Invariants
//
//   - The log end is raised after the bytes, the indexes and the producer state are in place, and it is lowered
//     before they go. A reader loads the end first, the list of segments second; a segment's size first, the end second.
//   - Everything below the recovery point is durable, with all that a recovery derives from batches:
//     indexes, leader epochs, snapshots. What lies above is derived anew. The checkpoint file may lag, but never be ahead;
//     hence a truncation lowers it first.
//   - Cleaned segments take the place of others in steps that are each durable before the next (cleaner_swap.go). All offsets stay,
//     and the log as it is read by whoever wants the newest record of each key.
//   - Segments are dropped from the end one by one, each durably: a gap must not look like a log.
//   - Index files of sealed segments have exactly their entries. Kafka would take zeros behind them for entries.
//   - partition.metadata is durable before the first record.
//   - A copy of a log takes its place only when all of it is durable; while two folders have the log's name, the copy's says which
//     state of the other it replaced.
//   - A clean-shutdown marker is written only when each log of the directory has complete indexes and a snapshot at its end.
//
// # Locks
//
// In this order; those below Log.mu are held for moments and never over a sync or a wait:
//
//	Manager.moving → Manager.mu → cleaning's turn (of a Log) → flusher's turn (of a Log) → Log.mu → marks.mu, leaderEpochs.mu,
//	txnIndex.mu, segment.stampMu → segmentFile.mu → openFiles.mu
//
// Of two logs, those of one that is replaced come before those of its copy. Manager.moving is held across disk work, by who
// moves or deletes a log.
//
// The cleaning's turn is held as long as a cleaning takes; who cuts or deletes the log ends that first.
//
// Log.mu is held while a batch is checked, written and indexed, not while the disk is waited for; exceptions are rare
// events: the first append of a new log, truncation, closing. Reading takes none of them but the
// segmentFile.mu of the file it opens.
package storage
