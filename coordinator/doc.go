// Package coordinator is the floor of the coordinators; it holds no code of its own.
//
//	group    consumer groups of both protocols: members, generations, assignments, committed offsets. It routes and loads;
//	         the machines are in group/classic, group/consumer, group/offsets, the assignors in group/assign
//	         (Kafka: GroupCoordinator.scala, GroupMetadataManager.scala; 4.x: GroupMetadataManager.java)
//	txn      transactions: transactional ids, their states, markers; and the producer ids of this broker
//	         (Kafka: TransactionCoordinator.scala, ProducerIdManager.scala)
//	journal  what both stand on: the small interface through which they append to and load from the internal topics,
//	         the keys and values of those topics' records, the hash that places a group or transactional id, and the
//	         actor that feeds a machine
//
// Of transactions only the producer ids exist so far.
//
// The machines are pure: a transition takes the time and an event, changes the machine's fields and returns effects
// (answer this member, set that timer, append this record). One actor per group or transactional id runs them, so a
// machine needs no lock; what an effect needs of the world the actor does. Hence the rules of this floor: no socket, no
// file, no clock, no import of broker packages. State that a coordinator loads from its log must equal the state that
// it had when it wrote that log, also after the log was compacted.
package coordinator
