// Package assign is the server-side assignors of the new group protocol (KIP-848): who of a consumer group gets which
// partitions. They are pure functions of the members, of the topics and of what was assigned before.
//
// It knows no group, no epoch, no clock and no log: a group asks for new targets and decides what to do with them.
//
// # Files
//
//   - assign.go: what goes in and what comes out
//   - range.go: the range assignor
//   - uniform.go: the uniform assignor, which chooses between the two that follow
//   - homogeneous.go: when all members subscribe to the same topics
//   - heterogeneous.go, levels.go: when they do not
//   - board.go: who owns each partition, while the uniform assignor works on it
//
// # Invariants
//
//   - Every partition of a topic that anyone subscribes to has exactly one owner, who subscribes to it, whatever the
//     earlier targets claim: a partition claimed twice stays with the first claimant, one that its topic does not have is
//     dropped.
//   - The same question has the same answer. Nothing depends on the iteration order of a map. Where Kafka leaves the order
//     to its hash tables, members go by id and topics by id, compared as Kafka compares them.
//   - Target lists are never written to. Answers share them, and share memory among themselves.
//
// The results are those of Kafka 4.3, which differ from 3.9 and 4.0 in one case: of a homogeneous group, the members that
// may hold one partition more than others are by preference those that already do. No version since 3.9 looks at racks;
// they are part of the question because assignors of users may.
package assign
