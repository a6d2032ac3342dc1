// Package zkserver is an embedded, single-node server of the ZooKeeper client
// protocol (3.8). It serves kbroker dev and hermetic tests.
//
// It is not for clusters: there is one copy of the data, in memory and in one bbolt
// file, and no replication. Use a real ZooKeeper ensemble for more than one machine.
//
// It knows nothing of Kafka. What clients can see follows ZooKeeper: results, error
// codes, stats, zxids, the order of answers and watch events. Differences: access
// lists are stored and returned but not enforced, containers and nodes with a time to live
// are refused as unimplemented, and quotas are not kept.
//
// # How it works
//
// One goroutine, the owner, holds the tree, the sessions and the watches. It takes
// messages from a mailbox in batches, applies them to the memory, makes the batch durable in one
// bbolt transaction, and only then releases the answers and watch events. Many writes
// thus share one fsync, and nobody sees a write, be it by a read or by a watch, that a
// crash could undo. Each connection has a read loop, which decodes frames into messages, and
// a write loop.
//
// # Files
//
//	options.go   Options, defaults, interception of requests
//	serve.go     New, Close, accepting, seams for tests
//	owner.go     the owner goroutine: batches, zxids, release of answers
//	conn.go      frames, the two loops of a connection
//	session.go   handshake, passwords, expiry
//	tree.go      nodes, stats, paths
//	txn.go       a write: applied to the tree, undone when a multi fails
//	ops_*.go     the operations
//	acl.go       access lists: checked for form, expanded, stored
//	watch.go     one-shot, persistent and recursive watches
//	jute.go      the codec of records
//	codes.go     numbers of operations, errors and events
//	store.go     the bbolt file
//	words.go     four-letter words
//
// # Invariants
//
//   - Answers of a connection leave in the order of its requests, with zxids that never
//     fall; a watch event leaves before any answer that shows the change.
//   - An answer to a write, and anything that shows its effect, leaves after the write is
//     durable (unless NoSync, or no file).
//   - A zxid is never used twice, even over restarts: each start begins a new epoch (high 32 bits).
//   - Sessions and ephemeral nodes outlive a restart; every session is then given its
//     full timeout again.
package zkserver
