// Package consumer is a consumer group of the new protocol (KIP-848): a pure machine.
package consumer
