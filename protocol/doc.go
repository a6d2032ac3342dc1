// Package protocol reads and writes Kafka's frames and headers and holds the
// table of APIs and versions that kbroker speaks.
//
// A frame on the wire:
//
//	int32 size | request header | request body
//	int32 size | response header | response body
//
// The headers, by version (a flexible API version takes the last of each):
//
//	request  v0  key i16, version i16, correlation id i32   (ControlledShutdown v0 only)
//	         v1  v0, client id (i16 length, -1 null)
//	         v2  v1, tagged fields
//	response v0  correlation id i32                         (always for ApiVersions)
//	         v1  v0, tagged fields
//
// The bodies themselves are kmsg structs; only broker/api and broker/peer see
// those. This package must not know sockets, topics or the broker.
//
// Files: frame.go (sizes and frames), buffers.go (the pool they come from; in race
// builds poison_race.go spoils what is given back), header.go, versions.go (THE
// table), errors.go (error codes).
//
// Invariants: no length from the network is believed before it is checked
// against a limit; nothing here panics on any bytes; the table is the only place
// that says which versions exist.
package protocol
