// Package classic is a consumer group of the classic protocol (JoinGroup, SyncGroup, Heartbeat, LeaveGroup): a pure
// machine (Kafka: GroupCoordinator.scala, GroupMetadata.scala and MemberMetadata.scala; KIP-345 static members,
// KIP-394 ids before membership, KIP-800 reasons, KIP-814 static leaders).
//
// A request is a call with a journal.Turn, which brings the time and takes the writes and the time of the next Tick.
// Joins and syncs answer through a function, in that turn or a later one. The machine must not know clocks, goroutines,
// partitions, the loading of others, nor committed offsets; whether the broker coordinates the group is asked before.
//
// # States and events
//
// "A member" is one of the group, a stranger is not; next is a new generation, in CompletingRebalance, or Empty.
//
//	event                  Empty              PreparingRebalance    CompletingRebalance   Stable              Dead
//	new member joins       prepare            park                  prepare               prepare             NotAvailable
//	pending id joins       prepare            park                  prepare               prepare             NotAvailable
//	static member returns  -                  fence, park           fence, prepare        fence, store        NotAvailable
//	leader joins           -                  park                  answer                prepare             NotAvailable
//	follower joins         -                  park                  answer                answer              NotAvailable
//	member joins changed   -                  park                  prepare               prepare             NotAvailable
//	stranger joins         UnknownMember      UnknownMember         UnknownMember         UnknownMember       NotAvailable
//	leader syncs           -                  RebalanceInProgress   store                 answer              NotAvailable
//	follower syncs         -                  RebalanceInProgress   park                  answer              NotAvailable
//	stranger syncs         UnknownMember      UnknownMember         UnknownMember         UnknownMember       NotAvailable
//	member beats           -                  RebalanceInProgress   none                  none                NotAvailable
//	stranger beats         UnknownMember      UnknownMember         UnknownMember         UnknownMember       NotAvailable
//	member leaves          -                  next if all are here  prepare               prepare             NotAvailable
//	pending id leaves      forget             next if all are here  forget                forget              NotAvailable
//	stranger leaves        UnknownMember      UnknownMember         UnknownMember         UnknownMember       NotAvailable
//	member commits         -                  none                  RebalanceInProgress   none                NotAvailable
//	member commits in txn  -                  none                  none                  none                NotAvailable
//	stranger commits       UnknownMember      UnknownMember         UnknownMember         UnknownMember       NotAvailable
//	nobody commits         none               UnknownMember         UnknownMember         UnknownMember       NotAvailable
//	nobody commits in txn  none               none                  none                  none                NotAvailable
//	session is over        -                  next if all are here  prepare               prepare             -
//	pending id lapses      forget             next if all are here  forget                forget              -
//	time to join is over   -                  next                  -                     -                   -
//	time to sync is over   -                  -                     prepare               prepare             -
//	write is done          nothing            nothing               Stable, answer        answer              nothing
//	write failed           nothing            undo                  prepare, error        undo, error         nothing
//	delete                 Dead               NonEmptyGroup         NonEmptyGroup         NonEmptyGroup       GroupIDNotFound
//	close                  Dead               error, Dead           error, Dead           error, Dead         Dead
//
// A test holds that every cell happens in a script of testdata, and those marked "-" in none.
//
// # Invariants
//
//   - no members in Empty, some in CompletingRebalance and Stable; the leader is one of them;
//   - one protocol at least is supported by all members;
//   - every request is answered once. Parked joins are in PreparingRebalance, or in Stable while a replacement is
//     stored; parked syncs are in CompletingRebalance;
//   - a member has a deadline, unless a parked request proves that it lives. A fresh member has one all the same;
//   - what is answered as an assignment, or as the id of a returned static member, is stored before. A write that comes
//     back to another generation or to other members changes nothing;
//   - heartbeats cost nothing: no allocation, no look at other members, no timer of their own.
//
// # Where Kafka is not followed
//
// Kafka forgets parked requests in a few places (a join or sync that the member sends again, the sync of a member that
// leaves); here they are answered, to nobody who still listens. It stores a second assignment that a leader sends while the
// first is being stored, and uses the first. It waits for the sync of a static member under the id that was replaced,
// and so rebalances later on for nothing. When a replacement could not be stored, it gives back the id but keeps the
// new metadata; and it answers a replacement out of a rebalance that began meanwhile, rather than with it. It counts
// a protocol named twice by a member as two votes, and cannot complete the rebalance.
//
// # Files
//
// machine.go the group, its states · members.go members coming, going and waiting · join.go static.go sync.go
// heartbeat.go (and commits) leave.go the requests · rebalance.go from preparing to the next generation · tick.go
// deadlines · subscription.go topics of the members · record.go what is stored and loaded · end.go delete, unload ·
// describe.go snapshot.go the group as data
package classic
