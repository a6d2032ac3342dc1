// Package simulation runs a whole cluster, ZooKeeper and clients in one process, in virtual time.
package simulation
