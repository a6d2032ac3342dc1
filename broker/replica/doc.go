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
//	wait.go            waiters, and those who wait for the high watermark
//	read.go            fetches of consumers and followers
//	offsets.go         ListOffsets, OffsetForLeaderEpoch, producers
//	delete_records.go  DeleteRecords and the low watermark
//	journal.go         Journal: internal topics, as the coordinators append to them and await
//	journal_load.go    and load them
//	topics.go          per topic: configuration and counts, shared by its partitions
//	dirs.go            log directories: descriptions and failure
//	errors.go          errors and what storage errors become
//	metrics.go         kbroker_* series, read on scrape
//
// # Roles
//
// A Partition is leader, follower, or none of them. none is where it starts, and where it goes when the controller
// names a leader that this broker does not see alive, when it is stopped, and when its log directory fails. Becoming a
// follower means for now: no more appends and no answers as leader, the log is kept as it is. Nothing fetches from the
// leader yet.
//
// A change of role or leader epoch takes the gate: it waits until the appends in flight are in the log under the epoch
// that they carry, notes the new epoch in the log's epoch cache, and only then becomes visible. An epoch is noted in
// Partition after everything else is done, so that a change that failed half-way is done again when the controller
// repeats it (KAFKA-9307).
//
// # In-sync replicas
//
// The committed ISR is what the controller last told. While a growth that this leader proposed is unanswered, the
// maximal ISR is larger than it; waiting for more replicas than necessary is safe, waiting for fewer is not, so
// everything that waits counts with the maximal ISR (KIP-497), and the check before an append with the committed one.
// A shrink that is under way changes neither until it is confirmed.
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
// # Locks
//
//	Manager.applyMu      one LeaderAndIsr, StopReplica, UpdateMetadata or directory failure at a time; held across disk work
//	Partition.gate       appends hold it shared, a change of role alone; held across an append
//	Manager.mu           the maps
//	Partition.mu         role, epochs, ISR, followers, waiters
//	storage's Log.mu
//
// They are taken in this order. Manager.mu and Partition.mu are never held across disk work or waiting, and two
// Partitions' locks are never held together. A waiter is woken by a send that does not block, and looks for itself.
package replica
