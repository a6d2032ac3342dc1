// Package server is the network side of the broker: listeners, connections, frames, the order of
// answers, limits, and the way bytes reach the socket. It must not know what a call means: that is the
// Handler's.
//
// A connection is one goroutine, the read loop: it reads a frame, waits until the call's turn has come,
// hands it to the Handler and, when the answer is ready and none is queued before it, writes it at once. An
// answer that has to wait is queued, and a second goroutine, which lives only while there is something in
// the queue, awaits and writes the answers in the order of arrival. Meanwhile the read loop reads one frame
// ahead, and so notices a peer that hangs up; then the connection's context ends.
//
//	read loop:  frame -> header -> turn -> Handle -> ready and nothing queued -> write
//	                                         |
//	                                         +-> queue -> answering goroutine: Await -> write
//
// Kafka serves one call of a connection at a time. So do we, except where Handler.Pipelines allows more:
// even then answers leave in the order of arrival, and Limits bound how many and how large the calls in
// flight are. Beyond them the read loop stops reading, which is the back-pressure that TCP passes on.
//
// Files: call.go (what passes between server and handler), limits.go, accept.go (Server, listeners),
// admit.go (how many connections, from where, how fast), conn.go (the read loop), pending.go (queue and
// answering goroutine), send.go (how an answer becomes writes), memory.go (queued.max.request.bytes),
// idle.go (connections.max.idle.ms), shutdown.go, metrics.go.
//
// Locks: Server.mu, then conn.mu. Neither is held while reading, writing, handling or waiting.
//
// Invariants:
//   - Every call that was handled is completed exactly once: Await is called if there is one, pieces are
//     released, Done runs, the frame returns to its pool, even when the peer is gone or a handler panicked.
//   - A panic closes its connection and nothing else; kbroker_connection_panics_total counts it.
//   - After an error on a connection nothing more is written to it.
package server
