// Package replica is the partitions that this broker hosts: roles, in-sync replicas, high watermark, and those who wait
// on them (Kafka: cluster/Partition.scala, cluster/Replica.scala, server/ReplicaManager.scala, server/Delayed*.scala).
//
// It must not know requests, sockets or ZooKeeper: broker/api translates wire structs to State, Stop and ReadRequest, and
// what it needs of ZooKeeper comes in as a function. It lets a few storage errors through under names of its own, so that
// broker/api need not import storage's.
//
//	manager.go         Manager: the hosted partitions, fencing of controllers, background work
//	apply.go           LeaderAndIsr: states to roles, many at a time, idempotent
//	stop.go            StopReplica
//	partition.go       Partition: one replica, its role and epochs
//	leader.go          becoming leader, appending, the high watermark
//	follower.go        becoming follower; what a leader knows of its followers
//	isr.go             in-sync replicas: committed, maximal, min.insync.replicas
//	isr_changes.go     who joins them and who leaves, looked at with fetches and every now and then
//	proposal.go        proposing that to the controller, and its answers
//	following.go       whom the fetchers are told to copy, and the position of a follower
//	copying.go         a follower appends what its leader answered
//	cutting.go         a follower cuts what its leader does not have
//	wait.go            those who wait for the high watermark
//	watch.go           fetches and fetch sessions that are told which partitions changed
//	read.go            fetches of consumers and followers
//	preferred.go       the replica from which a consumer shall read instead (KIP-392)
//	offsets.go         ListOffsets, OffsetForLeaderEpoch, producers
//	delete_records.go  DeleteRecords and the low watermark
//	journal.go         Journal: internal topics, as the coordinators append to them and await
//	journal_load.go    and load them
//	topics.go          per topic: configuration and counts, shared by its partitions
//	dirs.go            log directories: descriptions and failure
//	future.go          moving a log to another directory: beginning, giving up, changing over
//	future_copy.go     the threads that copy, and their rate
//	errors.go          errors and what storage errors become
//	metrics.go         kbroker_* series, read on scrape
//
// # Roles
//
// A Partition is leader, follower, or none of them. none is where it starts, and where it goes when the controller
// names a leader that this broker does not see alive, when it is stopped, and when its log directory fails. In the first
// case the epoch is not noted, so the same state is taken once that broker is known to be alive.
//
// A change of role or leader epoch takes the gate: it waits until the appends in flight are in the log under the epoch
// that they carry, notes the new epoch in the log's epoch cache, and only then becomes visible. An epoch is noted in
// Partition after everything else is done, so that a change that failed half-way is done again when the controller
// repeats it (KAFKA-9307).
//
// # Followers
//
// Fetchers copy; a Partition that follows takes what they bring, if it comes from the leader of its epoch and continues
// its log, and alone: the gate is held for all of an append or a cut. Batches stay as they are, offsets and leader
// epochs with them. Nothing is cut at the change of role, since what lies above a follower's high watermark may be
// committed and it would only not have heard of it (KIP-101); the leader's answer tells where the logs part, by leader
// epochs (KIP-279, 595). Only a log that knows no epochs is cut to its high watermark, for want of anything better.
//
// # In-sync replicas
//
// The committed ISR is what the controller last told. While a growth that this leader proposed is unanswered, the
// maximal ISR is larger than it; waiting for more replicas than necessary is safe, waiting for fewer is not, so
// everything that waits counts with the maximal ISR (KIP-497), and the check before an append with the committed one.
// A shrink that is under way changes neither until it is confirmed. One change is under way at a time. It ends with the
// controller's answer, or with a state of a newer leader epoch, after which an answer to it is of no account. An answer
// that leaves open whether the change was made (ErrISRStale) ends nothing: the maximal ISR holds until the next state.
//
// A follower is caught up when its end is the leader's, or when it had everything that the leader had at some moment
// not longer than replica.lag.time.max.ms ago.
//
// # High watermark
//
// The leader's high watermark is the smallest log end among itself, the followers in the maximal ISR, and followers
// outside of it that are caught up and alive (they are about to join, and would never manage to if the high watermark
// ran ahead of them). It does not move while fewer replicas are in sync than min.insync.replicas, of which at most the
// number of replicas counts. It never moves back while the role lasts. A new leader's high watermark may lie below the
// start of its epoch until its followers report; offsets told to consumers meanwhile would seem to go back, so
// ListOffset refuses with ErrOffsetNotAvailable.
//
// # A lost ZooKeeper session
//
// Nothing changes here, as in Kafka: a leader goes on until it is told of another. It cannot acknowledge with acks=all
// what the cluster will not have. Its ISR shrinks only by the controller, who refuses a broker that is not registered
// and a leader epoch that is over; every member of the ISR that follows the next leader does so in a newer epoch, in
// which it does not fetch from this one (and would be refused); and the next leader is a member of the ISR, unless it
// was elected uncleanly. So the high watermark stands still from the moment at which another leads, and what comes with
// acks=all times out. What comes with acks=1 in that time is lost, as it always may be. Stepping down on suspicion would
// only take from clients what still works when all of ZooKeeper is away.
//
// # Locks
//
//	Manager.applyMu      one LeaderAndIsr, StopReplica, UpdateMetadata or directory failure at a time; held across disk work
//	Partition.gate       a leader's appends hold it shared, a follower's and a change of role alone; held across an append
//	Manager.mu           the maps
//	Partition.mu         role, epochs, ISR, followers, waiters
//	storage's Log.mu
//
// They are taken in this order. Manager.mu and Partition.mu are never held across disk work or waiting, and two
// Partitions' locks are never held together. A waiter is woken by a send that does not block, and looks for itself.
package replica
