// Package peer is the outgoing side between brokers: a connection to one
// other broker that carries kmsg requests, one at a time.
//
// It knows frames and headers and nothing of what the requests mean; who asks
// (the controller's senders, the fetchers, the transaction markers) decides
// about retries and backoff. Versions are not negotiated here: brokers of one
// inter.broker.protocol.version send each other fixed versions without asking
// (Kafka: ControllerChannelManager, BrokerBlockingSender). The way to the
// controller is the exception: there Kafka asks, and so does ToController.
//
// Files: connection.go (Connection: dialling, the turn, timeouts),
// controller.go (ToController: whoever is controller), frame.go (headers and
// the sized read), quirks.go (where kmsg's layout is not Kafka's).
//
// Invariants:
//   - at most one request is in flight; the answer carries its correlation id;
//   - after any error the connection is closed, so that a late answer can
//     never be taken for the answer to the next request;
//   - nothing is allocated for bytes that have not arrived, beyond one step.
package peer
