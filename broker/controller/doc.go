// Package controller is the elected brain of the cluster: one broker holds the
// znode /controller and decides, for all, who leads which partition (Kafka:
// KafkaController.scala and the files beside it).
//
// # Shape
//
// A Controller exists on every broker and takes part in elections. While it is
// elected it holds a term; everything it then knows and everything that works
// for it belongs to that term, so that resigning is dropping the term. A term has
//
//   - a machine: the cluster as the controller knows it and the moves of
//     partitions and replicas between states. It writes partition states to ZooKeeper and
//     collects the requests that tell the brokers; it knows no network and no watches;
//   - senders: one goroutine per live broker, which sends those requests in order.
//
// One goroutine (Controller.Run) owns all of it. It is fed by a mailbox: watches mark
// something as changed (at most once until it is read again), brokers' answers and
// the exported methods post events. A handler reads from ZooKeeper what it needs when it runs;
// what a watch said is not believed.
//
// # Invariants
//
//   - every write of a term is made under its lease: a check of the version of
//     /controller_epoch in the same transaction. A write that fails this check
//     ends the term;
//   - requests to one broker leave in the order in which they were decided and within
//     one batch as LeaderAndIsr, UpdateMetadata, StopReplica. A request is repeated until it is
//     answered, the broker is gone, or it registered anew;
//   - a partition's leader epoch grows by one with every election and every replica that the controller takes
//     out of the in-sync ones; a change that its leader proposed leaves it. The partition epoch is the version of its znode;
//   - every UpdateMetadata request lists all live brokers;
//   - the owner waits for ZooKeeper but for no other goroutine;
//   - what is known of a partition is taken for what is written, until a conditional write says otherwise: all writers of
//     states but leaders of the time before AlterPartition are this controller.
//
// # Files
//
// controller.go the owner and its loop · events.go the mailbox · elections.go who is controller ·
// term.go what belongs to one leadership, failover · watch.go handlers of what changed in ZooKeeper ·
// answers.go handlers of brokers' answers · create.go delete.go grow.go elect_leaders.go reassign_calls.go the admin calls ·
// alter_partition.go shutdown.go producer_ids.go the brokers' calls · balance.go preferred leaders by the clock ·
// check.go legal topics · metrics.go
//
// machine.go moves and their requests · state.go the cluster · partitions.go replicas.go the two state
// machines · elect.go assign.go pure choices · brokers.go what follows from brokers coming and
// going · deletion.go deleting topics · reassign.go moving partitions · legacy.go what old tools ask for · batch.go requests of one move · sender.go
//
// The machine is tested by the scripts in testdata.
package controller
