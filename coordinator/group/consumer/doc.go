// Package consumer is a consumer group of the new protocol (KIP-848) as a pure machine: it is told the time and an
// event, and asks for writes and wake-ups through a journal.Turn. It knows no clock, no log, no socket, and no broker.
// Kafka's counterparts are the consumer parts of GroupMetadataManager and the classes of modern/consumer.
//
// Three epochs move a group. A change of members or of what they subscribe to raises the group epoch. A target
// assignment is computed once per group epoch. Each member is then brought to its part of the target on its own, by its
// heartbeats: it gives back what it must lose before its epoch moves on, and is given a partition only once nobody else
// holds it.
//
//	config.go       Config, and Image: the topics of the cluster
//	group.go        Group: its fields, life and questions about it
//	member.go       a member: subscription and current assignment; the indexes over members
//	holding.go      partitions that a member holds, each with the epoch that gave it
//	changes.go      the steps that change a group's stored state, each of which is one record
//	records.go      those steps as records, and back
//	write.go        how changes are stored, applied and answered
//	heartbeat.go    ConsumerGroupHeartbeat; validate.go its checks
//	plan.go         what one request changes; membership.go who asks, static members among them
//	subscribe.go    subscribed topics and their hash; regex.go subscriptions by regular expression
//	target.go       the target assignment
//	reconcile.go    one step of a member towards its target
//	telling.go      whether a member has heard its assignment
//	leave.go        members that go or are fenced; tick.go timeouts
//	classic_*.go    members of the classic protocol; convert.go upgrade and downgrade of whole groups
//	commit.go       who may commit and fetch offsets; describe.go what operators see
//
// Invariants:
//
//   - Stored state changes in one place, change.apply, which the machine calls when its records are in the log and
//     Replay calls for each record read back. So a replay makes an equal group, and a refused append changes nothing.
//   - A partition is in the holdings of at most one member at a time, those that it is still to revoke included.
//   - Members are never changed once made: a change puts another one in place. Holdings, targets and subscriptions are
//     shared and never changed either.
//   - What nobody stores (timeouts, caches of topics, when topics were last looked at) is soft: losing it costs no more
//     than a later timeout or another look.
//   - A heartbeat that changes nothing costs a few comparisons, whatever the size of the group.
package consumer
