// Package broker puts the parts together: it builds every room, starts them in a
// written order and stops them in the reverse one. It holds no protocol logic.
//
// # The map
//
//	cmd/kbroker        flags, signals, exit code
//	broker             this package: composition
//	broker/server      sockets, frames, order of answers
//	broker/api         one file per Kafka API; wire structs end there
//	broker/controller  the elected brain: partition and replica state machines
//	broker/replica     hosted partitions: roles, ISR, high watermark, waiters
//	broker/fetcher     copies the logs of leaders
//	broker/alterisr    the in-sync replicas that leaders propose to the controller
//	broker/metadata    the broker's image of the cluster
//	broker/peer        outgoing connections to brokers
//	broker/config      every configuration key, static and dynamic
//	coordinator/...    groups and transactions: state machines over a journal
//	zkmeta             znodes, session, election, watches
//	storage            segments, indexes, producer state, recovery
//	protocol           frames, headers, version table; protocol/record: batches
//
// # Follow one request
//
// A produce request enters server.conn (the read loop reads the frame into a
// pooled buffer), goes through api.Handlers.Handle (the table) to api's produce,
// which for every partition lets record.Validate check the batch in place and
// replica.Partition.AppendAsLeader append it: storage.Log patches offset and
// leader epoch into the same bytes and writes them. With acks=all the reply is a
// promise that waits until the high watermark has passed the batch; the answering
// goroutine of the connection keeps it and writes the answers in the order of arrival.
//
// # Order of start
//
//  1. ZooKeeper: session, roots, cluster id
//  2. meta.properties, broker id, dynamic configuration
//  3. log directories: lock, load, recover
//  4. sockets bound: clients may connect, nobody is served yet
//  5. registration in ZooKeeper, then election
//  6. configuration changes followed, settings of groups read
//  7. requests served; ready once the controller has told us of ourselves
//
// HandOver has others lead first. Stop is the reverse; the session ends last, so that the registration is gone only
// when the logs are closed.
package broker
