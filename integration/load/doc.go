// Package load is what clients do while faults are injected, and notes it in a history. It checks nothing itself, and knows of
// brokers only their addresses: whether they are kbroker or Apache Kafka, and what is done to them, is the test's business.
//
//   - load.go      all of it, started and ended together
//   - producer.go  franz-go producers of numbered values: idempotent ones with acks=all, and a careless one with acks=1
//   - consumer.go  a franz-go consumer in a group, and one that reads the log at the end
//   - view.go      who leads, as each broker's metadata tells
//   - reader.go    a consumer of every replica: it fetches from one broker whatever that leads or follows (KIP-392), fenced
//     by leader epoch, and notes each answer
//   - ends.go      asks leaders for ends: ListOffsets, OffsetForLeaderEpoch
//   - commits.go   commits growing offsets and asks for them
//   - wire.go      one connection for requests written by hand
//
// Requests by hand have fixed versions, the last before flexible encoding where there is a choice: what they ask did not change since.
package load
