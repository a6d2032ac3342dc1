// Package zkmeta is Kafka's tree of znodes: typed reads and conditional writes, the session,
// registration, controller election and change notifications. It knows neither storage nor Kafka's
// network nor the broker; it knows the ZooKeeper library, and no other package does.
//
// # Files
//
//	client.go session.go   one owner of the ZooKeeper session: connect, disconnect, expire, renew
//	conn.go                one request: context, error classes, retry after connection loss
//	connect.go dial.go     servers, chroot, back-off
//	session_conn.go        a connection: deadlines, the bit that asks for a watch, requests of our own
//	multi_read.go          many znodes read with a request
//	watch.go               watches by path, fired through one dispatcher
//	batch.go               pipelining, and writes that share transactions
//	znodes*.go             one type per znode: path, encode, decode; ZNodes is the table of all
//	roots.go registry.go election.go feature.go topics.go partitions.go deletion.go
//	configs.go config_watch.go notifications.go producer_ids.go admin.go
//	                       the operations, a file for each part of the tree
//
// # Rules
//
// Everything is level-triggered: a Notify only says "look again". It is registered before the read
// it belongs to, fires at most once, and fires also when the connection was re-made or the session
// expired, since changes may have been missed in between.
//
// A library connection carries one session only. When ZooKeeper expires the session, calls made on it
// end with ErrSessionExpired, the connection is never used again and a new one opens a new session; so
// no request of the old session can take effect in the new one.
//
// A call returns when its context ends, but what it asked for may still take effect.
//
// A write that ended in connection loss has an unknown outcome. Before it is tried again, or when the
// second try is refused, what is stored is compared with what was to be stored. The only writes that may
// happen twice are sequential notifications, which say nothing but "look again", and broker ids, of which
// one is then skipped.
//
// Every write of the controller carries its Lease: a check of the version of /controller_epoch in the same
// transaction. That version, not the number inside, is the fence.
//
// # To change X
//
// A new znode: a type in znodes_*.go, a line in ZNodes, and the golden tree test will ask for its shape.
// A new operation: build it from session.get, session.children and session.commit (conn.go), or, for many
// writes, from tasks (batch.go).
package zkmeta
