// Package zktest holds what tests of, and with, a ZooKeeper server share: a network in
// memory, and a suite of behaviours that the embedded server and a real ZooKeeper must
// both show.
package zktest
