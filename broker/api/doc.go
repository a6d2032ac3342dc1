// Package api is one file per Kafka API: the only place that sees both kmsg structs and domain types. Here
// bytes become requests, requests become calls of the rooms below, and what those return becomes codes and answers. It
// must not know sockets (broker/server does), files (storage), znodes' paths (zkmeta) or how partitions replicate
// (broker/replica).
//
// # Adding an API
//
// Write a file named after it, metadata.go, that opens with the fixed comment (name, key, versions, what it does,
// one line per version that changed something, with its KIP) and has one method:
//
//	func (h *Handlers) metadata(ctx context.Context, c *server.Call, r *kmsg.MetadataRequest) kmsg.Response
//
// and add one line to the list in table.go:
//
//	prompt((*Handlers).metadata)     for one that never waits: it runs in the connection's read loop
//	blocking((*Handlers).metadata)   for one that may wait for another machine, a goroutine or a lot of disk
//	raw(key, (*Handlers).metadata)   for one that decodes and encodes by itself, or decides case by case whether to
//	                                 wait: func(h *Handlers, ctx context.Context, c *server.Call) (server.Reply, error)
//
// That is all: ApiVersions advertises what is in the list. The rooms below are in h.rooms (Options). The request is decoded, with the version of the call set;
// r.ResponseKind() makes the response, whose version the frame sets. Byte slices in r alias the frame, and
// are valid until the method returns. A nil response closes the connection. Which error code an error becomes is decided by
// codeOf alone (errors.go): use h.code(c, err), which also logs, once, what has no code.
// ctx is the connection's: it ends when the peer is gone; put the request's own timeout on top of it.
//
// Calls of one connection run one after the other, except that Produce is pipelined (Pipelines). Methods are called from
// many goroutines at once.
//
// # Files
//
// handlers.go (Options, Handlers, dispatch), table.go (THE list, and the forms of its rows), answer.go (encoding into
// pooled buffers), errors.go (errors to codes), leaders.go (who leads instead), one file per API. Produce
// has two: produce.go (the call) and produce_encode.go (the answer). Fetch has
// several: fetch.go (the call), fetch_read.go (reading and waiting), fetch_encode.go (the answer), fetch_legacy.go (old
// formats), sessions.go and session_cache.go (KIP-227).
//
// # Invariants
//
//   - No body can panic here, or have more allocated than a bounded multiple of its size; one that does not decode
//     closes the connection.
//   - A Produce is never answered with UNKNOWN_SERVER_ERROR: clients would send again under a new sequence.
//   - Whatever a fetch reads is released exactly once, sent or not.
package api
