// Package group is the group coordinator: it finds the group of a request, loads and unloads the groups of a partition
// of __consumer_offsets as its leadership comes and goes, and runs each group's machines in an actor of its own. It
// plays the part of Kafka's GroupCoordinator.scala and GroupMetadataManager.scala, and of GroupCoordinatorService.java for
// groups of the new protocol (KIP-848).
//
// It must not know the wire (kmsg requests and their versions end in broker/api), logs and replicas (it has a
// journal.Journal), nor the rules of a protocol (classic, consumer, offsets and assign have them).
//
// # A request
//
//	Groups.Join ─ ask ─→ shardOf ─→ shard.submit ─→ the actor's mailbox ─→ turn ─→ machine
//	     ↑                                                                  │
//	     └───────────── reply ──────────── Applied, Done ←── Journal ←──────┘ writes
//
// A turn runs the machine with the time and a journal.Turn, then appends what the machine asked for, in order, each
// followed by its Applied callback; Done follows when the write is committed: in the same turn where that is at once, else in a
// turn of its own. An actor never waits: not for replicas, not for another group. Only the caller's goroutine waits, for its
// reply or for the end of ctx. A heartbeat of a classic group that nobody runs goes straight to its turn (heartbeatNow).
//
// # Files
//
//	groups.go   Groups: routing, leadership      classic.go, consumer.go, offsets.go   requests, by family
//	shard.go    the groups of one partition      list.go, delete.go                    administration
//	load.go     from the log to groups           expire.go                             retention
//	actor.go    one group
//	turn.go     what a turn asks for             metrics.go, census.go                 counters; what is looked up at a scrape
//
// # Invariants
//
//   - A group is what a replay of its partition makes of it, also when the log was compacted: what is stored changes in
//     memory in Applied alone, so a refused append changes nothing. TestReplayEqualsLive holds it to that.
//   - A group is classic or of the new protocol, never both; what makes one of the other is one batch.
//   - Appends carry the epoch in which the leadership began that the partition was loaded for. A shard that does not know yet
//     that it is over cannot write; one whose leader stays lives on when the epoch grows, as one replica or another goes.
//   - A task is answered: by its group, or by a new one when the group was deleted while it waited, or by refusal.
//   - Whoever waits when a shard ends is answered then.
//   - Writes of a group end (Done) in the order in which they were appended.
//   - Locks: Groups.mu → shard.mu → the mailbox's. None is held over a call of the journal or of a machine.
//
// # Changing something
//
// A request belongs to the file of its family: ask says where it may run and what it is told when there is no such group.
// State that is stored belongs to a machine, which asks for a Write. For anything that both kinds of groups do, look at becomeConsumer,
// becomeClassic and downgrade (consumer.go) first: a group may be of the other kind in its next turn.
package group
