// Package protocol reads and writes Kafka's frames and headers and holds the
// table of APIs and versions that kbroker speaks.
//
// A frame on the wire:
//
//	int32 size | request header | request body
//	int32 size | response header | response body
//
// The bodies themselves are kmsg structs; only broker/api and broker/peer see
// those. This package must not know sockets, topics or the broker.
package protocol
