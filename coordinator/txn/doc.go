// Package txn is the transaction coordinator; for now it holds the producer ids.
//
//	producer_ids.go  ProducerIDs: ids for InitProducerId, out of blocks that the controller allots
//
// It must not know sockets, files, clocks or ZooKeeper: where blocks come from is a function that it is given.
//
// Invariant: a producer id is handed out at most once in the life of a cluster. The controller never allots a range
// twice, a block that this broker did not use up is lost with it, and ranges that overlap are refused.
package txn
