// Package journal is what the coordinators stand on: the interface through which they append to and load from the
// internal topics, the records of these topics, the hash that places a group, and the mailbox that runs its machine.
//
// It must not know logs, replicas, requests or sockets: broker/replica implements Journal. It has no clock.
//
//	journal.go          Journal: append, await, load; Entry
//	turn.go             Turn: one step of a machine, and what it wants done
//	mailbox.go          Mailbox: functions one after the other, a goroutine only while there are some
//	hash.go             PartitionFor: Java's String.hashCode
//	records.go          keys and values of __consumer_offsets: parsing, and the records that Kafka 3.9 writes
//	consumer_keys.go    keys of consumer groups (KIP-848)
//	consumer_values.go  their values
//	flexible.go         the flexible encoding: tagged fields, arrays
//
// # Records
//
// The first two bytes of a key are its version, which names the kind of record; the first two of a value are the version
// of its encoding. A nil value is a tombstone. Offsets and classic groups are written as Kafka 3.9 writes them, so that
// either can take over from the other, and are read in all versions up to those of Kafka 4.3. Consumer groups are written
// as Kafka 4.3 writes them; no Kafka that uses ZooKeeper reads those, and it skips them.
//
// The bytes come from disk. Parsing never panics, allocates in proportion to its input, and keeps none of it. Bytes behind
// the last field are ignored, as in Kafka.
package journal
